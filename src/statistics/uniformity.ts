/**
 * Pearson's χ² test that counts come from groups of equal probability, and the upper tail of χ² that it needs.
 *
 * Methods: the regularised incomplete gamma function by its series below a + 1 (DLMF 8.11.4) and by its continued fraction
 * above (DLMF 8.9.2) with Lentz's algorithm. Dimensionless.
 */
import { logGamma } from './special-functions.ts'

export interface Uniformity {
  readonly statistic: number
  readonly degrees: number
  /** How often chance alone gives a statistic as large. */
  readonly p: number
}

/** The approximation by χ² is used from five expected per group on (Cochran 1954); null below. */
export function uniformityOf(counts: readonly number[]): Uniformity | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const expected = total / counts.length
  if (counts.length < 2 || expected < 5) return null
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const degrees = counts.length - 1
  return { statistic, degrees, p: chiSquaredUpperTail(statistic, degrees) }
}

/** P(χ² ≥ x) with so many degrees of freedom; NaN for x < 0 or degrees ≤ 0. */
export function chiSquaredUpperTail(x: number, degrees: number): number {
  if (!(x >= 0) || !(degrees > 0)) return NaN
  if (x === 0) return 1
  const a = degrees / 2
  const z = x / 2
  const prefix = Math.exp(a * Math.log(z) - z - logGamma(a))
  return z < a + 1 ? Math.max(0, 1 - prefix * lowerSeries(a, z)) : Math.min(1, prefix * upperFraction(a, z))
}

/** γ(a, z) / (zᵃ e⁻ᶻ); terms shrink by z / (a + n), so z < a + 1 needs few beyond √a. */
function lowerSeries(a: number, z: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n <= 100_000 && term > sum * 1e-17; n++) {
    term *= z / (a + n)
    sum += term
  }
  return sum
}

const tiny = 1e-300

/** Γ(a, z) / (zᵃ e⁻ᶻ). */
function upperFraction(a: number, z: number): number {
  let b = z + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let h = d
  for (let n = 1; n <= 100_000; n++) {
    const numerator = n * (a - n)
    b += 2
    d = numerator * d + b
    d = 1 / (Math.abs(d) < tiny ? tiny : d)
    c = b + numerator / c
    if (Math.abs(c) < tiny) c = tiny
    const change = c * d
    h *= change
    if (Math.abs(change - 1) < 1e-15) break
  }
  return h
}
