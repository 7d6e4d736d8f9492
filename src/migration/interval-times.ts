/**
 * When intervals of a system were, on the migration's own clock: they never overlap, and those of one stream follow each other without gaps
 * of a network's delay.
 *
 * A system says how long ago each interval ended, which places the first one of a stream that is placed at all; each after it begins where the one
 * before it ends. What would lie before the migration began, or before an interval that is known already, is not placed, and does not push
 * what comes after it into the future.
 */
import type { JournalledObservation } from './journal.ts'
import type { MeasuredInterval, StreamPlace } from './system.ts'

export interface PlacedTime {
  readonly fromMs: number
  readonly toMs: number
}

export class IntervalTimes {
  private lastToMs: number
  private last: { readonly stream: string; readonly sequence: number; readonly endMs: number } | null
  /** Whether an interval of the stream of `last` was placed, so that those after it follow from it. */
  private isAnchored: boolean

  /** After a restart, `last` is the last observation of the journal. */
  constructor(beganMs: number, last: JournalledObservation | null = null) {
    this.lastToMs = last?.toMs ?? beganMs
    this.last = last === null ? null : { stream: last.stream, sequence: last.streamSequence, endMs: last.toMs }
    this.isAnchored = last !== null
  }

  /** The last interval that was looked at, counted or not. */
  get lastPlace(): StreamPlace | null {
    return this.last
  }

  /** `readMs`: when it was read. Null when it is not to be counted. */
  place(
    interval: Pick<MeasuredInterval, 'stream' | 'sequence' | 'durationMs' | 'endedAgoMs'>,
    readMs: number,
  ): PlacedTime | null {
    const { stream, sequence, durationMs, endedAgoMs } = interval
    const { last } = this
    const sameStream = last?.stream === stream
    if (sameStream && sequence <= last.sequence) return null
    this.isAnchored &&= sameStream
    const follows = this.isAnchored && sequence === (last?.sequence ?? 0) + 1
    const toMs = follows ? (last?.endMs ?? 0) + durationMs : readMs - endedAgoMs
    const fromMs = Math.max(toMs - durationMs, this.lastToMs)
    this.last = { stream, sequence, endMs: Math.max(toMs, this.lastToMs) }
    // One that began before the migration did is not of it as a whole.
    if (!(toMs > fromMs) || (!this.isAnchored && toMs - durationMs < this.lastToMs)) return null
    this.lastToMs = toMs
    this.isAnchored = true
    return { fromMs, toMs }
  }
}
