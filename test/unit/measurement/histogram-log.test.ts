/** The log against the library's own reader, and against one planted fault per rule of the strict reader. */
import { deflateSync } from 'node:zlib'
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  HistogramLogReader,
  JsHistogram,
} from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import { decodeHistogram } from '../../../src/measurement/histogram-codec.ts'
import {
  histogramLogHeader,
  histogramLogLimits,
  histogramLogLine,
  readHistogramLog,
  seriesLines,
  stageLines,
} from '../../../src/measurement/histogram-log.ts'
import { createBlockedRecorder, createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

const startedAtMs = 1_795_313_256_000

function encoded(values: readonly number[], unit: 'us' | 'ns' = 'us', highest = 600_000_000): string {
  const recorder = createLatencyRecorder({ unit, highest })
  for (const value of values) recorder.record(value)
  const text = recorder.encode()
  recorder.destroy()
  return text
}

function sampleLog(): string {
  const recorder = createBlockedRecorder({ unit: 'us', highest: 600_000_000, blocks: 3 })
  for (const value of [1500, 2500, 250_000]) recorder.record(0, value)
  recorder.record(2, 59_000_000)
  const log =
    histogramLogHeader(startedAtMs) +
    seriesLines('roundTrip', recorder.encodeBlocks(), 2500) +
    histogramLogLine({ tag: 'lateness', startMs: 0, intervalMs: 2500, histogram: encoded([12, 900]) }) +
    stageLines([{ tag: 'verify', histogram: encoded([1234], 'ns', 6e10) }], 2500)
  recorder.destroy()
  return log
}

describe('writing', () => {
  it('is read alike by the HdrHistogram log reader: tags, times, counts and values', () => {
    const reader = new HistogramLogReader(sampleLog())
    const seen: [string, number, number, number, number][] = []
    for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
      seen.push([
        next.tag,
        next.startTimeStampMsec - startedAtMs,
        next.endTimeStampMsec - startedAtMs,
        next.totalCount,
        next.maxValue,
      ])
    }
    expect(seen).toEqual([
      ['roundTrip', 0, 1000, 3, 250_111],
      ['roundTrip', 1000, 2000, 0, 0],
      ['roundTrip', 2000, 2500, 1, 59_015_167],
      ['lateness', 0, 2500, 2, 900],
      ['stage.verify', 0, 2500, 1, 1234],
    ])
  })

  it('prints Interval_Max in milliseconds whatever the unit of the histogram', () => {
    const columns = sampleLog()
      .split('\n')
      .filter((line) => line.startsWith('Tag='))
      .map((line) => line.split(',').slice(0, 4).join(','))
    expect(columns).toEqual([
      'Tag=roundTrip,0.000,1.000,250.111',
      'Tag=roundTrip,1.000,1.000,0.000',
      'Tag=roundTrip,2.000,0.500,59015.167',
      'Tag=lateness,0.000,2.500,0.900',
      'Tag=stage.verify,0.000,2.500,0.001234',
    ])
  })

  it('refuses blocks that are not those of the schedule', () => {
    expect(() => seriesLines('roundTrip', [encoded([]), encoded([])], 2500)).toThrow(
      /2 blocks for a schedule of 2500 ms/,
    )
    expect(() => histogramLogLine({ tag: 'a,b', startMs: 0, intervalMs: 1, histogram: encoded([]) })).toThrow(
      /cannot be the tag/,
    )
  })

  it('leaves no blank line and no line without newline', () => {
    expect(sampleLog()).not.toMatch(/\n\n/)
    expect(sampleLog().endsWith('\n')).toBe(true)
  })

  it('keeps ranges above 2³¹ readable by hdr-histogram-js, whose lower half of a 64-bit field is signed', () => {
    for (const highest of [2 ** 31, 3e9, 6e9, 6e10, 2 ** 33 - 1]) {
      const text = encoded([1, highest], 'ns', highest)
      const other = decodeFromCompressedBase64(text)
      const own = decodeHistogram(text)
      expect([other.totalCount, other.maxValue]).toEqual([2, own.values[1]])
      expect(own.values[1]).toBeGreaterThanOrEqual(highest)
    }
  })
})

describe('reading', () => {
  it('gives every series in the order of its blocks', () => {
    const series = readHistogramLog(sampleLog())
    expect([...series.keys()]).toEqual(['roundTrip', 'lateness', 'stage.verify'])
    expect(series.get('roundTrip')?.map(({ n, values }) => [n, [...values]])).toEqual([
      [3, [1500, 2501, 250_111]],
      [0, []],
      [1, [59_015_167]],
    ])
  })

  it('reads what the plain JavaScript build of the library encodes', () => {
    const histogram = build({ highestTrackableValue: 3_600_000_000, autoResize: false })
    if (!(histogram instanceof JsHistogram)) throw new Error('expected the plain JavaScript build')
    const samples = [0, 1, 2047, 2048, 4097, 1_000_000, 3_600_000_000]
    for (const value of samples) histogram.recordValueWithCount(value, 3)
    const { n, values, counts } = decodeHistogram(encodeIntoCompressedBase64(histogram))
    expect(n).toBe(21)
    expect([...counts]).toEqual(Array(7).fill(3))
    expect([...values]).toEqual(samples.map((value) => histogram.highestEquivalentValue(value)))
  })
})

/** A compressed histogram from a header and words, so that each field can be wrong by itself. */
function forged(fields: {
  digits?: number
  lowest?: bigint
  highest?: bigint
  offset?: number
  length?: number
  words?: readonly number[]
}): string {
  const words = fields.words ?? [2]
  const body = Buffer.alloc(40 + words.length)
  body.writeUInt32BE(0x1c849313, 0)
  body.writeUInt32BE(fields.length ?? words.length, 4)
  body.writeUInt32BE(fields.offset ?? 0, 8)
  body.writeUInt32BE(fields.digits ?? 3, 12)
  body.writeBigUInt64BE(fields.lowest ?? 1n, 16)
  body.writeBigUInt64BE(fields.highest ?? 600_000_000n, 24)
  body.writeDoubleBE(1, 32)
  body.set(words, 40)
  return wrapped(body)
}

function wrapped(body: Uint8Array, extra: Uint8Array = new Uint8Array(0)): string {
  const deflated = Buffer.concat([deflateSync(body), extra])
  const head = Buffer.alloc(8)
  head.writeUInt32BE(0x1c849314, 0)
  head.writeUInt32BE(deflated.length, 4)
  return Buffer.concat([head, deflated]).toString('base64')
}

function logWith(line: string): string {
  return histogramLogHeader(startedAtMs) + line
}

function lineWith(histogram: string, max = '0.000'): string {
  return logWith(`Tag=roundTrip,0.000,1.000,${max},${histogram}\n`)
}

function refusal(text: string): LighthouseError {
  try {
    readHistogramLog(text, { file: 'rounds/00-polling/histograms.hlog' })
  } catch (error) {
    if (error instanceof LighthouseError) return error
    throw error
  }
  throw new Error('the log was read')
}

const good = encoded([1500])

describe('refusing', () => {
  it('accepts the forgery that has no fault, so that the cases below fail for their own reason', () => {
    expect(readHistogramLog(lineWith(forged({}))).get('roundTrip')?.[0]?.n).toBe(1)
  })

  it.each([
    ['a cut line', logWith(`Tag=roundTrip,0.000,1.000,1.500,${good}`), /line 5: the last line is cut short/],
    ['a missing field', logWith(`Tag=roundTrip,0.000,1.500,${good}\n`), /line 5: expected Tag=/],
    ['a line without tag', logWith(`0.000,1.000,1.500,${good}\n`), /expected Tag=/],
    ['a blank line', logWith('\n'), /expected Tag=/],
    ['a negative start', logWith(`Tag=roundTrip,-1.000,1.000,1.500,${good}\n`), /expected Tag=/],
    ['a hostile tag', logWith(`Tag=../x,0.000,1.000,1.500,${good}\n`), /not a name of a series/],
    ['an unknown version', sampleLog().replace('version 1.3', 'version 2.0'), /line 2: format version "2.0"/],
    ['no version', sampleLog().replace(/#\[Histogram log.*\n/, ''), /line 4: a histogram comes before/],
    ['an empty file', '', /line 1: .* is missing/],
    [
      'overlapping blocks',
      logWith(`Tag=a,0.000,1.000,1.500,${good}\nTag=a,0.500,1.000,1.500,${good}\n`),
      /line 6: the block of a does not follow/,
    ],
    [
      'a block left out',
      sampleLog().replace(/Tag=roundTrip,1.000.*\n/, ''),
      /line 6: the block of roundTrip does not follow/,
    ],
    [
      'a first block left out',
      sampleLog().replace(/Tag=roundTrip,0.000.*\n/, ''),
      /line 5: the block of roundTrip does not follow/,
    ],
    ['a maximum above the histogram', lineWith(good, '1.502'), /Interval_Max 1.502 ms is not the maximum/],
    ['a maximum below the histogram', lineWith(good, '1.498'), /Interval_Max 1.498 ms/],
    ['what is not base64', lineWith(`A${good.slice(1, -4)}=AAA`), /not base64/],
    ['a wrong cookie', lineWith(`AAAA${good.slice(4)}`), /not of the V2 compressed encoding/],
    [
      'bytes after the deflated block',
      lineWith(wrapped(Buffer.alloc(41), Buffer.from('xx'))),
      /bytes after the compressed/,
    ],
    [
      'broken compression',
      lineWith(Buffer.from('1c8493140000000411111111', 'hex').toString('base64')),
      /does not decompress/,
    ],
    ['a short header', lineWith(wrapped(Buffer.alloc(12))), /header of the histogram is cut short/],
    ['an inner cookie that is wrong', lineWith(wrapped(Buffer.alloc(41))), /not of the V2 encoding/],
    ['a wrong payload length', lineWith(forged({ length: 2 })), /length of the counts/],
    ['shifted buckets', lineWith(forged({ offset: 5 })), /shifted buckets/],
    ['other digits', lineWith(forged({ digits: 2 })), /2 significant digits/],
    ['another lowest value', lineWith(forged({ lowest: 1000n })), /range 1000 to/],
    ['an absurd range', lineWith(forged({ highest: 2n ** 62n })), /range 1 to/],
    [
      'a run of zeros beyond the range',
      lineWith(forged({ words: [0xff, 0xff, 0x7f] })),
      /empty buckets leaves the range/,
    ],
    [
      'a count beyond the range',
      lineWith(forged({ highest: 2n, words: [0xff, 0x1f, 2] })),
      /count lies outside the range/,
    ],
    [
      'an absurd count',
      lineWith(forged({ words: [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f] })),
      /more than 1000000000000 samples/,
    ],
    ['a count beyond 2⁵³', lineWith(forged({ words: Array<number>(9).fill(0xfe) })), /larger than any histogram/],
    ['a cut count', lineWith(forged({ words: [2, 0x80] })), /last count is cut short/],
    ['a decompression bomb', lineWith(wrapped(Buffer.alloc(64 * 2 ** 20))), /unfolds into more than 1048576 bytes/],
  ])('%s', (_name, text, message) => {
    const error = refusal(text)
    expect(error.code).toBe('RUN_DIRECTORY')
    expect(error.message).toMatch(/^rounds\/00-polling\/histograms\.hlog, line \d+: /)
    expect(error.message).toMatch(message)
    expect(error.suggestions).not.toEqual([])
  })

  it('logs that are too long, have too many lines or together unfold into too much', () => {
    const long = `#${'x'.repeat(histogramLogLimits.lineCharacters)}\n`
    expect(refusal(long).message).toMatch(/line 1: the line is too long/)
    expect(refusal('#\n'.repeat(histogramLogLimits.lines + 1)).message).toMatch(/more than 20000 lines/)
    expect(refusal('#'.repeat(histogramLogLimits.characters + 1)).message).toMatch(/more than the limit/)
    const bytes = { inflatedBytes: 100, buckets: 1000 }
    expect(() => readHistogramLog(sampleLog(), { budget: bytes })).toThrow(/unfold/)
    const buckets = { inflatedBytes: 2 ** 20, buckets: 2 }
    expect(() => readHistogramLog(sampleLog(), { budget: buckets })).toThrow(/line 5: .*more buckets than the limit/)
  })
})
