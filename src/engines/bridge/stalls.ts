/**
 * Times in which the event loop did not read: a message that came in one of them was taken only after it, and counts from its beginning.
 *
 * A server that times its own deliveries from the moment at which it read them cannot see its own stalls: what waited longest waited before it was read (coordinated
 * omission on the receiving side). Nothing tells when a message came, so the beginning of the stall is what is taken: no message can have waited longer.
 */

/** Lateness of a tick beyond which the loop was not merely busy. */
const shortestStallNs = 25e6
/** A message may be delivered so many stalls after it was taken; of earlier ones nothing is known any more. */
const keptStalls = 256

interface Stall {
  readonly fromNs: number
  readonly tickNs: number
  /** When all had been read that came in it. */
  untilNs: number
}

export class StallWatch {
  private readonly tickNs: number
  private readonly afterReading: (run: () => void) => void
  private readonly nowNs: () => number
  private lastTickNs: number | null = null
  private lastUntilNs = -Infinity
  private readonly stalls: Stall[] = []

  /** `afterReading`: calls back when what can be read now has been read, as `setImmediate` does. */
  constructor(tickMs: number, nowNs: () => number, afterReading: (run: () => void) => void = setImmediate) {
    this.tickNs = tickMs * 1e6
    this.nowNs = nowNs
    this.afterReading = afterReading
  }

  /** To be called by a timer every `tickMs`; timers come before reading. */
  tick(): void {
    const nowNs = this.nowNs()
    const lastNs = this.lastTickNs
    this.lastTickNs = nowNs
    if (lastNs === null || nowNs - lastNs < this.tickNs + shortestStallNs) return
    const stall: Stall = { fromNs: lastNs, tickNs: nowNs, untilNs: Infinity }
    this.stalls.push(stall)
    if (this.stalls.length > keptStalls) this.stalls.shift()
    this.lastUntilNs = Infinity
    this.afterReading(() => {
      stall.untilNs = this.nowNs()
      this.lastUntilNs = stall.untilNs
    })
  }

  /** The earliest moment at which what was taken at `takenAtNs` can have come. */
  earliest(takenAtNs: number): number {
    if (takenAtNs > this.lastUntilNs) return takenAtNs
    const stall = this.stalls.findLast(({ tickNs, untilNs }) => takenAtNs >= tickNs && takenAtNs <= untilNs)
    return stall?.fromNs ?? takenAtNs
  }
}
