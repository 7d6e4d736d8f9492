/**
 * What a run of the contention suite publishes of its stores. Waits and latencies in milliseconds; sums are over the valid rounds of a case,
 * rates over their duration with the drain. What was not measured is null.
 */
import type { KneeResult } from './results-document.ts'

/**
 * What p99 of a write has to stay below for a load to count as held: a third of the readiness assessment's 300 ms for a whole exchange,
 * which waits for two commits and two ways through the network.
 */
export const slaP99Ms = 100
/** Committed and read, of scheduled, for a load to count as held. */
export const slaCompletedShare = 0.999

export const loadStates = ['held', 'not held', 'invalid', 'not played'] as const

/** A series of waits over the valid rounds of a case. */
export interface WaitResult {
  readonly n: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
}

/** One store under one load; its write and read latencies are those of `cases`. */
export interface StoreLoadResult {
  readonly case: string
  readonly store: string
  readonly writers: number
  readonly rounds: number
  /** held: in every valid round 99.9 % of the writes were committed and read, and p99 of a write stayed below `slaMs`. */
  readonly state: (typeof loadStates)[number]
  /** Writes committed within `slaMs` of their schedule, in the valid round that had the fewest, per minute. */
  readonly writesPerMinute: number | null
  readonly commitsPerSecond: number | null
  readonly rowsPerCommit: number | null
  /** Written to the write-ahead log. */
  readonly walBytesPerSecond: number | null
  /** Largest size of the log that was seen; null where the server keeps it. */
  readonly walBytesMax: number | null
  /** Written to log and database together, per committed row. */
  readonly bytesPerWrite: number | null
  readonly fsyncsPerSecond: number | null
  /** Counted by the server, or inferred from commits, checkpoints and the mode of synchronisation. */
  readonly fsyncsBasis: 'counted' | 'inferred'
  /** Synced writes that the disk has to take under durability fsync: one per commit and one per checkpoint. */
  readonly requiredIops: number | null
  readonly checkpoints: number | null
  /** Commits that had to make a checkpoint: in all, and the longest; null where checkpoints run beside commits. */
  readonly checkpointStallMs: number | null
  readonly checkpointStallMaxMs: number | null
  /** For the write lock; null where no such series was recorded. */
  readonly lockWait: WaitResult | null
  readonly poolWait: WaitResult | null
  readonly commit: WaitResult | null
  /** Of one read of an inbox, the wait for a connection included. */
  readonly read: WaitResult | null
}

export const contentionVerdicts = ['contended', 'eased', '~', 'NOT_DEMONSTRATED'] as const

/** p99 of a write with so many writers over p99 with the fewest: the median of the ratios per round, with its 95 % interval. */
export interface ContentionFactor {
  readonly store: string
  readonly case: string
  readonly writers: number
  readonly baseWriters: number
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  /** Pairs of rounds that gave a ratio: both hold 1,000 writes. */
  readonly rounds: number
  readonly verdict: (typeof contentionVerdicts)[number]
}

export const batchingVerdicts = ['saves', 'costs', '~', 'NOT_DEMONSTRATED'] as const

/** One store with a transaction per row against itself with group commit, under one load. */
export interface BatchingResult {
  readonly case: string
  readonly off: string
  readonly on: string
  /** p99 of a write without over with batching, the median of the ratios per round. */
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  readonly rounds: number
  readonly verdict: (typeof batchingVerdicts)[number]
  readonly commitsPerWriteOff: number | null
  readonly commitsPerWriteOn: number | null
}

/** A pool of one size under the load of its case, every writer with transactions of its own. */
export interface PoolResult {
  readonly store: string
  readonly case: string
  readonly poolSize: number
  readonly writers: number
  readonly ratePerSecond: number
  readonly rounds: number
  readonly state: (typeof loadStates)[number]
  readonly writeP99Ms: number | null
  readonly wait: WaitResult | null
  /** p99 of the wait for a connection by second of the round, all valid rounds together; null where nobody waited. */
  readonly waitP99MsBySecond: readonly (number | null)[]
}

export interface ContentionResult {
  readonly slaMs: number
  readonly loads: readonly StoreLoadResult[]
  readonly factors: readonly ContentionFactor[]
  readonly batching: readonly BatchingResult[]
  readonly pools: readonly PoolResult[]
  /** Highest rates that held, all writers together. */
  readonly saturation: readonly KneeResult[]
}
