/**
 * How often each of two groups fails, and how far they differ, with 95 % intervals that hold also where nothing failed.
 *
 * The difference by MOVER (Newcombe 1998, method 10; Zou & Donner 2008) over Clopper–Pearson limits, which errs to the wide side. The ratio by the
 * conditional binomial (Przyborowski & Wilenski 1940): given all failures of both groups, those of the candidate are a share of them; exact for rare failures,
 * wide for frequent ones. Failures come together, so counts are divided by the dispersion φ between intervals first (proportion.ts), which is approximate.
 */
import { clopperPearsonLower, clopperPearsonUpper, largestDispersion, type Cell } from './proportion.ts'

export interface FailureShares {
  readonly candidate: number | null
  readonly baseline: number | null
  /** Candidate less baseline. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number } | null
  /** Candidate over baseline; the upper end is null where the baseline never failed, all of it where neither did. */
  readonly ratio: { readonly value: number | null; readonly low: number; readonly high: number | null } | null
  readonly phi: number
}

const alpha = 0.025

/** Cells are intervals, in the same order for both. */
export function failureShares(candidate: readonly Cell[], baseline: readonly Cell[]): FailureShares {
  const [one, other] = [totalOf(candidate), totalOf(baseline)]
  const phi = largestDispersion(candidate, baseline)
  const shareOf = ({ hits, n }: Cell): number | null => (n > 0 ? hits / n : null)
  const shares = { candidate: shareOf(one), baseline: shareOf(other), phi }
  if (one.n === 0 || other.n === 0) return { ...shares, difference: null, ratio: null }
  const worth = ({ hits, n }: Cell): Cell => ({ hits: hits / phi, n: n / phi })
  return { ...shares, difference: differenceOf(worth(one), worth(other)), ratio: ratioOf(worth(one), worth(other)) }
}

function totalOf(cells: readonly Cell[]): Cell {
  return cells.reduce((sum, { hits, n }) => ({ hits: sum.hits + hits, n: sum.n + n }), { hits: 0, n: 0 })
}

function differenceOf(candidate: Cell, baseline: Cell): NonNullable<FailureShares['difference']> {
  const limits = ({ hits, n }: Cell) => ({
    p: hits / n,
    low: clopperPearsonLower(hits, n, alpha),
    high: clopperPearsonUpper(hits, n, alpha),
  })
  const [one, other] = [limits(candidate), limits(baseline)]
  const value = one.p - other.p
  return {
    value,
    low: value - Math.hypot(one.p - one.low, other.high - other.p),
    high: value + Math.hypot(one.high - one.p, other.p - other.low),
  }
}

function ratioOf(candidate: Cell, baseline: Cell): FailureShares['ratio'] {
  const all = candidate.hits + baseline.hits
  if (all === 0) return null
  const perTrial = baseline.n / candidate.n
  const odds = (share: number): number | null => (share < 1 ? (share / (1 - share)) * perTrial : null)
  return {
    value: odds(candidate.hits / all),
    low: odds(clopperPearsonLower(candidate.hits, all, alpha)) ?? 0,
    high: odds(clopperPearsonUpper(candidate.hits, all, alpha)),
  }
}
