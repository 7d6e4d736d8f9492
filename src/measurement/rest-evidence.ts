/**
 * What an interval of an endurance run leaves beside its figures: readings at rest, when its load has drained and the garbage of
 * every process has been collected; and what the plan of such a run says.
 */
import type { ProcessReading } from './process-reading.ts'

export interface RestReading {
  /** From the round's zero. */
  readonly atMs: number
  /** What collecting and reading took; nothing was measured meanwhile. */
  readonly tookMs: number
  readonly engine: ProcessReading
  readonly openConnections: number
  /** Of the store's files; null for an engine that keeps none. */
  readonly storeBytes: number | null
  readonly walBytes: number | null
  /** Free on the disk of the store; null without a store. */
  readonly diskFreeBytes: number | null
  /** The harness: the process of the load, and the one that writes the run. */
  readonly load: ProcessReading
  readonly main: ProcessReading
}

export interface EnduranceCasePlan {
  /** From the begin of an interval to the begin of the next of the same engine, as planned. */
  readonly everyMs: number
  /** Cut off before any trend is looked for: max(this, 5 % of the time, twice the longest TTL). */
  readonly leastWarmUpMs: number
  /** By engine: the longest for which it keeps anything of an exchange or session that is over. */
  readonly longestTtlMs: Readonly<Record<string, number>>
}
