/**
 * The shape of what `lighthouse explain` says: why each verdict of a run fell as it did, what the run lacked, and how
 * many more rounds would decide. Rounds are counted from 0 within the load that the decision is about. Figures of a
 * target are in its `unit`, as in `results.json`; `null` means "not known", never zero.
 */
import type { Decision, TargetVerdict } from '../statistics/verdict.ts'
import type { Comparator } from '../statistics/target-expression.ts'
import type { Suite } from './vocabulary.ts'

export interface Explanation {
  readonly schemaVersion: 1
  readonly runId: string
  readonly suite: Suite
  readonly profile: 'smoke' | 'standard' | 'full'
  readonly scope: string
  /** Name of the load that the decision is about; absent in a run of one load. */
  readonly case?: string
  /** False in the directory of a run that was interrupted or killed: then the rounds that it finished are explained. */
  readonly finished: boolean
  readonly targets: readonly TargetExplanation[]
  /** Only when everything is explained. */
  readonly decision?: DecisionExplanation
}

export interface TargetExplanation {
  readonly expression: string
  readonly title: string
  /** False: judged now, never part of the run's decision. */
  readonly declared: boolean
  readonly mandatory: boolean
  /** Label of the engine that the target speaks of; null when the run has none such. */
  readonly engine: string | null
  readonly verdict: TargetVerdict
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly n: number
  /** What `n` counts, in the plural: exchanges, samples, pairs of rounds, rounds, or what a figure of the suite counts. */
  readonly counted: string
  readonly unit: string
  readonly required: string
  /** Why the verdict is NOT_DEMONSTRATED; empty otherwise. */
  readonly reason: string
  readonly bar: { readonly comparator: Comparator; readonly amount: number; readonly overMs: number | null }
  /** Null when nothing was compared: NOT_DEMONSTRATED, or a count without sampling error. */
  readonly comparison: BoundComparison | null
  /** What makes the bounds as wide as they are, the bound of the bad side first; empty without bounds. */
  readonly drivers: readonly BoundDriver[]
  readonly contributions: RoundContributions | null
  /** What the run did not have; empty unless NOT_DEMONSTRATED. */
  readonly lacks: readonly Lack[]
  /** Rounds that do not count, of the engines that the target speaks of; of all engines in an INVALID run. */
  readonly invalidRounds: readonly {
    readonly round: number
    readonly engine: string
    readonly reasons: readonly string[]
  }[]
  readonly forecast: Forecast
  /** What would decide: the forecast's rounds, or what was lacking; null when the verdict stands or nothing is known to help. */
  readonly command: string | null
}

export interface ComparedBound {
  readonly side: 'upper' | 'lower'
  readonly value: number | null
  /** Whether the bound satisfies the bar; a missing bound does not say. */
  readonly inside: boolean | null
}

/** MET looks at the bad side, NOT_MET at the good side; each is a one-sided 95 % bound. */
export interface BoundComparison {
  /** `completedShare` for throughput, which is judged by the share of exchanges that completed. */
  readonly quantity: 'measure' | 'completedShare'
  readonly bar: number
  readonly badSide: ComparedBound
  readonly goodSide: ComparedBound
  /** Of throughput. */
  readonly backlogGrows?: boolean
}

export interface BoundDriver {
  readonly side: 'upper' | 'lower'
  /**
   * `nothingAbove`: an upper bound without an exceedance, the largest value times `maximumFactor`; `ratioRanks`: order
   * statistics of the ratios of rounds.
   */
  readonly by: 'orderStatistics' | 'studentT' | 'nothingAbove' | 'clopperPearson' | 'ratioRanks'
  readonly n: number
  /** n ÷ φ. */
  readonly effectiveN: number
  readonly phi: number
  /** Where the samples cluster most; `assumed` where nothing lies above the value. */
  readonly phiFrom: 'rounds' | 'blocks' | 'independent' | 'assumed'
  readonly phiBetweenRounds: number | null
  readonly phiBetweenBlocks: number | null
  readonly rounds: number
  /** The bound by order statistics alone, where Student's t is wider. */
  readonly orderStatistic: number | null
  readonly maximumFactor: number | null
}

export interface RoundContributions {
  /** `aboveBar` and the like count exchanges; `ratio` and `openSockets` order rounds by `value`, the worst first. */
  readonly measure: 'aboveBar' | 'failed' | 'notCompleted' | 'ratio' | 'openSockets'
  /** Over all valid rounds; of `ratio` and `openSockets` the rounds that do not satisfy the bar. */
  readonly total: number
  readonly roundsWithAny: number
  readonly rounds: number
  /** The worst five at most. */
  readonly worst: readonly {
    readonly round: number
    readonly attempt: number
    readonly count: number | null
    readonly n: number
    readonly value: number | null
  }[]
}

export interface Lack {
  readonly kind:
    | 'engine'
    | 'baseline'
    | 'validRounds'
    | 'openLoop'
    | 'agents'
    | 'rate'
    | 'duration'
    | 'samples'
    | 'samplesPerRound'
    | 'roundLength'
    | 'stage'
    | 'other'
  readonly what: string
  /** Whether more rounds like those of the run bring it. */
  readonly moreRoundsHelp: boolean
  /** What brings it. */
  readonly remedy: string
}

export interface Forecast {
  /**
   * `DECIDED`: the verdict is MET or NOT_MET; `WOULD_DECIDE`: with `rounds` it would be `verdict`; `BEYOND_LIMIT`: not
   * within `searchedRounds`; `NO_HELP`: more rounds like these decide nothing.
   */
  readonly state: 'DECIDED' | 'WOULD_DECIDE' | 'BEYOND_LIMIT' | 'NO_HELP'
  readonly verdict: TargetVerdict | null
  /** Valid rounds that the forecast repeats, in order. */
  readonly fromRounds: number
  /** In all, not in addition; null unless WOULD_DECIDE. */
  readonly rounds: number | null
  /** Scheduled in them on the engine of the target. */
  readonly exchanges: number | null
  /** What they would take, all engines together, without start-up. */
  readonly durationMs: number | null
  /** DECIDED: from so many of its rounds on, taken in order, the verdict already stood; null when that was not looked for. */
  readonly heldFromRounds: number | null
  readonly searchedRounds: number | null
  /** Why not, for BEYOND_LIMIT and NO_HELP; empty otherwise. */
  readonly reason: string
}

export interface DecisionExplanation {
  readonly decision: Decision
  readonly rules: readonly {
    /** 1 to 5, in the order in which they are asked. */
    readonly rule: number
    readonly decision: Decision
    readonly asks: string
    readonly state: 'DID_NOT_APPLY' | 'DECIDED' | 'NOT_REACHED'
    readonly reasons: readonly string[]
  }[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
  /** Beside the decision. */
  readonly findings: readonly string[]
}
