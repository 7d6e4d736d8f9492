/**
 * The parts of the schema of `results.json` that belong to one suite each: what a scaling run says of growth, knees and the law
 * through them, and what a recovery run says of faults. A suite that publishes a section adds its schema here; the published
 * files follow (see `results-schema.ts`).
 */
import { z } from 'zod'
import { amount, caseName, count, label, line, named, type Holds } from './evidence-schemas.ts'
import { faultStates, growthMetrics } from './results-document.ts'
import type { ChainResult } from './recovery-result.ts'
import type { FaultResult, GrowthResult, RecoveryResult, ScalingResult } from './results-document.ts'

export const kneeSchema = z.strictObject({
  engine: label,
  agents: count,
  boundMs: amount.describe('Bound of round trip p99 in ms that a probe must stay below'),
  ratePerSecond: amount.nullable().describe('Highest offered rate that held, exchanges per second; null: none held'),
  limit: z
    .enum(['latency', 'errors', 'generator', 'not reached'])
    .describe('What the lowest rate that did not hold failed by; generator: the load or the machine, not the engine'),
  probes: count,
  engineCpuPercent: amount
    .nullable()
    .describe('In percent of one core, of the highest probe that held; null: none held, or not known'),
  generatorCpuPercent: amount.nullable().describe('In percent of one core, of the same probe; null: none held'),
})

const estimateSchema = z.tuple([amount, amount.nullable(), amount.nullable()]).meta({
  id: 'Estimate',
  description: 'Value, low and high end of its 95 % interval; null: the data give no bound on that side',
})

const scalabilitySchema = z
  .strictObject({
    engine: label,
    status: z.enum(['FITTED', 'NOT_DEMONSTRATED']),
    reason: line.describe('Empty when fitted'),
    lambda: estimateSchema.nullable().describe('Exchanges per second of one agent; null: not fitted'),
    sigma: estimateSchema.nullable().describe('Contention, a share from 0 to 1; null: not fitted'),
    kappa: estimateSchema.nullable().describe('Coherency, a share from 0 to 1; null: not fitted'),
    peakAgents: estimateSchema
      .nullable()
      .describe('Agents at which throughput is highest; null: not fitted, or the data show no peak'),
    testedTo: count.describe('Most agents of a knee that the law was fitted through'),
  })
  .describe('Universal Scalability Law through the knees of one engine')

const growthSchema = z.strictObject({
  engine: label,
  metric: z.enum(growthMetrics),
  perAgent: z
    .number()
    .nullable()
    .describe('Slope by least squares: bytes, connections or queries per second for each agent; null: no line'),
  low: z.number().nullable().describe('Low end of its 95 % interval in the same unit; null: no bound'),
  high: z.number().nullable().describe('High end of its 95 % interval in the same unit; null: no bound'),
  n: count.describe('Rounds'),
  shape: z.enum(['linear', 'curved', 'NOT_DEMONSTRATED']),
  bendPercent: z
    .number()
    .nullable()
    .describe(
      'Bend of a quadratic at mid-range against the line through its ends, in percent of its range; null: unknown',
    ),
  bendLow: z.number().nullable().describe('Low end of its 95 % interval in percent; null: no bound'),
  bendHigh: z.number().nullable().describe('High end of its 95 % interval in percent; null: no bound'),
  departurePercent: amount
    .nullable()
    .describe('Largest distance of the mean of a load from the line, in percent of the range of means; null: unknown'),
  reason: line.describe('Why nothing was demonstrated; empty otherwise'),
})

const levelSchema = z.strictObject({
  case: caseName,
  engine: label,
  connectsPerSecond: amount.nullable().describe('Sessions opened per second; null: not played or not recorded'),
  successShare: amount
    .nullable()
    .describe('Completed of scheduled exchanges, 0 to 1; null: no round whose load is valid'),
  databaseQueriesPerExchange: amount
    .nullable()
    .describe('Per completed exchange; null: not observed, or none completed'),
  state: z
    .enum(['held', 'warning', 'stopped', 'invalid', 'not played'])
    .describe('warning below 95 % of success; stopped below 90 %: not put to larger loads; invalid: no round counts'),
})

export const scalingSchema = z.strictObject({
  knees: z
    .array(kneeSchema)
    .max(64_000)
    .describe('Highest rate at which an engine met its bound, per number of agents'),
  scalability: z.array(scalabilitySchema).max(64),
  growth: z.array(growthSchema).max(200).describe('How figures of an engine grow with the number of agents'),
  levels: z.array(levelSchema).max(64_000).describe('Per load and engine'),
})

const timeMs = (words: string) =>
  amount.nullable().describe(`${words}, in ms; null: it did not come or could not be timed`)

const chainsSchema = z.strictObject({
  depth: count.describe('Questions that a chain takes without a retry'),
  begun: count.describe('Chains that began in the whole seconds of the fault'),
  failed: count.describe('Of these, chains whose caller got no answer'),
  questionRatio: amount
    .nullable()
    .describe('Questions asked over those that the same chains take without a retry; null: none began'),
  questionRatioBefore: amount
    .nullable()
    .describe('The same of chains whose callers were done before the fault; null: none were'),
  inVainShare: amount
    .nullable()
    .describe(
      'Of the questions asked, the share sent when nobody waited any more for what they were to bring; null: none was asked',
    ),
})

const faultSchema = z.strictObject({
  case: caseName,
  kind: label,
  engine: label,
  round: count.describe('Counted from 0 within its case'),
  state: z
    .enum(faultStates)
    .describe(
      'metastable: full load, and no recovery within a minute and five times the fault; invalid: does not count',
    ),
  timeToDetectMs: timeMs('From the injection to the first failure that a client saw'),
  timeToFirstSuccessMs: timeMs('From the healing to the first result of an exchange sent after it'),
  timeToFullMs: timeMs('From the healing to the first of `windows` consecutive seconds as good as before the fault'),
  backlogDrainedMs: timeMs(
    'From the healing to the end of the first second with no more waiting than before the fault',
  ),
  windows: count.describe('Consecutive seconds that make a recovery'),
  watchedMs: amount.describe('How long the aftermath was watched, in ms'),
  backlogMax: count.nullable().describe('Most exchanges waiting at the end of a second; null: not timed'),
  budgetBurnt: amount
    .nullable()
    .describe(
      'Failed exchanges over those that an error budget of 0.1 % of the round allows; null: none was scheduled',
    ),
  amplification: amount
    .nullable()
    .describe('Attempts over exchanges, as the clients count them; null: none was scheduled'),
  rssOvershoot: amount
    .nullable()
    .describe('Highest resident memory over that before the fault; null: another process by then, or not known'),
  p99Ratio: amount
    .nullable()
    .describe('Round trip p99 from the injection to a second after the healing over that before; null: not timed'),
  chains: chainsSchema.nullable().describe('Of timeout cascades; null: another fault, or the round does not count'),
  failed: count.describe('Exchanges of the round that were refused, timed out or lost'),
  lost: count.describe('Exchanges of the round, as in `exchanges`'),
  duplicated: count.describe('In the round, as in `exchanges`'),
  wireDuplicates: count.describe('In the round, as in `exchanges`'),
  shownBy: line.describe('What shows that the fault reached the engine, or that it did not'),
  figures: named(z.number()).describe('Of the fault itself, by name; units end the names'),
})

export const recoverySchema = z.strictObject({
  faults: z.array(faultSchema).max(200_000).describe('What each fault did to each engine, by case, engine and round'),
})

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof growthSchema, GrowthResult>,
  Holds<typeof scalingSchema, ScalingResult>,
  Holds<typeof chainsSchema, ChainResult>,
  Holds<typeof faultSchema, FaultResult>,
  Holds<typeof recoverySchema, RecoveryResult>,
] = [true, true, true, true, true]
void schemasMatch
