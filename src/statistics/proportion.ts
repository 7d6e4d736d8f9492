/**
 * Bounds of a proportion (errors, exceedances) by Clopper & Pearson (1934), and the dispersion φ that says how
 * much less a clustered sample is worth than an independent one. Stalls hit neighbours together, so n trials
 * weigh as n/φ, with φ = Σ (sᵢ − nᵢp̂)² / (nᵢp̂(1−p̂)) / (k−1) over k cells (quasi-binomial, McCullagh & Nelder 1989).
 * Dividing both counts by φ is an approximation; `bench/coverage.ts` measures what it is worth.
 */
import { inverseRegularisedBeta } from './special-functions.ts'

/** One cell of the dispersion: `hits` of `n` trials, in one round or one block of a round. */
export interface Cell {
  readonly hits: number
  readonly n: number
}

/** The largest p that `hits` of `n` leave possible, at error probability `alpha`. Real counts are allowed. */
export function clopperPearsonUpper(hits: number, n: number, alpha: number): number {
  if (!(n > 0 && hits >= 0 && hits <= n)) return NaN
  return hits >= n ? 1 : inverseRegularisedBeta(1 - alpha, hits + 1, n - hits)
}

/** The smallest p that `hits` of `n` leave possible, at error probability `alpha`. Real counts are allowed. */
export function clopperPearsonLower(hits: number, n: number, alpha: number): number {
  if (!(n > 0 && hits >= 0 && hits <= n)) return NaN
  return hits <= 0 ? 0 : inverseRegularisedBeta(alpha, hits, n - hits + 1)
}

/** Null when it cannot be seen: fewer than two cells with trials, no hit at all, or nothing but hits. */
export function dispersion(cells: readonly Cell[]): number | null {
  const used = cells.filter((cell) => cell.n > 0)
  const n = used.reduce((sum, cell) => sum + cell.n, 0)
  const p = used.reduce((sum, cell) => sum + cell.hits, 0) / n
  if (used.length < 2 || !(p > 0 && p < 1)) return null
  const chiSquare = used.reduce((sum, cell) => sum + (cell.hits - cell.n * p) ** 2 / (cell.n * p * (1 - p)), 0)
  return chiSquare / (used.length - 1)
}

/** The larger of several dispersions, never below 1: a sample is not worth more than its size. */
export function largestDispersion(...groups: readonly (readonly Cell[])[]): number {
  return Math.max(1, ...groups.map((cells) => dispersion(cells) ?? 1))
}

export interface ProportionBounds {
  readonly n: number
  readonly hits: number
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly phi: number
}

/** Proportion over all cells with a bound on each side, each wrong with probability `alpha`; nulls without a trial. */
export function proportionBounds(cells: readonly Cell[], alpha: number): ProportionBounds {
  const n = cells.reduce((sum, cell) => sum + cell.n, 0)
  const hits = cells.reduce((sum, cell) => sum + cell.hits, 0)
  const phi = largestDispersion(cells)
  if (!(n > 0)) return { n: 0, hits: 0, value: null, low: null, high: null, phi }
  return {
    n,
    hits,
    value: hits / n,
    low: clopperPearsonLower(hits / phi, n / phi, alpha),
    high: clopperPearsonUpper(hits / phi, n / phi, alpha),
    phi,
  }
}

/** The fewest trials without a hit whose upper bound lies below `limit`: ⌈ln α / ln(1 − limit)⌉. */
export function trialsToShow(limit: number, alpha: number): number {
  return limit > 0 && limit < 1 ? Math.ceil(Math.log(alpha) / Math.log1p(-limit)) : Infinity
}
