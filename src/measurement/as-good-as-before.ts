/**
 * When a round is as good again as it was before something happened to it, second by second of its schedule.
 *
 * A second is as good as before when at least 95 % of what was scheduled in it completed, its round trip p99 was at most 1.5 times the
 * highest second before (or 20 ms where that is more: the p99 of a second's few samples is their maximum), and at its end no more
 * waited than 1.5 times the most before, and five. One such second may be chance, so several in a row are asked for: ten where the
 * aftermath is long enough to hold twice as many, two otherwise. Times have a resolution of one second.
 */
import { quantile, type Distribution } from '../statistics/distribution.ts'
import type { RoundTimeline } from './round-evidence.ts'

const fullShare = 0.95
const p99Factor = 1.5
const p99FloorMs = 20
const backlogSlack = 5
const longWindows = 10
const shortWindows = 2

/** What a second after may be at most. */
export interface Reference {
  readonly p99Us: number
  readonly backlog: number
}

/** How many good seconds in a row make a recovery in an aftermath of `plannedMs`. */
export function windowsFor(plannedMs: number): number {
  return plannedMs >= 2 * longWindows * 1000 ? longWindows : shortWindows
}

/** Of the first `seconds` of the round. `blocks`: its round trips in µs by the second of the schedule. */
export function referenceOf(timeline: RoundTimeline, blocks: readonly Distribution[], seconds: number): Reference {
  const p99s = blocks.slice(0, seconds).map((block) => quantile(block, 0.99) ?? 0)
  return {
    p99Us: Math.max(p99Factor * Math.max(0, ...p99s), p99FloorMs * 1000),
    backlog: p99Factor * Math.max(0, ...timeline.backlog.slice(0, seconds)) + backlogSlack,
  }
}

export function isAsGood(
  second: number,
  timeline: RoundTimeline,
  blocks: readonly Distribution[],
  before: Reference,
): boolean {
  const scheduled = timeline.scheduled[second] ?? 0
  const completed = timeline.completed[second] ?? 0
  const block = blocks[second]
  const p99Us = block === undefined ? null : quantile(block, 0.99)
  // A second in which nothing was due says nothing; it may stand in a run, since one with arrivals must begin it.
  if (scheduled === 0) return true
  return (
    completed >= fullShare * scheduled &&
    p99Us !== null &&
    p99Us <= before.p99Us &&
    (timeline.backlog[second] ?? 0) <= before.backlog
  )
}

/** The first second from `from` on from which `length` consecutive ones are good, all before `end`; null without one. */
export function firstRun(from: number, end: number, length: number, good: (second: number) => boolean): number | null {
  for (let start = from, second = from; second < end; second++) {
    if (!good(second)) start = second + 1
    else if (second - start + 1 === length) return start
  }
  return null
}
