/**
 * Figures of a coordination run that targets may name: `coordination.fan-out.p99` of one pattern, `coordination.p99` of the worst.
 *
 * `p50`, `p95`, `p99`: completion time of whole instances. `failed`: share of instances that failed. `fairness`: the lowest of Jain's
 * indices of the roles, the median over rounds; `worstToMedian`: the highest ratio of the agent served worst to the median one. Both
 * look only at roles whose agents take part in 10 instances of a round on average, since with fewer a fair engine looks unfair by
 * chance: latencies that vary by their mean would give it 0.91. Exchanges of one instance share their fate and count once.
 */
import { medianBounds, minimumPairs } from '../statistics/paired-ratio.ts'
import { proportionBounds } from '../statistics/proportion.ts'
import { minimumSamples, targetBounds, type RoundSample } from '../statistics/quantile-interval.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import type { CoordinationEvidence, CoordinationPlan, RoleFairness } from './coordination-evidence.ts'
import { highMs, lowMs, msOf, significant, significantHigh, significantLow } from './derive-figures.ts'

export interface PatternSample {
  readonly case: string
  readonly plan: CoordinationPlan
  readonly engine: string
  /** The mean; agents that are asked are asked once in a stage, so it divides what their requesters send alone. */
  readonly exchangesPerInstance: number
  /** Valid ones; `pattern` in microseconds. */
  readonly rounds: readonly { readonly evidence: CoordinationEvidence; readonly pattern: RoundSample }[]
}

/** One-sided. */
const alpha = 0.05
const leastPerAgent = 10
const quantiles = { p50: 0.5, p95: 0.95, p99: 0.99 } as const

export function coordinationFigure(samples: readonly PatternSample[], path: string): FigureReading | undefined {
  const [, second = '', third] = path.split('.')
  const [name, figure] = third === undefined ? [null, second] : [second, third]
  const own = samples.filter((each) => name === null || each.case === name)
  const first = own[0]
  if (first === undefined) {
    return nothing('instances', 1, name === null ? 'no pattern was played' : `the pattern ${name} was not played`)
  }
  const readings = own.map((sample) => readingOf(sample, figure))
  if (readings.some((each) => each === undefined)) return undefined
  const known = readings.filter((each) => each !== undefined)
  const lacking = known.find(({ reason }) => reason !== '')
  return lacking ?? worstOf(known, figure === 'fairness')
}

function readingOf(sample: PatternSample, figure: string): FigureReading | undefined {
  const quantile = Object.hasOwn(quantiles, figure) ? quantiles[figure as keyof typeof quantiles] : undefined
  if (sample.rounds.length === 0) return nothing('rounds', 1, `no round of ${sample.case} is valid`)
  if (quantile !== undefined) return completion(sample, quantile)
  if (figure === 'failed') return failed(sample)
  if (figure === 'fairness') return evenness(sample, ({ index }) => index, Math.min)
  return figure === 'worstToMedian' ? evenness(sample, ({ worstToMedian }) => worstToMedian, Math.max) : undefined
}

function completion({ case: name, rounds }: PatternSample, quantile: number): FigureReading {
  const requiredN = minimumSamples(quantile, alpha)
  const bounds = targetBounds(
    rounds.map(({ pattern }) => pattern),
    quantile,
    alpha,
  )
  if (bounds.value === null) return nothing('instances', requiredN, `no instance of ${name} completed`)
  return {
    n: bounds.n,
    value: msOf(bounds.value),
    low: lowMs(bounds.low),
    high: highMs(bounds.high),
    requiredN,
    counted: 'instances',
    reason: '',
  }
}

function failed({ rounds }: PatternSample): FigureReading {
  const cells = rounds.map(({ evidence: { instances } }) => ({ hits: instances.failed, n: instances.scheduled }))
  const { n, value, low, high } = proportionBounds(cells, alpha)
  return {
    n,
    value: significant(value),
    low: significantLow(low),
    high: significantHigh(high),
    requiredN: 1,
    counted: 'instances',
    reason: '',
  }
}

function evenness(
  { case: name, rounds, exchangesPerInstance }: PatternSample,
  read: (role: RoleFairness) => number | null,
  pick: (...values: number[]) => number,
): FigureReading {
  const isJudged = ({ agents, exchangesPerAgent, measure }: RoleFairness): boolean =>
    agents > 1 && exchangesPerAgent >= leastPerAgent * (measure === 'roundTrip' ? exchangesPerInstance : 1)
  const values = rounds.flatMap(({ evidence }) => {
    const judged = evidence.fairness
      .filter(isJudged)
      .map(read)
      .filter((value) => value !== null)
    return judged.length === 0 ? [] : [pick(...judged)]
  })
  if (values.length === 0) {
    const reason = `agents of ${name} take part in fewer than ${leastPerAgent} instances of a round, so chance would look unfair`
    return nothing('rounds', minimumPairs, reason)
  }
  const { ratio, low, high } = medianBounds(values, alpha)
  return {
    n: values.length,
    value: significant(ratio),
    low: significantLow(low),
    high: significantHigh(high),
    requiredN: minimumPairs,
    counted: 'rounds',
    reason: '',
  }
}

/** Of several patterns the one that is worst; a bound that one of them lacks is lacking for all. */
function worstOf(readings: readonly FigureReading[], moreIsBetter: boolean): FigureReading {
  const pick = moreIsBetter ? Math.min : Math.max
  const of = (read: (reading: FigureReading) => number | null): number | null => {
    const values = readings.map(read).filter((value) => value !== null)
    return values.length < readings.length ? null : pick(...values)
  }
  const fewest = readings.toSorted((left, right) => left.n - left.requiredN - (right.n - right.requiredN))[0]
  if (fewest === undefined) throw new Error('no figure to choose from')
  return { ...fewest, value: of(({ value }) => value), low: of(({ low }) => low), high: of(({ high }) => high) }
}

function nothing(counted: string, requiredN: number, reason: string): FigureReading {
  return { n: 0, value: null, low: null, high: null, requiredN, counted, reason }
}
