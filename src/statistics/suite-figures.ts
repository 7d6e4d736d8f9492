/**
 * Figures that a suite adds to the target grammar: `candidate.recovery.timeToFull < 5s`, or of one case of the run,
 * `candidate.recovery.crash.timeToFull < 5s`. What each figure means stands in the module that derives it.
 */

export type FigureDimension = 'time' | 'bytes' | 'ratio' | 'count'

export interface SuiteFigure {
  readonly dimension: FigureDimension
  readonly better: 'less' | 'more'
}

const less = (dimension: FigureDimension): SuiteFigure => ({ dimension, better: 'less' })
const more = (dimension: FigureDimension): SuiteFigure => ({ dimension, better: 'more' })

export const suiteFigures = {
  recovery: {
    timeToDetect: less('time'),
    timeToFirstSuccess: less('time'),
    timeToFull: less('time'),
    metastable: less('count'),
    questionRatio: less('ratio'),
  },
  memory: {
    idleBytes: less('bytes'),
    idleRssBytes: less('bytes'),
    residueBytes: less('bytes'),
    lostUnderPressure: less('count'),
    diedWithoutShedding: less('count'),
  },
  burst: {
    degradation: less('ratio'),
    degradationP50: less('ratio'),
    recoveryTime: less('time'),
    p99: less('time'),
  },
  contention: {
    factor: less('ratio'),
    heldWritesPerMinute: more('count'),
    smallestPool: less('count'),
    saturationPerSecond: more('count'),
  },
  coordination: {
    p50: less('time'),
    p95: less('time'),
    p99: less('time'),
    failed: less('ratio'),
    fairness: more('ratio'),
    worstToMedian: less('ratio'),
  },
  endurance: {
    leaks: less('count'),
    leakBytesPerHour: less('bytes'),
    p50Drift: less('ratio'),
    p99Drift: less('ratio'),
    throughputDrift: less('ratio'),
    steps: less('count'),
    coverage: { dimension: 'ratio', better: 'more' },
    storeBytesPerHour: less('bytes'),
    retainedBytesPerExchange: less('bytes'),
    harnessLeaks: less('count'),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, SuiteFigure>>>>

export const figureSections = Object.keys(suiteFigures)

/** Undefined for what is no figure. */
export function suiteFigure(section: string, name: string): SuiteFigure | undefined {
  const figures: Readonly<Record<string, Readonly<Record<string, SuiteFigure>>>> = suiteFigures
  return Object.hasOwn(figures, section) && Object.hasOwn(figures[section] ?? {}, name)
    ? figures[section]?.[name]
    : undefined
}

export function figureNames(section: string): string[] {
  const figures: Readonly<Record<string, Readonly<Record<string, SuiteFigure>>>> = suiteFigures
  return Object.keys(figures[section] ?? {})
}

/** What a suite gives to be judged: bounds of a figure, and how much of what it needs to say anything. */
export interface FigureReading {
  readonly n: number
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly requiredN: number
  /** What `n` counts, in the plural. */
  readonly counted: string
  /** Why there is no value; empty otherwise. */
  readonly reason: string
  /** Load that it rests on, where that may be less than the valid rounds of the run. */
  readonly measuredMs?: number
}
