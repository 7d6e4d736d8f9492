/**
 * Whether the new way is shown to be not much worse than the old one: non-inferiority by the bound of a ratio (Schuirmann 1987; ICH E9, §3.3.2). A difference
 * that was not found is no proof that there is none, so this never rests on a p-value: NON_INFERIOR when the whole one-sided interval lies below
 * the margin, INFERIOR when it lies at or above it, NOT_DEMONSTRATED when neither does, or when there is too little to say.
 */
import { leastBlocks } from './block-bootstrap.ts'
import type { QuantileRatio } from './quantile-ratio.ts'

export type ComparisonVerdict = 'NON_INFERIOR' | 'INFERIOR' | 'NOT_DEMONSTRATED'

export interface ComparedData {
  readonly ratio: QuantileRatio
  /** Intervals in which both groups had deliveries. */
  readonly intervals: number
  /** Deliveries of the smaller group. */
  readonly due: number
  /** Length of a block, in intervals. */
  readonly block: number
}

export interface NonInferiority {
  readonly verdict: ComparisonVerdict
  readonly reason: string
  /** Further intervals like those so far until it could be shown; 0 when it is decided, null when that is not foreseeable. */
  readonly moreIntervals: number | null
}

/** Fewer were seen to give bounds that hold too seldom. */
export const leastIntervals = 50
/** So many deliveries of each group have to lie beyond the quantile. */
const leastBeyond = 10

export function judgeNonInferiority(data: ComparedData, margin: number): NonInferiority {
  const { ratio: compared, intervals } = data
  const { ratio, low, high } = compared
  const missing = missingIntervals(data)
  if (missing !== null) return { verdict: 'NOT_DEMONSTRATED', ...missing }
  if (ratio === null || low === null || high === null)
    return { verdict: 'NOT_DEMONSTRATED', reason: 'the intervals give no bound of the ratio', moreIntervals: null }
  if (high < margin)
    return { verdict: 'NON_INFERIOR', reason: `the ratio is shown to be below ${margin}`, moreIntervals: 0 }
  if (low >= margin)
    return { verdict: 'INFERIOR', reason: `the ratio is shown not to be below ${margin}`, moreIntervals: 0 }
  if (ratio >= margin) {
    const reason = `the ratio is not below ${margin}, which is not shown either`
    return { verdict: 'NOT_DEMONSTRATED', reason, moreIntervals: null }
  }
  // The bound comes closer with the root of what was observed.
  const needed = intervals * (Math.log(high / ratio) / Math.log(margin / ratio)) ** 2
  return {
    verdict: 'NOT_DEMONSTRATED',
    reason: `the ratio is below ${margin}, which is not shown yet`,
    moreIntervals: Number.isFinite(needed) ? Math.max(1, Math.ceil(needed) - intervals) : null,
  }
}

function missingIntervals({ ratio, intervals, due, block }: ComparedData): Omit<NonInferiority, 'verdict'> | null {
  const enough = Math.ceil(leastBeyond / (1 - ratio.q) - 1e-6)
  if (intervals === 0 || due === 0)
    return { reason: 'there is no interval with deliveries of both groups', moreIntervals: leastIntervals }
  const needs = [
    { needed: leastIntervals, reason: `${intervals} intervals are too few` },
    {
      needed: leastBlocks * block,
      reason: `intervals are alike over ${block} of them, so ${intervals} are too few`,
    },
    {
      needed: Math.ceil((intervals * enough) / due),
      reason: `${due} deliveries of the smaller group are too few for this quantile`,
    },
  ]
  const worst = needs.reduce((a, b) => (b.needed > a.needed ? b : a))
  return worst.needed <= intervals ? null : { reason: worst.reason, moreIntervals: worst.needed - intervals }
}
