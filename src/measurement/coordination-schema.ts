/**
 * Checks of what belongs to coordination in `run.json` and `round.json`, and the fields of each pattern, which workload files share.
 */
import { z } from 'zod'
import type { ChainEvidence, CoordinationEvidence, CoordinationPlan, RoleFairness } from './coordination-evidence.ts'

const count = z.int().min(0)
const amount = z.number().min(0)
const agents = z.int().min(1).max(100_000)
const share = z.number().min(0).max(1)

/** By the name of the pattern; what sizes must not contradict each other is checked where a workload is read. */
export const patternFields = {
  'fan-out': { orchestrators: agents, workers: agents, fanOut: z.int().min(1).max(1000) },
  pipeline: { coordinators: agents, agentsPerStage: agents, depth: z.int().min(1).max(100) },
  chain: {
    callers: agents,
    links: agents,
    depth: z.int().min(1).max(5),
    attempts: z.int().min(1).max(3),
    deadlines: z.enum(['heeded', 'ignored']),
  },
  review: {
    authors: agents,
    reviewers: agents,
    approvals: z.int().min(1).max(1000),
    declineShare: share,
    cancelShare: share,
    maximumRounds: z.int().min(1).max(20),
  },
  quorum: {
    broadcasters: agents,
    members: agents,
    audience: z.int().min(1).max(10_000),
    quorum: z.int().min(1).max(10_000),
  },
  'expert-pool': {
    workers: agents,
    experts: agents,
    declineShare: share,
    maximumAttempts: z.int().min(1).max(20),
  },
  'hot-spot': { workers: agents, peers: z.int().min(2).max(100_000), hotShare: share },
} as const

const patternSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fan-out'), ...patternFields['fan-out'] }),
  z.strictObject({ kind: z.literal('pipeline'), ...patternFields.pipeline }),
  z.strictObject({ kind: z.literal('chain'), ...patternFields.chain }),
  z.strictObject({ kind: z.literal('review'), ...patternFields.review }),
  z.strictObject({ kind: z.literal('quorum'), ...patternFields.quorum }),
  z.strictObject({ kind: z.literal('expert-pool'), ...patternFields['expert-pool'] }),
  z.strictObject({ kind: z.literal('hot-spot'), ...patternFields['hot-spot'] }),
])

export const coordinationPlanSchema = z.strictObject({
  pattern: patternSchema,
  instancesPerSecond: amount,
  arrivals: z.enum(['poisson', 'uniform']),
  payloadBytes: count,
  workMs: amount,
  deadlineMs: amount,
})

export const roleFairnessSchema = z.strictObject({
  role: z.string().min(1).max(200),
  agents: count,
  measure: z.enum(['delivery', 'roundTrip']),
  served: count,
  exchangesPerAgent: amount,
  index: share.nullable(),
  indexByChance: share.nullable(),
  medianMs: amount.nullable(),
  worstMs: amount.nullable(),
  worstToMedian: amount.nullable(),
})

/** As many seconds as a round may last. */
const perSecond = z.array(count).max(100_000)

export const chainEvidenceSchema = z.strictObject({
  begun: perSecond,
  completed: perSecond,
  asked: perSecond,
  askedInVain: perSecond,
})

export const coordinationEvidenceSchema = z.strictObject({
  instances: z.strictObject({ scheduled: count, completed: count, failed: count }),
  withdrawals: z.strictObject({ asked: count, withdrawn: count }),
  neverOffered: count,
  fairness: z.array(roleFairnessSchema).max(10),
  chain: chainEvidenceSchema.exactOptional(),
})

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Same<Mutable<z.infer<typeof coordinationPlanSchema>>, Mutable<CoordinationPlan>>,
  Same<Mutable<z.infer<typeof roleFairnessSchema>>, Mutable<RoleFairness>>,
  Same<Mutable<z.infer<typeof chainEvidenceSchema>>, Mutable<ChainEvidence>>,
  Same<Mutable<z.infer<typeof coordinationEvidenceSchema>>, Mutable<CoordinationEvidence>>,
] = [true, true, true, true]
void schemasMatch
