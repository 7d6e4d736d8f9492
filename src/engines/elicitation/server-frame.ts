/**
 * Reads a frame of the server (docs/wire-protocol.md §1) token by token, without splitting it.
 *
 * A client reads two frames per exchange, and an array with a string per token was a tenth of what it allocates. One reader is
 * loaded with frame after frame; what is read of one must be taken before the next is loaded.
 */

const maxEnvelopeLength = 512
const space = 32

export class ServerFrameReader {
  private text = ''
  private at = 0
  private envelopeEnd = 0

  /** False when the frame has no envelope. */
  load(text: string): boolean {
    const lineEnd = text.indexOf('\n')
    this.text = text
    this.at = 0
    this.envelopeEnd = lineEnd < 0 ? text.length : lineEnd
    return this.envelopeEnd > 0 && this.envelopeEnd <= maxEnvelopeLength
  }

  /** The next token, '' behind the last. */
  token(): string {
    const from = this.at
    const to = this.tokenEnd()
    this.at = to + 1
    return from < to ? this.text.slice(from, to) : ''
  }

  /** The next token as a decimal without sign or leading zeros, at most 2⁵³−1; −1 for anything else. */
  count(): number {
    const { text, at: from } = this
    const to = this.tokenEnd()
    this.at = to + 1
    const length = to - from
    if (length < 1 || length > 16 || (length > 1 && text.charCodeAt(from) === 48)) return -1
    let value = 0
    for (let index = from; index < to; index++) {
      const digit = text.charCodeAt(index) - 48
      if (digit < 0 || digit > 9) return -1
      value = value * 10 + digit
    }
    return value > Number.MAX_SAFE_INTEGER ? -1 : value
  }

  /** What follows the envelope; '' when nothing does. */
  body(): string {
    return this.text.slice(this.envelopeEnd + 1)
  }

  private tokenEnd(): number {
    const { text, envelopeEnd } = this
    let end = this.at
    while (end < envelopeEnd && text.charCodeAt(end) !== space) end++
    return end
  }
}
