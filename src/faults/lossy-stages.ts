/**
 * Stages that lose, alter or cut: timeout, reset_peer, limit_data, black_hole, one_way and corrupt. What they let pass
 * they pass at once, so nothing waits in them.
 */
import type { Cancel } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Passage, Stage, StagePort } from './stage.ts'
import type { ConnectionTally } from './toxic-tally.ts'

/**
 * Drops bytes and ends. A stream with a gap must not go on as if nothing had happened: when the toxic is removed, a
 * connection that was deprived of anything is reset, as by a peer that has given it up.
 */
export class SwallowStage implements Stage {
  readonly waiting = 0
  protected readonly port: StagePort
  protected readonly tally: ConnectionTally
  protected deprived = false

  constructor(port: StagePort, tally: ConnectionTally) {
    this.port = port
    this.tally = tally
  }

  accept(passage: Passage): void {
    if (passage.kind === 'close') {
      this.port.emit(passage)
      return
    }
    this.deprived = true
    if (passage.kind === 'bytes') {
      this.tally.add('bytesDropped', passage.bytes.length)
      this.port.dropped(passage.bytes.length)
    } else this.tally.add('endsDropped')
  }

  proceed(): void {}

  release(): void {
    if (this.deprived && this.port.reset()) this.tally.add('resets')
  }

  dispose(): void {}
}

/** Closes after its time, and when the toxic is removed. */
export class TimeoutStage extends SwallowStage {
  private cancel: Cancel | null = null
  private expired = false

  constructor(port: StagePort, tally: ConnectionTally, timeoutMs: number) {
    super(port, tally)
    if (timeoutMs > 0) this.cancel = port.scheduler.after(timeoutMs, () => this.expire())
  }

  private expire(): void {
    this.dispose()
    if (this.expired) return
    this.expired = true
    this.port.emit({ kind: 'close', by: this.tally })
  }

  override release(): void {
    this.expire()
  }

  override dispose(): void {
    this.cancel?.()
    this.cancel = null
  }
}

/** Resets some time after the first thing that arrives, and when the toxic is removed before that. */
export class ResetStage extends SwallowStage {
  private readonly timeoutMs: number
  private cancel: Cancel | null = null

  constructor(port: StagePort, tally: ConnectionTally, timeoutMs: number) {
    super(port, tally)
    this.timeoutMs = timeoutMs
  }

  override accept(passage: Passage): void {
    const first = !this.deprived
    super.accept(passage)
    if (!first || passage.kind === 'close') return
    if (this.timeoutMs === 0) this.release()
    else this.cancel = this.port.scheduler.after(this.timeoutMs, () => this.release())
  }

  override release(): void {
    this.dispose()
    super.release()
  }

  override dispose(): void {
    this.cancel?.()
    this.cancel = null
  }
}

export class LimitStage implements Stage {
  readonly waiting = 0
  private readonly port: StagePort
  private readonly tally: ConnectionTally
  private remainingBytes: number
  private closed = false

  constructor(port: StagePort, tally: ConnectionTally, bytes: number) {
    this.port = port
    this.tally = tally
    this.remainingBytes = bytes
  }

  accept(passage: Passage): void {
    if (passage.kind !== 'bytes') {
      this.port.emit(passage)
      return
    }
    const { bytes } = passage
    const passed = Math.min(bytes.length, this.remainingBytes)
    this.remainingBytes -= passed
    if (passed > 0) this.port.emit({ kind: 'bytes', bytes: bytes.subarray(0, passed) })
    if (passed < bytes.length) {
      this.tally.add('bytesDropped', bytes.length - passed)
      this.port.dropped(bytes.length - passed)
    }
    if (this.remainingBytes > 0 || this.closed) return
    this.closed = true
    this.port.emit({ kind: 'close', by: this.tally })
  }

  proceed(): void {}
  release(): void {}
  dispose(): void {}
}

export class CorruptStage implements Stage {
  readonly waiting = 0
  private readonly port: StagePort
  private readonly tally: ConnectionTally
  private readonly random: Random
  private readonly chunkShare: number

  constructor(port: StagePort, tally: ConnectionTally, random: Random, chunkShare: number) {
    this.port = port
    this.tally = tally
    this.random = random
    this.chunkShare = chunkShare
  }

  accept(passage: Passage): void {
    if (passage.kind !== 'bytes' || this.random.uniform() >= this.chunkShare) {
      this.port.emit(passage)
      return
    }
    const altered = Uint8Array.from(passage.bytes)
    const bit = this.random.below(altered.length * 8)
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    this.tally.add('bytesCorrupted')
    this.port.emit({ kind: 'bytes', bytes: altered })
  }

  proceed(): void {}
  release(): void {}
  dispose(): void {}
}
