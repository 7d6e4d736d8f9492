/** The client's own frames, held against the `ws` library, which must read what was written. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as library from 'ws'
import { maskedTextFrame, maxOwnPayloadBytes } from '../../../src/engines/elicitation/websocket-client-socket.ts'

/** The library's own halves; its type definitions do not know them. */
interface ReceiverLike {
  on(event: string, listener: (data: Buffer) => void): void
  write(bytes: Uint8Array): boolean
}
interface Halves {
  readonly Receiver: new (options: { isServer: boolean }) => ReceiverLike
}
const { Receiver } = library as typeof library & Halves

function received(
  isServer: boolean,
  frames: readonly Uint8Array[],
): { texts: string[]; controls: number; failed: boolean } {
  const seen = { texts: [] as string[], controls: 0, failed: false }
  const receiver = new Receiver({ isServer })
  receiver.on('message', (data: Buffer) => void seen.texts.push(data.toString('utf8')))
  for (const control of ['ping', 'pong', 'conclude']) receiver.on(control, () => void seen.controls++)
  receiver.on('error', () => {
    seen.failed = true
  })
  for (const frame of frames) receiver.write(frame)
  return seen
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom('', 'y'.repeat(125), 'y'.repeat(126), 'y'.repeat(65_535), 'y'.repeat(65_536)),
)
describe('a masked text frame', () => {
  it('is read by the library as the text that it was made of', () => {
    fc.assert(
      fc.property(text, (data) => {
        const written = maskedTextFrame(data)
        if (Buffer.byteLength(data) > maxOwnPayloadBytes) {
          expect(written).toBeNull()
          return
        }
        expect(written).not.toBeNull()
        expect(received(true, [Buffer.from(written ?? '')])).toEqual({ texts: [data], controls: 0, failed: false })
      }),
    )
  })

  it('has another mask each time', () => {
    const masks = new Set(Array.from({ length: 5000 }, () => maskedTextFrame('')?.toString('hex')))
    expect(masks.size).toBeGreaterThan(4990)
  })
})
