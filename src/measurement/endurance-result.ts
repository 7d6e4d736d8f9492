/**
 * What an endurance run publishes: whether anything grows, whether service drifts, and how much of the time that was due was
 * measured. Growth is per hour of wall clock; what was not demonstrated is null.
 */

export const trendWords = ['leak', 'suspect', 'not excluded', 'none shown', 'inconclusive'] as const
/** leak: all three conditions hold; suspect: two; not excluded: fewer, but the interval reaches beyond what is allowed. */
export type TrendWord = (typeof trendWords)[number]

export const heldSeries = ['heap', 'external', 'native', 'wal', 'descriptors', 'connections'] as const
export const storeSeries = ['store'] as const
export const harnessSeries = [
  'loadHeap',
  'loadExternal',
  'loadNative',
  'mainHeap',
  'mainExternal',
  'mainNative',
] as const
export const serviceSeries = ['p50', 'p99', 'timePerExchange'] as const

/** What was found of the trend of one series within one life of the engine's process. */
export interface TrendResult {
  readonly verdict: TrendWord
  /** In words; why it is inconclusive, if it is. */
  readonly reason: string
  /** Doubts about the figures. */
  readonly warnings: readonly string[]
  /** Counted from 0; a restart begins another. */
  readonly life: number
  /** Points tested. */
  readonly n: number
  readonly horizonHours: number
}

/** What one process holds at rest, in bytes, or in numbers of descriptors and connections. */
export interface GrowthTrend extends TrendResult {
  readonly series: (typeof heldSeries | typeof storeSeries | typeof harnessSeries)[number]
  readonly unit: 'bytes' | 'count'
  readonly perHour: number | null
  /** Ends of its interval, nominally 99 %. */
  readonly lowPerHour: number | null
  readonly highPerHour: number | null
  /** The steady growth that this series would have shown as a leak in about nine of ten runs. */
  readonly detectablePerHour: number | null
  /** Median of the first tenth of the points. */
  readonly baseline: number | null
  /** Growth over the horizon that counts as none. */
  readonly allowance: number | null
  /** To the heap's limit or the disk's end at this rate; null without a limit or a growth. */
  readonly hoursToLimit: number | null
}

/** How service changed over the horizon: 1.1 is a tenth slower at its end. */
export interface DriftTrend extends TrendResult {
  readonly series: (typeof serviceSeries)[number]
  /** Of the first tenth of the intervals, in ms. */
  readonly baselineMs: number | null
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  /** A jump that stayed; null when there was none. */
  readonly step: { readonly atHours: number; readonly beforeMs: number; readonly afterMs: number } | null
}

export interface ScreenedSeries {
  readonly series: 'heap' | 'external' | 'native'
  readonly verdict: 'retains' | 'none shown' | 'inconclusive'
  readonly bytesPerExchange: number | null
  readonly lowBytesPerExchange: number | null
  readonly highBytesPerExchange: number | null
}

/** What is kept per exchange, over exchanges instead of hours: a screen, whatever the number of exchanges. */
export interface ScreenResult {
  /** "a screen over N exchanges in T, not T' of time" */
  readonly label: string
  readonly exchanges: number
  readonly n: number
  readonly series: readonly ScreenedSeries[]
  /** Allocated on the engine's heap per exchange, kept or not: median over intervals. */
  readonly allocatedBytesPerExchange: number | null
}

export interface CoverageResult {
  /** Planned, repeated, and passed over while the run was down. */
  readonly dueIntervals: number
  /** Of these, those that count. */
  readonly measuredIntervals: number
  /** Passed over while the run was down. */
  readonly missedIntervals: number
  readonly share: number | null
}

export interface EngineEndurance {
  readonly engine: string
  readonly coverage: CoverageResult
  /** Lives of the engine's process: 1 unless the run was resumed. */
  readonly lives: number
  /** Cut off before any trend was looked for, in the life that was judged. */
  readonly warmUpMs: number
  readonly held: readonly GrowthTrend[]
  /** Grows by design where the log is kept for ever; how long the disk lasts is the question. Empty without a store. */
  readonly store: readonly GrowthTrend[]
  readonly harness: readonly GrowthTrend[]
  readonly service: readonly DriftTrend[]
  readonly screen: ScreenResult
}

export interface EnduranceResult {
  readonly engines: readonly EngineEndurance[]
}
