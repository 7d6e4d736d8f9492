/**
 * Checks of what a run directory holds when it is read back: `run.json` and `round.json`, schema version 1.
 * Unknown members are refused, because a member that no derivation reads would be signed without meaning
 * anything; sizes are bounded, because the files may come from a stranger. The compiler holds these schemas
 * equal to the interfaces of `round-evidence.ts`: neither can change without the other.
 */
import { z } from 'zod'
import { coordinationEvidenceSchema, coordinationPlanSchema } from './coordination-schema.ts'
import { endurancePlanSchema, restReadingSchema } from './rest-schema.ts'
import { campaignIdPattern } from './utc-time.ts'
import { durabilities, suites, type EngineSemantics } from './vocabulary.ts'
import type { Environment, ExchangeCounts } from './results-document.ts'
import { memoryCaseKinds, memoryMoments } from './round-evidence.ts'
import type { EngineArm, ResourceSummary, RoundAudit, RoundEvidence, RunManifest } from './round-evidence.ts'

export const knownSchemaVersion = 1

export const text = z.string().max(500)
export const line = z.string().max(2000)
export const label = z.string().min(1).max(200)
export const count = z.int().min(0)
export const amount = z.number().min(0)
export const reasons = z.array(line).max(100)
export const caseName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)

/** A record of figures or texts by name, with at most 500 names; the bound is said twice, since JSON Schema cannot hold a function. */
export function named<T extends z.ZodType>(value: T) {
  return z
    .record(z.string().max(200), value)
    .refine((record) => Object.keys(record).length <= 500, { error: 'has more than 500 members' })
    .meta({ maxProperties: 500 })
}

function fact<T extends z.ZodType>(value: T, words: string) {
  const known = value.nullable().describe('null: not known; `reason` says why')
  return z.strictObject({ value: known, reason: text.exactOptional() }).describe(words)
}

export const environmentSchema = z.strictObject({
  lighthouseVersion: text,
  commit: fact(text, 'Commit of the project that the run was started in'),
  dirty: fact(z.boolean(), 'Whether tracked files differed from the commit'),
  lockfileSha256: fact(text, 'SHA-256 of the lock file of that project, hexadecimal'),
  nodeVersion: text,
  libraries: named(text).describe('Versions, by name, of the libraries that a figure passes through'),
  platform: text,
  kernel: text,
  cpuModel: text,
  logicalCpus: count,
  memoryBytes: count.describe('Memory of the machine in bytes'),
  descriptorLimit: fact(z.number(), 'File descriptors that one process may hold'),
  loadAverageBefore: z.array(amount).max(3).describe('Over 1, 5 and 15 minutes; empty where the system keeps none'),
  loadAverageAfter: z.array(amount).max(3).describe('The same at the end; empty also when the run did not end'),
  stealPercent: fact(amount, 'What the hypervisor took, in percent of the capacity of all CPUs'),
  foreignCpuPercent: fact(amount, 'What other processes used, in percent of the capacity of all CPUs'),
})

export const semanticsSchema = z.strictObject({
  delivery: z.enum(['at-most-once', 'at-least-once', 'exactly-once']),
  durability: z
    .enum(durabilities)
    .describe('What survives: nothing (memory), a killed process (os), a power cut (fsync)'),
  ordering: z.enum(['none', 'per-pair']).describe('per-pair: what one producer sends one recipient arrives in order'),
  replay: z.enum(['none', 'cursor']),
  expiry: z.enum(['engine', 'client']).describe('Who tells the requester that the deadline has passed'),
})

export const armSchema = z.strictObject({
  label,
  name: label,
  options: named(line),
  role: z.enum(['baseline', 'candidate']),
  host: z.enum(['thread', 'process', 'url']),
  transport: z.enum(['websocket', 'sse', 'http', 'store']),
  semantics: semanticsSchema,
  semanticsBasis: z.enum(['started-by-this-run', 'declared']),
})

export const countsSchema = z.strictObject({
  scheduled: count.describe('completed + refused + timedOut + lost'),
  completed: count.describe('The requester holds an answer: accept, decline or cancel'),
  refused: count.describe('Definitively refused by the engine'),
  timedOut: count.describe('Not answered in time, and not lost'),
  lost: count.describe('Acknowledged and never seen again'),
  duplicated: count.describe('Handed to the application twice'),
  wireDuplicates: count.describe('Sent twice and kept from the application; allowed at-least-once'),
  phantom: count.describe('Refused and delivered all the same'),
  misdelivered: count.describe('Delivered to another agent'),
  reordered: count.describe('After a later one of the same pair'),
  doubleTerminal: count.describe('A requester was told a second, different end'),
  corrupt: count.describe('Another body, action or sender than what was sent'),
  late: count.describe('After the deadline or the end of its exchange or round'),
  unexpected: count.describe('For what was never sent'),
})

const auditSchema = z.strictObject({
  valid: z.boolean(),
  reasons,
  scheduled: count,
  sent: count,
  achievedRatio: amount,
  latenessP99Ms: amount,
  eventLoopP99Ms: amount,
  cpuPercent: amount,
  stealPercent: amount.nullable(),
  foreignCpuPercent: amount.nullable(),
})

const resourcesSchema = z.strictObject({
  rssMaxBytes: count.nullable(),
  heapMaxBytes: count.nullable(),
  cpuUs: amount.nullable(),
  eventLoopP99Ms: amount.nullable(),
  openConnectionsMax: count.nullable(),
  walBytesMax: count.nullable(),
  nullReasons: named(text),
})

const perSecond = z.array(count).max(100_000)
const timelineSchema = z.strictObject({
  scheduled: perSecond,
  completed: perSecond,
  results: perSecond,
  backlog: perSecond,
})
const markSchema = z.strictObject({
  name: label,
  atMs: amount,
  firstFailureMs: amount.nullable(),
  firstSuccessMs: amount.nullable(),
})

const faultRecordSchema = z.strictObject({
  kind: label,
  injectedAtMs: amount,
  healedAtMs: amount.nullable(),
  untilMs: amount,
  bit: z.boolean(),
  shownBy: line,
  figures: named(z.number()),
})

const memoryReadingSchema = z.strictObject({
  moment: z.enum(memoryMoments),
  atMs: z.number(),
  heapUsedBytes: count,
  externalBytes: count,
  rssBytes: count,
  anonymousBytes: count.exactOptional(),
  socketBytes: count.nullable(),
  agents: count,
  openExchanges: count,
})

export const roundEvidenceSchema = z.strictObject({
  schemaVersion: z.literal(knownSchemaVersion),
  round: count.max(99_999),
  attempt: count.max(999),
  engine: label,
  startedAtMs: amount,
  durationMs: amount,
  drainMs: amount,
  counts: countsSchema,
  ledger: z.strictObject({ state: z.enum(['COMPLETE', 'UNKNOWN']), reasons }),
  anomalies: z.array(line).max(1000),
  samples: z.strictObject({ negative: count, outOfRange: count }),
  audit: auditSchema,
  client: named(z.number()),
  engineStats: named(z.number().nullable()),
  resources: resourcesSchema,
  connectsPerSecond: amount.exactOptional(),
  timeline: timelineSchema.exactOptional(),
  marks: z.array(markSchema).max(100).exactOptional(),
  faults: z.array(faultRecordSchema).max(100).exactOptional(),
  coordination: coordinationEvidenceSchema.exactOptional(),
  memory: z.array(memoryReadingSchema).max(10_000).exactOptional(),
  rest: restReadingSchema.exactOptional(),
})

const faultPlanSchema = z.strictObject({
  kind: label,
  atMs: amount,
  forMs: amount,
  untilMs: amount,
  late: z
    .strictObject({ agents: count, firstAgent: count.exactOptional(), delayMs: amount, forMs: amount })
    .exactOptional(),
})
const phaseSchema = z.strictObject({ durationMs: amount, agents: count, ratePerSecond: amount })

const memoryCaseSchema = z.strictObject({
  kind: z.enum(memoryCaseKinds),
  payloadBytes: count,
  deadlineMs: amount,
  lateAgents: count,
  answerDelayMs: amount,
  readEveryMs: amount,
  capFactor: amount,
})

const caseSchema = z.strictObject({
  name: caseName,
  agents: count,
  ratePerSecond: amount,
  loadModel: z.enum(['open', 'closed']),
  roundDurationMs: amount,
  firstRound: count,
  rounds: count,
  searchBoundsMs: named(amount).exactOptional(),
  phases: z.array(phaseSchema).min(1).max(100).exactOptional(),
  engines: z.array(label).min(1).max(64).exactOptional(),
  poolSize: count.exactOptional(),
  faults: z.array(faultPlanSchema).min(1).max(100).exactOptional(),
  coordination: coordinationPlanSchema.exactOptional(),
  memory: memoryCaseSchema.exactOptional(),
  endurance: endurancePlanSchema.exactOptional(),
})

const planSchema = z.strictObject({
  agents: count,
  ratePerSecond: amount,
  rounds: count,
  minimumRounds: count,
  roundDurationMs: amount,
  warmupMs: amount,
  deadlineMs: amount,
  pattern: text,
  payloadBytes: count,
  pacing: z.enum(['timer', 'spin']),
  loadModel: z.enum(['open', 'closed']),
  durability: text,
  order: z.array(z.array(label).max(64)).max(100_000),
  cases: z.array(caseSchema).min(1).max(1000).exactOptional(),
  skippedCases: z
    .array(z.strictObject({ name: text, reason: line }))
    .max(1000)
    .exactOptional(),
})

const sourceSchema = z.strictObject({ source: line, sha256: z.string().regex(/^[0-9a-f]{64}$/) })

export const runManifestSchema = z.strictObject({
  schemaVersion: z.literal(knownSchemaVersion),
  runId: text,
  suite: z.enum(suites),
  profile: z.enum(['smoke', 'standard', 'full']),
  startedAt: text,
  seed: text,
  plan: planSchema,
  engines: z.array(armSchema).min(1).max(64),
  targets: sourceSchema,
  claims: sourceSchema,
  environment: environmentSchema,
  finishedAt: text.exactOptional(),
  interrupted: z.boolean().exactOptional(),
  resumedAt: z.array(text).max(1000).exactOptional(),
  campaign: z
    .strictObject({ id: z.string().regex(campaignIdPattern), suites: z.array(z.enum(suites)).min(1).max(50) })
    .exactOptional(),
})

/** `readonly` taken off at every depth, since schemas infer mutable values. */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export type Holds<Schema extends z.ZodType, Contract> = Same<Mutable<z.infer<Schema>>, Mutable<Contract>>

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof environmentSchema, Environment>,
  Holds<typeof semanticsSchema, EngineSemantics>,
  Holds<typeof armSchema, EngineArm>,
  Holds<typeof countsSchema, ExchangeCounts>,
  Holds<typeof auditSchema, RoundAudit>,
  Holds<typeof resourcesSchema, ResourceSummary>,
  Holds<typeof roundEvidenceSchema, RoundEvidence>,
  Holds<typeof runManifestSchema, RunManifest>,
] = [true, true, true, true, true, true, true, true]
void schemasMatch
