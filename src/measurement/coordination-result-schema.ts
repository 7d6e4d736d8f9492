/** The part of the schema of `results.json` that belongs to coordination runs. */
import { z } from 'zod'
import { coordinationKinds } from './coordination-evidence.ts'
import type { CoordinationResult } from './coordination-result.ts'
import { amount, caseName, count, label, type Holds } from './evidence-schemas.ts'
import { intervalSchema, seriesSchema } from './results-engine-schema.ts'

const share = (words: string) => amount.nullable().describe(`${words}; null: no valid round tells`)

const fairnessSchema = z.strictObject({
  role: label,
  agents: count.describe('Agents of the role'),
  measure: z
    .enum(['delivery', 'roundTrip'])
    .describe('What was timed: questions to these agents, or the answers to their own'),
  rounds: count.describe('Valid rounds'),
  exchangesPerAgent: amount.describe('Mean number of exchanges of one agent in one round'),
  index: share("Jain's index of the agents' mean latencies, from 1/agents to 1 when all are alike; median over rounds"),
  indexInterval: intervalSchema,
  indexByChance: share('The index that chance alone gives an even engine with as few samples'),
  indexBeyondChance: share('The index less what chance makes uneven; median over rounds'),
  indexBeyondChanceInterval: intervalSchema,
  worstToMedian: share("Mean latency of the agent served worst over the median agent's; median over rounds"),
  worstToMedianInterval: intervalSchema,
})

const patternResultSchema = z
  .strictObject({
    case: caseName,
    kind: z.enum(coordinationKinds),
    engine: label,
    validRounds: count,
    instancesPerSecond: amount.describe('Instances that were to arrive per second'),
    instances: z
      .strictObject({ scheduled: count, completed: count, failed: count })
      .describe('scheduled = completed + failed; an instance has failed when a step that it needed did'),
    withdrawals: z
      .strictObject({ asked: count, withdrawn: count })
      .describe('Exchanges that their requester withdrew, and those that ended so; the latter are in no other count'),
    neverOffered: count.describe('Exchanges that would have followed from steps that failed'),
    completion: seriesSchema.describe('Of completed instances, from arrival to the last answer that was needed'),
    fairness: z.array(fairnessSchema).max(10),
  })
  .describe('One pattern on one engine, over its valid rounds')

const patternComparisonSchema = z
  .strictObject({
    case: caseName,
    baseline: label,
    candidate: label,
    quantile: z.enum(['p50', 'p95']),
    ratio: amount
      .nullable()
      .describe('Completion time, baseline over candidate, the median of the ratios per round; null: no ratio'),
    low: amount.nullable().describe('Low end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    high: amount.nullable().describe('High end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    rounds: count.describe('Paired rounds that gave a ratio'),
    verdict: z.enum(['faster', 'slower', '~', 'NOT_DEMONSTRATED']).describe('~: no difference was shown'),
  })
  .describe('Another engine against the candidate, round by round')

export const coordinationResultSchema = z.strictObject({
  patterns: z.array(patternResultSchema).max(64_000).describe('By case and engine'),
  comparisons: z.array(patternComparisonSchema).max(100_000),
})

/** Does not compile unless the schema accepts exactly the interface. */
const schemaMatches: Holds<typeof coordinationResultSchema, CoordinationResult> = true
void schemaMatches
