/**
 * Reads `lighthouse.config.yaml`: one flat mapping whose keys are the long flag names in camelCase. A key holds
 * for every command that has the flag; a flag or environment variable goes before it. Every mistake is
 * named with file and line, and unknown keys with the nearest known one. The file is size-checked before it
 * is read, so that a mistaken path costs nothing.
 */
import { readFile, stat } from 'node:fs/promises'
import { LineCounter, parseDocument, type Document, type YAMLMap } from 'yaml'
import { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

/** A configuration is a page of text; anything larger is another file. */
export const largestConfigurationBytes = 1_048_576

export interface ConfiguredValue {
  /** As a flag would be given it. */
  readonly text: string
  /** `file:line`, for messages. */
  readonly where: string
}

export type Configuration = ReadonlyMap<string, ConfiguredValue>

const scalar = z.union([z.string(), z.number(), z.boolean()])
const value = z.union([scalar, z.array(scalar)])

function wrong(message: string, suggestion: string): LighthouseError {
  return new LighthouseError('CONFIGURATION', message, { suggestions: [suggestion] })
}

/** Null when there is no such file and `required` is false. */
export async function readConfigurationFile(
  file: string,
  knownKeys: readonly string[],
  required: boolean,
): Promise<Configuration | null> {
  const text = await readBounded(file, required)
  return text === null ? null : parseConfiguration(text, file, knownKeys)
}

export function parseConfiguration(text: string, file: string, knownKeys: readonly string[]): Configuration {
  const lines = new LineCounter()
  const document = parseDocument(text.replace(/^\uFEFF/, ''), {
    lineCounter: lines,
    schema: 'core',
    version: '1.2',
    logLevel: 'silent',
  })
  const problem = document.errors[0]
  if (problem !== undefined) {
    const line = lines.linePos(problem.pos[0]).line
    throw wrong(
      `${file}:${line}: ${problem.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? 'not YAML'}`,
      'Correct the YAML there.',
    )
  }
  const root = plainValue(document, file)
  if (root === null || root === undefined) return new Map()
  if (typeof root !== 'object' || Array.isArray(root))
    throw wrong(`${file}:1: the file is not a mapping`, 'Write one `name: value` per line.')
  const configured = new Map<string, ConfiguredValue>()
  for (const [key, entry] of Object.entries(root)) {
    const where = `${file}:${lineOf(document.contents as YAMLMap, key, lines)}`
    if (!knownKeys.includes(key)) throw unknownKey(key, where, knownKeys)
    const checked = value.safeParse(entry)
    if (!checked.success) throw wrong(`${where}: '${key}' is not a text, number, true or false`, 'Give a single value.')
    configured.set(key, { text: Array.isArray(checked.data) ? checked.data.join(',') : String(checked.data), where })
  }
  return configured
}

/** Aliases are refused: a settings file needs none, and nested ones grow without bound. */
function plainValue(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 })
  } catch (error) {
    throw new LighthouseError('CONFIGURATION', `${file}: YAML aliases are not allowed`, {
      cause: error,
      suggestions: ['Write the value out.'],
    })
  }
}

function lineOf(map: YAMLMap, key: string, lines: LineCounter): number {
  for (const pair of map.items) {
    const node: unknown = pair.key
    if (typeof node === 'object' && node !== null && 'value' in node && 'range' in node && String(node.value) === key) {
      const range: unknown = node.range
      if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line
    }
  }
  return 1
}

function unknownKey(key: string, where: string, knownKeys: readonly string[]): LighthouseError {
  const camel = key.replace(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  const guess = knownKeys.includes(camel) ? camel : nearestWord(key, knownKeys)
  return wrong(
    `${where}: there is no setting '${key}'`,
    guess === null ? `Known settings: ${[...knownKeys].sort().join(', ')}.` : `Did you mean '${guess}'?`,
  )
}

async function readBounded(file: string, required: boolean): Promise<string | null> {
  try {
    const found = await stat(file)
    if (!found.isFile()) throw wrong(`${file} is not a regular file`, 'Name a configuration file with --config.')
    if (found.size > largestConfigurationBytes) {
      throw wrong(
        `${file} has ${found.size} bytes, the most for a configuration is ${largestConfigurationBytes}`,
        'Name the right file with --config.',
      )
    }
    return decode(await readFile(file), file)
  } catch (error) {
    if (error instanceof LighthouseError || !(error instanceof Error)) throw error
    if (!required && 'code' in error && error.code === 'ENOENT') return null
    throw new LighthouseError('CONFIGURATION', `${file} cannot be read: ${error.message}`, {
      cause: error,
      suggestions: ['Name a readable file with --config.'],
    })
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new LighthouseError('CONFIGURATION', `${file} is not UTF-8 text`, {
      cause: error,
      suggestions: ['Save it as UTF-8.'],
    })
  }
}
