/**
 * Reads what a person declared in YAML before a run (targets, claims) and says precisely what is wrong with it:
 * `file:line`, what, and what to do. Bounded against hostile input: at most 1 MB, no aliases (so no "billion
 * laughs"), no second document, no key twice. A byte-order mark and CRLF line ends are allowed. JSON is YAML, so
 * the copies in a run directory pass through the same checks.
 */
import { statSync } from 'node:fs'
import { LineCounter, isAlias, isNode, parseDocument, visit, type Document, type Node } from 'yaml'
import type { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'
import { readBoundedFile } from './bounded-file.ts'

export const largestDeclarationBytes = 1_048_576

export interface Declaration<T> {
  readonly value: T
  /** `file:line` of the element at `path`, or of the nearest one around it. */
  where(path: readonly PropertyKey[]): string
}

/** The text of a regular file; throws USAGE when it is missing, too large or not UTF-8. */
export function readDeclarationText(path: string): string {
  const bytes = readBoundedFile(path, largestDeclarationBytes)
  if (bytes === null) throw usage(`${path}: ${whyUnreadable(path)}`, 'Name a YAML file of at most 1 MB.')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw usage(`${path}: the file is not UTF-8 text`, 'Save it as UTF-8.')
  }
}

function whyUnreadable(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 'there is no such file'
  if (!stat.isFile()) return 'this is not a regular file'
  return stat.size > largestDeclarationBytes ? `the file has ${stat.size} bytes` : 'the file cannot be read'
}

/** Parses and checks; `known` are the key names from which a misspelt one is guessed. */
export function parseDeclaration<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  known: readonly string[],
): Declaration<T> {
  if (Buffer.byteLength(text) > largestDeclarationBytes) {
    throw usage(`${file}: the text is larger than 1 MB`, 'Keep one file per purpose, and fewer entries in it.')
  }
  const lines = new LineCounter()
  const document = parseYaml(text.replace(/^\uFEFF/, ''), file, lines)
  const where = (path: readonly PropertyKey[]): string => `${file}:${lineOf(document, lines, path)}`
  const checked = schema.safeParse(plainValue(document, file, lines))
  if (checked.success) return { value: checked.data, where }
  // A misspelt key also leaves its proper one missing; the misspelling is what to name.
  const issue = checked.error.issues.find((each) => each.code === 'unrecognized_keys') ?? checked.error.issues[0]
  if (issue === undefined) throw usage(`${file}: the file is not as expected`, 'Compare it with the shipped one.')
  throw issueError(issue, where, known)
}

function parseYaml(text: string, file: string, lines: LineCounter): Document {
  let document: Document
  try {
    document = parseDocument(text, { lineCounter: lines, schema: 'core', version: '1.2', logLevel: 'error' })
  } catch {
    // The parser recurses; what nests deeper than its stack is no declaration.
    throw usage(`${file}:1: the file cannot be parsed as YAML`, 'Write a plain list of entries.')
  }
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) {
    const said = problem.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? 'not YAML'
    const what = said.includes('call stack') ? 'the file nests too deeply' : said
    throw usage(`${file}:${lines.linePos(problem.pos[0]).line}: ${what}`, 'Correct the YAML there.')
  }
  return document
}

function plainValue(document: Document, file: string, lines: LineCounter): unknown {
  try {
    visit(document, (_, node) => {
      if (isAlias(node))
        throw usage(`${file}:${lineAt(node, lines)}: aliases (*${node.source}) are not allowed`, 'Write the value out.')
    })
    return document.toJS({ maxAliasCount: 0 })
  } catch (error) {
    if (error instanceof LighthouseError) throw error
    throw usage(`${file}: the file cannot be read as plain values`, 'Write a plain list of entries.')
  }
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lineAt(node, lines)
  }
  return 1
}

function lineAt(node: Node, lines: LineCounter): number {
  return node.range ? lines.linePos(node.range[0]).line : 1
}

function issueError(
  issue: z.core.$ZodIssue,
  where: (path: readonly PropertyKey[]) => string,
  known: readonly string[],
): LighthouseError {
  const at = issue.path.length === 0 ? '' : ` ${issue.path.map(String).join('.')}:`
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const near = nearestWord(key, known)
    return usage(
      `${where([...issue.path, key])}:${at} unknown key ${JSON.stringify(key.slice(0, 80))}`,
      near === null ? `Use ${known.join(', ')}.` : `Did you mean "${near}"?`,
    )
  }
  return usage(`${where(issue.path)}:${at} ${issue.message.slice(0, 300)}`, `Keys are ${known.join(', ')}.`)
}

export function usage(message: string, ...suggestions: string[]): LighthouseError {
  return new LighthouseError('USAGE', message, { suggestions })
}
