/** A pipe on virtual time between a source that only notes whether it may send and a sink that notes what came when. */
import { seededRandom } from '../../../src/platform/random.ts'
import { ToxicPipe, type PipeBounds } from '../../../src/faults/toxic-pipe.ts'
import { ToxicTally, type ToxicCounts } from '../../../src/faults/toxic-tally.ts'
import { parseToxic, type ToxicInput } from '../../../src/faults/toxics.ts'
import { virtualTime, type VirtualTime } from '../polling/virtual-time.ts'

export interface Seen {
  readonly atMs: number
  readonly what: 'bytes' | 'end' | 'reset' | 'connection reset' | 'connection closed'
  readonly text: string
}

export class PipeFixture {
  readonly time: VirtualTime = virtualTime()
  readonly seen: Seen[] = []
  readonly pipe: ToxicPipe
  paused = false
  pauses = 0
  /** Bytes the sink takes before it says that it is full; `drain` gives it as much again. */
  readonly sinkBytes: number
  private roomBytes: number
  private over = false
  private added = 0
  private readonly tallies = new Map<number, ToxicTally>()

  constructor(bounds: Partial<PipeBounds> = {}, sinkBytes = Infinity) {
    this.sinkBytes = sinkBytes
    this.roomBytes = sinkBytes
    const finish = (what: Seen['what']): boolean => {
      if (this.over) return false
      this.over = true
      this.note(what)
      this.pipe.dispose()
      return true
    }
    this.pipe = new ToxicPipe(
      {
        clock: this.time,
        scheduler: this.time,
        source: {
          pause: () => {
            this.paused = true
            this.pauses++
          },
          resume: () => {
            this.paused = false
          },
        },
        sink: {
          write: (bytes) => {
            this.note('bytes', Buffer.from(bytes).toString('latin1'))
            this.roomBytes -= bytes.length
            return this.roomBytes > 0
          },
          end: () => this.note('end'),
          reset: () => this.note('reset'),
        },
        reset: () => finish('connection reset'),
        close: () => finish('connection closed'),
      },
      { maxHeldBytes: 1_000_000, maxHeldChunks: 1_000_000, ...bounds },
    )
  }

  private note(what: Seen['what'], text = ''): void {
    this.seen.push({ atMs: this.time.nowNs() / 1e6, what, text })
  }

  add(input: ToxicInput, seed = 'pipe'): number {
    const key = this.added++
    const tally = new ToxicTally(this.time)
    this.tallies.set(key, tally)
    this.pipe.addToxic(key, parseToxic(input), tally.choose(), seededRandom(`${seed}/${key}`))
    return key
  }

  counts(key: number): ToxicCounts {
    const tally = this.tallies.get(key)
    if (tally === undefined) throw new Error(`no toxic ${key}`)
    return tally.counts
  }

  send(text: string): void {
    this.pipe.accept(Buffer.from(text, 'latin1'))
  }

  drain(): void {
    this.roomBytes = this.sinkBytes
    this.pipe.drained()
  }

  /** All that reached the sink, as one text. */
  get text(): string {
    return this.seen.map((seen) => seen.text).join('')
  }

  /** What the sink saw as `ms what text`. */
  get log(): string[] {
    return this.seen.map(({ atMs, what, text }) => `${atMs} ${what === 'bytes' ? text : what}`)
  }
}
