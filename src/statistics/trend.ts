/**
 * Whether a series rises or falls, and how fast, without assuming a distribution. The slope is that of Theil and Sen
 * (median of the slopes of all pairs) with Sen's interval by ranks (Sen, JASA 63, 1968); the test is Mann–Kendall with
 * Kendall's variance for ties (Kendall, Rank Correlation Methods, 1975) and the correction of Hamed and Rao
 * (J. Hydrology 204, 1998) for autocorrelation, restricted to lags 1–3 and never below 1.
 *
 * Times need neither order nor equal spacing. A sample that is missing is a null value or an absent point; nothing is
 * filled in. Pairs of equal time have no slope and count as ties. Work grows with n²: above 1,000 points a series is
 * first reduced to medians of 1,000 blocks of equal time, so no call compares more than 499,500 pairs (4 MB).
 *
 * The correction sees no further than three sample spacings, so it falls short where the memory of the noise is
 * longer than that (AR(1) φ = 0.9: it adds a quarter of the variance that it should); callers reduce dense series to
 * block medians first and ask for an effect beside significance. Normal approximation throughout: n ≥ 10.
 */
import { normalQuantile } from './special-functions.ts'

/** Times and values are in the caller's units; a slope is in value units per time unit. */
export interface TrendPoint {
  readonly time: number
  /** Null where a sample was due and is missing. */
  readonly value: number | null
}

export interface SlopeBounds {
  /** Points that were used, after the reduction to blocks. */
  readonly n: number
  /** Median of all pairwise slopes; null without two points of different times. */
  readonly slope: number | null
  /** Ends of the two-sided interval; null where n is too small (or too autocorrelated) for that level. */
  readonly low: number | null
  readonly high: number | null
  /** Median of value − slope·time: the fitted value at time 0. */
  readonly intercept: number | null
}

export interface TrendTest {
  readonly n: number
  /** Kendall's S: concordant less discordant pairs of time and value. */
  readonly s: number
  /** Variance of S without trend, corrected for ties but not for autocorrelation. */
  readonly variance: number
  /** Hamed and Rao's n/n*, the factor on that variance; at least 1. */
  readonly correction: number
  /** Autocorrelations of the ranks of the residuals at lags 1–3 that entered the correction; 0 where none did. */
  readonly autocorrelations: readonly number[]
  /** (|S|−1)/√(variance·correction) with the sign of S; 0 where S is 0. */
  readonly z: number
  /** Two-sided, from the normal distribution. */
  readonly p: number
}

/** The most points that are compared pair by pair. */
export const maximumPoints = 1000

const lags = 3
/** Two-sided 5 %: lags whose autocorrelation stays within ±1.96/√n are taken as uncorrelated. */
const lagSignificance = 0.05

/**
 * The Theil–Sen slope with its two-sided interval of the given `level`. With N slopes, ends are those of ranks
 * ⌊(N − C)/2⌋ from below and above, C = z·√(variance of S · `varianceFactor`): ranks are rounded outwards.
 * Pass the `correction` of `mannKendall` as `varianceFactor` where samples are autocorrelated.
 * Throws RangeError on a time or value that is not finite.
 */
export function theilSen(points: readonly TrendPoint[], level: number, varianceFactor = 1): SlopeBounds {
  const columns = columnsOf(points)
  const n = columns.times.length
  const { slopes } = compareAll(columns)
  const count = slopes.length
  if (count === 0) return { n, slope: null, low: null, high: null, intercept: null }
  const slope = medianOfSorted(slopes)
  const intercept = medianOfSorted(residualsOf(columns, slope).sort())
  const spread = normalQuantile((1 + level) / 2) * Math.sqrt(varianceOfS(columns) * varianceFactor)
  const rank = Math.floor((count - spread) / 2)
  if (rank < 1) return { n, slope, low: null, high: null, intercept }
  return { n, slope, low: slopes[rank - 1] ?? NaN, high: slopes[count - rank] ?? NaN, intercept }
}

/**
 * The Mann–Kendall test, two-sided, corrected for autocorrelation: the Theil–Sen line is taken off, the residuals are
 * ranked (ties share their middle rank), and with ρₖ their autocorrelation at lag k,
 * n/n* = 1 + 2/(n(n−1)(n−2)) · Σ (n−k)(n−k−1)(n−k−2)·ρₖ over the lags 1–3 with |ρₖ| > 1.96/√n; at least 1.
 * A lag is a distance in time, in units of the median spacing rounded to the nearest (slots, after Edelson and Krolik,
 * ApJ 333, 1988), so a gap does not make neighbours of samples that are none.
 * A series without two different times or values has p = 1. Throws RangeError on a time or value that is not finite.
 */
export function mannKendall(points: readonly TrendPoint[]): TrendTest {
  const columns = columnsOf(points)
  const n = columns.times.length
  const { slopes, s } = compareAll(columns)
  const variance = varianceOfS(columns)
  if (!(variance > 0)) return { n, s, variance: 0, correction: 1, autocorrelations: [0, 0, 0], z: 0, p: 1 }
  const residuals = residualsOf(columns, medianOfSorted(slopes))
  const limit = normalQuantile(1 - lagSignificance / 2) / Math.sqrt(n)
  const autocorrelations = slottedAutocorrelations(columns.times, ranksOf(residuals)).map((each) =>
    Math.abs(each) > limit ? each : 0,
  )
  const weighted = autocorrelations.reduce((sum, rho, index) => {
    const k = index + 1
    return sum + Math.max(0, (n - k) * (n - k - 1) * (n - k - 2)) * rho
  }, 0)
  const correction = Math.max(1, n > 2 ? 1 + (2 * weighted) / (n * (n - 1) * (n - 2)) : 1)
  const z = (Math.sign(s) * Math.max(0, Math.abs(s) - 1)) / Math.sqrt(variance * correction)
  return { n, s, variance, correction, autocorrelations, z, p: Math.min(1, 2 * normalTail(Math.abs(z))) }
}

/**
 * At most `blocks` points: the median time and median value of the samples in each of `blocks` stretches of equal
 * time between the first and the last. Stretches without a sample leave no point. The medians keep a single outlier
 * from mattering, and shorten the memory of the noise in units of the spacing.
 */
export function blockMedians(points: readonly TrendPoint[], blocks: number): TrendPoint[] {
  const { times, values } = presentColumns(points)
  const start = times[0] ?? 0
  const width = ((times.at(-1) ?? 0) - start) / blocks
  const medians: TrendPoint[] = []
  let from = 0
  while (from < times.length) {
    const block = blockOf(times[from] ?? NaN, start, width, blocks)
    let to = from + 1
    while (to < times.length && blockOf(times[to] ?? NaN, start, width, blocks) === block) to++
    medians.push({ time: medianOfSorted(times.slice(from, to)), value: medianOfSorted(values.slice(from, to).sort()) })
    from = to
  }
  return medians
}

function blockOf(time: number, start: number, width: number, blocks: number): number {
  return width > 0 ? Math.min(blocks - 1, Math.floor((time - start) / width)) : 0
}

/** The median of an ascending, non-empty list; NaN when empty. */
export function medianOfSorted(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

interface Columns {
  /** Ascending. */
  readonly times: Float64Array
  readonly values: Float64Array
}

function presentColumns(points: readonly TrendPoint[]): Columns {
  const present = points.filter((point): point is { time: number; value: number } => point.value !== null)
  for (const { time, value } of present) {
    if (!Number.isFinite(time) || !Number.isFinite(value)) {
      throw new RangeError(`a point of a series is not finite: time ${time}, value ${value}`)
    }
  }
  present.sort((a, b) => a.time - b.time)
  return {
    times: Float64Array.from(present, (each) => each.time),
    values: Float64Array.from(present, (each) => each.value),
  }
}

function columnsOf(points: readonly TrendPoint[]): Columns {
  const columns = presentColumns(points)
  return columns.times.length <= maximumPoints ? columns : presentColumns(blockMedians(points, maximumPoints))
}

/** The slopes of all pairs of different times, ascending, and Kendall's S over them. */
function compareAll({ times, values }: Columns): { slopes: Float64Array; s: number } {
  const n = times.length
  const slopes = new Float64Array((n * (n - 1)) / 2)
  let count = 0
  let s = 0
  for (let i = 0; i < n; i++) {
    const time = times[i] ?? NaN
    const value = values[i] ?? NaN
    for (let j = i + 1; j < n; j++) {
      const apart = (times[j] ?? NaN) - time
      if (apart === 0) continue
      const rise = (values[j] ?? NaN) - value
      s += Math.sign(rise)
      slopes[count++] = rise / apart
    }
  }
  return { slopes: slopes.subarray(0, count).sort(), s }
}

/** Kendall's variance of S with ties among the values, the times, or both. */
function varianceOfS({ times, values }: Columns): number {
  const n = times.length
  if (n < 2) return 0
  const time = tiesOf(times)
  const value = tiesOf(values.toSorted())
  const single = (n * (n - 1) * (2 * n + 5) - time.linear - value.linear) / 18
  const pairs = (time.pairs * value.pairs) / (2 * n * (n - 1))
  const triples = n > 2 ? (time.triples * value.triples) / (9 * n * (n - 1) * (n - 2)) : 0
  return single + pairs + triples
}

/** Sums over groups of t equal numbers: t(t−1)(2t+5), t(t−1) and t(t−1)(t−2). */
function tiesOf(sorted: Float64Array): { linear: number; pairs: number; triples: number } {
  const sums = { linear: 0, pairs: 0, triples: 0 }
  for (let from = 0; from < sorted.length;) {
    let to = from + 1
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    const t = to - from
    sums.linear += t * (t - 1) * (2 * t + 5)
    sums.pairs += t * (t - 1)
    sums.triples += t * (t - 1) * (t - 2)
    from = to
  }
  return sums
}

function residualsOf({ times, values }: Columns, slope: number): Float64Array {
  return values.map((value, index) => value - slope * (times[index] ?? NaN))
}

/** Ranks from 1; equal values share their middle rank. */
function ranksOf(values: Float64Array): Float64Array {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] ?? NaN) - (values[b] ?? NaN))
  const ranks = new Float64Array(values.length)
  for (let from = 0; from < order.length;) {
    let to = from + 1
    while (to < order.length && values[order[to] ?? NaN] === values[order[from] ?? NaN]) to++
    for (let index = from; index < to; index++) ranks[order[index] ?? NaN] = (from + to + 1) / 2
    from = to
  }
  return ranks
}

/**
 * Autocorrelations at lags 1–3 of the median spacing. On an equally spaced series without gaps they are the usual
 * ones (sum of n−k products over n times the variance); with gaps the mean product of the pairs that exist stands for
 * those that do not. A lag without a pair, and a constant series, give 0.
 */
function slottedAutocorrelations(times: Float64Array, values: Float64Array): number[] {
  const n = times.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n
  const gaps = times.subarray(1).map((time, index) => time - (times[index] ?? NaN))
  const spacing = medianOfSorted(gaps.filter((gap) => gap > 0).sort())
  const products = new Float64Array(lags + 1)
  const pairs = new Float64Array(lags + 1)
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const lag = Math.round(((times[j] ?? NaN) - (times[i] ?? NaN)) / spacing)
      if (lag > lags) break
      products[lag] = (products[lag] ?? 0) + ((values[i] ?? NaN) - mean) * ((values[j] ?? NaN) - mean)
      pairs[lag] = (pairs[lag] ?? 0) + 1
    }
  }
  return Array.from({ length: lags }, (_, index) => {
    const k = index + 1
    const found = pairs[k] ?? 0
    return found > 0 && variance > 0 ? ((products[k] ?? 0) / found) * ((n - k) / n / variance) : 0
  })
}

/** P(Z > z) of the standard normal for z ≥ 0: the series A&S 26.2.11 below 3, the continued fraction 26.2.14 above. */
function normalTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z < 3) {
    let term = z
    let sum = z
    for (let odd = 3; term > 1e-17 * sum; odd += 2) {
      term *= (z * z) / odd
      sum += term
    }
    return 0.5 - density * sum
  }
  let fraction = z
  for (let k = 200; k >= 1; k--) fraction = z + k / fraction
  return density / fraction
}
