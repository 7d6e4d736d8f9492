/**
 * The pacer of coordination patterns: instances arrive open loop, like exchanges in `injector.ts`, and within an instance each stage
 * is sent when the stage before it has ended.
 *
 * An exchange is due when its instance arrives or, in a later stage, when the answer is held that released it; the next turn of the
 * event loop sends it. So an engine that is slow gets its exchanges later, as it would in life, and nothing is filled in
 * for them: what that costs shows in the time of the instance, which counts from its arrival and so omits no waiting. An
 * exchange without an end is given up after `giveUpNs`; its instance has failed if it needed that answer.
 *
 * Typed arrays only; nothing is allocated per exchange.
 */
import type { Cancel } from '../platform/clock.ts'
import type { CoordinationGraph } from './coordination.ts'
import { Injector } from './injector.ts'
import type { Pacing } from './round-plan.ts'
import type { Pacer, Sender } from './sender.ts'
import { SentExchanges } from './sent-exchanges.ts'
import type { Timing } from './timing.ts'

const giveUpCheckMs = 20
/** States of an exchange. */
const open = 1
const over = 2
/** In place of the stage of an instance that has ended. */
const noStage = 0xffff_ffff

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

export interface InstancePacerOptions {
  readonly timing: Timing
  readonly graph: CoordinationGraph
  readonly instancesPerSecond: number
  readonly pacing: Pacing
  readonly giveUpNs: number
  readonly sender: InstanceSender
}

export class InstancePacer implements Pacer, InstanceCounts {
  completedInstances = 0
  withdrawalsAsked = 0
  private readonly options: InstancePacerOptions
  private readonly arrivals: Injector
  private readonly state: Uint8Array
  /** Of each instance: the stage it is in, when that was released, and what became of its exchanges so far. */
  private readonly stage: Uint32Array
  private readonly releasedAtNs: Float64Array
  private readonly held: Uint32Array
  private readonly failed: Uint32Array
  /** Instances whose next stage is to be sent, in a ring; each is in it at most once. */
  private readonly ready: Uint32Array
  private readyFrom = 0
  private readyCount = 0
  private readonly sent: SentExchanges
  private openInstances = 0
  private allArrived = false
  private startNs = 0
  private stopped = true
  private woken = false
  private cancel: Cancel | null = null
  private readonly tick = (): void => {
    this.woken = false
    this.guard(() => this.releaseReady())
  }

  constructor(options: InstancePacerOptions) {
    const { timing, graph, instancesPerSecond, pacing, sender } = options
    const instances = graph.arrivalNs.length
    this.options = options
    this.state = new Uint8Array(graph.count)
    this.stage = graph.firstStage.slice(0, instances)
    this.releasedAtNs = new Float64Array(instances)
    this.held = new Uint32Array(instances)
    this.failed = new Uint32Array(instances)
    this.ready = new Uint32Array(instances)
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
    this.cancel = this.options.timing.scheduler.every(giveUpCheckMs, () => this.guard(() => this.giveUpOnOldest()))
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

  private begin(instance: number, dueNs: number): void {
    this.openInstances++
    this.offer(instance, dueNs)
  }

  /** Sends the stage that the instance is in; stops where an engine that answers at once has ended it meanwhile. */
  private offer(instance: number, dueNs: number): void {
    const { graph, sender, timing } = this.options
    const stage = this.stage[instance] as number
    const end = graph.firstExchange[stage + 1] as number
    for (let exchange = graph.firstExchange[stage] as number; exchange < end; exchange++) {
      if (this.stage[instance] !== stage || this.stopped) return
      const nowNs = timing.clock.nowNs() - this.startNs
      graph.scheduledAtNs[exchange] = dueNs
      this.state[exchange] = open
      this.sent.add(exchange, nowNs)
      sender.send(exchange, nowNs, dueNs)
    }
  }

  private settle(exchange: number, completed: boolean, nowNs: number): void {
    const { graph } = this.options
    const stage = graph.stageOf[exchange] as number
    const instance = graph.instanceOf[stage] as number
    this.state[exchange] = over
    if (this.stage[instance] !== stage) return
    const needed = graph.needed[stage] as number
    const decides = needed === 0 && graph.decider[stage] === exchange
    if (completed) {
      const held = (this.held[instance] as number) + 1
      this.held[instance] = held
      if (decides || (needed > 0 && held === needed)) this.endStage(instance, stage, nowNs)
      return
    }
    const failed = (this.failed[instance] as number) + 1
    this.failed[instance] = failed
    const size = (graph.firstExchange[stage + 1] as number) - (graph.firstExchange[stage] as number)
    if (decides || (needed > 0 && size - failed < needed)) this.endInstance(instance)
  }

  private endStage(instance: number, stage: number, nowNs: number): void {
    const { graph, sender, timing } = this.options
    const end = graph.firstExchange[stage + 1] as number
    const last = stage + 1 === graph.firstStage[instance + 1]
    this.stage[instance] = last ? noStage : stage + 1
    for (let exchange = graph.firstExchange[stage] as number; exchange < end; exchange++) {
      if (this.state[exchange] !== open) continue
      this.state[exchange] = over
      this.withdrawalsAsked++
      sender.withdraw(exchange)
    }
    if (last) {
      this.completedInstances++
      sender.instanceCompleted(graph.arrivalNs[instance] as number, nowNs)
      this.endInstance(instance)
      return
    }
    this.held[instance] = 0
    this.failed[instance] = 0
    this.releasedAtNs[instance] = nowNs
    this.ready[(this.readyFrom + this.readyCount++) % this.ready.length] = instance
    if (this.woken) return
    this.woken = true
    timing.soon(this.tick)
  }

  private endInstance(instance: number): void {
    this.stage[instance] = noStage
    this.openInstances--
    this.finishIfDone()
  }

  private releaseReady(): void {
    // What a stage releases while it is sent waits for the next turn, so that sockets are read in between.
    for (let due = this.readyCount; due > 0 && !this.stopped; due--) {
      const instance = this.ready[this.readyFrom] as number
      this.readyFrom = (this.readyFrom + 1) % this.ready.length
      this.readyCount--
      this.offer(instance, this.releasedAtNs[instance] as number)
    }
  }

  private giveUpOnOldest(): void {
    const nowNs = this.options.timing.clock.nowNs() - this.startNs
    this.sent.handOver(nowNs - this.options.giveUpNs, (exchange) => {
      if (!this.stopped && this.state[exchange] === open) this.settle(exchange, false, nowNs)
    })
  }

  private finishIfDone(): void {
    if (this.stopped || !this.allArrived || this.openInstances > 0) return
    this.stop()
    this.options.sender.sendingDone()
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
    this.options.sender.sendingFailed(error)
  }
}
