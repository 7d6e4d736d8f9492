/**
 * How a round went on: counts by second, and what followed a marked moment. Computed once from the times that the round keeps of
 * each exchange, so that nothing is added to the path of a message but a note of failures.
 */
import type { RoundMark, RoundTimeline } from '../measurement/round-evidence.ts'

const bucketNs = 10e6
/** Ten minutes of buckets; failures after them are noted in the last. */
const maximumBuckets = 60_000

/** The first failure of every 10 ms: enough to say when failing began after a moment, bounded however many there are. */
export class FailureTimes {
  private readonly firstNs = new Map<number, number>()

  /** `atNs` from the round's zero; what came before it counts at zero. */
  note(atNs: number): void {
    const bucket = Math.min(maximumBuckets, Math.max(0, Math.floor(atNs / bucketNs)))
    if (!this.firstNs.has(bucket)) this.firstNs.set(bucket, Math.max(0, atNs))
  }

  /** The earliest noted failure at or after `fromNs`, late by 10 ms at most; null when there was none. */
  after(fromNs: number): number | null {
    let earliest = Infinity
    for (const atNs of this.firstNs.values()) if (atNs >= fromNs && atNs < earliest) earliest = atNs
    return earliest === Infinity ? null : earliest
  }
}

export interface TimelineInput {
  /** All in ns from the round's zero; NaN where it did not happen. */
  readonly scheduledAtNs: Float64Array
  readonly sentAtNs: Float64Array
  readonly resultAtNs: Float64Array
  readonly refusedAtNs: ReadonlyMap<number, number>
  /** How long after its send an exchange without a result still counts as waiting. */
  readonly overdueNs: number
  readonly durationNs: number
  /** End of the drain. */
  readonly endNs: number
}

export function timelineOf(input: TimelineInput): RoundTimeline {
  const { scheduledAtNs, sentAtNs, resultAtNs, refusedAtNs, overdueNs } = input
  const seconds = Math.max(1, Math.ceil(input.durationNs / 1e9))
  const toEnd = Math.max(seconds, Math.ceil(input.endNs / 1e9))
  const zeros = (length: number): number[] => Array.from({ length }, () => 0)
  const scheduled = zeros(seconds)
  const completed = zeros(seconds)
  const results = zeros(toEnd)
  const change = zeros(toEnd + 1)
  const add = (list: number[], atNs: number, by = 1): void => {
    const second = Math.min(list.length - 1, Math.max(0, Math.floor(atNs / 1e9)))
    list[second] = (list[second] ?? 0) + by
  }
  for (let exchange = 0; exchange < scheduledAtNs.length; exchange++) {
    const dueNs = scheduledAtNs[exchange] as number
    const sentNs = sentAtNs[exchange] as number
    const resultNs = resultAtNs[exchange] as number
    // What follows from other exchanges may never be due, or only after the round's own time.
    if (Number.isNaN(dueNs)) continue
    const inTime = dueNs < input.durationNs
    if (inTime) add(scheduled, dueNs)
    if (Number.isNaN(sentNs)) continue
    add(change, sentNs)
    if (Number.isNaN(resultNs)) {
      add(change, refusedAtNs.get(exchange) ?? sentNs + overdueNs, -1)
      continue
    }
    if (inTime) add(completed, dueNs)
    add(results, resultNs)
    add(change, resultNs, -1)
  }
  let waiting = 0
  const backlog = change.slice(0, toEnd).map((by) => (waiting += by))
  return { scheduled, completed, results, backlog }
}

/** `mark.atNs` from the round's zero. A passed deadline counts as a failure at the deadline. */
export function markOf(
  mark: { readonly name: string; readonly atNs: number },
  sentAtNs: Float64Array,
  resultAtNs: Float64Array,
  overdueNs: number,
  failures: FailureTimes,
): RoundMark {
  let failureNs = failures.after(mark.atNs) ?? Infinity
  let successNs = Infinity
  for (let exchange = 0; exchange < sentAtNs.length; exchange++) {
    const sentNs = sentAtNs[exchange] as number
    const resultNs = resultAtNs[exchange] as number
    if (!Number.isNaN(resultNs)) {
      if (sentNs >= mark.atNs && resultNs < successNs) successNs = resultNs
      continue
    }
    const deadlineNs = sentNs + overdueNs
    if (deadlineNs >= mark.atNs && deadlineNs < failureNs) failureNs = deadlineNs
  }
  const msOf = (ns: number): number | null => (ns === Infinity ? null : ns / 1e6)
  return {
    name: mark.name,
    atMs: Math.max(0, mark.atNs) / 1e6,
    firstFailureMs: msOf(failureNs),
    firstSuccessMs: msOf(successNs),
  }
}
