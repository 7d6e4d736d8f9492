/**
 * The client's own way with data frames, held against the `ws` library: what either writes the other reads, however the bytes are cut.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as library from 'ws'
import {
  DataFrameReader,
  maskedTextFrame,
  maxOwnPayloadBytes,
} from '../../../src/engines/elicitation/websocket-client-socket.ts'

/** The library's own halves; its type definitions do not know them. */
interface ReceiverLike {
  on(event: string, listener: (data: Buffer) => void): void
  write(bytes: Uint8Array): boolean
}
interface Halves {
  readonly Receiver: new (options: { isServer: boolean; maxPayload?: number }) => ReceiverLike
  readonly Sender: { frame(data: Buffer, options: Readonly<Record<string, unknown>>): Buffer[] }
}
const { Receiver, Sender } = library as typeof library & Halves

const handshake = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\r\n\r\n')

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

/** One message or control frame of a server, as the library writes it. */
function frame(data: string, opcode: number, fin = true): Buffer {
  return Buffer.concat(Sender.frame(Buffer.from(data), { fin, opcode, mask: false, readOnly: false, rsv1: false }))
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom('', 'y'.repeat(125), 'y'.repeat(126), 'y'.repeat(65_535), 'y'.repeat(65_536)),
)
const item = fc.oneof(
  { weight: 6, arbitrary: text.map((data) => ({ kind: 'text' as const, data })) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }).map((data) => ({ kind: 'ping' as const, data })) },
  { weight: 1, arbitrary: text.map((data) => ({ kind: 'fragments' as const, data })) },
)

function bytesOf(entry: { kind: 'text' | 'ping' | 'fragments'; data: string }): Buffer {
  if (entry.kind === 'text') return frame(entry.data, 1)
  if (entry.kind === 'ping') return frame(entry.data, 9)
  return Buffer.concat([frame(entry.data, 1, false), frame('', 9), frame(entry.data, 0)])
}

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

describe('a stream of frames', () => {
  const read = async (stream: Buffer, cuts: readonly number[], ready: () => boolean): Promise<string[]> => {
    const texts: string[] = []
    const theirs = new Receiver({ isServer: false, maxPayload: 2 ** 20 })
    theirs.on('message', (data: Buffer) => void texts.push(data.toString('utf8')))
    theirs.on('error', () => void texts.push('error'))
    let heading = handshake.length
    const reader = new DataFrameReader(
      ready,
      (message) => void texts.push(message),
      (bytes) => {
        const skipped = Math.min(heading, bytes.length)
        heading -= skipped
        return theirs.write(bytes.subarray(skipped))
      },
    )
    // One buffer for all, as between sockets: what was kept of it instead of copied would be spoilt.
    const shared = Buffer.alloc(stream.length)
    let from = 0
    for (const to of [...cuts.map((cut) => Math.min(cut, stream.length)).toSorted((a, b) => a - b), stream.length]) {
      if (to === from) continue
      stream.copy(shared, 0, from, to)
      reader.read(shared, to - from)
      shared.fill(0xff)
      from = to
    }
    // The library tells an error in the next turn.
    await new Promise(setImmediate)
    return texts
  }
  const expected = (items: readonly { kind: string; data: string }[]): string[] =>
    items.flatMap(({ kind, data }) => (kind === 'ping' ? [] : [kind === 'text' ? data : data + data]))

  it('gives every message once and in order, wherever it is cut and whoever reads it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 12 }),
        fc.array(fc.nat({ max: 5000 }), { maxLength: 12 }),
        fc.boolean(),
        fc.nat({ max: 3 }),
        async (items, cuts, always, busy) => {
          let asked = 0
          const stream = Buffer.concat([handshake, ...items.map(bytesOf)])
          // Not ready means that the library reads the frame, which here it does at once.
          const ready = (): boolean => always || asked++ % (busy + 1) === 0
          expect(await read(stream, cuts, ready)).toEqual(expected(items))
        },
      ),
    )
  })

  it('is read byte by byte', async () => {
    const items = ['a', 'b'.repeat(126), '', 'ü€'].map((data) => ({ kind: 'text' as const, data }))
    const stream = Buffer.concat([handshake, ...items.map(bytesOf)])
    const everywhere = Array.from(stream.keys())
    expect(await read(stream, everywhere, () => true)).toEqual(expected(items))
  })

  it.each([
    [
      'a masked frame',
      Buffer.concat(Sender.frame(Buffer.from('m'), { fin: true, opcode: 1, mask: true, readOnly: false })),
    ],
    ['a reserved opcode', frame('m', 3)],
    ['a reserved bit', Buffer.from([0xc1, 1, 109])],
    ['a continuation of nothing', frame('m', 0)],
  ])('leaves %s to the library and reads nothing after it', async (_what, wrong) => {
    const stream = Buffer.concat([handshake, frame('good', 1), wrong, frame('never', 1)])
    expect(await read(stream, [], () => true)).toEqual(['good', 'error'])
  })
})
