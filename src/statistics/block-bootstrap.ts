/**
 * The circular block bootstrap (Politis & Romano 1992): a series of dependent intervals is drawn again in blocks of neighbours, on a circle so that
 * each is as likely as any other, which keeps within a block what makes neighbours alike.
 *
 * How long a block has to be follows from the series itself (Politis & White 2004, "Automatic block-length selection", with the correction of Patton,
 * Politis & White 2009), and is never below ⌈n^⅓⌉, the rate at which the best length grows. That length is the best for a variance, and bounds from it were seen to be too narrow: half as long
again is taken (docs/migration-comparison.md has what was measured). A resample is a number of times for each interval.
 */
import type { Random } from '../platform/random.ts'

/** What resampling needs at least: with fewer blocks their own spread is not known. */
export const leastBlocks = 8

const stretch = 1.5

/** Half as long again as ⌈n^⅓⌉, or as the longest that one of the series asks for; at most 3·√n, and half of n. */
export function blockLength(n: number, series: readonly (readonly number[])[]): number {
  const asked = series.map((each) => automaticBlockLength(each))
  const longest = Math.max(1, Math.ceil(Math.min(3 * Math.sqrt(n), n / 2)))
  // Floating point: 8^(1/3) is 2, 64^(1/3) is 3.9999999999999996, 343^(1/3) is 6.999999999999999.
  const usual = Math.ceil(Math.cbrt(n) - 1e-9)
  return Math.min(longest, Math.ceil(stretch * Math.max(1, usual, ...asked)))
}

/** Of Politis & White for the circular bootstrap of a mean; 1 for a series without variance. */
export function automaticBlockLength(series: readonly number[]): number {
  const n = series.length
  if (n < 4) return 1
  const farthest = Math.ceil(Math.sqrt(n)) + runLength(n)
  const covariances = autocovariances(series, Math.min(n - 1, farthest + runLength(n)))
  const variance = covariances[0] ?? 0
  if (!(variance > 0)) return 1
  const bandwidth = Math.min(farthest, 2 * lastCorrelatedLag(covariances, n))
  let spectrum = variance
  let slope = 0
  for (let lag = 1; lag <= bandwidth; lag++) {
    const weighted = 2 * flatTop(lag / bandwidth) * (covariances[lag] ?? 0)
    spectrum += weighted
    slope += weighted * lag
  }
  if (!(spectrum > 0)) return 1
  // D = 4/3·g(0)², b = (2G²/D)^⅓·n^⅓.
  return Math.max(1, Math.cbrt(1.5 * (slope / spectrum) ** 2 * n))
}

/** Kₙ: so many lags in a row have to be small. */
function runLength(n: number): number {
  return Math.max(5, Math.ceil(Math.log10(n)))
}

/** The smallest m after which Kₙ correlations in a row lie within 2·√(log₁₀ n / n); at least 1. */
function lastCorrelatedLag(covariances: readonly number[], n: number): number {
  const bound = 2 * Math.sqrt(Math.log10(n) / n) * (covariances[0] ?? 0)
  const needed = runLength(n)
  let small = 0
  for (let lag = 1; lag < covariances.length; lag++) {
    small = Math.abs(covariances[lag] ?? 0) < bound ? small + 1 : 0
    if (small === needed) return Math.max(1, lag - needed)
  }
  return covariances.length - 1
}

/** The flat-top window of Politis & Romano 1995: 1 up to a half, then down to 0 at 1. */
function flatTop(share: number): number {
  return share <= 0.5 ? 1 : Math.max(0, 2 * (1 - share))
}

/** At lags 0 … `most`, divided by n. */
function autocovariances(series: readonly number[], most: number): number[] {
  const n = series.length
  const mean = series.reduce((sum, value) => sum + value, 0) / n
  const centred = series.map((value) => value - mean)
  return Array.from({ length: most + 1 }, (_, lag) => {
    let sum = 0
    for (let index = lag; index < n; index++) sum += (centred[index] ?? 0) * (centred[index - lag] ?? 0)
    return sum / n
  })
}

/** Fills `weights` with how often each interval was drawn; they add up to their number. */
export function drawBlocks(weights: Uint32Array, block: number, random: Random): void {
  const n = weights.length
  weights.fill(0)
  for (let drawn = 0; drawn < n; drawn += block) {
    const start = random.below(n)
    // The last block is cut so that a resample is as long as the series.
    const length = Math.min(block, n - drawn)
    for (let offset = 0; offset < length; offset++) {
      const index = (start + offset) % n
      weights[index] = (weights[index] ?? 0) + 1
    }
  }
}
