/**
 * Unmasked text frames (RFC 6455 §5.2) as one buffer, for a server that writes them to the socket itself.
 *
 * `ws` writes header and payload of a message as two chunks, which costs a vectored write and three more objects per
 * frame. Only whole text messages go this way; handshake, control frames and everything received stay with `ws`,
 * whose own frames are never split, so the two cannot interleave within a frame.
 */

const finalText = 0x81
const longestShort = 125
const longestMedium = 65_535

/** The frame on the wire; null when the text is longer than 65,535 bytes of UTF-8. */
export function textFrame(text: string): Buffer | null {
  const length = Buffer.byteLength(text)
  if (length > longestMedium) return null
  const header = length <= longestShort ? 2 : 4
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = finalText
  if (header === 2) frame[1] = length
  else {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  }
  frame.write(text, header, 'utf8')
  return frame
}
