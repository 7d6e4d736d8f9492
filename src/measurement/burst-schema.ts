/** The part of the schema of `results.json` that says what bursts did to each engine. */
import { z } from 'zod'
import { burstVerdicts } from './burst-result.ts'
import type { BurstCaseResult, BurstResult } from './burst-result.ts'
import { amount, caseName, count, label, type Holds } from './evidence-schemas.ts'

const stretch = {
  agents: count.describe('Who asked; all agents of the case were connected'),
  ratePerSecond: amount.describe('Exchanges offered per second'),
  scheduled: count.describe('Exchanges scheduled in this stretch of all valid rounds'),
  failed: count.describe('Of these, refused, timed out or lost, whenever that was'),
  p50Ms: amount
    .nullable()
    .describe('Round trip in ms, an exchange that failed counting with its deadline; null: fewer than 20 exchanges'),
  p99Ms: amount.nullable().describe('The same; null: fewer than 1,000 exchanges'),
}
const stretchSchema = z.strictObject(stretch)

const factorSchema = z.strictObject({
  ratio: amount
    .nullable()
    .describe('In the step over before it, the median of the ratios per round: 3 means three times slower; null: none'),
  low: amount.nullable().describe('Low end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
  high: amount.nullable().describe('High end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
  rounds: count.describe('Rounds that gave a ratio: both stretches hold 10/(1−q) exchanges'),
  verdict: z.enum(burstVerdicts).describe('~: no difference was shown'),
})

const recoverySchema = z
  .strictObject({
    medianMs: amount
      .nullable()
      .describe('Median over rounds, in ms; null: half of them were not as good again within what was watched'),
    lowMs: amount.nullable().describe('Low end of its 95 % interval in ms; null: fewer than 6 rounds'),
    highMs: amount
      .nullable()
      .describe('High end of its 95 % interval in ms; null: fewer than 6 rounds, or longer than was watched'),
    rounds: count,
    recoveredRounds: count.describe('Rounds that were as good as before within what was watched'),
    windows: count.describe('Consecutive seconds that make a recovery'),
    watchedMs: amount.describe('How long the aftermath was watched, in ms'),
  })
  .describe('From the end of the burst to the first of `windows` consecutive seconds as good as before it')

const waiting = (words: string) =>
  count.nullable().describe(`Most exchanges waiting at the end of a second, ${words}; null: no valid round`)

const caseSchema = z.strictObject({
  case: caseName,
  engine: label,
  rounds: count.describe('Valid rounds of the case'),
  before: stretchSchema.describe('What degradation and recovery are measured against'),
  steps: z
    .array(
      z.strictObject({
        ...stretch,
        times: amount.describe('Its rate over the rate before'),
        p50: factorSchema,
        p99: factorSchema,
      }),
    )
    .max(100)
    .describe('Of the burst, in the order of the rounds'),
  after: stretchSchema,
  recovery: recoverySchema,
  backlogBefore: waiting('before the burst'),
  backlogMax: waiting('from the begin of the burst on'),
})

export const burstSchema = z.strictObject({
  cases: z.array(caseSchema).max(64_000).describe('What the bursts of each case did to each engine'),
})

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [Holds<typeof caseSchema, BurstCaseResult>, Holds<typeof burstSchema, BurstResult>] = [
  true,
  true,
]
void schemasMatch
