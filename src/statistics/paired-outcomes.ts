/**
 * Two ways that were tried on the same cases, each of which either did it or did not: McNemar's test (1947) in its exact form. Cases in which both did alike say
 * nothing; among the others, were the two ways alike, each would be the one that failed as often as heads of a coin.
 */
import { clopperPearsonLower, clopperPearsonUpper } from './proportion.ts'
import { binomialCdf } from './special-functions.ts'

export interface PairedOutcomes {
  readonly both: number
  readonly onlyCandidate: number
  readonly onlyBaseline: number
  readonly neither: number
}

export interface McNemar extends PairedOutcomes {
  /** Two-sided, exact; 1 without a case in which they differ. */
  readonly p: number
  /** Of the cases in which they differ, the share that only the candidate failed; null without one. */
  readonly share: number | null
  /** 95 %, by Clopper & Pearson. */
  readonly low: number | null
  readonly high: number | null
}

/** Counts are of what *failed*: `onlyCandidate` are cases that the candidate alone failed. */
export function mcNemar(outcomes: PairedOutcomes): McNemar {
  const { onlyCandidate, onlyBaseline } = outcomes
  const differing = onlyCandidate + onlyBaseline
  if (!(differing > 0)) return { ...outcomes, p: 1, share: null, low: null, high: null }
  return {
    ...outcomes,
    p: Math.min(1, 2 * binomialCdf(Math.min(onlyCandidate, onlyBaseline), differing, 0.5)),
    share: onlyCandidate / differing,
    low: clopperPearsonLower(onlyCandidate, differing, 0.025),
    high: clopperPearsonUpper(onlyCandidate, differing, 0.025),
  }
}
