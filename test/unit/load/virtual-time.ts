/**
 * Virtual time for tests: a clock, timers and event-loop turns that advance only when the next event runs, so
 * that a round of seconds takes milliseconds and comes out the same every time.
 */
import type { GeneratorGauge, Timing } from '../../../src/load/timing.ts'
import type { Cancel } from '../../../src/platform/clock.ts'

interface Event {
  atNs: number
  order: number
  run: (() => void) | null
}

const nothing = (): void => undefined

/** What one turn of the event loop takes. */
const turnNs = 10_000

export class VirtualTime implements Timing {
  nowNs = 5e9
  private readonly heap: Event[] = []
  private order = 0

  readonly clock = { nowNs: () => this.nowNs, wallMs: () => 1_700_000_000_000 + this.nowNs / 1e6 }
  readonly scheduler = {
    after: (ms: number, run: () => void): Cancel => this.at(this.nowNs + ms * 1e6, run),
    every: (ms: number, run: () => void): Cancel => {
      let cancel: Cancel = nothing
      const again = (): void => {
        cancel = this.at(this.nowNs + ms * 1e6, () => {
          again()
          run()
        })
      }
      again()
      return () => cancel()
    },
  }

  soon(run: () => void): void {
    this.at(this.nowNs + turnNs, run)
  }

  at(atNs: number, run: () => void): Cancel {
    const event: Event = { atNs, order: this.order++, run }
    this.push(event)
    return () => {
      event.run = null
    }
  }

  /** Runs events until `work` settles; throws when nothing is left to run or `limitMs` have passed. */
  async drive<T>(work: Promise<T>, limitMs = 120_000): Promise<T> {
    const endNs = this.nowNs + limitMs * 1e6
    const state = { settled: false }
    work.then(
      () => (state.settled = true),
      () => (state.settled = true),
    )
    for (let idle = 0; !state.settled;) {
      // A promise that an event settled may need a few turns to reach the code that waits for it.
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
      if (state.settled) break
      const event = this.pop()
      if (event === undefined) {
        // Promises may need a few turns before they settle or ask for time again.
        if (++idle > 100) throw new Error('nothing left to run on virtual time')
        continue
      }
      idle = 0
      if (event.run === null) continue
      if (event.atNs > endNs) throw new Error(`not settled after ${limitMs} virtual ms`)
      this.nowNs = Math.max(this.nowNs, event.atNs)
      event.run()
    }
    return work
  }

  private push(event: Event): void {
    const { heap } = this
    let index = heap.push(event) - 1
    for (;;) {
      const parent = (index - 1) >> 1
      if (index === 0 || before(heap[parent] as Event, event)) break
      heap[index] = heap[parent] as Event
      index = parent
    }
    heap[index] = event
  }

  private pop(): Event | undefined {
    const { heap } = this
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++
      if (before(last, heap[child] as Event)) break
      heap[index] = heap[child] as Event
      index = child
    }
    heap[index] = last
    return top
  }
}

function before(left: Event, right: Event): boolean {
  return left.atNs < right.atNs || (left.atNs === right.atNs && left.order < right.order)
}

/** A gauge that says what the test wants it to say, and knows whether it was left running. */
export function fixedGauge(cpuUs = 0, eventLoopP99Ms = 0.5): GeneratorGauge & { readonly running: boolean } {
  let running = false
  return {
    get running() {
      return running
    },
    start() {
      running = true
    },
    stop() {
      running = false
      return { cpuUs, eventLoopP99Ms }
    },
  }
}
