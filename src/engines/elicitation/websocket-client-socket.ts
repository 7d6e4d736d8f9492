/**
 * The data frames of one agent's WebSocket, written and read past the library (RFC 6455 §5).
 *
 * Frames are written masked from one scratch buffer with one system call, and read (websocket-frame-reader.ts) from one buffer
 * that all sockets share, so that neither direction passes a stream.
 */
import { randomFillSync } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { DataFrameReader, longLength } from './websocket-frame-reader.ts'
import { writeScratch } from './websocket-frames.ts'

/** One read of the loop at most. Messages are handled within the read, so sockets can share it. */
const chunk = Buffer.allocUnsafeSlow(65_536)

const finText = 0x81
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
    {
      isReady: () => isOpen() && socket.readableLength === 0,
      message: (bytes, from, to) => message(bytes.toString('utf8', from, to)),
      pass: (bytes) => socket.destroyed || socket.push(bytes),
    },
    'client',
    maxOwnPayloadBytes,
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
  writeScratch(socket, frame, renewOwnScratch)
  return socket.writableLength
}

function renewOwnScratch(): void {
  renewScratch(8192)
}
