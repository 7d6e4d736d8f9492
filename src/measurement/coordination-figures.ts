/**
 * Figures of a coordination run that targets may name: `coordination.fan-out.p99` of one pattern, `coordination.p99` of the worst.
 *
 * `p50`, `p95`, `p99`: completion time of whole instances. `failed`: share of instances that failed. `fairness`: the lowest of Jain's
 * indices of the roles, less what chance makes uneven, the median over rounds; `worstToMedian`: the highest ratio of the agent served worst to the median one. Both
 * look only at roles whose agents take part in 10 instances of a round on average, since with fewer a fair engine looks unfair by
 * chance: latencies that vary by their mean would give it 0.91. Exchanges of one instance share their fate and count once.
 */
import { indexBeyondChance } from '../statistics/fairness.ts'
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
  if (own.length === 0) {
    return nothing('instances', 1, name === null ? 'no pattern was played' : `the pattern ${name} was not played`)
  }
  const readings = own.map((sample) => readingOf(sample, figure, own.length))
  if (readings.some((each) => each === undefined)) return undefined
  const known = readings.filter((each) => each !== undefined)
  const lacking = known.find(({ reason }) => reason !== '')
  return lacking ?? worstOf(known, figure === 'fairness')
}

function readingOf(sample: PatternSample, figure: string, patterns: number): FigureReading | undefined {
  const quantile = Object.hasOwn(quantiles, figure) ? quantiles[figure as keyof typeof quantiles] : undefined
  if (sample.rounds.length === 0) return nothing('rounds', 1, `no round of ${sample.case} is valid`)
  if (quantile !== undefined) return completion(sample, quantile, patterns)
  if (figure === 'failed') return failed(sample, patterns)
  if (figure === 'fairness') return evenness(sample, patterns, trueIndex, true)
  return figure === 'worstToMedian' ? evenness(sample, patterns, (role) => role.worstToMedian, false) : undefined
}

/** Null when the role was not served, or too seldom to tell. */
export function trueIndex({ index, indexByChance, exchangesPerAgent, agents, served }: RoleFairness): number | null {
  if (index === null || indexByChance === null || served === 0) return null
  const ofServed = indexBeyondChance(index, indexByChance, (exchangesPerAgent * agents) / served, served)
  // Jain's index of all, of whom some got nothing.
  return ofServed === null ? null : (ofServed * served) / agents
}

interface Bounds {
  readonly n: number
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

/**
 * Bounds of one of several patterns. Meeting a target is claimed of every one, so each may err with the whole of alpha; missing it is
 * claimed of any, so there they share it.
 */
function shared(boundsAt: (alpha: number) => Bounds, patterns: number, moreIsBetter: boolean): Bounds {
  const whole = boundsAt(alpha)
  const part = patterns === 1 ? whole : boundsAt(alpha / patterns)
  return { ...whole, ...(moreIsBetter ? { high: part.high } : { low: part.low }) }
}

function completion({ case: name, rounds }: PatternSample, quantile: number, patterns: number): FigureReading {
  const requiredN = minimumSamples(quantile, alpha)
  const series = rounds.map(({ pattern }) => pattern)
  const { n, value, low, high } = shared((error) => targetBounds(series, quantile, error), patterns, false)
  if (value === null) return nothing('instances', requiredN, `no instance of ${name} completed`)
  return { n, value: msOf(value), low: lowMs(low), high: highMs(high), requiredN, counted: 'instances', reason: '' }
}

function failed({ rounds }: PatternSample, patterns: number): FigureReading {
  const cells = rounds.map(({ evidence: { instances } }) => ({ hits: instances.failed, n: instances.scheduled }))
  return rounded(
    shared((error) => proportionBounds(cells, error), patterns, false),
    1,
    'instances',
  )
}

function evenness(
  { case: name, rounds, exchangesPerInstance }: PatternSample,
  patterns: number,
  read: (role: RoleFairness) => number | null,
  moreIsBetter: boolean,
): FigureReading {
  const isJudged = ({ agents, exchangesPerAgent, measure }: RoleFairness): boolean =>
    agents > 1 && exchangesPerAgent >= leastPerAgent * (measure === 'roundTrip' ? exchangesPerInstance : 1)
  const values = rounds.flatMap(({ evidence }) => {
    const judged = evidence.fairness
      .filter(isJudged)
      .map(read)
      .filter((value) => value !== null)
    return judged.length === 0 ? [] : [moreIsBetter ? Math.min(...judged) : Math.max(...judged)]
  })
  if (values.length === 0) {
    const reason = `agents of ${name} take part in fewer than ${leastPerAgent} instances of a round, so chance would look unfair`
    return nothing('rounds', minimumPairs, reason)
  }
  const boundsAt = (error: number): Bounds => {
    const { ratio, low, high } = medianBounds(values, error)
    return { n: values.length, value: ratio, low, high }
  }
  return rounded(shared(boundsAt, patterns, moreIsBetter), minimumPairs, 'rounds')
}

function rounded({ n, value, low, high }: Bounds, requiredN: number, counted: string): FigureReading {
  const bounds = { value: significant(value), low: significantLow(low), high: significantHigh(high) }
  return { n, ...bounds, requiredN, counted, reason: '' }
}

/** Of several patterns the one that is worst: no bound for all where one has none, and any bound that shows one to be bad. */
function worstOf(readings: readonly FigureReading[], moreIsBetter: boolean): FigureReading {
  const pick = moreIsBetter ? Math.min : Math.max
  const of = (bound: 'value' | 'low' | 'high', needed: number): number | null => {
    const values = readings.map((reading) => reading[bound]).filter((value) => value !== null)
    return values.length < needed || values.length === 0 ? null : pick(...values)
  }
  const fewest = readings.toSorted((left, right) => left.n - right.n)[0]
  if (fewest === undefined) throw new Error('no figure to choose from')
  const all = readings.length
  const [low, high] = moreIsBetter ? [of('low', all), of('high', 1)] : [of('low', 1), of('high', all)]
  return { ...fewest, value: of('value', all), low, high }
}

function nothing(counted: string, requiredN: number, reason: string): FigureReading {
  return { n: 0, value: null, low: null, high: null, requiredN, counted, reason }
}
