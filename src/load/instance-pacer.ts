/**
 * The pacer of patterns that go in stages: within an instance each stage is sent when the stage before it has ended.
 *
 * An exchange is due when its instance arrives or, in a later stage, when the answer is held that released it. So an engine that is slow gets
 * its exchanges later, as it would in life, and nothing is filled in for them: what that costs shows in the time of the
 * instance, which counts from its arrival and so omits no waiting. The instance of an exchange that was given up has failed if it needed
 * that answer.
 */
import { GraphPacer, open, over, type GraphPacerOptions } from './graph-pacer.ts'

/** In place of the stage of an instance that has ended. */
const noStage = 0xffff_ffff

export class InstancePacer extends GraphPacer {
  private readonly options: GraphPacerOptions
  /** Of each instance: the stage it is in, when that was released, and what became of its exchanges so far. */
  private readonly stage: Uint32Array
  private readonly releasedAtNs: Float64Array
  private readonly held: Uint32Array
  private readonly failed: Uint32Array
  /** Instances whose next stage is to be sent, in a ring; each is in it at most once. */
  private readonly ready: Uint32Array
  private readyFrom = 0
  private readyCount = 0
  private openInstances = 0

  constructor(options: GraphPacerOptions) {
    super(options)
    const { graph } = options
    const instances = graph.arrivalNs.length
    this.options = options
    this.stage = graph.firstStage.slice(0, instances)
    this.releasedAtNs = new Float64Array(instances)
    this.held = new Uint32Array(instances)
    this.failed = new Uint32Array(instances)
    this.ready = new Uint32Array(instances)
  }

  protected begin(instance: number, dueNs: number): void {
    this.openInstances++
    this.offerStage(instance, dueNs)
  }

  protected isIdle(): boolean {
    return this.openInstances === 0
  }

  /** Sends the stage that the instance is in; stops where an engine that answers at once has ended it meanwhile. */
  private offerStage(instance: number, dueNs: number): void {
    const { graph } = this.options
    const stage = this.stage[instance] as number
    const end = graph.firstExchange[stage + 1] as number
    for (let exchange = graph.firstExchange[stage] as number; exchange < end; exchange++) {
      if (this.stage[instance] !== stage || this.stopped) return
      this.offer(exchange, dueNs)
    }
  }

  protected settle(exchange: number, completed: boolean, nowNs: number): void {
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
    const { graph, sender } = this.options
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
    this.sendSoon()
  }

  private endInstance(instance: number): void {
    this.stage[instance] = noStage
    this.openInstances--
    this.finishIfDone()
  }

  /** What a stage releases while it is sent waits for the next turn. */
  protected sendReleased(): void {
    for (let due = this.readyCount; due > 0 && !this.stopped; due--) {
      const instance = this.ready[this.readyFrom] as number
      this.readyFrom = (this.readyFrom + 1) % this.ready.length
      this.readyCount--
      this.offerStage(instance, this.releasedAtNs[instance] as number)
    }
  }
}
