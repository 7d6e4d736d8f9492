/**
 * "How many times faster?": the median of the per-round ratios baseline/candidate of interleaved rounds, with the
 * interval of the median by order statistics (sign test; Conover 1999, §3.4). Pairing by round cancels what the
 * machine did to both; no distribution is assumed. Dimensionless; 30 means the candidate takes a thirtieth.
 *
 * Fewer than 6 pairs have no two-sided 95 % interval. The quantile of a round needs n ≥ 10/(1−q), or it is its
 * maximum in disguise. A verdict needs significance *and* an effect beyond the noise margin.
 */
import { quantile, type Distribution } from './distribution.ts'
import { binomialCdf } from './special-functions.ts'

export const minimumPairs = 6
export const defaultNoiseMargin = 0.05

export interface RatioBounds {
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  /** Rounds that gave a ratio. */
  readonly rounds: number
}

export type RatioVerdict = 'faster' | 'slower' | '~' | 'NOT_DEMONSTRATED'

/** The quantile of one round, or null when the round is too small to have one. */
export function roundQuantile(distribution: Distribution, q: number): number | null {
  const needed = 10 / (1 - q)
  return distribution.n >= needed - 1e-6 ? quantile(distribution, q) : null
}

/** Baseline over candidate of every round that has both quantiles and a candidate above zero. */
export function ratiosOf(
  pairs: readonly (readonly [baseline: Distribution, candidate: Distribution])[],
  q: number,
): number[] {
  const ratios: number[] = []
  for (const [baseline, candidate] of pairs) {
    const above = roundQuantile(baseline, q)
    const below = roundQuantile(candidate, q)
    if (above !== null && below !== null && below > 0) ratios.push(above / below)
  }
  return ratios
}

/** Median with a bound on each side, each wrong with probability `alpha`; no bounds below `minimumPairs`. */
export function medianBounds(ratios: readonly number[], alpha: number): RatioBounds {
  const rounds = ratios.length
  if (rounds === 0 || ratios.some((each) => !Number.isFinite(each))) {
    return { ratio: null, low: null, high: null, rounds }
  }
  const sorted = ratios.toSorted((a, b) => a - b)
  const at = (rank: number): number => sorted[rank - 1] ?? NaN
  const ratio = rounds % 2 === 1 ? at((rounds + 1) / 2) : (at(rounds / 2) + at(rounds / 2 + 1)) / 2
  let rank = 0
  while (binomialCdf(rank, rounds, 0.5) <= alpha) rank++
  return rank === 0 || rounds < minimumPairs
    ? { ratio, low: null, high: null, rounds }
    : { ratio, low: at(rank), high: at(rounds + 1 - rank), rounds }
}

/** `faster` and `slower` need the whole interval on their side of 1 and a median beyond the margin; else `~`. */
export function ratioVerdict(bounds: RatioBounds, margin = defaultNoiseMargin): RatioVerdict {
  const { ratio, low, high } = bounds
  if (ratio === null || low === null || high === null) return 'NOT_DEMONSTRATED'
  if (low > 1 && ratio >= 1 + margin) return 'faster'
  if (high < 1 && ratio <= 1 / (1 + margin)) return 'slower'
  return '~'
}
