/**
 * The data frames of one agent's WebSocket, written and read past the library (RFC 6455 §5).
 *
 * `ws` does the handshake, control frames, fragments and every error; this only takes the frames that are nearly all of the
 * traffic: whole and unfragmented. They are written masked from one scratch buffer with one system call, and read from one buffer
 * that all sockets share, so that neither direction passes a stream. Bytes of any other frame go to the library in their order, and a
 * frame is only read here while the library has nothing left to read; so the order of messages is that of the wire.
 */
import { randomFillSync } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** One read of the loop at most. Messages are handled within the read, so sockets can share it. */
const chunk = Buffer.allocUnsafeSlow(65_536)

const notOurs = -1
const cutHeader = 0
const finText = 0x81
const finBinary = 0x82
const finClose = 0x88
const finPong = 0x8a
/** Says that the length follows in two bytes. */
const longLength = 126

/** Bytes of the frame that starts at `at`, header included; `cutHeader` when `end` comes too early to know. */
function frameSize(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number
  if (first !== finText && first !== finBinary && (first < finClose || first > finPong)) return notOurs
  if (at + 1 >= end) return cutHeader
  const length = bytes[at + 1] as number
  if (length < longLength) return 2 + length
  // Masked or above 64 KiB: an error, which is the library's to report.
  if (length > longLength) return notOurs
  if (at + 3 >= end) return cutHeader
  return 4 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
}

export class DataFrameReader {
  /** Whether the library has opened the connection and can be overtaken. */
  private readonly isReady: () => boolean
  private readonly message: (text: string) => void
  /** Hands bytes to the library; false asks for a pause. */
  private readonly pass: (bytes: Buffer) => boolean
  /** Characters of the blank line that ends the answer to the handshake; 4 once it has been seen. */
  private blankLine = 0
  /** Bytes of a frame that the library was given in part. */
  private owed = 0
  private readonly header = new Uint8Array(4)
  private headerLength = 0
  /** Something came that only the library understands; all that follows is its. */
  private yielded = false

  constructor(isReady: () => boolean, message: (text: string) => void, pass: (bytes: Buffer) => boolean) {
    this.isReady = isReady
    this.message = message
    this.pass = pass
  }

  /** Reads bytes 0 … `end`−1, which are the caller's again afterwards. False asks for a pause. */
  read(bytes: Buffer, end: number): boolean {
    let at = this.skipBegun(bytes, this.skipHandshake(bytes, end), end)
    let passFrom = 0
    while (at < end && !this.yielded) {
      const size = frameSize(bytes, at, end)
      if (size === notOurs) this.yielded = true
      else if (size === cutHeader) {
        this.header.set(bytes.subarray(at, end))
        this.headerLength = end - at
        at = end
      } else {
        const next = at + size
        const mayBeOurs = (bytes[at] as number) < finClose && next <= end && this.isReady()
        if (mayBeOurs && passFrom < at) {
          this.pass(Buffer.from(bytes.subarray(passFrom, at)))
          passFrom = at
        }
        // What was just passed may have closed the connection, or wait to be read.
        if (mayBeOurs && this.isReady()) {
          passFrom = next
          this.message(bytes.toString('utf8', bytes[at + 1] === longLength ? at + 4 : at + 2, next))
        } else this.owed = Math.max(0, next - end)
        at = Math.min(next, end)
      }
    }
    return passFrom >= end || this.pass(Buffer.from(bytes.subarray(passFrom, end)))
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
    while (this.headerLength > 0 && at < end) {
      this.header[this.headerLength++] = bytes[at++] as number
      const size = frameSize(this.header, 0, this.headerLength)
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

/** Bytes before the payload: the mask lies at 4 … 7, so that words of the payload are words of the buffer. */
const headRoom = 8
const maskWord = 1
export const maxOwnPayloadBytes = 65_535

let scratch = Buffer.allocUnsafeSlow(8192)
let scratchWords = new Uint32Array(scratch.buffer)
const masks = new Uint32Array(2048)
let nextMask = masks.length

/** Unpredictable, as §10.3 asks. */
function freshMask(): number {
  if (nextMask === masks.length) {
    randomFillSync(masks)
    nextMask = 0
  }
  return masks[nextMask++] as number
}

function renewScratch(bytes: number): void {
  scratch = Buffer.allocUnsafeSlow(bytes)
  scratchWords = new Uint32Array(scratch.buffer)
}

/** `text` as one masked text frame, valid until the next call; null when it is longer than `maxOwnPayloadBytes`. */
export function maskedTextFrame(text: string): Buffer | null {
  // A UTF-16 unit takes three bytes of UTF-8 at most; words are written whole.
  const room = headRoom + text.length * 3 + 4
  if (room > scratch.length) renewScratch(Math.ceil(room / 4096) * 4096)
  const length = scratch.write(text, headRoom, 'utf8')
  if (length > maxOwnPayloadBytes) return null
  const mask = freshMask()
  scratchWords[maskWord] = mask
  const endWord = (headRoom + length + 3) >> 2
  for (let word = maskWord + 1; word < endWord; word++) scratchWords[word] = (scratchWords[word] as number) ^ mask
  const isLong = length >= longLength
  const from = isLong ? 0 : 2
  scratch[from] = finText
  scratch[from + 1] = 0x80 | (isLong ? longLength : length)
  if (isLong) {
    scratch[2] = length >> 8
    scratch[3] = length & 0xff
  }
  return scratch.subarray(from, headRoom + length)
}

/** A TCP connection whose data frames are read here; `isOpen` and `message` are the channel's. */
export function connectPlain(url: URL, isOpen: () => boolean, message: (text: string) => void): Socket {
  const reader = new DataFrameReader(
    () => isOpen() && socket.readableLength === 0,
    message,
    (bytes) => socket.destroyed || socket.push(bytes),
  )
  const socket = connect({
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: Number(url.port === '' ? 80 : url.port),
    noDelay: true,
    onread: { buffer: chunk, callback: (length) => reader.read(chunk, length) },
  })
  return socket
}

/**
 * Bytes that the kernel did not take at once and that wait in the socket's queue; −1 when nothing was written, since the text is too
 * long for this path.
 */
export function writeTextFrame(socket: Socket, text: string): number {
  const frame = maskedTextFrame(text)
  if (frame === null) return -1
  socket.write(frame)
  const queuedBytes = socket.writableLength
  // The queue holds the bytes themselves, so they must not be written over.
  if (queuedBytes > 0) renewScratch(8192)
  return queuedBytes
}
