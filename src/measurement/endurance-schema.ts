/** The part of the schema of `results.json` that says what an endurance run showed. */
import { z } from 'zod'
import { heldSeries, harnessSeries, serviceSeries, storeSeries, trendWords } from './endurance-result.ts'
import type { DriftTrend, EngineEndurance, EnduranceResult, GrowthTrend, ScreenResult } from './endurance-result.ts'
import { amount, count, label, line, type Holds } from './evidence-schemas.ts'

const trend = {
  verdict: z
    .enum(trendWords)
    .describe(
      'leak: significant, beyond the allowance and persistent; suspect: two of these; not excluded: fewer, but the interval reaches beyond the allowance',
    ),
  reason: line.describe('In words; why it is inconclusive, if it is'),
  warnings: z.array(line).max(10),
  life: count.describe('Life of the engine’s process that was judged, counted from 0; a resumed run has several'),
  n: count.describe('Points tested'),
  horizonHours: amount.describe('From the first to the last point tested, in hours'),
}

const rate = (words: string) =>
  z.number().nullable().describe(`${words}, in \`unit\` per hour of wall clock; null: too few points`)

const growthSchema = z.strictObject({
  series: z.enum([...heldSeries, ...storeSeries, ...harnessSeries]),
  unit: z.enum(['bytes', 'count']),
  ...trend,
  perHour: rate('Theil–Sen slope'),
  lowPerHour: rate('Low end of its interval, nominally 99 %'),
  highPerHour: rate('High end of its interval, nominally 99 %'),
  detectablePerHour: rate('Steady growth that would have shown as a leak in about nine of ten runs'),
  baseline: amount.nullable().describe('Median of the first tenth of the points; null: too few points'),
  allowance: amount.nullable().describe('Growth over the horizon that counts as none; null: too few points'),
  hoursToLimit: amount
    .nullable()
    .describe('To the limit of the heap or the end of the disk at this slope; null: no limit, or no growth'),
})

const ratio = (words: string) => amount.nullable().describe(`${words}; null: too few points`)

const driftSchema = z.strictObject({
  series: z.enum(serviceSeries).describe('timePerExchange rises when throughput falls'),
  ...trend,
  baselineMs: amount.nullable().describe('Median of the first tenth of the intervals in ms; null: too few points'),
  ratio: ratio('At the end over at the begin, by the slope: 1.1 is a tenth slower'),
  low: ratio('Low end of its interval, nominally 99 %'),
  high: ratio('High end of its interval, nominally 99 %'),
  step: z
    .strictObject({
      atHours: amount.describe('Since the start of the engine’s load, in hours'),
      beforeMs: amount.describe('Median of the first third, in ms'),
      afterMs: amount.describe('Median from the step to the end, in ms'),
    })
    .nullable()
    .describe('A jump that stayed; null: there was none'),
})

const bytesPerExchange = (words: string) =>
  z.number().nullable().describe(`${words}, in bytes for each exchange; null: too few points`)

const screenSchema = z
  .strictObject({
    label: line.describe('How many exchanges in what time'),
    exchanges: count.describe('Completed between the first and the last reading used'),
    n: count.describe('Readings at rest'),
    series: z
      .array(
        z.strictObject({
          series: z.enum(['heap', 'external', 'native']),
          verdict: z.enum(['retains', 'none shown', 'inconclusive']),
          bytesPerExchange: bytesPerExchange('Kept, by the Theil–Sen slope'),
          lowBytesPerExchange: bytesPerExchange('Low end of its interval, nominally 99 %'),
          highBytesPerExchange: bytesPerExchange('High end of its interval, nominally 99 %'),
        }),
      )
      .max(3),
    allocatedBytesPerExchange: z
      .number()
      .nullable()
      .describe('Allocated on the engine’s heap for each exchange, kept or not, in bytes; null: V8 does not tell'),
  })
  .describe('A screen over exchanges, never a word on hours that were not measured')

const engineSchema = z.strictObject({
  engine: label,
  coverage: z.strictObject({
    dueIntervals: count.describe('Planned, repeated, and passed over while the run was down'),
    measuredIntervals: count.describe('Of these, those that count'),
    missedIntervals: count.describe('Passed over while the run was down'),
    share: amount.nullable().describe('Measured over due, 0 to 1; null: none was due'),
  }),
  lives: count.describe('Starts of the engine’s process'),
  warmUpMs: amount.describe('Cut off before any trend was looked for, in ms'),
  held: z.array(growthSchema).max(heldSeries.length).describe('What the engine’s process holds at rest'),
  store: z.array(growthSchema).max(storeSeries.length).describe('Files of its store, which grow by design'),
  harness: z
    .array(growthSchema)
    .max(harnessSeries.length)
    .describe('The same of the processes that load the engine and write the run'),
  service: z.array(driftSchema).max(serviceSeries.length),
  screen: screenSchema,
})

export const enduranceSchema = z.strictObject({
  engines: z.array(engineSchema).max(64),
})

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof growthSchema, GrowthTrend>,
  Holds<typeof driftSchema, DriftTrend>,
  Holds<typeof screenSchema, ScreenResult>,
  Holds<typeof engineSchema, EngineEndurance>,
  Holds<typeof enduranceSchema, EnduranceResult>,
] = [true, true, true, true, true]
void schemasMatch
