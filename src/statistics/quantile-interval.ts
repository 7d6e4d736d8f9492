/**
 * Confidence bounds of a latency quantile from the histograms of a run's rounds, in the unit of the histograms.
 *
 * Each bound is the wider of two: (a) order statistics (Clopper–Pearson turned into ranks; Conover 1999, §3.2)
 * with the effective sample n/φ, φ the larger dispersion between rounds and between the 1 s blocks of all rounds;
 * (b) Student's t over the quantiles of the rounds, centred on the pooled quantile, R−1 degrees. Buckets count
 * against us: an upper bound is a bucket's upper edge, a lower bound its lower edge.
 *
 * An upper bound that rests on *no* exceedance says nothing of how exceedances cluster. φ = 10 is assumed there;
 * where the sample is too small for that, a target is held only when it lies beyond four times the largest value.
 */
import {
  bucketLowerEdge,
  countAbove,
  maximum,
  mergeDistributions,
  quantile,
  valueAtRank,
  type Distribution,
} from './distribution.ts'
import { largestDispersion, type Cell } from './proportion.ts'
import { binomialCdf, studentTQuantile } from './special-functions.ts'

/** One round: all its samples, and the same samples by 1 s block of the schedule (at least one block). */
export interface RoundSample {
  readonly whole: Distribution
  readonly blocks: readonly Distribution[]
}

export interface QuantileBounds {
  readonly n: number
  /** Value at rank ⌈q·n⌉ of all rounds together; null without a sample. */
  readonly value: number | null
  /** Null where the data give no bound on that side. */
  readonly low: number | null
  readonly high: number | null
  readonly phi: number
}

/** φ that is assumed where no exceedance was seen, and how far beyond the largest value a target needs no such care. */
export const unseenDispersion = 10
export const clearOfMaximum = 4

/** A sample small enough to say nothing of `q` at error probability `alpha`: ⌈ln α / ln max(q, 1−q)⌉. */
export function minimumSamples(q: number, alpha: number): number {
  return Math.ceil(Math.log(alpha) / Math.log(Math.max(q, 1 - q)))
}

/** The two-sided interval that is published: each end wrong with probability (1 − level)/2; no ends below the minimum n. */
export function quantileInterval(rounds: readonly RoundSample[], q: number, level = 0.95): QuantileBounds {
  const alpha = (1 - level) / 2
  const core = coreBounds(rounds, q, alpha)
  const enough = core.n >= minimumSamples(q, alpha)
  const high = core.upperRestsOnNothing && !affordsUnseen(core.n, q, alpha) ? null : core.high
  return { n: core.n, value: core.value, low: enough ? core.low : null, high: enough ? high : null, phi: core.phi }
}

/**
 * The one-sided bounds by which a target is judged, each wrong with probability `alpha`. Where the upper bound would
 * rest on no exceedance and n/10 is too few, it is four times the largest value seen.
 */
export function targetBounds(rounds: readonly RoundSample[], q: number, alpha = 0.05): QuantileBounds {
  const core = coreBounds(rounds, q, alpha)
  if (core.n < minimumSamples(q, alpha)) return { n: core.n, value: core.value, low: null, high: null, phi: core.phi }
  let high = core.high
  if (core.upperRestsOnNothing) {
    const top = core.maximum * (affordsUnseen(core.n, q, alpha) ? 1 : clearOfMaximum)
    high = Math.max(top, core.tHigh)
  }
  return { n: core.n, value: core.value, low: core.low, high, phi: core.phi }
}

function affordsUnseen(n: number, q: number, alpha: number): boolean {
  return n / unseenDispersion >= minimumSamples(q, alpha)
}

interface CoreBounds extends QuantileBounds {
  readonly upperRestsOnNothing: boolean
  readonly maximum: number
  /** Upper end by t alone; −∞ where t does not apply. */
  readonly tHigh: number
}

function coreBounds(rounds: readonly RoundSample[], q: number, alpha: number): CoreBounds {
  const pooled = mergeDistributions(rounds.map((round) => round.whole))
  const value = quantile(pooled, q)
  const top = maximum(pooled)
  if (value === null || top === null) {
    return { n: 0, value, low: null, high: null, phi: 1, upperRestsOnNothing: true, maximum: 0, tHigh: -Infinity }
  }
  const phi = dispersionAt(rounds, value)
  const allowed = exceedancesAllowed(pooled.n, q, phi, alpha)
  const lowerRank = lowerRankOf(pooled.n, q, phi, alpha)
  const margin = tMargin(rounds, q, alpha)
  const orderLow = lowerRank === null ? null : valueAtRank(pooled, lowerRank)
  const orderHigh = allowed === null ? null : valueAtRank(pooled, pooled.n - allowed)
  return {
    n: pooled.n,
    value,
    low: orderLow === null ? null : Math.max(0, Math.min(bucketLowerEdge(orderLow), bucketLowerEdge(value) - margin)),
    high: orderHigh === null ? null : Math.max(orderHigh, value + margin),
    phi,
    upperRestsOnNothing: allowed === null || allowed === 0,
    maximum: top,
    tHigh: value + margin,
  }
}

/** φ of "lies above `bound`": the larger of between rounds and between blocks; the cautious value when nothing does. */
export function dispersionAt(rounds: readonly RoundSample[], bound: number): number {
  const cell = (distribution: Distribution): Cell => ({ hits: countAbove(distribution, bound), n: distribution.n })
  const wholes = rounds.map((round) => cell(round.whole))
  if (wholes.every((each) => each.hits === 0)) return unseenDispersion
  return largestDispersion(
    wholes,
    rounds.flatMap((round) => round.blocks.map(cell)),
  )
}

/**
 * The most samples that may lie above an upper bound of the q-quantile: the largest s with P(Bin(n/φ, 1−q) ≤ s/φ) ≤ α,
 * or null when even none is too many.
 */
export function exceedancesAllowed(n: number, q: number, phi: number, alpha: number): number | null {
  return largestWithin(n - 1, (s) => binomialCdf(s / phi, n / phi, 1 - q) <= alpha)
}

/** The highest rank that is a lower bound of the q-quantile: the largest l with P(Bin(n/φ, q) ≤ (l−1)/φ) ≤ α, or null. */
export function lowerRankOf(n: number, q: number, phi: number, alpha: number): number | null {
  const below = largestWithin(n - 1, (count) => binomialCdf(count / phi, n / phi, q) <= alpha)
  return below === null ? null : below + 1
}

/** The largest integer in 0 … most for which a condition that is monotone (true, then false) holds; null when none. */
function largestWithin(most: number, holds: (candidate: number) => boolean): number | null {
  if (most < 0 || !holds(0)) return null
  let low = 0
  let high = most
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * t·s/√R over the quantiles of the rounds. A round in which the quantile expects no exceedance of its own has no such
 * quantile (its "p99.9" is its maximum), so then only the order statistics speak: margin 0.
 */
function tMargin(rounds: readonly RoundSample[], q: number, alpha: number): number {
  const needed = 1 / Math.min(q, 1 - q)
  const values: number[] = []
  for (const { whole } of rounds) {
    const value = quantile(whole, q)
    // Floating point: 1/(1−0.99) is 99.99999999999991.
    if (value === null || whole.n < needed - 1e-6) return 0
    values.push(value)
  }
  if (values.length < 2) return 0
  // Floating-point sums depend on their order; the bounds must not depend on the order of rounds.
  values.sort((a, b) => a - b)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return studentTQuantile(1 - alpha, values.length - 1) * Math.sqrt(variance / values.length)
}
