/**
 * The open loop: releases every exchange at its scheduled time, whatever became of the earlier ones, so that
 * a stall of the engine meets the load it would meet in life (no coordinated omission, Gil Tene's term).
 *
 * Method: a timer of 1 ms that releases all that is due, since a timer per send fires early and costs more;
 * below 500 exchanges/s a sleep to the last millisecond or two before the next arrival and then turns of the
 * event loop, which serve the sockets meanwhile (10 % of a core at 200/s; waking a millisecond earlier took
 * 25 %, and a thread that burns more CPU is scheduled later where cores are short); with `spin`, turns of the event loop only, where a core is spare. What is due
 * goes out in one batch and its lateness is on record; nothing is dropped and nothing is back-filled.
 */
import type { Cancel } from '../platform/clock.ts'
import type { Pacing } from './round-plan.ts'
import type { Pacer, Sender } from './sender.ts'
import type { Timing } from './timing.ts'

/** Above this rate a batch holds an arrival in every other millisecond, and waiting for each one costs the core. */
const lowRatePerSecond = 500
const batchMs = 1

export interface InjectorOptions {
  readonly timing: Timing
  readonly scheduledAtNs: Float64Array
  readonly ratePerSecond: number
  readonly pacing: Pacing
  readonly sender: Sender
}

export class Injector implements Pacer {
  private readonly options: InjectorOptions
  private readonly tick = (): void => this.release()
  private startNs = 0
  private next = 0
  private stopped = true
  private cancel: Cancel | null = null

  constructor(options: InjectorOptions) {
    this.options = options
  }

  start(startNs: number): void {
    this.startNs = startNs
    this.stopped = false
    const { pacing, ratePerSecond, timing } = this.options
    if (pacing === 'timer' && ratePerSecond >= lowRatePerSecond) {
      this.cancel = timing.scheduler.every(batchMs, this.tick)
    } else this.waitForNext()
  }

  /** An open loop does not care. */
  ended(): void {}

  stop(): void {
    this.stopped = true
    this.cancel?.()
    this.cancel = null
  }

  private release(): void {
    if (this.stopped) return
    const { scheduledAtNs, sender, timing, pacing, ratePerSecond } = this.options
    const count = scheduledAtNs.length
    try {
      for (
        let nowNs = timing.clock.nowNs() - this.startNs;
        this.next < count;
        nowNs = timing.clock.nowNs() - this.startNs
      ) {
        const dueNs = scheduledAtNs[this.next] as number
        if (dueNs > nowNs) break
        sender.send(this.next++, nowNs, dueNs)
        if (this.stopped) return
      }
    } catch (error) {
      this.stop()
      sender.sendingFailed(error)
      return
    }
    if (this.next === count) {
      this.stop()
      sender.sendingDone()
    } else if (pacing === 'spin' || ratePerSecond < lowRatePerSecond) this.waitForNext()
  }

  private waitForNext(): void {
    const { scheduledAtNs, timing, pacing } = this.options
    const dueNs = this.next < scheduledAtNs.length ? (scheduledAtNs[this.next] as number) : 0
    const gapMs = (dueNs - (timing.clock.nowNs() - this.startNs)) / 1e6
    // A timer counts from the loop's own millisecond, up to one behind: it fires early, never late by itself.
    if (pacing === 'spin' || gapMs < 1) timing.soon(this.tick)
    else this.cancel = timing.scheduler.after(Math.floor(gapMs), this.tick)
  }
}
