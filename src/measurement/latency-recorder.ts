/**
 * Records durations of one series into an HDR histogram: 3 significant digits, integer units, all memory
 * allocated up front, so that a record costs neither allocation nor branch beyond two range checks.
 *
 * What no histogram can hold is counted beside it: a negative duration means that two clocks disagree, one
 * above `highest` that the range was chosen too small. Neither is clamped and neither throws, because a
 * clamped sample is an invented one. Method: Gil Tene's HdrHistogram, WebAssembly build.
 */
import { build, encodeIntoCompressedBase64, initWebAssemblySync, type Histogram } from 'hdr-histogram-js'
import { LighthouseError } from '../platform/errors.ts'

export const durationUnits = ['us', 'ns'] as const
/** Unit of the integers in a histogram: microseconds or nanoseconds. */
export type DurationUnit = (typeof durationUnits)[number]

export const significantDigits = 3

/** Longest schedule of one round in blocks of a second: bounds the memory of a series to about 13 MB. */
export const maximumBlocks = 600

export interface RecorderOptions {
  readonly unit: DurationUnit
  /** Largest duration in `unit` that is held; 600 s in microseconds takes 22 KB, 60 s in nanoseconds 108 KB. */
  readonly highest: number
}

export interface LatencyRecorder {
  readonly unit: DurationUnit
  /** Samples held by the histogram; `negative` and `outOfRange` come on top of it. */
  readonly count: number
  readonly negative: number
  readonly outOfRange: number
  /** `value` in `unit`; the fraction is dropped, a value below zero counts as negative however small. */
  record(value: number): void
  /** Upper edge of the bucket that holds the sample of rank ⌈q·n⌉, or null without samples. 0 < q ≤ 1. */
  quantile(q: number): number | null
  /** V2 compressed base64, as one line of an HDR log carries it. */
  encode(): string
  reset(): void
  /** Frees the WebAssembly memory; the recorder must not be used afterwards. */
  destroy(): void
}

class HdrRecorder implements LatencyRecorder {
  readonly unit: DurationUnit
  negative = 0
  outOfRange = 0
  private readonly highest: number
  private readonly histogram: Histogram

  constructor(options: RecorderOptions) {
    this.unit = options.unit
    this.highest = options.highest
    this.histogram = buildHistogram(options)
  }

  get count(): number {
    return this.histogram.totalCount
  }

  record(value: number): void {
    if (value < 0) this.negative++
    // Written so that NaN, which is neither small nor large, ends here as well.
    else if (!(value <= this.highest)) this.outOfRange++
    else this.histogram.recordValue(value)
  }

  quantile(q: number): number | null {
    return this.histogram.totalCount === 0 ? null : this.histogram.getValueAtPercentile(q * 100)
  }

  encode(): string {
    return encodeIntoCompressedBase64(this.histogram)
  }

  reset(): void {
    this.negative = 0
    this.outOfRange = 0
    this.histogram.reset()
  }

  destroy(): void {
    this.histogram.destroy()
  }
}

/** Throws LighthouseError('INTERNAL') for a range that no histogram can have. */
export function createLatencyRecorder(options: RecorderOptions): LatencyRecorder {
  return new HdrRecorder(options)
}

function buildHistogram({ unit, highest }: RecorderOptions): Histogram {
  if (!Number.isSafeInteger(highest) || highest < 2 || highest > 2 ** 52) {
    throw new LighthouseError('INTERNAL', `A histogram cannot track durations up to ${highest} ${unit}.`)
  }
  initWebAssemblySync()
  return build({
    useWebAssembly: true,
    autoResize: false,
    lowestDiscernibleValue: 1,
    highestTrackableValue: encodableHighest(highest),
    numberOfSignificantValueDigits: significantDigits,
  })
}

/**
 * The reader of hdr-histogram-js takes the lower half of a 64-bit field as a signed number, and so may read
 * the range as smaller than it is and lose the upper buckets. A range whose lower half has its top bit clear
 * is read alike by every implementation; rounding up costs one bucket row at most.
 */
function encodableHighest(highest: number): number {
  return highest < 2 ** 31 ? highest : Math.ceil(highest / 2 ** 32) * 2 ** 32
}

export interface BlockedRecorderOptions extends RecorderOptions {
  /** Blocks of the schedule, ⌈duration / 1 s⌉; at most `maximumBlocks`. */
  readonly blocks: number
}

/**
 * One series split by the 1 s block of the schedule that an exchange belongs to. Samples may come in any
 * order, since an exchange scheduled in second 3 may end in second 40. A block takes memory with its first
 * sample and keeps it for the next round.
 */
export interface BlockedRecorder {
  readonly unit: DurationUnit
  readonly blocks: number
  readonly count: number
  readonly negative: number
  /** Includes samples whose block lies outside the schedule. */
  readonly outOfRange: number
  /** `block` is the scheduled second, 0 … blocks−1; `value` as for `LatencyRecorder.record`. */
  record(block: number, value: number): void
  /** One histogram per block in order, the empty ones too, so that the position is the block. */
  encodeBlocks(): string[]
  reset(): void
  destroy(): void
}

class HdrBlockedRecorder implements BlockedRecorder {
  readonly unit: DurationUnit
  readonly blocks: number
  negative = 0
  outOfRange = 0
  private readonly options: RecorderOptions
  private readonly highest: number
  private readonly histograms: (Histogram | null)[]
  private empty: string | null = null

  constructor(options: BlockedRecorderOptions) {
    if (!Number.isInteger(options.blocks) || options.blocks < 1 || options.blocks > maximumBlocks) {
      throw new LighthouseError('INTERNAL', `A series has 1 to ${maximumBlocks} blocks, not ${options.blocks}.`)
    }
    this.unit = options.unit
    this.blocks = options.blocks
    this.highest = options.highest
    this.options = { unit: options.unit, highest: options.highest }
    this.histograms = Array.from({ length: options.blocks }, () => null)
  }

  get count(): number {
    return this.histograms.reduce((sum, histogram) => sum + (histogram?.totalCount ?? 0), 0)
  }

  record(block: number, value: number): void {
    if (value < 0) this.negative++
    else if (!(value <= this.highest)) this.outOfRange++
    else {
      const histogram = this.histograms[block]
      if (histogram !== null && histogram !== undefined) histogram.recordValue(value)
      else this.recordFirst(block, value)
    }
  }

  private recordFirst(block: number, value: number): void {
    if (this.histograms[block] === undefined) {
      this.outOfRange++
      return
    }
    const histogram = buildHistogram(this.options)
    histogram.recordValue(value)
    this.histograms[block] = histogram
  }

  encodeBlocks(): string[] {
    return this.histograms.map((histogram) =>
      histogram === null ? this.encodedEmpty() : encodeIntoCompressedBase64(histogram),
    )
  }

  private encodedEmpty(): string {
    if (this.empty === null) {
      const histogram = buildHistogram(this.options)
      this.empty = encodeIntoCompressedBase64(histogram)
      histogram.destroy()
    }
    return this.empty
  }

  reset(): void {
    this.negative = 0
    this.outOfRange = 0
    for (const histogram of this.histograms) histogram?.reset()
  }

  destroy(): void {
    for (const [block, histogram] of this.histograms.entries()) {
      histogram?.destroy()
      this.histograms[block] = null
    }
  }
}

/** Throws LighthouseError('INTERNAL') for a range or a number of blocks that cannot be. */
export function createBlockedRecorder(options: BlockedRecorderOptions): BlockedRecorder {
  return new HdrBlockedRecorder(options)
}
