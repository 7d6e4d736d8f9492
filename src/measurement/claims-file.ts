/**
 * Claims: figures that a document asserts, each with the document, its words and the suite that can test it. A claim
 * of the comparison suite carries a test in a closed vocabulary (`docs/methodology.md` states the rules):
 *
 *   quantile        a latency quantile of an engine lies within [atLeastMs, atMostMs]
 *   speedup         polling over elicitation is at least `atLeast` (stated up to `statedUpTo`)
 *   agentLimit      an engine gives out at about `agents` agents
 *   agentCapability an engine serves `agents` agents
 *   queriesPerPoll  an engine asks its database at every poll
 *   retryLatency    an engine's clients add latency when their connections are reset and the engine is well
 *   batching        group commit lowers p99 of a write under contention (of the contention suite)
 */
import { z } from 'zod'
import { latencySeries } from '../statistics/target-expression.ts'
import { canonicalSha256, documentText } from './canonical-json.ts'
import { parseDeclaration, readDeclarationText, usage } from './declaration-file.ts'
import { oneLine } from './targets-file.ts'
import { growthMetrics } from './results-document.ts'

/** `polling` is the arm of that name whose interval is the 1 s that the documents speak of; tuned arms are not meant. */
const engines = z.enum(['polling', 'elicitation'])
const series = z.enum(latencySeries)
const positive = z.number().positive().max(1e12)

const quantileTest = z
  .strictObject({
    kind: z.literal('quantile'),
    engine: engines,
    series,
    /** Each must lie within; the first is the value that is shown. */
    quantiles: z
      .array(z.enum(['p50', 'p95', 'p99']))
      .min(1)
      .max(3),
    atLeastMs: positive.optional(),
    atMostMs: positive.optional(),
    /** The lower end of a range that is stated of a latency which may well be better. */
    statedFromMs: positive.optional(),
    /** The condition is necessary for the claim but does not make it: it can refute, never show. */
    necessaryOnly: z.boolean().optional(),
  })
  .refine((test) => test.atLeastMs !== undefined || test.atMostMs !== undefined, 'needs atLeastMs, atMostMs or both')
  .refine((test) => (test.atLeastMs ?? 0) < (test.atMostMs ?? Infinity), 'atLeastMs must lie below atMostMs')

const testShape = z.discriminatedUnion('kind', [
  quantileTest,
  z.strictObject({
    kind: z.literal('speedup'),
    series,
    quantile: z.enum(['p50', 'p95', 'p99']),
    atLeast: positive,
    statedUpTo: positive,
  }),
  z.strictObject({ kind: z.literal('agentLimit'), engine: engines, agents: positive.int() }),
  z.strictObject({ kind: z.literal('agentCapability'), engine: engines, agents: positive.int() }),
  z.strictObject({ kind: z.literal('queriesPerPoll'), engine: engines }),
  z.strictObject({
    kind: z.literal('linearGrowth'),
    engine: engines,
    metrics: z.array(z.enum(growthMetrics)).min(1).max(growthMetrics.length),
  }),
  z.strictObject({ kind: z.literal('batching') }),
  z.strictObject({ kind: z.literal('retryLatency'), engine: engines }),
])
export type ClaimTest = z.infer<typeof testShape>

/** All questions that can be put to engines; a claim names the one that can test it. */
export const suiteNames = [
  'comparison',
  'scaling',
  'memory-pressure',
  'failure-recovery',
  'burst',
  'contention',
  'coordination',
  'endurance',
  'migration',
] as const

/** The suite whose runs hold what a test looks at. */
function suiteOfTest(test: ClaimTest): 'comparison' | 'scaling' | 'contention' | 'failure-recovery' {
  if (test.kind === 'batching') return 'contention'
  if (test.kind === 'retryLatency') return 'failure-recovery'
  return test.kind === 'linearGrowth' ? 'scaling' : 'comparison'
}

const claimShape = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,59}$/, 'must be lower-case letters, digits and hyphens'),
    document: oneLine(120),
    words: oneLine(300),
    statement: oneLine(300),
    suite: z.enum(suiteNames),
    test: testShape.optional(),
  })
  .refine(
    (claim) => (claim.test === undefined ? claim.suite !== 'comparison' : suiteOfTest(claim.test) === claim.suite),
    {
      message: 'a claim of the suite "comparison" has a test, and a test belongs to the suite that the claim names',
    },
  )
export type Claim = z.infer<typeof claimShape>

const fileShape = z.strictObject({ claims: z.array(claimShape).max(200) })
const keys = ['claims', 'id', 'document', 'words', 'statement', 'suite', 'test']
const testKeys = ['kind', 'metrics', 'engine', 'series', 'quantile', 'quantiles', 'agents', 'atLeast', 'statedUpTo']

/** Throws LighthouseError('USAGE') that names file, line and remedy. */
export function readClaimsFile(path: string): Claim[] {
  return parseClaims(readDeclarationText(path), path)
}

/** `file` names the text in errors. Throws LighthouseError('USAGE'). */
export function parseClaims(text: string, file: string): Claim[] {
  const known = [...keys, ...testKeys, 'atLeastMs', 'atMostMs', 'statedFromMs', 'necessaryOnly']
  const { value, where } = parseDeclaration(text, file, fileShape, known)
  const seen = new Map<string, string>()
  for (const [index, claim] of value.claims.entries()) {
    const place = where(['claims', index])
    const before = seen.get(claim.id)
    if (before !== undefined) throw usage(`${place}: the id "${claim.id}" stands at ${before} already`, 'Rename one.')
    seen.set(claim.id, place)
  }
  return value.claims
}

/** The parsed JSON of a run directory's `claims.json`; checked like a file. */
export function claimsFromJson(value: unknown): Claim[] {
  return parseClaims(JSON.stringify(value) ?? '', 'claims.json')
}

/** What `claims.json` holds; parsing it gives the same claims. */
export function claimsText(claims: readonly Claim[]): string {
  return documentText({ claims })
}

/** SHA-256 of the RFC 8785 form of the claims, for `run.json`. */
export function claimsSha256(claims: readonly Claim[]): string {
  return canonicalSha256({ claims })
}
