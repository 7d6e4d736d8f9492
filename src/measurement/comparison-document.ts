/**
 * What `migrate compare` publishes: the agents on the new path and those on the old one, watched at the same time, compared as an experiment.
 */

export interface ComparedQuantile {
  readonly quantile: 'p50' | 'p95' | 'p99' | 'p999'
  /** Null without a delivery, and where the quantile is among those that never arrived. */
  readonly candidateMs: number | null
  readonly baselineMs: number | null
  /** Candidate over baseline, with a bound on each side, each wrong with probability `alpha`. */
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
}

export interface ComparedBound {
  readonly title: string
  readonly expression: string
  /** Blocks of intervals by which of the groups missed the bar in them. */
  readonly both: number
  readonly onlyCandidate: number
  readonly onlyBaseline: number
  readonly neither: number
  /** Exact McNemar test, two-sided. */
  readonly p: number
  /** Of the blocks in which they differ, the share that the candidate alone missed, with its 95 % interval; null without one. */
  readonly share: number | null
  readonly low: number | null
  readonly high: number | null
}

export interface PhaseComparison {
  readonly phase: string
  /** From 1. */
  readonly attempt: number
  readonly percentage: number
  readonly quantile: ComparedQuantile['quantile']
  readonly margin: number
  /** Error of each bound. */
  readonly alpha: number
  readonly verdict: 'NON_INFERIOR' | 'INFERIOR' | 'NOT_DEMONSTRATED'
  readonly reason: string
  /** Further intervals until it could be shown, and how long they take; null when that is not foreseeable. */
  readonly moreIntervals: number | null
  readonly moreMs: number | null
  /** That were observed in the phase and count. */
  readonly intervals: number
  /** In one cell of the bootstrap; neighbours are merged in long phases. */
  readonly intervalsPerCell: number
  readonly cells: number
  /** Cells in a block that is drawn as a whole. */
  readonly block: number
  readonly resamples: number
  readonly candidate: { readonly due: number; readonly failed: number }
  readonly baseline: { readonly due: number; readonly failed: number }
  readonly quantiles: readonly ComparedQuantile[]
  readonly failures: {
    readonly candidate: number | null
    readonly baseline: number | null
    readonly difference: { readonly value: number; readonly low: number; readonly high: number } | null
    readonly ratio: { readonly value: number | null; readonly low: number; readonly high: number | null } | null
    readonly phi: number
  }
  /** By latency gates of the phase. */
  readonly bounds: readonly ComparedBound[]
  /** The baseline against itself, every second interval against those between. */
  readonly control: {
    readonly pairs: number
    readonly ratio: number | null
    /** How far it comes from 1 in 95 of 100 resamples, as a factor above 1, for as many intervals as were compared; null when it cannot be said. */
    readonly noise: number | null
    readonly verdict: PhaseComparison['verdict']
  }
  /** What is to be known beside the figures. */
  readonly notes: readonly string[]
}

export interface ComparisonDocument {
  readonly schemaVersion: 1
  readonly id: string
  readonly plan: string
  readonly planSha256: string
  /** The newest phase with two groups, or the one that was asked for; null when there is none. */
  readonly phase: string | null
  /** Of that phase. */
  readonly verdict: PhaseComparison['verdict']
  readonly reason: string
  readonly phases: readonly PhaseComparison[]
  readonly journal: { readonly lines: number; readonly sha256: string }
}
