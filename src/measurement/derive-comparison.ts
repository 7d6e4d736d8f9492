/**
 * The comparisons of a run: every other engine against the candidate, round by round. Rounds are paired by their
 * number, because both engines of a round met the same arrivals on the same machine within seconds.
 */
import type { Distribution } from '../statistics/distribution.ts'
import { medianBounds, ratioVerdict, ratiosOf, type RatioBounds } from '../statistics/paired-ratio.ts'
import { quantileOf, type LatencySeries } from '../statistics/target-expression.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import type { ComparisonResult } from './results-document.ts'

const metrics = ['roundTrip', 'delivery', 'serviceTime'] as const satisfies readonly LatencySeries[]
const quantiles = ['p50', 'p95', 'p99'] as const
export type ComparedQuantile = (typeof quantiles)[number]

export function comparisons(arms: readonly ArmRounds[]): ComparisonResult[] {
  const candidate = arms.at(-1)
  if (candidate === undefined) return []
  return arms.slice(0, -1).flatMap((baseline) =>
    metrics.flatMap((metric) =>
      quantiles.map((name) => {
        const bounds = ratioBounds(baseline, candidate, metric, name, 0.025)
        return {
          baseline: baseline.arm.label,
          candidate: candidate.arm.label,
          metric,
          quantile: name,
          ratio: bounds.ratio,
          low: bounds.low,
          high: bounds.high,
          rounds: bounds.rounds,
          verdict: ratioVerdict(bounds),
        }
      }),
    ),
  )
}

/** Baseline over candidate, each bound wrong with probability `alpha`; rounded outwards to six digits. */
export function ratioBounds(
  baseline: ArmRounds,
  candidate: ArmRounds,
  metric: LatencySeries,
  quantile: ComparedQuantile,
  alpha: number,
): RatioBounds {
  const byRound = new Map(candidate.valid.map((round) => [round.evidence.round, round.series[metric].whole]))
  const pairs = baseline.valid.flatMap((round): [Distribution, Distribution][] => {
    const other = byRound.get(round.evidence.round)
    return other === undefined ? [] : [[round.series[metric].whole, other]]
  })
  const bounds = medianBounds(ratiosOf(pairs, quantileOf[quantile]), alpha)
  return {
    ratio: significant(bounds.ratio),
    low: significantLow(bounds.low),
    high: significantHigh(bounds.high),
    rounds: bounds.rounds,
  }
}
