/**
 * How a target is judged from bounds: MET when the one-sided 95 % bound on the bad side lies inside the target,
 * NOT_MET when the bound on the good side lies outside, MARGINAL when neither; NOT_DEMONSTRATED when the data
 * cannot say. Nothing passes by absence: no sample, a missing bound and NaN never give MET.
 */
import { clopperPearsonLower, clopperPearsonUpper, largestDispersion, trialsToShow, type Cell } from './proportion.ts'
import { normalQuantile } from './special-functions.ts'
import type { Comparator } from './target-expression.ts'
import type { TargetVerdict } from './verdict.ts'

/** The error probability of each one-sided bound. */
export const oneSided = 0.05

export interface Bounds {
  readonly n: number
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

export interface Judgement extends Bounds {
  readonly verdict: TargetVerdict
  /** What the verdict needs, e.g. `n >= 299`. */
  readonly required: string
  /** Why the verdict is NOT_DEMONSTRATED, else empty. */
  readonly reason: string
}

export function satisfies(value: number, comparator: Comparator, bound: number): boolean {
  if (comparator === '<') return value < bound
  if (comparator === '<=') return value <= bound
  return comparator === '>' ? value > bound : value >= bound
}

export function notDemonstrated(bounds: Bounds, required: string, reason: string): Judgement {
  return { ...bounds, verdict: 'NOT_DEMONSTRATED', required, reason }
}

export const noData: Bounds = { n: 0, value: null, low: null, high: null }

/** For any measure with a bound on each side; `requiredN` counts what `n` counts. */
export function judgeBounds(
  bounds: Bounds,
  comparator: Comparator,
  bound: number,
  requiredN: number,
  counted = 'n',
): Judgement {
  const required = `${counted} >= ${requiredN}`
  const { n, value, low, high } = bounds
  if (n === 0 || value === null) return notDemonstrated(bounds, required, 'no sample was measured')
  if ([n, value, low, high, bound].some((each) => Number.isNaN(each))) {
    return notDemonstrated(bounds, required, 'a figure is not a number')
  }
  if (n < requiredN) {
    return notDemonstrated(bounds, required, `${counted} is ${n}; a one-sided 95 % bound needs at least ${requiredN}`)
  }
  const lessIsBetter = comparator.startsWith('<')
  const badSide = lessIsBetter ? high : low
  const goodSide = lessIsBetter ? low : high
  let verdict: TargetVerdict = 'MARGINAL'
  if (badSide !== null && satisfies(badSide, comparator, bound)) verdict = 'MET'
  else if (goodSide !== null && !satisfies(goodSide, comparator, bound)) verdict = 'NOT_MET'
  return { ...bounds, verdict, required, reason: '' }
}

export interface ThroughputData {
  /** Per valid round: `hits` completed of `n` scheduled. */
  readonly rounds: readonly Cell[]
  /** Length of the schedules of these rounds together. */
  readonly seconds: number
  /** The rate that the schedule was drawn for. */
  readonly offeredPerSecond: number
  /** Whether the backlog grew through the rounds; null when it cannot be seen. */
  readonly backlogGrows: boolean | null
}

/** The share of scheduled exchanges that must complete for an offered rate to count as carried. */
export const completedShare = 0.999

/**
 * Throughput: the offered rate reaches the target, at least 99.9 % of what was scheduled completed (Clopper–Pearson
 * on n/φ) and the backlog does not grow. Completed exchanges per second straddle an offered rate that equals the
 * target by construction, so they are the value that is shown, not what is judged.
 */
export function judgeThroughput(data: ThroughputData, comparator: Comparator, bound: number): Judgement {
  const n = data.rounds.reduce((sum, cell) => sum + cell.n, 0)
  const completed = data.rounds.reduce((sum, cell) => sum + cell.hits, 0)
  const minimum = trialsToShow(1 - completedShare, oneSided)
  const required = `offered ${comparator} ${bound}/s, completed >= 99.9 %, n >= ${minimum}, backlog not growing`
  if (n === 0 || !(data.seconds > 0))
    return notDemonstrated(noData, required, 'no exchange was scheduled in a valid round')
  const phi = largestDispersion(data.rounds)
  const low = clopperPearsonLower(completed / phi, n / phi, oneSided)
  const high = clopperPearsonUpper(completed / phi, n / phi, oneSided)
  const perSecond = n / data.seconds
  const bounds = { n, value: completed / data.seconds, low: low * perSecond, high: high * perSecond }
  if (!satisfies(data.offeredPerSecond, comparator, bound)) {
    return notDemonstrated(bounds, required, `only ${data.offeredPerSecond}/s was offered; the target names ${bound}/s`)
  }
  // Arrivals are Poisson: the schedule may hold a little less than its rate, but not less than chance explains.
  const expected = bound * data.seconds
  if (n < expected - normalQuantile(0.9999) * Math.sqrt(expected)) {
    return notDemonstrated(
      bounds,
      required,
      `the schedules hold ${n} exchanges; ${bound}/s would be ${Math.round(expected)}`,
    )
  }
  if (n < minimum) return notDemonstrated(bounds, required, `n is ${n}; showing 99.9 % needs at least ${minimum}`)
  if (data.backlogGrows === null) {
    return notDemonstrated(bounds, required, 'the rounds are too short to see whether the backlog grows')
  }
  if (data.backlogGrows || high < completedShare) return { ...bounds, verdict: 'NOT_MET', required, reason: '' }
  return { ...bounds, verdict: low >= completedShare ? 'MET' : 'MARGINAL', required, reason: '' }
}
