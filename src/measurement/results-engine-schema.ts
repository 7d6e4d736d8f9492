/**
 * The part of the schema of `results.json` that speaks of one engine under one load: its sums and quantiles over all valid
 * rounds. Descriptions say units and what a null means; they are published (`docs/results.schema.json`), so they are
 * written for a reader who has nothing else.
 */
import { z } from 'zod'
import { amount, armSchema, caseName, count, countsSchema, label, named, text } from './evidence-schemas.ts'
import type { Holds } from './evidence-schemas.ts'
import type { CaseResult, EngineResult, SeriesResult } from './results-document.ts'

/** Between 0 and 1. */
const share = amount.max(1)

export const intervalSchema = z.tuple([amount.nullable(), amount.nullable()]).meta({
  id: 'Interval',
  description: 'Low and high end of a two-sided 95 % interval in ms; null: the samples give no bound on that side',
})

const quantileMs = (words: string) => amount.nullable().describe(`${words} in ms; null: no sample`)

export const seriesSchema = z
  .strictObject({
    n: count.describe('Samples'),
    p50Ms: quantileMs('Median'),
    p95Ms: quantileMs('95th percentile'),
    p99Ms: quantileMs('99th percentile'),
    p999Ms: quantileMs('99.9th percentile'),
    maxMs: quantileMs('Largest sample'),
    intervals: z.strictObject({
      p50Ms: intervalSchema,
      p95Ms: intervalSchema,
      p99Ms: intervalSchema,
      p999Ms: intervalSchema,
    }),
  })
  .meta({
    id: 'Series',
    description: 'Latencies of all valid rounds together; each figure is the upper edge of its HDR bucket (3 digits)',
  })

const stageSchema = z
  .strictObject({
    n: count.describe('Samples'),
    p50Us: amount.nullable().describe('Median in µs; null: no sample'),
    p99Us: amount.nullable().describe('99th percentile in µs; null: no sample'),
  })
  .meta({ id: 'Stage', description: 'Time that the engine itself took over one step of its work' })

const pollingSchema = z.strictObject({
  databaseQueries: count,
  emptyPolls: count.describe('Looks into the store that found nothing'),
  heldConnections: count.describe('Polls held when the engine was asked, after a round; the largest such reading'),
  pollTimeouts: count.describe('Polls answered empty by the server'),
  wastedPolls: count.describe('Polls answered empty as the client counts them'),
  theoreticalDelivery: z
    .strictObject({
      intervalMs: amount.describe('Sleep between two looks in ms'),
      meanMs: amount.describe('Half the interval, in ms'),
      maxMs: amount.describe('The interval, in ms'),
    })
    .describe('Delivery of one leg by a loop that sleeps between looks: uniform between 0 and the interval'),
})

const resource = (value: z.ZodNumber, words: string) => value.nullable().describe(`${words}; null: see nullReasons`)

const resourcesSchema = z.strictObject({
  rssMaxBytes: resource(count, 'Largest resident memory in bytes'),
  nullReasons: named(text).describe('Why a figure of these resources is null, by its name'),
  heapMaxBytes: resource(count, 'Largest JavaScript heap in bytes'),
  cpuPercent: resource(amount, 'CPU in percent of one core, which several threads can exceed'),
  cpuUsPerExchange: resource(amount, 'CPU time per scheduled exchange in µs'),
  eventLoopP99Ms: resource(amount, '99th percentile of the delay of the event loop in ms, of the worst round'),
  openConnectionsMax: resource(count, 'Most open connections'),
  walBytesMax: resource(count, 'Largest write-ahead log in bytes'),
  commits: resource(count, 'Commits of the store'),
})

export const engineSchema = z
  .strictObject({
    ...armSchema.shape,
    label: label.describe('Unique in the run: the engine as given on the command line, with #2 … on repetition'),
    semanticsBasis: armSchema.shape.semanticsBasis.describe(
      'Whether this run started the engine or believed a remote one',
    ),
    validRounds: count.describe('Rounds that all figures of this engine rest on'),
    exchanges: countsSchema.meta({
      id: 'Exchanges',
      description: 'Exchanges and anomalies of the valid rounds, on both legs',
    }),
    delivery: seriesSchema.describe('From the scheduled time of an ask until its recipient holds it'),
    roundTrip: seriesSchema.describe('From the scheduled time of an ask until its requester holds the result'),
    serviceTime: seriesSchema.describe('From the actual send of an ask until its requester holds the result'),
    throughputPerSecond: amount.nullable().describe('Completed exchanges per second; null: no valid round'),
    offeredPerSecond: amount.describe('Scheduled exchanges per second; 0 without a valid round'),
    errorRate: share
      .nullable()
      .describe('Share of scheduled exchanges that were refused, timed out or lost, 0 to 1; null: none was scheduled'),
    stages: z
      .strictObject({
        verify: stageSchema.describe('Signature of a frame; sampled, as are the next three'),
        nonce: stageSchema.describe('Replay check'),
        rateLimit: stageSchema.describe('Rate limit'),
        schema: stageSchema.describe('Check against the requested schema'),
        storeWait: stageSchema.describe('From append to commit'),
        push: stageSchema.describe('Hand-over to the socket'),
        total: stageSchema.describe('Both legs of an exchange, from frame received to frame handed over'),
      })
      .exactOptional()
      .describe('Absent when the engine records no stages'),
    polling: pollingSchema
      .exactOptional()
      .describe('Absent for other engines and when not observed in every valid round'),
    resources: resourcesSchema.describe('Of the thread or process of the engine'),
  })
  .meta({ id: 'Engine', description: 'One engine under one load, over its valid rounds' })

export const caseSchema = z.strictObject({
  name: caseName,
  agents: count,
  ratePerSecond: amount.describe('Exchanges offered per second'),
  loadModel: z.enum(['open', 'closed']).describe('closed: not coordinated-omission safe'),
  plannedRounds: count.describe('Per engine'),
  engines: z.array(engineSchema).max(64),
  generator: z.strictObject({
    cpuPercent: amount
      .nullable()
      .describe('Largest CPU of the load generator in percent of one core; null: no valid round'),
    latenessP99Ms: amount.nullable().describe('Largest 99th percentile of send lateness in ms; null: no valid round'),
  }),
})

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof seriesSchema, SeriesResult>,
  Holds<typeof engineSchema, EngineResult>,
  Holds<typeof caseSchema, CaseResult>,
] = [true, true, true]
void schemasMatch
