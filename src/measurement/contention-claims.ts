/**
 * The claim that a contention run tests: batching is shown or refuted by the interval of the paired ratio under the load that the
 * decision is about. What its readers read says nothing of an engine, so no claim on engines is tested here.
 */
import { minimumPairs } from '../statistics/paired-ratio.ts'
import type { ContentionResult } from './contention-result.ts'
import { words } from './derive-figures.ts'
import type { JudgedRun } from './derive-targets.ts'
import type { ClaimVerdict } from './results-document.ts'

export interface ContentionFinding {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly verdict: ClaimVerdict
  readonly reason: string
}

function notShown(reason: string): ContentionFinding {
  return { value: null, low: null, high: null, verdict: 'NOT_SHOWN', reason }
}

export function batchingClaim({ arms, manifest }: JudgedRun, { batching }: ContentionResult): ContentionFinding {
  const candidate = arms.at(-1)?.arm.label
  const load = manifest.plan
  // The level of the load that the decision is about.
  const played = batching.filter((each) => each.case === `writers-${load.agents}`)
  const found = played.find(({ on }) => on === candidate) ?? played.at(-1)
  if (found === undefined) {
    return notShown(
      'No store was played both with and without batching; --stores sqlite:batching=off,sqlite would test it.',
    )
  }
  const { ratio, low, high, rounds, off, on, verdict } = found
  if (ratio === null || low === null || high === null) {
    return notShown(`${rounds} pairs of rounds with 1,000 writes each gave a ratio; an interval needs ${minimumPairs}.`)
  }
  const reason =
    `p99 of a write of ${off} is ${words(ratio)} times that of ${on} with ${load.agents} writers (95 % interval ${words(low)} ` +
    `to ${words(high)}), at ${words(found.commitsPerWriteOff)} against ${words(found.commitsPerWriteOn)} commits per write.`
  const figures = { value: ratio, low, high }
  if (verdict === 'saves') return { ...figures, verdict: 'SHOWN', reason }
  if (verdict === 'costs') return { ...figures, verdict: 'REFUTED', reason }
  return { ...figures, verdict: 'NOT_SHOWN', reason: `${reason} That shows no difference.` }
}
