/**
 * Decodes one HDR histogram (V2, compressed, base64) into a Distribution without trusting a byte of it: the
 * text comes from certificates that strangers hand in. The size after decompression is bounded before
 * anything is allocated, every bucket index is checked against the range in the header, and bytes that no
 * field accounts for are an error.
 *
 * Format: HdrHistogram V2 by Gil Tene: cookie, length, deflated block of a 40-byte header and ZigZag
 * LEB128-64b9B words, where a negative word is a run of empty buckets.
 */
import { inflateSync } from 'node:zlib'
import { emptyDistribution, type Distribution } from '../statistics/distribution.ts'
import { significantDigits } from './latency-recorder.ts'

/** How much one log, or all logs of a run that share it, may unfold into. Counted down while decoding. */
export interface DecodeBudget {
  inflatedBytes: number
  /** Non-empty buckets: 16 bytes of memory each. */
  buckets: number
}

export function decodeBudget(): DecodeBudget {
  return { inflatedBytes: 256 * 2 ** 20, buckets: 16 * 2 ** 20 }
}

export const codecLimits = {
  /** Base64 characters of one histogram. */
  encodedCharacters: 512 * 1024,
  /** Bytes of one histogram after decompression. */
  inflatedBytes: 1024 * 1024,
  /** Samples of one histogram. */
  samples: 1e12,
} as const

/** What makes a histogram unreadable, in words; the caller adds the place. */
export class HistogramFormatError extends Error {
  override name = 'HistogramFormatError'
}

/** The encodings' cookies with the bit that says "counts are LEB128 words", which V2 always sets. */
const compressedCookie = 0x1c849314
const plainCookie = 0x1c849313
const headerBytes = 40
/** Single-unit buckets of a histogram with 3 digits, 2 × 10³ rounded up to a power of two; half of it per further row. */
const firstRow = 2048
const halfRow = firstRow / 2

/** Throws HistogramFormatError. */
export function decodeHistogram(base64: string, budget: DecodeBudget = decodeBudget()): Distribution {
  const body = inflate(base64, budget)
  return readCounts(body, readBucketLimit(body), budget)
}

function inflate(base64: string, budget: DecodeBudget): Buffer {
  if (base64.length > codecLimits.encodedCharacters) {
    fail(`the histogram has ${base64.length} characters, more than the limit of ${codecLimits.encodedCharacters}`)
  }
  const data = Buffer.from(base64, 'base64')
  // Node skips what is not base64; only text that encodes back to itself was base64 throughout.
  if (data.length === 0 || data.toString('base64') !== base64) fail('the histogram is not base64')
  if (data.length < 9) fail('the histogram is cut short')
  if (data.readUInt32BE(0) !== compressedCookie) fail('the histogram is not of the V2 compressed encoding')
  if (data.readUInt32BE(4) !== data.length - 8) fail('the compressed length does not match the data')
  if (budget.inflatedBytes <= 0) fail('the histograms unfold into more bytes than the limit')
  const allowed = Math.min(codecLimits.inflatedBytes, budget.inflatedBytes)
  const body = inflateBounded(data.subarray(8), allowed)
  budget.inflatedBytes -= body.length
  return body
}

function inflateBounded(compressed: Buffer, maxOutputLength: number): Buffer {
  let body: Buffer
  let consumed: number
  try {
    const result: unknown = inflateSync(compressed, { maxOutputLength, info: true })
    ;({ body, consumed } = inflateResult(result))
  } catch (error) {
    if (error instanceof RangeError) fail(`the histogram unfolds into more than ${maxOutputLength} bytes`)
    if (error instanceof HistogramFormatError) throw error
    return fail('the histogram does not decompress')
  }
  if (consumed !== compressed.length) fail('there are bytes after the compressed histogram')
  return body
}

/** With `info`, zlib gives the buffer and the engine that counted the bytes it took; the types name only the buffer. */
function inflateResult(result: unknown): { body: Buffer; consumed: number } {
  if (typeof result !== 'object' || result === null || !('buffer' in result) || !('engine' in result)) {
    return fail('the decompressor gave no account of its input')
  }
  const { buffer, engine } = result
  if (!Buffer.isBuffer(buffer) || typeof engine !== 'object' || engine === null || !('bytesWritten' in engine)) {
    return fail('the decompressor gave no account of its input')
  }
  return { body: buffer, consumed: Number(engine.bytesWritten) }
}

/**
 * Checks the header and gives the number of buckets that its range spans. Only histograms with 3 digits and
 * single units at the bottom are read: the statistics rest on the width of those buckets.
 */
function readBucketLimit(body: Buffer): number {
  if (body.length < headerBytes) fail('the header of the histogram is cut short')
  if (body.readUInt32BE(0) !== plainCookie) fail('the histogram is not of the V2 encoding')
  if (body.readUInt32BE(4) !== body.length - headerBytes) fail('the length of the counts does not match the data')
  // Implementations write 0 or 1 here for plain integer histograms; anything else shifts the buckets.
  if (body.readUInt32BE(8) > 1) fail('the histogram has shifted buckets, which this reader does not know')
  const digits = body.readUInt32BE(12)
  if (digits !== significantDigits) fail(`the histogram has ${digits} significant digits, not ${significantDigits}`)
  const lowest = body.readBigUInt64BE(16)
  const highest = body.readBigUInt64BE(24)
  if (lowest !== 1n || highest < 2n || highest > BigInt(Number.MAX_SAFE_INTEGER)) {
    fail(`the range ${lowest} to ${highest} does not start at 1 or is not one that a histogram can have`)
  }
  let rows = 1
  for (let edge = BigInt(firstRow); edge <= highest; edge *= 2n) rows++
  return (rows + 1) * halfRow
}

function readCounts(body: Buffer, bucketLimit: number, budget: DecodeBudget): Distribution {
  const words = countWords(body)
  if (words === 0) return emptyDistribution
  const values = new Float64Array(words)
  const counts = new Float64Array(words)
  const cursor = { position: headerBytes }
  let bucket = 0
  let used = 0
  let n = 0
  while (cursor.position < body.length) {
    const word = readWord(body, cursor)
    if (word <= 0) {
      // A lone empty bucket is written as 0, a run of k as −k.
      bucket += word === 0 ? 1 : -word
      if (bucket > bucketLimit) fail('a run of empty buckets leaves the range of the histogram')
      continue
    }
    if (bucket >= bucketLimit) fail('a count lies outside the range of the histogram')
    n += word
    if (n > codecLimits.samples) fail(`the histogram holds more than ${codecLimits.samples} samples`)
    values[used] = upperEdge(bucket)
    counts[used] = word
    used++
    bucket++
  }
  budget.buckets -= used
  if (budget.buckets < 0) fail('the histograms hold more buckets than the limit')
  return { n, values: values.slice(0, used), counts: counts.slice(0, used) }
}

/** Words end at a byte without the continuation bit, or at their ninth byte; an upper bound is enough here. */
function countWords(body: Buffer): number {
  let words = 0
  for (let index = headerBytes; index < body.length; index++) if ((body[index] as number) < 0x80) words++
  return words + Math.ceil((body.length - headerBytes - words) / 9)
}

function readWord(body: Buffer, cursor: { position: number }): number {
  let value = 0
  let scale = 1
  for (let index = 0; ; index++) {
    const byte = body[cursor.position++]
    if (byte === undefined) return fail('the last count is cut short')
    const last = index === 8 || byte < 0x80
    value += (last && index === 8 ? byte : byte & 0x7f) * scale
    if (last) break
    scale *= 128
  }
  if (value > Number.MAX_SAFE_INTEGER) fail('a count is larger than any histogram can hold')
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Highest value that falls into the same bucket: what HDR publishes as the value of a quantile. */
function upperEdge(bucket: number): number {
  const row = Math.max(0, Math.floor(bucket / halfRow) - 1)
  return (bucket - row * halfRow + 1) * 2 ** row - 1
}

function fail(what: string): never {
  throw new HistogramFormatError(what)
}
