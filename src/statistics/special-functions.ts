/**
 * Special functions behind the intervals: log-gamma, the regularised incomplete beta function and its inverse,
 * and from these the binomial distribution, Student's t, Fisher's F and the normal quantile. Dimensionless.
 *
 * Methods: log-gamma by Stirling's series after a shift; the beta prefix in Loader's form ("Fast and accurate
 * computation of binomial probabilities", 2000), so that it keeps its digits for millions of trials; the
 * incomplete beta by its continued fraction (DLMF 8.17.22) with Lentz's algorithm; its inverse by Newton steps
 * kept inside a bisection bracket; the normal quantile by Wichura's AS 241 (1988).
 */

/** ln Γ(x) for x > 0; NaN otherwise. */
export function logGamma(x: number): number {
  if (!(x > 0)) return NaN
  return (x - 0.5) * Math.log(x) - x + halfLogTwoPi + stirlingRemainder(x)
}

const halfLogTwoPi = 0.918_938_533_204_672_8

/** ln Γ(x) less Stirling's formula. The series is used from 16 up, where its error is below 1e-16. */
function stirlingRemainder(x: number): number {
  let shift = 0
  let z = x
  while (z < 16) {
    // Γ(z+1) = zΓ(z): R(z) = R(z+1) + (z+½)·ln(1+1/z) − 1, written so that nothing large cancels.
    shift += (z + 0.5) * Math.log1p(1 / z) - 1
    z += 1
  }
  const s = 1 / (z * z)
  const series = 1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - (s * 691) / 360_360))))
  return shift + series / z
}

/** ln( xᵃ(1−x)ᵇ / B(a, b) ) for 0 < x < 1. */
function logBetaPrefix(x: number, a: number, b: number): number {
  const sum = a + b
  const excess = b * x - a * (1 - x)
  // Near the mean the logarithm of a ratio loses its digits and log1p keeps them; far from it, the other way round.
  const first = Math.abs(excess) < a / 2 ? Math.log1p(excess / a) : Math.log(x * (sum / a))
  const second = Math.abs(excess) < b / 2 ? Math.log1p(-excess / b) : Math.log1p(-x) + Math.log(sum / b)
  return (
    a * first +
    b * second +
    0.5 * Math.log((a / sum) * b) -
    halfLogTwoPi +
    stirlingRemainder(sum) -
    stirlingRemainder(a) -
    stirlingRemainder(b)
  )
}

const tiny = 1e-300

/** DLMF 8.17.22 by modified Lentz; takes about √max(a, b) terms, bounded by 200,000. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1
  let d = 1 - ((a + b) * x) / (a + 1)
  d = 1 / (Math.abs(d) < tiny ? tiny : d)
  let h = d
  for (let m = 1; m <= 200_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 + even * d
    c = 1 + even / c
    d = 1 / (Math.abs(d) < tiny ? tiny : d)
    if (Math.abs(c) < tiny) c = tiny
    h *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 + odd * d
    c = 1 + odd / c
    d = 1 / (Math.abs(d) < tiny ? tiny : d)
    if (Math.abs(c) < tiny) c = tiny
    const factor = d * c
    h *= factor
    if (Math.abs(factor - 1) < 1e-15) break
  }
  return h
}

/** Iₓ(a, b) for 0 ≤ x ≤ 1 and a, b > 0; NaN outside. */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1 && a > 0 && b > 0)) return NaN
  if (x === 0 || x === 1) return x
  const prefix = Math.exp(logBetaPrefix(x, a, b))
  if (x < (a + 1) / (a + b + 2)) return (prefix * betaFraction(x, a, b)) / a
  return 1 - (prefix * betaFraction(1 - x, b, a)) / b
}

/** The x with Iₓ(a, b) = p, for 0 ≤ p ≤ 1 and a, b > 0; NaN outside. */
export function inverseRegularisedBeta(p: number, a: number, b: number): number {
  if (!(p >= 0 && p <= 1 && a > 0 && b > 0)) return NaN
  if (p === 0 || p === 1) return p
  let low = 0
  let high = 1
  let x = a / (a + b)
  for (let step = 0; step < 500; step++) {
    const error = regularisedBeta(x, a, b) - p
    if (error === 0) return x
    if (error > 0) high = x
    else low = x
    const density = Math.exp(logBetaPrefix(x, a, b)) / (x * (1 - x))
    let next = x - error / density
    if (!(next > low && next < high)) next = low === 0 ? high / 8 : (low + high) / 2
    if (next === x || Math.abs(next - x) <= 4e-16 * x) return next
    x = next
  }
  return x
}

/** P(X ≤ k) for X ~ Bin(n, p); n may be any positive real, as an effective sample size is. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (!(n > 0 && p >= 0 && p <= 1) || Number.isNaN(k)) return NaN
  if (k < 0) return 0
  if (k >= n) return 1
  return regularisedBeta(1 - p, n - k, k + 1)
}

/** P(T ≤ t) of Student's t with `degrees` > 0 degrees of freedom. */
export function studentTCdf(t: number, degrees: number): number {
  if (!(degrees > 0) || Number.isNaN(t)) return NaN
  const square = t * t
  const tail = 0.5 * (1 - regularisedBeta(square / (degrees + square), 0.5, degrees / 2))
  const exactTail = square > degrees ? 0.5 * regularisedBeta(degrees / (degrees + square), degrees / 2, 0.5) : tail
  return t > 0 ? 1 - exactTail : exactTail
}

/** P(F ≥ f) of Fisher's F with degrees of freedom above 0; the tail itself, so that a small p keeps its digits. */
export function fUpperTail(f: number, numeratorDegrees: number, denominatorDegrees: number): number {
  if (!(numeratorDegrees > 0 && denominatorDegrees > 0) || Number.isNaN(f)) return NaN
  if (f <= 0) return 1
  const scaled = (numeratorDegrees / denominatorDegrees) * f
  return scaled > 1
    ? regularisedBeta(1 / (1 + scaled), denominatorDegrees / 2, numeratorDegrees / 2)
    : 1 - regularisedBeta(scaled / (1 + scaled), numeratorDegrees / 2, denominatorDegrees / 2)
}

/** The t with P(T ≤ t) = p, for 0 < p < 1. */
export function studentTQuantile(p: number, degrees: number): number {
  if (!(p > 0 && p < 1 && degrees > 0)) return NaN
  if (p < 0.5) return -studentTQuantile(1 - p, degrees)
  const tail = 2 * (1 - p)
  if (tail < 0.5) {
    const x = inverseRegularisedBeta(tail, degrees / 2, 0.5)
    // Close to 1 the complement has lost its digits; the other side of the symmetry still has them.
    if (x < 0.9) return Math.sqrt((degrees * (1 - x)) / x)
  }
  const y = inverseRegularisedBeta(1 - tail, 0.5, degrees / 2)
  return Math.sqrt((degrees * y) / (1 - y))
}

const centreNumerator = [
  3.387_132_872_796_366_608, 133.141_667_891_784_377_45, 1971.590_950_306_551_442_7, 13_731.693_765_509_461_125,
  45_921.953_931_549_871_457, 67_265.770_927_008_700_853, 33_430.575_583_588_128_105, 2509.080_928_730_122_672_7,
]
const centreDenominator = [
  1, 42.313_330_701_600_911_252, 687.187_007_492_057_908_3, 5394.196_021_424_751_107_7, 21_213.794_301_586_595_867,
  39_307.895_800_092_710_61, 28_729.085_735_721_942_674, 5226.495_278_852_854_561,
]
const middleNumerator = [
  1.423_437_110_749_683_577_34, 4.630_337_846_156_545_295_9, 5.769_497_221_460_691_405_5, 3.647_848_324_763_204_605_04,
  1.270_458_252_452_368_382_58, 0.241_780_725_177_450_611_77, 0.022_723_844_989_269_184_583_3,
  7.745_450_142_783_414_076_4e-4,
]
const middleDenominator = [
  1, 2.053_191_626_637_758_821_87, 1.676_384_830_183_803_849_4, 0.689_767_334_985_100_004_55,
  0.148_103_976_427_480_074_59, 0.015_198_666_563_616_457_208_7, 5.475_938_084_995_344_946e-4,
  1.050_750_071_644_416_843_24e-9,
]
const tailNumerator = [
  6.657_904_643_501_103_777_2, 5.463_784_911_164_114_369_9, 1.784_826_539_917_291_335_8, 0.296_560_571_828_504_891_23,
  0.026_532_189_526_576_123_093, 0.001_242_660_947_388_078_438_6, 2.711_555_568_743_487_578_15e-5,
  2.010_334_399_292_288_132_65e-7,
]
const tailDenominator = [
  1, 0.599_832_206_555_887_937_69, 0.136_929_880_922_735_805_31, 0.014_875_361_290_850_615_025,
  7.868_691_311_456_132_591e-4, 1.846_318_317_510_054_681_8e-5, 1.421_511_758_316_445_888_7e-7,
  2.044_263_103_389_939_785_64e-15,
]

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0)
}

/** The z with P(Z ≤ z) = p of the standard normal, for 0 < p < 1; about 16 digits. */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) return NaN
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) {
    const r = 0.180_625 - q * q
    return (q * polynomial(centreNumerator, r)) / polynomial(centreDenominator, r)
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p))
  const magnitude =
    r <= 5
      ? polynomial(middleNumerator, r - 1.6) / polynomial(middleDenominator, r - 1.6)
      : polynomial(tailNumerator, r - 5) / polynomial(tailDenominator, r - 5)
  return q < 0 ? -magnitude : magnitude
}
