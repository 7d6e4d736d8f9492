/**
 * Reads a workload from YAML. What the file does not say has a default; a key that is not known is an error,
 * since a misspelt rate must not silently become the default. Every complaint names file and line.
 */
import { LineCounter, parseDocument, isMap, isNode, type Document } from 'yaml'
import { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import { coordinationKindOf, coordinationOf, coordinationSchemas, patternOf } from './coordination-file.ts'
import { unknownPatternSchema, type NamedCoordination } from './coordination-file.ts'
import { patterns, type Workload } from './round-plan.ts'

/** Characters of a file; a workload takes some 500. */
const maximumLength = 64 * 1024
/** Anchors that refer to each other could unfold without end. */
const maximumAliases = 16

const share = z.number().min(0).max(1)

const workloadSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'use lower-case letters, digits and hyphens'),
    agents: z.int().min(2).max(100_000).default(100),
    ratePerSecond: z.number().positive().max(1_000_000).default(200),
    pattern: z.enum(patterns),
    arrivals: z.enum(['poisson', 'uniform']).default('poisson'),
    payloadBytes: z.int().min(1).max(65_536).default(300),
    answers: z
      .strictObject({ accept: share, decline: share, cancel: share })
      .refine(({ accept, decline, cancel }) => Math.abs(accept + decline + cancel - 1) <= 1e-9, {
        error: 'the shares of accept, decline and cancel must sum to 1',
      })
      .default({ accept: 0.9, decline: 0.08, cancel: 0.02 }),
    deadlineMs: z.int().min(1).max(300_000).default(5000),
  })
  .refine((workload) => workload.pattern !== 'pairs' || workload.agents % 2 === 0, {
    error: 'pattern "pairs" needs an even number of agents',
    path: ['agents'],
  })

/**
 * A load of single exchanges. `file` is the name that messages use. Throws LighthouseError: CONFIGURATION, or USAGE for a coordination
 * pattern, which only its own command plays.
 */
export function parseWorkload(text: string, file: string): Workload {
  return parseYaml(text, file, (value) => {
    const kind = coordinationKindOf(value)
    if (kind === undefined) return workloadSchema
    throw new LighthouseError(
      'USAGE',
      `${file}: "${kind}" is a coordination pattern, and this command plays single exchanges`,
      {
        suggestions: [`Use lighthouse bench coordination --workload ${file}.`],
      },
    )
  })
}

/** A coordination pattern. Throws LighthouseError: CONFIGURATION, or USAGE for a load of single exchanges. */
export function parseCoordination(text: string, file: string): NamedCoordination {
  return coordinationOf(
    parseYaml(text, file, (value) => {
      const kind = coordinationKindOf(value)
      if (kind !== undefined) return coordinationSchemas[kind]
      const plain = patterns.find((name) => name === patternOf(value))
      if (plain === undefined) return unknownPatternSchema
      throw new LighthouseError(
        'USAGE',
        `${file}: "${plain}" is a load of single exchanges, not a coordination pattern`,
        {
          suggestions: [`Use lighthouse bench compare --workload ${file}.`],
        },
      )
    }),
  )
}

/** Reads YAML and checks it against the schema that is chosen for it. Throws LighthouseError('CONFIGURATION'). */
function parseYaml<T>(text: string, file: string, schemaFor: (value: unknown) => z.ZodType<T>): T {
  const fail = (place: string, what: string): never => refuse([`${place}: ${what}`])
  if (text.length > maximumLength) fail(file, `${text.length} characters are more than a workload's ${maximumLength}`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const broken = document.errors[0]
  if (broken !== undefined) fail(`${file}:${lines.linePos(broken.pos[0]).line}`, firstLine(broken.message))
  if (!isMap(document.contents)) fail(`${file}:1`, 'expected a mapping with at least name and pattern')
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: maximumAliases })
  } catch (error) {
    return fail(`${file}:1`, error instanceof Error ? error.message : String(error))
  }
  const result = schemaFor(value).safeParse(value)
  if (result.success) return result.data
  return refuse(
    result.error.issues.map((issue) => {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
      const path = unknown === undefined ? issue.path : [...issue.path, unknown]
      const key = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
      return `${file}:${lineOf(document, path, lines)}: ${key}${issue.message}`
    }),
  )
}

function refuse(complaints: readonly string[]): never {
  throw new LighthouseError('CONFIGURATION', complaints.join('; '), {
    suggestions: ['Compare with the files in fixtures/workloads, which name every key of their pattern.'],
  })
}

/** The line of the deepest part of `path` that the file has. */
function lineOf(document: Document.Parsed, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node: unknown = document.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range !== null && node.range !== undefined) return lines.linePos(node.range[0]).line
  }
  return 1
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
