/**
 * Properties of recorder, codec and log: what was recorded is what is read, and no damage to a log does
 * anything but a LighthouseError or a log whose figures are still those of its histograms.
 */
import fc from 'fast-check'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeHistogram, HistogramFormatError } from '../../../src/measurement/histogram-codec.ts'
import {
  histogramLogHeader,
  histogramLogLine,
  readHistogramLog,
  seriesLines,
} from '../../../src/measurement/histogram-log.ts'
import { createBlockedRecorder, createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { bucketLowerEdge, distributionOf, quantile, type Distribution } from '../../../src/statistics/distribution.ts'

const highest = 600_000_000
const sample = fc.oneof(
  fc.integer({ min: 0, max: highest }),
  fc.integer({ min: 0, max: 5000 }),
  fc.constantFrom(0, 2047, 2048, 4095, 4096, highest),
)

function encoded(values: readonly number[]): string {
  const recorder = createLatencyRecorder({ unit: 'us', highest })
  for (const value of values) recorder.record(value)
  const text = recorder.encode()
  recorder.destroy()
  return text
}

function expectSound({ n, values, counts }: Distribution): void {
  expect(values.length).toBe(counts.length)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(n)
  for (const [index, value] of values.entries()) {
    expect(counts[index]).toBeGreaterThan(0)
    expect(Number.isSafeInteger(value)).toBe(true)
    if (index > 0) expect(value).toBeGreaterThan(values[index - 1] ?? Infinity)
  }
}

describe('recording and decoding', () => {
  it('keeps every sample in a bucket that holds it', () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 200 }), (samples) => {
        const decoded = decodeHistogram(encoded(samples))
        expectSound(decoded)
        const upper = samples.map((value) => decoded.values.find((edge) => edge >= value) ?? NaN)
        for (const [index, edge] of upper.entries())
          expect(bucketLowerEdge(edge)).toBeLessThanOrEqual(samples[index] ?? NaN)
        expect(decoded).toEqual(distributionOf(upper))
      }),
      { numRuns: 300 },
    )
  })

  it('decodes as the library does', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 100 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (samples, q) => {
          const text = encoded(samples)
          const library = decodeFromCompressedBase64(text)
          const own = decodeHistogram(text)
          expect([own.n, own.values.at(-1)]).toEqual([library.totalCount, library.maxValue])
          // Ranks that fall between two samples, where no rounding of q·n can tell the two apart.
          const rank = Math.floor(q * (samples.length - 1)) + 0.5
          expect(quantile(own, rank / samples.length)).toBe(library.getValueAtPercentile((100 * rank) / samples.length))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('keeps blocks apart whatever the order of arrival', () => {
    const arrival = fc.record({
      block: fc.integer({ min: -1, max: 5 }),
      value: fc.oneof(sample, fc.constantFrom(-1, -0.5, NaN, highest + 1, Infinity)),
    })
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 100 }), (arrivals) => {
        const recorder = createBlockedRecorder({ unit: 'us', highest, blocks: 5 })
        for (const { block, value } of arrivals) recorder.record(block, value)
        const log = histogramLogHeader(0) + seriesLines('delivery', recorder.encodeBlocks(), 4500)
        const held = arrivals.filter(({ block, value }) => block >= 0 && block < 5 && value >= 0 && value <= highest)
        expect(recorder.count).toBe(held.length)
        expect(recorder.count + recorder.negative + recorder.outOfRange).toBe(arrivals.length)
        recorder.destroy()
        const blocks = readHistogramLog(log).get('delivery') ?? []
        expect(blocks.map(({ n }) => n)).toEqual(
          [0, 1, 2, 3, 4].map((block) => held.filter((each) => each.block === block).length),
        )
      }),
      { numRuns: 100 },
    )
  })
})

const log =
  histogramLogHeader(1_795_313_256_000) +
  seriesLines('roundTrip', [encoded([1500, 2500, 90_000]), encoded([]), encoded([7, 7, 7, 599_999_999])], 3000) +
  histogramLogLine({ tag: 'stage.verify', startMs: 0, intervalMs: 3000, histogram: encoded([1200, 3400]) })

/** A damaged log reads soundly or is refused with its line; nothing else may come out. */
function expectContained(text: string): void {
  try {
    for (const blocks of readHistogramLog(text).values()) for (const block of blocks) expectSound(block)
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    expect(error.code).toBe('RUN_DIRECTORY')
    expect(error.message).toMatch(/line \d+: /)
  }
}

describe('damaged logs', () => {
  it('cut anywhere but at the end of a line are refused', () => {
    fc.assert(
      fc.property(fc.nat(log.length - 1), (length) => {
        const cut = log.slice(0, length)
        expectContained(cut)
        if (!cut.endsWith('\n')) expect(() => readHistogramLog(cut)).toThrow(LighthouseError)
      }),
      { numRuns: 500 },
    )
  })

  it('with changed characters are refused or sound', () => {
    const character = fc.oneof(
      fc.constantFrom('A', 'z', '0', '+', '/', '=', ',', '.', '#', '\n', '-', '\u0000', 'é'),
      fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(log.length - 1), character), { minLength: 1, maxLength: 4 }), (changes) => {
        let text = log
        for (const [index, replacement] of changes) text = text.slice(0, index) + replacement + text.slice(index + 1)
        expectContained(text)
      }),
      { numRuns: 1000 },
    )
  })

  it('with flipped bits under the base64 never get past the checksum of the compression', () => {
    const data = Buffer.from(encoded([1500, 2500, 90_000]), 'base64')
    const whole = decodeHistogram(data.toString('base64'))
    fc.assert(
      fc.property(fc.nat(data.length * 8 - 1), (bit) => {
        const flipped = Buffer.from(data)
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        try {
          // Bits of the compression header that do not matter to the result may change; the result may not.
          expect(decodeHistogram(flipped.toString('base64'))).toEqual(whole)
        } catch (error) {
          if (!(error instanceof HistogramFormatError)) throw error
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('with forged contents under a good checksum are refused or sound', () => {
    const bytes = fc.uint8Array({ maxLength: 64 })
    const header = Buffer.alloc(40)
    header.writeUInt32BE(0x1c849313, 0)
    header.writeUInt32BE(3, 12)
    header.writeBigUInt64BE(1n, 16)
    header.writeBigUInt64BE(600_000_000n, 24)
    const position = fc.oneof(fc.nat(39), fc.constant(-1))
    fc.assert(
      fc.property(bytes, position, fc.nat(255), (words, changed, value) => {
        const body = Buffer.concat([header, words])
        body.writeUInt32BE(words.length, 4)
        if (changed >= 0) body.writeUInt8(value, changed)
        const deflated = deflateSync(body)
        const head = Buffer.alloc(8)
        head.writeUInt32BE(0x1c849314, 0)
        head.writeUInt32BE(deflated.length, 4)
        try {
          expectSound(decodeHistogram(Buffer.concat([head, deflated]).toString('base64')))
        } catch (error) {
          if (!(error instanceof HistogramFormatError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})
