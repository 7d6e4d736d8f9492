/**
 * The closed loop: a requester sends its next exchange only when it waits for no other, and not before its
 * scheduled time. A slow engine is thereby spared load, so latencies of this mode hide queueing; reports
 * label it "not coordinated-omission safe", and it never serves a verdict on latency.
 *
 * What was not sent by the end of the round was never offered. A requester gives up on an exchange after
 * `giveUpNs`, so that one lost message does not silence it for the rest of the round.
 */
import type { Cancel } from '../platform/clock.ts'
import type { Schedule } from './schedule.ts'
import type { Pacer, Sender } from './sender.ts'
import type { Timing } from './timing.ts'

const batchMs = 1
const none = -1

export interface ClosedLoopOptions {
  readonly timing: Timing
  readonly schedule: Schedule
  readonly giveUpNs: number
  readonly sender: Sender
}

export class ClosedLoop implements Pacer {
  private readonly options: ClosedLoopOptions
  /** The next exchange of the same requester, and the first unsent one of each requester. */
  private readonly following: Int32Array
  private readonly head: Int32Array
  /** The exchange a requester waits for, or `none`. */
  private readonly waitingFor: Int32Array
  private readonly freeSinceNs: Float64Array
  /** Requesters that became free since the last batch; each at most once. */
  private readonly freed: Uint32Array
  private readonly isFreed: Uint8Array
  private freedCount = 0
  /** Exchanges in the order they were sent, for giving up on the oldest first. */
  private readonly sendOrder: Uint32Array
  private readonly sentAtNs: Float64Array
  private sentCount = 0
  private oldest = 0
  private nextArrival = 0
  private startNs = 0
  private stopped = true
  private woken = false
  private cancel: Cancel | null = null
  private readonly tick = (): void => {
    this.woken = false
    this.release()
  }

  constructor(options: ClosedLoopOptions) {
    const { count, agents, requester } = options.schedule
    this.options = options
    this.following = new Int32Array(count).fill(none)
    this.head = new Int32Array(agents).fill(none)
    this.waitingFor = new Int32Array(agents).fill(none)
    this.freeSinceNs = new Float64Array(agents)
    this.freed = new Uint32Array(agents)
    this.isFreed = new Uint8Array(agents)
    this.sendOrder = new Uint32Array(count)
    this.sentAtNs = new Float64Array(count)
    for (let exchange = count - 1; exchange >= 0; exchange--) {
      const asker = requester[exchange] as number
      this.following[exchange] = this.head[asker] as number
      this.head[asker] = exchange
    }
  }

  start(startNs: number): void {
    this.startNs = startNs
    this.stopped = false
    this.cancel = this.options.timing.scheduler.every(batchMs, this.tick)
  }

  ended(exchange: number): void {
    const asker = this.options.schedule.requester[exchange] as number
    if (this.waitingFor[asker] !== exchange) return
    this.waitingFor[asker] = none
    this.freeSinceNs[asker] = this.options.timing.clock.nowNs() - this.startNs
    if (this.isFreed[asker] === 1) return
    this.isFreed[asker] = 1
    this.freed[this.freedCount++] = asker
    if (this.woken || this.stopped) return
    this.woken = true
    this.options.timing.soon(this.tick)
  }

  stop(): void {
    this.stopped = true
    this.cancel?.()
    this.cancel = null
  }

  private release(): void {
    if (this.stopped) return
    const { schedule, timing, sender } = this.options
    const nowNs = timing.clock.nowNs() - this.startNs
    if (nowNs >= schedule.durationNs) {
      this.stop()
      sender.sendingDone()
      return
    }
    this.giveUpOnOldest(nowNs)
    try {
      const freed = this.freedCount
      this.freedCount = 0
      for (let index = 0; index < freed; index++) {
        const asker = this.freed[index] as number
        this.isFreed[asker] = 0
        this.sendNextOf(asker, nowNs)
      }
      for (; this.nextArrival < schedule.count; this.nextArrival++) {
        if ((schedule.scheduledAtNs[this.nextArrival] as number) > nowNs) break
        this.sendNextOf(schedule.requester[this.nextArrival] as number, nowNs)
      }
    } catch (error) {
      this.stop()
      sender.sendingFailed(error)
    }
  }

  private sendNextOf(asker: number, nowNs: number): void {
    const { schedule, sender } = this.options
    const exchange = this.head[asker] as number
    if (exchange === none || this.waitingFor[asker] !== none) return
    const scheduledNs = schedule.scheduledAtNs[exchange] as number
    if (scheduledNs > nowNs) return
    this.head[asker] = this.following[exchange] as number
    this.waitingFor[asker] = exchange
    this.sendOrder[this.sentCount++] = exchange
    this.sentAtNs[exchange] = nowNs
    sender.send(exchange, nowNs, Math.max(scheduledNs, this.freeSinceNs[asker] as number))
  }

  private giveUpOnOldest(nowNs: number): void {
    for (; this.oldest < this.sentCount; this.oldest++) {
      const exchange = this.sendOrder[this.oldest] as number
      if ((this.sentAtNs[exchange] as number) + this.options.giveUpNs > nowNs) return
      this.ended(exchange)
    }
  }
}
