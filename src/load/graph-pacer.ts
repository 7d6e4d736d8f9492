/**
 * What pacers of exchanges that follow from each other have in common: instances arrive open loop, like exchanges in `injector.ts`; what an
 * exchange releases is sent with the next turn of the event loop, so that sockets are read in between; and what has no end is given up after
 * `giveUpNs`. Typed arrays only; nothing is allocated per exchange.
 */
import type { Cancel } from '../platform/clock.ts'
import type { CoordinationGraph } from './coordination.ts'
import { Injector } from './injector.ts'
import type { Pacing } from './round-plan.ts'
import type { Pacer, Sender } from './sender.ts'
import { SentExchanges } from './sent-exchanges.ts'
import type { Timing } from './timing.ts'

const tickMs = 20
/** States of an exchange; 0: not sent. */
export const open = 1
export const over = 2

/** What a pacer of instances counts for the round's evidence. */
export interface InstanceCounts {
  readonly completedInstances: number
  readonly withdrawalsAsked: number
}

/** What the pacer asks of its round beside sending. */
export interface InstanceSender extends Sender {
  /** The recipient answers a question that it held back. */
  answerHeld(exchange: number, nowNs: number): void
  /** Nobody waits for the answer any more; the engine is told so. */
  withdraw(exchange: number): void
  /** All instances have begun. */
  arrivalsDone(): void
  instanceCompleted(arrivedAtNs: number, endedAtNs: number): void
}

export interface GraphPacerOptions {
  readonly timing: Timing
  readonly graph: CoordinationGraph
  readonly instancesPerSecond: number
  readonly pacing: Pacing
  readonly giveUpNs: number
  readonly sender: InstanceSender
}

export abstract class GraphPacer implements Pacer, InstanceCounts {
  completedInstances = 0
  withdrawalsAsked = 0
  protected readonly state: Uint8Array
  protected stopped = true
  private readonly common: GraphPacerOptions
  private readonly sent: SentExchanges
  private readonly arrivals: Injector
  private allArrived = false
  private startNs = 0
  private woken = false
  private cancel: Cancel | null = null
  private readonly wake = (): void => {
    this.woken = false
    this.guard(() => this.sendReleased())
  }

  constructor(options: GraphPacerOptions) {
    const { timing, graph, instancesPerSecond, pacing, sender } = options
    this.common = options
    this.state = new Uint8Array(graph.count)
    this.sent = new SentExchanges(graph.count)
    this.arrivals = new Injector({
      timing,
      scheduledAtNs: graph.arrivalNs,
      ratePerSecond: instancesPerSecond,
      pacing,
      sender: {
        send: (instance, _nowNs, dueNs) => this.begin(instance, dueNs),
        sendingDone: () => {
          this.allArrived = true
          sender.arrivalsDone()
          this.finishIfDone()
        },
        sendingFailed: (error) => this.fail(error),
      },
    })
  }

  start(startNs: number): void {
    this.startNs = startNs
    this.stopped = false
    this.cancel = this.common.timing.scheduler.every(tickMs, () =>
      this.guard(() => {
        this.giveUpOnOldest()
        this.finishIfDone()
      }),
    )
    this.arrivals.start(startNs)
  }

  ended(exchange: number, completed: boolean, nowNs: number): void {
    if (this.stopped || this.state[exchange] !== open) return
    this.guard(() => this.settle(exchange, completed, nowNs))
  }

  stop(): void {
    this.stopped = true
    this.arrivals.stop()
    this.cancel?.()
    this.cancel = null
  }

  /** An instance arrives. */
  protected abstract begin(instance: number, dueNs: number): void
  /** An exchange that was open has ended, or was given up; its state is to be set. */
  protected abstract settle(exchange: number, completed: boolean, nowNs: number): void
  /** Sends what was released before this turn. */
  protected abstract sendReleased(): void
  /** Nothing is open, and nothing waits to be sent. */
  protected abstract isIdle(): boolean

  protected offer(exchange: number, dueNs: number): void {
    const { graph, sender } = this.common
    const nowNs = this.sinceStart()
    graph.scheduledAtNs[exchange] = dueNs
    this.state[exchange] = open
    this.sent.add(exchange, nowNs)
    sender.send(exchange, nowNs, dueNs)
  }

  /** In ns from the round's zero; 0 of what was not sent. */
  protected sentAtNs(exchange: number): number {
    return this.sent.atNs[exchange] as number
  }

  protected sinceStart(): number {
    return this.common.timing.clock.nowNs() - this.startNs
  }

  protected sendSoon(): void {
    if (this.woken) return
    this.woken = true
    this.common.timing.soon(this.wake)
  }

  protected finishIfDone(): void {
    if (this.stopped || !this.allArrived || !this.isIdle()) return
    this.stop()
    this.common.sender.sendingDone()
  }

  private giveUpOnOldest(): void {
    const nowNs = this.sinceStart()
    this.sent.handOver(nowNs - this.common.giveUpNs, (exchange) => {
      if (!this.stopped && this.state[exchange] === open) this.settle(exchange, false, nowNs)
    })
  }

  private guard(run: () => void): void {
    if (this.stopped) return
    try {
      run()
    } catch (error) {
      this.fail(error)
    }
  }

  private fail(error: unknown): void {
    this.stop()
    this.common.sender.sendingFailed(error)
  }
}
