/**
 * What a coordination run publishes of its patterns. Milliseconds are named in the keys; null means "not known or not
 * demonstrated", never zero.
 */
import type { CoordinationKind, RoleFairness } from './coordination-evidence.ts'
import type { Interval, SeriesResult } from './results-document.ts'

/** Medians over valid rounds; the intervals are theirs, 95 %, `[null, null]` below 6 rounds. */
export interface FairnessResult extends Pick<RoleFairness, 'role' | 'agents' | 'measure'> {
  readonly rounds: number
  /** Mean number of exchanges of one agent in one round. */
  readonly exchangesPerAgent: number
  /** Jain's index of the agents' mean latencies. */
  readonly index: number | null
  readonly indexInterval: Interval
  /** The index that chance alone would give an even engine with as few samples. */
  readonly indexByChance: number | null
  /** The index less what chance makes uneven; targets are about this one. */
  readonly indexBeyondChance: number | null
  readonly indexBeyondChanceInterval: Interval
  /** Mean latency of the agent served worst over the median agent's. */
  readonly worstToMedian: number | null
  readonly worstToMedianInterval: Interval
}

/** One pattern on one engine, over its valid rounds. */
export interface PatternResult {
  readonly case: string
  readonly kind: CoordinationKind
  readonly engine: string
  readonly validRounds: number
  readonly instancesPerSecond: number
  readonly instances: { readonly scheduled: number; readonly completed: number; readonly failed: number }
  readonly withdrawals: { readonly asked: number; readonly withdrawn: number }
  readonly neverOffered: number
  /** Of completed instances, from arrival to the last answer that was needed. */
  readonly completion: SeriesResult
  readonly fairness: readonly FairnessResult[]
}

/** Completion time of an engine's instances over the candidate's: the median of the ratios per round. */
export interface PatternComparison {
  readonly case: string
  readonly baseline: string
  readonly candidate: string
  readonly quantile: 'p50' | 'p95'
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  readonly rounds: number
  readonly verdict: 'faster' | 'slower' | '~' | 'NOT_DEMONSTRATED'
}

export interface CoordinationResult {
  readonly patterns: readonly PatternResult[]
  readonly comparisons: readonly PatternComparison[]
}
