/**
 * Whether a backlog grows while load is offered. By Little's law the number under way is rate × latency, so a median
 * latency that rises by Δ between the first and the second half of the rounds, whose middles lie D/2 apart, means
 * that the share Δ ÷ (D/2) of the arrivals in between was left standing. The backlog grows when that share is above
 * 1 % by the bounds of both medians (one-sided 95 % each), not by their point estimates.
 */
import { mergeDistributions, type Distribution } from './distribution.ts'
import { targetBounds, type RoundSample } from './quantile-interval.ts'

/** Share of arrivals left standing above which a backlog counts as growing. */
export const backlogShare = 0.01

/**
 * `rounds` hold round trips by 1 s block in schedule order; `roundDuration` is in the unit of their values.
 * Null when a round has fewer than two blocks, or a half has no bound.
 */
export function backlogGrows(rounds: readonly RoundSample[], roundDuration: number): boolean | null {
  const early: RoundSample[] = []
  const late: RoundSample[] = []
  for (const { blocks } of rounds) {
    if (blocks.length < 2) return null
    const half = Math.floor(blocks.length / 2)
    early.push(sampleOf(blocks.slice(0, half)))
    late.push(sampleOf(blocks.slice(-half)))
  }
  const before = targetBounds(early, 0.5).high
  const after = targetBounds(late, 0.5).low
  if (before === null || after === null || !(roundDuration > 0)) return null
  return (after - before) / (roundDuration / 2) > backlogShare
}

function sampleOf(blocks: readonly Distribution[]): RoundSample {
  return { whole: mergeDistributions(blocks), blocks }
}
