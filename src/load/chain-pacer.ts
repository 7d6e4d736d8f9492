/**
 * The pacer of chains: each question leads to the next when it has reached its recipient, and to another attempt when it has failed
 * (chain.ts says which there may be).
 *
 * Every attempt has the same deadline, as it is where agents know nothing of each other, so a question at the end of a chain outlives
 * the one that its caller asked. What an agent does about that is the pattern's `deadlines`: heeded, it asks nothing more on behalf
 * of a question whose deadline has passed or that has ended; ignored, it asks on and asks again whatever became of it. Either
 * way nobody answers a question after its deadline.
 */
import type { ChainEvidence } from '../measurement/coordination-evidence.ts'
import type { ChainTree } from './chain.ts'
import { GraphPacer, open, over, type GraphPacerOptions } from './graph-pacer.ts'

export interface ChainPacerOptions extends GraphPacerOptions {
  readonly tree: ChainTree
  readonly deadlineNs: number
  readonly heedsDeadlines: boolean
}

export class ChainPacer extends GraphPacer {
  private readonly options: ChainPacerOptions
  /** The deepest level that each chain came to. */
  private readonly reached: Uint8Array
  private readonly chainIsOver: Uint8Array
  /** Questions that are to be sent in the next turn; each is in it at most once. */
  private readonly ready: Uint32Array
  private readyFrom = 0
  private readyCount = 0
  private openQuestions = 0
  /** Questions that slow recipients have not taken up yet. */
  private held = 0
  private readonly tally: Record<keyof ChainEvidence, number[]>

  constructor(options: ChainPacerOptions) {
    super(options)
    const { graph } = options
    const instances = graph.arrivalNs.length
    const seconds = Math.max(1, Math.ceil(graph.durationNs / 1e9))
    const zeros = (): number[] => Array.from({ length: seconds }, () => 0)
    this.options = options
    this.reached = new Uint8Array(instances)
    this.chainIsOver = new Uint8Array(instances)
    this.ready = new Uint32Array(graph.count)
    this.tally = { begun: zeros(), completed: zeros(), asked: zeros(), askedInVain: zeros() }
  }

  /** Levels that chains never came to because a question before them failed. */
  get neverOffered(): number {
    const { depth } = this.options.tree
    return this.reached.reduce((sum, level) => sum + (level === 0 ? 0 : depth - level), 0)
  }

  evidence(): ChainEvidence {
    return this.tally
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

  protected begin(instance: number, dueNs: number): void {
    this.count('begun', instance)
    this.ask(instance * this.options.tree.size, dueNs)
  }

  protected settle(exchange: number, completed: boolean, nowNs: number): void {
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

  protected sendReleased(): void {
    for (const until = this.readyCount; this.readyFrom < until && !this.stopped;) {
      const exchange = this.ready[this.readyFrom++] as number
      this.ask(exchange, this.options.graph.scheduledAtNs[exchange] as number)
    }
  }

  protected isIdle(): boolean {
    return this.openQuestions === 0 && this.held === 0 && this.readyFrom === this.readyCount
  }

  /** Its asker still wants the answer, as far as its recipient can know. */
  private isAwaited(exchange: number, nowNs: number): boolean {
    return this.state[exchange] === open && nowNs - this.sentAtNs(exchange) < this.options.deadlineNs
  }

  private askSoon(exchange: number, dueNs: number): void {
    if (this.stopped) return
    this.options.graph.scheduledAtNs[exchange] = dueNs
    this.ready[this.readyCount++] = exchange
    this.sendSoon()
  }

  private ask(exchange: number, dueNs: number): void {
    const { tree } = this.options
    const node = exchange % tree.size
    const instance = (exchange - node) / tree.size
    this.reached[instance] = Math.max(this.reached[instance] as number, tree.level[node] as number)
    this.count('asked', instance)
    if (this.isInVain(exchange, node, instance)) this.count('askedInVain', instance)
    this.openQuestions++
    this.offer(exchange, dueNs)
  }

  /** The caller has its answer or has given up, or somebody on the way no longer waits. */
  private isInVain(exchange: number, node: number, instance: number): boolean {
    const { parent } = this.options.tree
    const nowNs = this.sinceStart()
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
}
