/**
 * Figures of bursts that targets may name, with one-sided 95 % bounds: `burst.degradation` (of p99), `burst.degradationP50`,
 * `burst.recoveryTime` and `burst.p99` (round trip in the burst), each of the highest step of a case. Without the name of a case it is
 * the worst of all cases: the upper bound is the highest of theirs, and the lower bounds share the error, since one of many
 * is above its truth more often than one alone.
 */
import { requiredRounds } from '../statistics/decision.ts'
import { oneSided } from '../statistics/judgement.ts'
import { medianBounds, minimumPairs } from '../statistics/paired-ratio.ts'
import { minimumSamples, targetBounds } from '../statistics/quantile-interval.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import { degradations, recoveryBounds, type BurstPlan, type BurstRound } from './burst-rounds.ts'
import { highMs, lowMs, msOf, significant, significantHigh, significantLow } from './derive-figures.ts'
import type { Profile } from './targets-file.ts'

/** The rounds of one engine in one burst case that figures rest on. */
export interface BurstSample {
  readonly plan: BurstPlan
  readonly engine: string
  readonly profile: Profile
  readonly plannedRounds: number
  readonly rounds: readonly BurstRound[]
}

interface Bounds {
  /** What `counted` counts. */
  readonly n: number
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

interface Measure {
  readonly counted: string
  readonly requiredN: number
  /** Whether a smoke run, whose rounds are few by design, has enough of them. */
  readonly ofRounds: boolean
  /** `sharedBy`: how many cases share the error of the lower bound. */
  readonly boundsOf: (sample: BurstSample, sharedBy: number) => Bounds
  /** The rounds of which a case may have too few. */
  readonly needs: string
}

const degradation = (q: number): Measure => ({
  counted: 'rounds',
  requiredN: minimumPairs,
  ofRounds: true,
  boundsOf: ({ plan, rounds }, sharedBy) => {
    const ratios = degradations(rounds, highestStep(plan), q)
    const { ratio, high } = medianBounds(ratios, oneSided)
    const { low } = medianBounds(ratios, oneSided / sharedBy)
    return {
      n: ratios.length,
      value: significant(ratio),
      low: significantLow(low),
      high: significantHigh(high),
    }
  },
  needs: `rounds with ${Math.round(10 / (1 - q))} exchanges before the burst and in it`,
})

const measures: Readonly<Record<string, Measure>> = {
  degradation: degradation(0.99),
  degradationP50: degradation(0.5),
  recoveryTime: {
    counted: 'rounds',
    requiredN: minimumPairs,
    ofRounds: true,
    boundsOf: ({ plan, rounds }, sharedBy) => {
      const { atLeastMs } = plan.watch
      const { median, high } = recoveryBounds(rounds, atLeastMs, oneSided)
      const { low } = recoveryBounds(rounds, atLeastMs, oneSided / sharedBy)
      // What did not come took longer than it was waited for: a lower bound, and no upper one.
      return { n: rounds.length, value: median ?? (rounds.length === 0 ? null : atLeastMs), low, high }
    },
    needs: 'rounds that count',
  },
  p99: {
    counted: 'exchanges',
    requiredN: minimumSamples(0.99, oneSided),
    ofRounds: false,
    boundsOf: ({ plan, rounds }, sharedBy) => {
      const samples = rounds.flatMap(({ stretches }) => stretches[highestStep(plan)]?.sample ?? [])
      const { n, value, high } = targetBounds(samples, 0.99, oneSided)
      const { low } = targetBounds(samples, 0.99, oneSided / sharedBy)
      return { n, value: msOf(value), low: lowMs(low), high: highMs(high) }
    },
    needs: 'rounds that count',
  },
}

/** The last of several that are equal. */
function highestStep({ phases }: BurstPlan): number {
  const rates = phases.slice(1, -1).map(({ ratePerSecond }) => ratePerSecond)
  return 1 + rates.lastIndexOf(Math.max(...rates))
}

/** `samples` of one engine; `path` as in a target. Undefined for what is no figure. */
export function burstFigure(samples: readonly BurstSample[], path: string): FigureReading | undefined {
  const [, second = '', third] = path.split('.')
  const [name, figure] = third === undefined ? [null, second] : [second, third]
  const measure = Object.hasOwn(measures, figure) ? measures[figure] : undefined
  if (measure === undefined) return undefined
  const own = samples.filter(({ plan }) => name === null || plan.name === name)
  const { counted, requiredN } = measure
  const each = own.map((sample) => ({ sample, bounds: measure.boundsOf(sample, own.length) }))
  const reading = { counted, requiredN, n: Math.min(...each.map(({ bounds }) => bounds.n)) }
  const nothing = (reason: string): FigureReading => ({ ...reading, value: null, low: null, high: null, reason })
  if (own.length === 0) {
    return { ...nothing(name === null ? 'no burst was played' : `no burst ${name} was played`), n: 0 }
  }
  const reason = each.map(({ sample, bounds }) => lackOf(sample, bounds, measure)).find((lack) => lack !== '')
  if (reason !== undefined) return nothing(reason)
  return {
    ...reading,
    value: largest(each.map(({ bounds }) => bounds.value)),
    low: largest(each.map(({ bounds }) => bounds.low ?? 0)),
    high: each.some(({ bounds }) => bounds.high === null) ? null : largest(each.map(({ bounds }) => bounds.high)),
    reason: '',
  }
}

/** Empty when the case gives the figure. */
function lackOf(sample: BurstSample, { n }: Bounds, { ofRounds, requiredN, needs }: Measure): string {
  const { plan, profile, plannedRounds, rounds } = sample
  const needed =
    profile === 'smoke'
      ? Math.min(requiredRounds(profile, plannedRounds), plannedRounds)
      : requiredRounds(profile, plannedRounds)
  if (rounds.length < needed)
    return `${plan.name}: ${rounds.length} of ${plannedRounds} planned rounds count; ${needed} are needed`
  if (ofRounds && n < requiredN) return `${plan.name}: ${needs}: ${n}; ${requiredN} are needed`
  return ''
}

function largest(values: readonly (number | null)[]): number | null {
  return values.reduce((most, each) => (each === null ? most : most === null ? each : Math.max(most, each)), null)
}
