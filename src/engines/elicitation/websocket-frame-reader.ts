/**
 * Reads the data frames of one WebSocket ahead of the library (RFC 6455 §5), at either end.
 *
 * `ws` does the handshake, control frames, fragments and every error; this only takes the frames that are nearly all of the
 * traffic: whole, unfragmented, within one read. Bytes of any other frame go to the library in their order, and a frame is
 * only read here while the library has nothing left to read; so the order of messages is that of the wire.
 */

import { ownCopy } from './websocket-frames.ts'

const notOurs = -1
const cutHeader = 0
const finText = 0x81
const finBinary = 0x82
const finPing = 0x89
const finPong = 0x8a
const maskBit = 0x80
/** Says that the length follows in two bytes. */
export const longLength = 126
const longestHeader = 8

/** What a reader needs of its connection. */
export interface FrameReaderOwner {
  /** Whether the library has opened the connection and has nothing left to read. */
  isReady(): boolean
  /** A message in bytes `from` … `to`−1, which are the caller's again afterwards. */
  message(bytes: Buffer, from: number, to: number): void
  /** Hands bytes to the library, which may keep them until a frame is whole, and so owns their memory; false asks for a pause. */
  pass(bytes: Buffer): boolean
}

/**
 * `server` reads masked frames and unmasks them where they lie; `client` reads unmasked ones, after the answer to its
 * handshake, which goes to the library.
 */
export type ReadingEnd = 'server' | 'client'

export class DataFrameReader {
  private readonly owner: FrameReaderOwner
  private readonly masked: boolean
  private readonly maxPayload: number
  /** Characters of the blank line that ends the answer to the handshake; 4 once it has been seen. */
  private blankLine: number
  /** Bytes of a frame that the library was given in part. */
  private owed = 0
  private header: Uint8Array | null = null
  private headerLength = 0
  private yielded = false

  /** Longer payloads than `maxPayload`, 65,535 at most, are the library's to refuse. */
  constructor(owner: FrameReaderOwner, end: ReadingEnd, maxPayload: number) {
    this.owner = owner
    this.masked = end === 'server'
    this.maxPayload = maxPayload
    this.blankLine = end === 'server' ? 4 : 0
  }

  /** Something came that only the library understands, or that ends the connection: this and all that follows is the library's. */
  get hasYielded(): boolean {
    return this.yielded
  }

  /** Reads bytes 0 … `end`−1, which are the caller's again afterwards, unmasked or not. False asks for a pause. */
  read(bytes: Buffer, end: number): boolean {
    const { owner } = this
    let at = this.blankLine === 4 && this.owed === 0 && this.headerLength === 0 ? 0 : this.resume(bytes, end)
    let passFrom = 0
    while (at < end && !this.yielded) {
      const size = this.frameSize(bytes, at, end)
      if (size === notOurs) this.yielded = true
      else if (size === cutHeader) {
        this.header ??= new Uint8Array(longestHeader)
        this.header.set(bytes.subarray(at, end))
        this.headerLength = end - at
        at = end
      } else {
        const next = at + size
        const mayBeOurs = (bytes[at] as number) < finPing && next <= end && owner.isReady()
        if (mayBeOurs && passFrom < at) {
          owner.pass(ownCopy(bytes, passFrom, at))
          passFrom = at
        }
        // What was just passed may have closed the connection, or wait to be read.
        if (mayBeOurs && owner.isReady()) {
          passFrom = next
          const from = at + this.headerSize(bytes[at + 1] as number)
          if (this.masked) unmask(bytes, from, next)
          owner.message(bytes, from, next)
        } else this.owed = Math.max(0, next - end)
        at = Math.min(next, end)
      }
    }
    return passFrom >= end || owner.pass(ownCopy(bytes, passFrom, end))
  }

  private headerSize(second: number): number {
    return ((second & 0x7f) === longLength ? 4 : 2) + (this.masked ? 4 : 0)
  }

  /** Bytes of the frame that starts at `at`, header included; `cutHeader` when `end` comes too early to know. */
  private frameSize(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at] as number
    if (first !== finText && first !== finBinary && first !== finPing && first !== finPong) return notOurs
    if (at + 1 >= end) return cutHeader
    const second = bytes[at + 1] as number
    // A mask where none belongs, none where one does, above 64 KiB, or a long ping: an error, which is the library's to report.
    const longest = first < finPing ? longLength : longLength - 1
    if (((second & maskBit) !== 0) !== this.masked || (second & 0x7f) > longest) return notOurs
    const header = this.headerSize(second)
    if (at + header > end) return cutHeader
    const isLong = (second & 0x7f) === longLength
    const payload = isLong ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : second & 0x7f
    return payload > this.maxPayload ? notOurs : header + payload
  }

  /** Where the first frame begins that this read can begin with. */
  private resume(bytes: Buffer, end: number): number {
    return this.skipBegun(bytes, this.skipHandshake(bytes, end), end)
  }

  private skipHandshake(bytes: Buffer, end: number): number {
    let at = 0
    for (; at < end && this.blankLine < 4; at++) {
      const expected = this.blankLine % 2 === 0 ? 13 : 10
      const byte = bytes[at]
      this.blankLine = byte === expected ? this.blankLine + 1 : byte === 13 ? 1 : 0
    }
    return at
  }

  /** The rest of a frame that began in an earlier chunk. */
  private skipBegun(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (this.headerLength > 0 && this.header !== null && at < end) {
      this.header[this.headerLength++] = bytes[at++] as number
      const size = this.frameSize(this.header, 0, this.headerLength)
      if (size === cutHeader) continue
      if (size === notOurs) this.yielded = true
      else this.owed = size - this.headerLength
      this.headerLength = 0
    }
    const skipped = Math.min(this.owed, end - at)
    this.owed -= skipped
    return at + skipped
  }
}

/** Undoes the mask that lies in the four bytes before `from` (RFC 6455 §5.3). */
function unmask(bytes: Buffer, from: number, to: number): void {
  const first = bytes[from - 4] as number
  const second = bytes[from - 3] as number
  const third = bytes[from - 2] as number
  const fourth = bytes[from - 1] as number
  let at = from
  for (; at + 3 < to; at += 4) {
    bytes[at] = (bytes[at] as number) ^ first
    bytes[at + 1] = (bytes[at + 1] as number) ^ second
    bytes[at + 2] = (bytes[at + 2] as number) ^ third
    bytes[at + 3] = (bytes[at + 3] as number) ^ fourth
  }
  if (at < to) bytes[at] = (bytes[at] as number) ^ first
  if (at + 1 < to) bytes[at + 1] = (bytes[at + 1] as number) ^ second
  if (at + 2 < to) bytes[at + 2] = (bytes[at + 2] as number) ^ third
}
