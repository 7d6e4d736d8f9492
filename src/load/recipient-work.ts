/**
 * Recipients that work on a question before they answer: each exchange has a time of its own, drawn with its graph, and the answers
 * leave in the order in which the work ends. A binary heap on typed arrays and one timer of a millisecond while anything waits, so
 * that no exchange costs a closure; an answer leaves up to a millisecond later than drawn, never earlier.
 */
import type { Cancel, Scheduler } from '../platform/clock.ts'

const tickMs = 1

export interface RecipientWorkOptions {
  /** Of each exchange, in ns. */
  readonly workNs: Float64Array
  readonly scheduler: Scheduler
  /** In ns from any origin, the same for all calls. */
  readonly nowNs: () => number
  readonly answer: (exchange: number) => void
}

/** Bounded by the exchanges of a round: each is kept once at most. */
export class RecipientWork {
  private readonly options: RecipientWorkOptions
  private readonly dueNs: Float64Array
  /** Exchanges under work, the next to be answered first (a heap by `dueNs`). */
  private readonly heap: Uint32Array
  private size = 0
  private cancel: Cancel | null = null

  constructor(options: RecipientWorkOptions) {
    this.options = options
    this.dueNs = new Float64Array(options.workNs.length)
    this.heap = new Uint32Array(options.workNs.length)
  }

  keep(exchange: number): void {
    const { scheduler, workNs, nowNs } = this.options
    this.dueNs[exchange] = nowNs() + (workNs[exchange] as number)
    this.push(exchange)
    this.cancel ??= scheduler.every(tickMs, () => this.release())
  }

  /** What is kept is not answered any more. */
  stop(): void {
    this.cancel?.()
    this.cancel = null
    this.size = 0
  }

  private release(): void {
    const nowNs = this.options.nowNs()
    while (this.size > 0 && this.due(0) <= nowNs) this.options.answer(this.pop())
    if (this.size === 0) this.stop()
  }

  private due(place: number): number {
    return this.dueNs[this.heap[place] as number] as number
  }

  private push(exchange: number): void {
    const dueNs = this.dueNs[exchange] as number
    let place = this.size++
    for (let parent = (place - 1) >> 1; place > 0 && this.due(parent) > dueNs; parent = (place - 1) >> 1) {
      this.heap[place] = this.heap[parent] as number
      place = parent
    }
    this.heap[place] = exchange
  }

  private pop(): number {
    const first = this.heap[0] as number
    const last = this.heap[--this.size] as number
    const dueNs = this.dueNs[last] as number
    let place = 0
    for (let child = 1; child < this.size; child = 2 * place + 1) {
      if (child + 1 < this.size && this.due(child + 1) < this.due(child)) child++
      if (dueNs <= this.due(child)) break
      this.heap[place] = this.heap[child] as number
      place = child
    }
    this.heap[place] = last
    return first
  }
}
