/**
 * Claims that a contention run tests. Reads are counted, so that claim needs no interval; batching is shown or refuted by the interval of
 * the paired ratio under the load that the decision is about.
 */
import { minimumPairs } from '../statistics/paired-ratio.ts'
import type { ClaimTest } from './claims-file.ts'
import type { ContentionResult } from './contention-result.ts'
import { sumOf } from './derive-engine.ts'
import { significant, words } from './derive-figures.ts'
import type { JudgedRun } from './derive-targets.ts'
import type { ClaimVerdict } from './results-document.ts'

export interface ContentionFinding {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly verdict: ClaimVerdict
  readonly reason: string
}

export type ContentionClaimTest = Extract<ClaimTest, { kind: 'storeReads' | 'batching' }>

export function isContentionClaim(test: ClaimTest): test is ContentionClaimTest {
  return test.kind === 'storeReads' || test.kind === 'batching'
}

export function contentionClaim(
  test: ContentionClaimTest,
  run: JudgedRun,
  contention: ContentionResult,
): ContentionFinding {
  return test.kind === 'storeReads' ? readsClaim(run) : batchingClaim(run, contention)
}

function notShown(reason: string): ContentionFinding {
  return { value: null, low: null, high: null, verdict: 'NOT_SHOWN', reason }
}

/** Of the embedded store, which is the one that the polling engine reads its inboxes from, by the same call. */
function readsClaim({ arms }: JudgedRun): ContentionFinding {
  const rounds = arms.filter(({ arm }) => arm.name === 'sqlite').flatMap(({ valid }) => valid)
  if (rounds.length === 0) return notShown('The run has no valid round of the embedded store.')
  const ratios: number[] = []
  let rows = 0
  let delivered = 0
  for (const { evidence, series } of rounds) {
    const read = sumOf([evidence.client['rowsRead']])
    const { n } = series.delivery.whole
    if (read === null || n === 0)
      return notShown('Rows read and events delivered were not both observed in every round.')
    ratios.push(read / n)
    rows += read
    delivered += n
  }
  const [low, high] = [significant(Math.min(...ratios)), significant(Math.max(...ratios))]
  const value = significant(rows / delivered)
  const reason =
    `${rows} rows were read from the database for ${delivered} events that readers got, ${words(value)} each (lowest and ` +
    `highest round ${words(low)} and ${words(high)}), by the read that the polling engine makes at every look into an inbox.`
  const all = ratios.every((ratio) => ratio >= 1)
  const none = ratios.every((ratio) => ratio < 1)
  return { value, low, high, verdict: all ? 'SHOWN' : none ? 'REFUTED' : 'NOT_SHOWN', reason }
}

function batchingClaim({ arms, manifest }: JudgedRun, { batching }: ContentionResult): ContentionFinding {
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
