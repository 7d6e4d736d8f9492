/**
 * The pacer of chains: instances arrive open loop, like exchanges in `injector.ts`, and each question leads to the next when it has
 * reached its recipient, and to another attempt when it has failed (chain.ts says which there may be).
 *
 * Every attempt has the same deadline, as it is where agents know nothing of each other, so a question at the end of a chain outlives
 * the one that its caller asked. What an agent does about that is the pattern's `deadlines`: heeded, it asks nothing more on behalf
 * of a question whose deadline has passed or that has ended; ignored, it asks on and asks again whatever became of it. Either
 * way nobody answers a question after its deadline. A question without an end is given up after `giveUpNs`.
 *
 * Typed arrays only; nothing is allocated per exchange.
 */
import type { ChainEvidence } from '../measurement/coordination-evidence.ts'
import type { Cancel } from '../platform/clock.ts'
import type { ChainTree } from './chain.ts'
import type { CoordinationGraph } from './coordination.ts'
import { Injector } from './injector.ts'
import type { InstanceCounts, InstanceSender } from './instance-pacer.ts'
import type { Pacing } from './round-plan.ts'
import type { Pacer } from './sender.ts'
import { SentExchanges } from './sent-exchanges.ts'
import type { Timing } from './timing.ts'

const tickMs = 20
/** States of a question. */
const open = 1
const over = 2

export interface ChainPacerOptions {
  readonly timing: Timing
  readonly graph: CoordinationGraph
  readonly tree: ChainTree
  readonly instancesPerSecond: number
  readonly pacing: Pacing
  readonly deadlineNs: number
  readonly giveUpNs: number
  readonly heedsDeadlines: boolean
  readonly sender: InstanceSender
}

export class ChainPacer implements Pacer, InstanceCounts {
  completedInstances = 0
  readonly withdrawalsAsked = 0
  private readonly options: ChainPacerOptions
  private readonly arrivals: Injector
  private readonly state: Uint8Array
  private readonly sent: SentExchanges
  /** The deepest level that each chain came to. */
  private readonly reached: Uint8Array
  private readonly chainIsOver: Uint8Array
  /** Questions that are to be sent in the next turn, so that sockets are read in between; each is in it at most once. */
  private readonly ready: Uint32Array
  private readyFrom = 0
  private readyCount = 0
  private openQuestions = 0
  /** Questions that slow recipients have not taken up yet. */
  private held = 0
  private readonly tally: Record<keyof ChainEvidence, number[]>
  private allArrived = false
  private startNs = 0
  private stopped = true
  private woken = false
  private cancel: Cancel | null = null
  private readonly wake = (): void => {
    this.woken = false
    this.guard(() => this.sendReady())
  }

  constructor(options: ChainPacerOptions) {
    const { timing, graph, tree, instancesPerSecond, pacing, sender } = options
    const instances = graph.arrivalNs.length
    const seconds = Math.max(1, Math.ceil(graph.durationNs / 1e9))
    const zeros = (): number[] => Array.from({ length: seconds }, () => 0)
    this.options = options
    this.state = new Uint8Array(graph.count)
    this.sent = new SentExchanges(graph.count)
    this.reached = new Uint8Array(instances)
    this.chainIsOver = new Uint8Array(instances)
    this.ready = new Uint32Array(graph.count)
    this.tally = { begun: zeros(), completed: zeros(), asked: zeros(), askedInVain: zeros() }
    this.arrivals = new Injector({
      timing,
      scheduledAtNs: graph.arrivalNs,
      ratePerSecond: instancesPerSecond,
      pacing,
      sender: {
        send: (instance, _nowNs, dueNs) => {
          this.count('begun', instance)
          this.ask(instance * tree.size, dueNs)
        },
        sendingDone: () => {
          this.allArrived = true
          sender.arrivalsDone()
          this.finishIfDone()
        },
        sendingFailed: (error) => this.fail(error),
      },
    })
  }

  /** Levels that chains never came to because a question before them failed. */
  get neverOffered(): number {
    const { depth } = this.options.tree
    return this.reached.reduce((sum, level) => sum + (level === 0 ? 0 : depth - level), 0)
  }

  evidence(): ChainEvidence {
    return this.tally
  }

  start(startNs: number): void {
    this.startNs = startNs
    this.stopped = false
    this.cancel = this.options.timing.scheduler.every(tickMs, () =>
      this.guard(() => {
        this.giveUpOnOldest()
        this.finishIfDone()
      }),
    )
    this.arrivals.start(startNs)
  }

  stop(): void {
    this.stopped = true
    this.arrivals.stop()
    this.cancel?.()
    this.cancel = null
  }

  /** A slow recipient takes the question up later, and `letGo` says when. */
  hold(): void {
    this.held++
  }

  letGo(): void {
    this.held--
  }

  /** The question has reached its recipient: true when that asks on, and so does not answer by itself. */
  asksOn(exchange: number, nowNs: number): boolean {
    const { tree, heedsDeadlines } = this.options
    const node = exchange % tree.size
    const child = tree.firstChild[node] as number
    if (child === -1) return false
    if (!heedsDeadlines || this.isAwaited(exchange, nowNs)) this.askSoon(exchange - node + child, nowNs)
    return true
  }

  ended(exchange: number, completed: boolean, nowNs: number): void {
    if (this.stopped || this.state[exchange] !== open) return
    this.guard(() => this.settle(exchange, completed, nowNs))
  }

  private settle(exchange: number, completed: boolean, nowNs: number): void {
    const { tree, graph, sender, heedsDeadlines } = this.options
    this.state[exchange] = over
    this.openQuestions--
    const node = exchange % tree.size
    const instance = (exchange - node) / tree.size
    const parent = tree.parent[node] as number
    const onBehalfOf = parent === -1 ? -1 : exchange - node + parent
    if (completed && onBehalfOf === -1) {
      this.completedInstances++
      this.chainIsOver[instance] = 1
      this.count('completed', instance)
      sender.instanceCompleted(graph.arrivalNs[instance] as number, nowNs)
    } else if (completed) {
      if (this.isAwaited(onBehalfOf, nowNs)) sender.answerHeld(onBehalfOf, nowNs)
    } else if (tree.isLastAttempt[node] === 0) {
      if (onBehalfOf === -1 || !heedsDeadlines || this.isAwaited(onBehalfOf, nowNs)) this.askSoon(exchange + 1, nowNs)
    } else if (onBehalfOf === -1) this.chainIsOver[instance] = 1
    this.finishIfDone()
  }

  /** Its asker still wants the answer, as far as its recipient can know. */
  private isAwaited(exchange: number, nowNs: number): boolean {
    return this.state[exchange] === open && nowNs - (this.sent.atNs[exchange] as number) < this.options.deadlineNs
  }

  private askSoon(exchange: number, dueNs: number): void {
    if (this.stopped) return
    const { graph, timing } = this.options
    graph.scheduledAtNs[exchange] = dueNs
    this.ready[this.readyCount++] = exchange
    if (this.woken) return
    this.woken = true
    timing.soon(this.wake)
  }

  private sendReady(): void {
    for (const until = this.readyCount; this.readyFrom < until && !this.stopped;) {
      const exchange = this.ready[this.readyFrom++] as number
      this.ask(exchange, this.options.graph.scheduledAtNs[exchange] as number)
    }
  }

  private ask(exchange: number, dueNs: number): void {
    const { graph, tree, timing, sender } = this.options
    const nowNs = timing.clock.nowNs() - this.startNs
    const node = exchange % tree.size
    const instance = (exchange - node) / tree.size
    graph.scheduledAtNs[exchange] = dueNs
    this.reached[instance] = Math.max(this.reached[instance] as number, tree.level[node] as number)
    this.count('asked', instance)
    if (this.isInVain(exchange, node, instance, nowNs)) this.count('askedInVain', instance)
    this.state[exchange] = open
    this.openQuestions++
    this.sent.add(exchange, nowNs)
    sender.send(exchange, nowNs, dueNs)
  }

  /** The caller has its answer or has given up, or somebody on the way no longer waits. */
  private isInVain(exchange: number, node: number, instance: number, nowNs: number): boolean {
    const { parent } = this.options.tree
    if (this.chainIsOver[instance] === 1) return true
    for (let above = parent[node] as number; above !== -1; above = parent[above] as number) {
      if (!this.isAwaited(exchange - node + above, nowNs)) return true
    }
    return false
  }

  private count(what: keyof ChainEvidence, instance: number): void {
    const list = this.tally[what]
    const arrivalNs = this.options.graph.arrivalNs[instance] as number
    const second = Math.min(list.length - 1, Math.max(0, Math.floor(arrivalNs / 1e9)))
    list[second] = (list[second] as number) + 1
  }

  private giveUpOnOldest(): void {
    const nowNs = this.options.timing.clock.nowNs() - this.startNs
    this.sent.handOver(nowNs - this.options.giveUpNs, (exchange) => {
      if (!this.stopped && this.state[exchange] === open) this.settle(exchange, false, nowNs)
    })
  }

  private finishIfDone(): void {
    if (this.stopped || !this.allArrived) return
    if (this.openQuestions > 0 || this.held > 0 || this.readyFrom < this.readyCount) return
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
