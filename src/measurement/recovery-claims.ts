/**
 * The claim that a recovery run tests: that retrying costs latency. Only resets are looked at, since the engine is well throughout
 * one: what is late then, the clients' own detecting, waiting and trying again made late.
 */
import { medianBounds, minimumPairs } from '../statistics/paired-ratio.ts'
import { significant, significantHigh, significantLow, words } from './derive-figures.ts'
import type { RecoveryResult } from './recovery-result.ts'
import type { ClaimVerdict } from './results-document.ts'

const twoSided = 0.025

export interface RetryFinding {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly verdict: ClaimVerdict
  readonly reason: string
}

/** `engine`: the label of the arm. */
export function retryClaim(engine: string, { faults }: RecoveryResult): RetryFinding {
  const ratios = faults
    .filter((each) => each.engine === engine && each.kind.startsWith('reset-') && (each.amplification ?? 1) > 1)
    .flatMap(({ p99Ratio }) => (p99Ratio === null ? [] : [p99Ratio]))
  const bounds = medianBounds(ratios, twoSided)
  const figures = {
    value: significant(bounds.ratio),
    low: significantLow(bounds.low),
    high: significantHigh(bounds.high),
  }
  const times = `${ratios.length} ${ratios.length === 1 ? 'reset' : 'resets'} with retries`
  if (figures.low === null || figures.high === null) {
    const seen = figures.value === null ? '' : `, p99 ${words(figures.value)} times that before`
    return {
      ...figures,
      verdict: 'NOT_SHOWN',
      reason: `${times}${seen}; an interval needs ${minimumPairs}, as with --faults reset-all --repeat 8.`,
    }
  }
  const reason = `Over ${times}, p99 was ${words(figures.value)} times that before [${words(figures.low)}, ${words(figures.high)}].`
  if (figures.low > 1) return { ...figures, verdict: 'SHOWN', reason }
  return { ...figures, verdict: figures.high <= 1 ? 'REFUTED' : 'NOT_SHOWN', reason }
}
