/** The part of the schema of `results.json` that says what many writers did to each store. */
import { z } from 'zod'
import { batchingVerdicts, contentionVerdicts, loadStates } from './contention-result.ts'
import type { ContentionResult, PoolResult, StoreLoadResult } from './contention-result.ts'
import { amount, caseName, count, label, type Holds } from './evidence-schemas.ts'
import { kneeSchema } from './results-suite-schema.ts'

const ms = (words: string) => amount.nullable().describe(`${words}, in ms; null: no samples`)
const rate = (words: string) => amount.nullable().describe(`${words}; null: not measured`)

const waitSchema = z
  .strictObject({ n: count, p50Ms: ms('Median'), p99Ms: ms('99th percentile'), maxMs: ms('Longest') })
  .meta({ id: 'Wait', description: 'A series of waits over the valid rounds of a case' })
const wait = (words: string) => waitSchema.nullable().describe(`${words}; null: not recorded`)

const state = z
  .enum(loadStates)
  .describe(
    'held: in every valid round 99.9 % of the writes were committed and read and p99 stayed below slaMs; invalid: no round counts',
  )

const ratio = {
  ratio: amount.nullable().describe('Median of the ratios per round; null: no ratio'),
  low: amount.nullable().describe('Low end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
  high: amount.nullable().describe('High end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
  rounds: count.describe('Pairs of rounds that gave a ratio: both hold 1,000 writes'),
}

const loadSchema = z.strictObject({
  case: caseName,
  store: label,
  writers: count,
  rounds: count.describe('Valid rounds'),
  state,
  writesPerMinute: rate(
    'Writes committed within slaMs of their schedule per minute, of the valid round that had the fewest',
  ),
  commitsPerSecond: rate('Transactions per second'),
  rowsPerCommit: rate('Rows that shared a transaction'),
  walBytesPerSecond: rate('Bytes written to the write-ahead log per second'),
  walBytesMax: count.nullable().describe('Largest size of the log that was seen, in bytes; null: the server keeps it'),
  bytesPerWrite: rate('Bytes written to log and database per committed row'),
  fsyncsPerSecond: rate('Syncs of files per second'),
  fsyncsBasis: z
    .enum(['counted', 'inferred'])
    .describe('counted by the server, or inferred from commits, checkpoints and the mode of synchronisation'),
  requiredIops: rate('Synced writes per second that durability fsync asks of the disk: commits and checkpoints'),
  checkpoints: count.nullable().describe('In the valid rounds; null: not known'),
  checkpointStallMs: amount
    .nullable()
    .describe('All commits together that had to make a checkpoint, in ms; null: checkpoints run beside commits'),
  checkpointStallMaxMs: amount.nullable().describe('The longest of them, in ms; null: checkpoints run beside commits'),
  lockWait: wait('For the write lock'),
  poolWait: wait('For a connection of the pool'),
  commit: wait('Of the commit alone'),
  read: wait('Of one read of an inbox, the wait for a connection included'),
})

const factorSchema = z
  .strictObject({
    store: label,
    case: caseName,
    writers: count,
    baseWriters: count,
    ...ratio,
    verdict: z.enum(contentionVerdicts).describe('~: no difference was shown'),
  })
  .describe('p99 of a write with so many writers over p99 with the fewest')

const batchingSchema = z
  .strictObject({
    case: caseName,
    off: label,
    on: label,
    ...ratio,
    verdict: z.enum(batchingVerdicts).describe('~: no difference was shown'),
    commitsPerWriteOff: rate('Transactions per row without batching'),
    commitsPerWriteOn: rate('Transactions per row with batching'),
  })
  .describe('p99 of a write with a transaction per row over p99 with group commit')

const poolSchema = z.strictObject({
  store: label,
  case: caseName,
  poolSize: count,
  writers: count,
  ratePerSecond: amount.describe('Writes offered per second'),
  rounds: count.describe('Valid rounds'),
  state,
  writeP99Ms: ms('99th percentile from schedule to commit'),
  wait: wait('For a connection'),
  waitP99MsBySecond: z
    .array(amount.nullable().describe('In ms; null: nobody waited'))
    .max(600)
    .describe('99th percentile of the wait by second of the round, all valid rounds together'),
})

export const contentionSchema = z.strictObject({
  slaMs: amount.describe('Bound of p99 from schedule to commit, in ms, that a load must stay below to be held'),
  loads: z.array(loadSchema).max(64_000).describe('Each store under each load'),
  factors: z.array(factorSchema).max(64_000),
  batching: z.array(batchingSchema).max(64_000),
  pools: z.array(poolSchema).max(64_000).describe('Pools of connections, every writer with transactions of its own'),
  saturation: z.array(kneeSchema).max(64).describe('Highest rates that held, all writers together'),
})

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof loadSchema, StoreLoadResult>,
  Holds<typeof poolSchema, PoolResult>,
  Holds<typeof contentionSchema, ContentionResult>,
] = [true, true, true]
void schemasMatch
