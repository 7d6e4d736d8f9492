/**
 * A stage that lets things through when they are due, whole or in pieces, first in, first out: latency, bandwidth,
 * slicer, slow close and freeze differ only in their plan. A chunk is cut when its turn comes, not before, so that a
 * large chunk on a slow line is one entry however many pieces it will be. One timer at most waits for the first in the
 * queue, in whole milliseconds, rounded up.
 */
import type { Cancel } from '../platform/clock.ts'
import type { Passage, Stage, StagePort } from './stage.ts'
import type { ConnectionTally } from './toxic-tally.ts'

/**
 * Asked once for each piece, when it has become the first that waits: how many bytes it has at most, and when it is due.
 * `arrivedNs` is when its chunk reached the stage. An infinite `dueNs` is never due.
 */
export type Plan = (passage: Passage, arrivedNs: number) => Piece

interface Piece {
  readonly takeBytes: number
  readonly dueNs: number
}

interface Waiting {
  readonly passage: Passage
  readonly arrivedNs: number
}

export class PacedStage implements Stage {
  private readonly port: StagePort
  private readonly tally: ConnectionTally
  private readonly plan: Plan
  /** Cutting is the purpose: it is counted, and stops while there is no room for more chunks. */
  private readonly slices: boolean
  private readonly queue: Waiting[] = []
  /** The plan of the first in the queue. */
  private piece: Piece | null = null
  private cancel: Cancel | null = null
  private pumping = false
  private released = false

  constructor(port: StagePort, tally: ConnectionTally, plan: Plan, slices = false) {
    this.port = port
    this.tally = tally
    this.plan = plan
    this.slices = slices
  }

  get waiting(): number {
    return this.queue.length
  }

  accept(passage: Passage): void {
    this.queue.push({ passage, arrivedNs: this.port.clock.nowNs() })
    if (this.queue.length === 1 || this.released) this.proceed()
    else if (this.piece?.dueNs === Infinity) this.countDelay(passage)
  }

  /** Passes on what is due. Passing on may lead back here; the loop that runs then takes what was added. */
  proceed(): void {
    if (this.pumping) return
    this.pumping = true
    while (this.step());
    this.pumping = false
  }

  private step(): boolean {
    const first = this.queue[0]
    if (first === undefined) return false
    if (this.released) {
      this.queue.shift()
      this.port.emit(first.passage)
      return true
    }
    this.piece ??= this.planned(first)
    const { takeBytes, dueNs } = this.piece
    if (dueNs > this.port.clock.nowNs()) {
      this.wake(dueNs)
      return false
    }
    const { passage } = first
    const whole = passage.kind !== 'bytes' || passage.bytes.length <= takeBytes
    if (this.slices && !whole && !this.port.hasRoom()) return false
    this.piece = null
    if (whole) {
      this.queue.shift()
      this.port.emit(passage)
      return true
    }
    if (this.slices) this.tally.add('cuts')
    this.queue[0] = { ...first, passage: { kind: 'bytes', bytes: passage.bytes.subarray(takeBytes) } }
    this.port.emit({ kind: 'bytes', bytes: passage.bytes.subarray(0, takeBytes) })
    return true
  }

  private planned(first: Waiting): Piece {
    const piece = this.plan(first.passage, first.arrivedNs)
    if (piece.dueNs > first.arrivedNs) this.countDelay(first.passage, piece.takeBytes)
    return piece
  }

  private countDelay(passage: Passage, takeBytes = Infinity): void {
    if (passage.kind === 'bytes') this.tally.add('bytesDelayed', Math.min(takeBytes, passage.bytes.length))
    else this.tally.add('endsDelayed')
  }

  private wake(dueNs: number): void {
    if (this.cancel !== null || dueNs === Infinity) return
    const waitMs = Math.ceil((dueNs - this.port.clock.nowNs()) / 1e6)
    this.cancel = this.port.scheduler.after(waitMs, () => {
      this.cancel = null
      this.proceed()
    })
  }

  release(): void {
    this.dropTimer()
    this.countWaiting()
    this.released = true
    this.proceed()
  }

  /** Whatever has not been counted yet has waited behind something else until now. */
  private countWaiting(): void {
    if (this.released || this.piece?.dueNs === Infinity) return
    for (const [index, { passage }] of this.queue.entries()) {
      const counted = index === 0 && this.piece !== null ? this.piece.takeBytes : 0
      if (passage.kind !== 'bytes') {
        if (index > 0) this.countDelay(passage)
      } else this.tally.add('bytesDelayed', Math.max(0, passage.bytes.length - counted))
    }
  }

  dispose(): void {
    this.dropTimer()
    this.countWaiting()
    this.queue.length = 0
    this.piece = null
  }

  private dropTimer(): void {
    this.cancel?.()
    this.cancel = null
  }
}
