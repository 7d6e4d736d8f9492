/**
 * Unmasked text frames (RFC 6455 §5.2) as one buffer, for a server that writes them to the socket itself.
 *
 * `ws` writes header and payload of a message as two chunks, which costs a vectored write and three more objects per
 * frame. Only whole text messages go this way; control frames stay with `ws`, whose own frames are never split, so
 * the two cannot interleave within a frame. All frames are made in one scratch buffer: nearly always the kernel takes the
 * bytes at once, and where it does not, the caller leaves the buffer to the socket and asks for another.
 */
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

const finalText = 0x81
const longestShort = 125
export const longestMedium = 65_535
const headRoom = 4
const scratchBytes = 8192

let scratch = Buffer.allocUnsafeSlow(scratchBytes)

/** `text` as one frame, valid until the next call; null when it is longer than 65,535 bytes of UTF-8. */
export function textFrame(text: string): Buffer | null {
  // A UTF-16 unit takes three bytes of UTF-8 at most.
  const room = headRoom + text.length * 3
  if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.ceil(room / scratchBytes) * scratchBytes)
  const length = scratch.write(text, headRoom, 'utf8')
  if (length > longestMedium) return null
  const from = length <= longestShort ? 2 : 0
  scratch[from] = finalText
  if (from === 2) scratch[3] = length
  else {
    scratch[1] = 126
    scratch[2] = length >> 8
    scratch[3] = length & 0xff
  }
  return scratch.subarray(from, headRoom + length)
}

/**
 * Writes bytes of a scratch buffer; `renew` is called if the socket still holds them. A socket that has bytes queued, or that
 * encrypts, gets a copy: it would otherwise hold a whole scratch buffer per frame. A frame that must queue is copied to bytes of its
 * own, since one of the pool's would keep 64 KiB alive for a socket that counts it by its length.
 */
export function writeScratch(socket: Duplex, bytes: Buffer, renew: () => void): void {
  if (socket.writableLength > 0) socket.write(ownCopy(bytes, 0, bytes.length))
  else if (socket instanceof TLSSocket) socket.write(Buffer.from(bytes))
  else {
    socket.write(bytes)
    if (socket.writableLength > 0) renew()
  }
}

/** Bytes `from` … `to`−1 in memory of their own. */
export function ownCopy(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(to - from)
  bytes.copy(copy, 0, from, to)
  return copy
}

/** Leaves the bytes of the last frame to whoever still holds them. */
export function renewFrameScratch(): void {
  scratch = Buffer.allocUnsafeSlow(scratchBytes)
}
