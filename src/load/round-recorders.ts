/**
 * The histograms of one round and the log they become. Range 1 µs to 600 s, so that no deadline a plan may
 * name falls outside; one block per second of the schedule unless the plan names longer ones.
 */
import { blockMs as secondMs, histogramLogHeader, histogramLogLine, seriesLines } from '../measurement/histogram-log.ts'
import {
  createBlockedRecorder,
  createLatencyRecorder,
  maximumBlocks,
  type BlockedRecorder,
  type LatencyRecorder,
} from '../measurement/latency-recorder.ts'
import { LighthouseError } from '../platform/errors.ts'

const highestUs = 600_000_000

export class RoundRecorders {
  readonly delivery: BlockedRecorder
  readonly roundTrip: BlockedRecorder
  readonly serviceTime: BlockedRecorder
  readonly lateness: LatencyRecorder
  /** Whole instances of a coordination pattern, from arrival to end; null where none is played. */
  readonly pattern: BlockedRecorder | null
  /** Round trips of the whole round, for the display while it runs; never published. */
  readonly overall: LatencyRecorder
  private readonly durationMs: number
  private readonly blockMs: number

  /** Throws LighthouseError('USAGE') for a round of more than `maximumBlocks` blocks. */
  constructor(durationMs: number, withPattern = false, blockMs = secondMs) {
    const blocks = Math.ceil(durationMs / blockMs)
    if (blocks > maximumBlocks) {
      const most = (maximumBlocks * blockMs) / 1000
      throw new LighthouseError('USAGE', `a round of ${durationMs} ms is longer than ${most} s`, {
        suggestions: ['Use shorter rounds, and more of them.'],
      })
    }
    this.durationMs = durationMs
    this.blockMs = blockMs
    const range = { unit: 'us', highest: highestUs } as const
    this.delivery = createBlockedRecorder({ ...range, blocks })
    this.roundTrip = createBlockedRecorder({ ...range, blocks })
    this.serviceTime = createBlockedRecorder({ ...range, blocks })
    this.lateness = createLatencyRecorder(range)
    this.pattern = withPattern ? createBlockedRecorder({ ...range, blocks }) : null
    this.overall = createLatencyRecorder(range)
  }

  /** Of an instant, in ns from the start of the round. */
  blockOf(fromNs: number): number {
    return Math.floor(fromNs / (this.blockMs * 1e6))
  }

  get negative(): number {
    return this.published().reduce((sum, recorder) => sum + recorder.negative, 0)
  }

  get outOfRange(): number {
    return this.published().reduce((sum, recorder) => sum + recorder.outOfRange, 0)
  }

  /** 0 when nothing was sent; the audit then has a reason of its own. */
  get latenessP99Ms(): number {
    return (this.lateness.quantile(0.99) ?? 0) / 1000
  }

  /** The whole text of `histograms.hlog` but for the engine's stages. */
  encode(startedAtMs: number): string {
    const { durationMs, blockMs } = this
    return [
      histogramLogHeader(startedAtMs),
      seriesLines('delivery', this.delivery.encodeBlocks(), durationMs, blockMs),
      seriesLines('roundTrip', this.roundTrip.encodeBlocks(), durationMs, blockMs),
      seriesLines('serviceTime', this.serviceTime.encodeBlocks(), durationMs, blockMs),
      ...(this.pattern === null ? [] : [seriesLines('pattern', this.pattern.encodeBlocks(), durationMs, blockMs)]),
      histogramLogLine({ tag: 'lateness', startMs: 0, intervalMs: durationMs, histogram: this.lateness.encode() }),
    ].join('')
  }

  destroy(): void {
    for (const recorder of this.published()) recorder.destroy()
    this.overall.destroy()
  }

  private published(): readonly (BlockedRecorder | LatencyRecorder)[] {
    const always = [this.delivery, this.roundTrip, this.serviceTime, this.lateness]
    return this.pattern === null ? always : [...always, this.pattern]
  }
}
