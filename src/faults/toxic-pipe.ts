/**
 * One direction of one connection: source → the stages of its toxics, in the order in which they were added → sink.
 *
 * Order is kept by construction: a stage passes on in order, a removed one empties itself before it is taken out.
 * Memory is bounded by backpressure: what waits in stages, or for a sink that is full, counts as held; at the bound the
 * source is paused, at half of it resumed, so a pipe holds its bound and one chunk at most. Slicing stops while too many
 * chunks wait behind it. Time comes in with the stages' port; the pipe has no timer.
 */
import type { Clock, Scheduler } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Passage, Stage, StagePort } from './stage.ts'
import { createStage } from './toxic-stages.ts'
import type { ConnectionTally } from './toxic-tally.ts'
import type { Toxic } from './toxics.ts'

export interface PipeSource {
  pause(): void
  resume(): void
}

export interface PipeSink {
  /** False when the sink is full: nothing more is written until `ToxicPipe.drained`. */
  write(bytes: Uint8Array): boolean
  /** No more bytes follow. */
  end(): void
  /** The source has broken off; what was written and has not left may be lost. */
  reset(): void
}

export interface PipeConnection {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly source: PipeSource
  readonly sink: PipeSink
  /** Resets both ends at once; false when the connection was over already. */
  reset(): boolean
  /** Closes both ends in order; false when the connection was over already. */
  close(): boolean
}

export interface PipeBounds {
  readonly maxHeldBytes: number
  readonly maxHeldChunks: number
}

/** received = forwarded + dropped + discarded + held, at every moment. */
export interface PipeBytes {
  received: number
  /** Written to the sink. */
  forwarded: number
  /** Lost to a toxic. */
  dropped: number
  /** Held or arrived when the connection was over, or its sink gone. */
  discarded: number
  held: number
}

interface Slot {
  /** The toxic's, within this pipe. */
  readonly key: number
  readonly stage: Stage
}

export class ToxicPipe {
  readonly bytes: PipeBytes = { received: 0, forwarded: 0, dropped: 0, discarded: 0, held: 0 }
  private readonly connection: PipeConnection
  private readonly bounds: PipeBounds
  private readonly slots: Slot[] = []
  /** Past all stages, waiting for the sink. */
  private readonly leaving: Passage[] = []
  private sinkFull = false
  private sinkGone = false
  private paused = false
  private draining = false
  private disposed = false
  /** A stage stopped slicing for want of room. */
  private starved = false

  constructor(connection: PipeConnection, bounds: PipeBounds) {
    this.connection = connection
    this.bounds = bounds
  }

  addToxic(key: number, toxic: Toxic, tally: ConnectionTally, random: Random): void {
    this.insert(key, (port) => createStage(toxic, port, tally, random))
  }

  /** Puts a stage behind all others; what waits for the sink has passed it already. */
  insert(key: number, make: (port: StagePort) => Stage): void {
    if (this.disposed) return
    const port: StagePort = {
      clock: this.connection.clock,
      scheduler: this.connection.scheduler,
      emit: (passage) => this.passTo(this.placeOf(key) + 1, passage),
      dropped: (bytes) => this.drop(bytes),
      hasRoom: () => this.hasRoomBehind(key),
      reset: () => this.connection.reset(),
    }
    this.slots.push({ key, stage: make(port) })
  }

  /** Lets go of what the stage holds, in order, then takes it out. */
  remove(key: number): void {
    const slot = this.slots.find((candidate) => candidate.key === key)
    if (slot === undefined) return
    slot.stage.release()
    const place = this.placeOf(key)
    if (place !== -1) this.slots.splice(place, 1)
    this.settle()
  }

  accept(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.bytes.received += bytes.length
    if (this.disposed) {
      this.bytes.discarded += bytes.length
      return
    }
    this.bytes.held += bytes.length
    this.passTo(0, { kind: 'bytes', bytes })
    this.settle()
  }

  /** The source has ended in order. */
  end(): void {
    this.passTo(0, { kind: 'end' })
  }

  /** The source has broken off. */
  reset(): void {
    this.passTo(0, { kind: 'reset' })
  }

  /** The sink takes bytes again. */
  drained(): void {
    this.sinkFull = false
    this.drain()
  }

  /** The sink takes nothing any more: from now on whatever leaves is discarded, so that the source is not held up. */
  lostSink(): void {
    this.sinkGone = true
    this.drain()
  }

  /** The connection is over: no timer survives, what is held is discarded. */
  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    for (const { stage } of this.slots) stage.dispose()
    this.slots.length = 0
    this.leaving.length = 0
    this.bytes.discarded += this.bytes.held
    this.bytes.held = 0
  }

  private placeOf(key: number): number {
    return this.slots.findIndex((slot) => slot.key === key)
  }

  private passTo(place: number, passage: Passage): void {
    if (this.disposed) return
    const slot = this.slots[place]
    if (slot !== undefined) {
      slot.stage.accept(passage)
      return
    }
    // A broken connection does not deliver what was still on its way.
    if (passage.kind === 'reset') this.discardLeaving()
    this.leaving.push(passage)
    this.drain()
  }

  private drain(): void {
    if (this.draining) return
    this.draining = true
    for (let next = this.leaving[0]; next !== undefined; next = this.leaving[0]) {
      if (next.kind === 'bytes' && this.sinkFull && !this.sinkGone) break
      this.leaving.shift()
      this.leave(next)
    }
    this.draining = false
    this.settle()
  }

  private leave(passage: Passage): void {
    const { sink } = this.connection
    if (passage.kind === 'bytes') {
      const { length } = passage.bytes
      this.bytes.held -= length
      if (this.sinkGone) {
        this.bytes.discarded += length
        return
      }
      this.bytes.forwarded += length
      this.sinkFull = !sink.write(passage.bytes)
    } else if (passage.kind === 'close') {
      if (this.connection.close()) passage.by.add('closes')
    } else if (this.sinkGone) return
    else if (passage.kind === 'end') sink.end()
    else sink.reset()
  }

  private discardLeaving(): void {
    for (const passage of this.leaving) {
      if (passage.kind !== 'bytes') continue
      this.bytes.held -= passage.bytes.length
      this.bytes.discarded += passage.bytes.length
    }
    this.leaving.length = 0
  }

  private drop(bytes: number): void {
    if (this.disposed) return
    this.bytes.held -= bytes
    this.bytes.dropped += bytes
    this.settle()
  }

  private hasRoomBehind(key: number): boolean {
    if (this.chunksFrom(this.placeOf(key) + 1) < this.bounds.maxHeldChunks) return true
    this.starved = true
    return false
  }

  private chunksFrom(place: number): number {
    let chunks = this.leaving.length
    for (let index = place; index < this.slots.length; index++) chunks += this.slots[index]?.stage.waiting ?? 0
    return chunks
  }

  /** After every change of what is held: wakes a starved stage, pauses or resumes the source. */
  private settle(): void {
    if (this.disposed) return
    if (this.starved && !this.draining) {
      this.starved = false
      for (const { stage } of [...this.slots]) stage.proceed()
    }
    const { maxHeldBytes, maxHeldChunks } = this.bounds
    const chunks = this.chunksFrom(0)
    if (!this.paused && (this.bytes.held >= maxHeldBytes || chunks >= maxHeldChunks)) {
      this.paused = true
      this.connection.source.pause()
    } else if (this.paused && this.bytes.held <= maxHeldBytes / 2 && chunks <= maxHeldChunks / 2) {
      this.paused = false
      this.connection.source.resume()
    }
  }
}
