/**
 * Reading ahead of the `ws` library, held against it at both ends: what either side of the library writes is read here in
 * full and in order, however the bytes are cut and whoever of the two reads a frame.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as library from 'ws'
import { DataFrameReader, type ReadingEnd } from '../../../src/engines/elicitation/websocket-frame-reader.ts'

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

const handshakes: Readonly<Record<ReadingEnd, Buffer>> = {
  client: Buffer.from('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\r\n\r\n'),
  server: Buffer.alloc(0),
}
const maxPayload = 65_535

/** One message or control frame, as the library at the other end writes it. */
function frame(end: ReadingEnd, data: string, opcode: number, fin = true): Buffer {
  const mask = end === 'server'
  return Buffer.concat(Sender.frame(Buffer.from(data), { fin, opcode, mask, readOnly: true, rsv1: false }))
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom('', 'y'.repeat(125), 'y'.repeat(126), 'y'.repeat(65_535), 'y'.repeat(65_536)),
)
type Kind = 'text' | 'binary' | 'ping' | 'fragments'
interface Item {
  readonly kind: Kind
  readonly data: string
}
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom<Kind>('text', 'binary'), data: text }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }).map((data) => ({ kind: 'ping' as const, data })) },
  { weight: 1, arbitrary: text.map((data) => ({ kind: 'fragments' as const, data })) },
)

function bytesOf(end: ReadingEnd, { kind, data }: Item): Buffer {
  if (kind === 'text') return frame(end, data, 1)
  if (kind === 'binary') return frame(end, data, 2)
  if (kind === 'ping') return frame(end, data, 9)
  return Buffer.concat([frame(end, data, 1, false), frame(end, '', 9), frame(end, data, 0)])
}

interface Read {
  readonly texts: string[]
  /** How many of them did not pass the library. */
  ahead: number
}

async function read(end: ReadingEnd, stream: Buffer, cuts: readonly number[], isReady: () => boolean): Promise<Read> {
  const seen: Read = { texts: [], ahead: 0 }
  const theirs = new Receiver({ isServer: end === 'server', maxPayload: 2 ** 20 })
  theirs.on('message', (data: Buffer) => void seen.texts.push(data.toString('utf8')))
  theirs.on('error', () => void seen.texts.push('error'))
  let heading = handshakes[end].length
  const owner = {
    isReady,
    message: (bytes: Buffer, from: number, to: number): void => {
      seen.texts.push(bytes.toString('utf8', from, to))
      seen.ahead++
    },
    pass: (bytes: Buffer): boolean => {
      const skipped = Math.min(heading, bytes.length)
      heading -= skipped
      return theirs.write(bytes.subarray(skipped))
    },
  }
  const reader = new DataFrameReader(owner, end, maxPayload)
  // One buffer for all, as between a client's sockets: what was kept of it instead of copied would be spoilt.
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
  return seen
}

const expected = (items: readonly Item[]): string[] =>
  items.flatMap(({ kind, data }) => (kind === 'ping' ? [] : [kind === 'fragments' ? data + data : data]))

describe.each<ReadingEnd>(['client', 'server'])('a stream of frames that a %s reads', (end) => {
  const streamOf = (items: readonly Item[]): Buffer =>
    Buffer.concat([handshakes[end], ...items.map((each) => bytesOf(end, each))])

  it('gives every message once and in order, wherever it is cut and whoever reads it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 12 }),
        fc.array(fc.nat({ max: 5000 }), { maxLength: 12 }),
        fc.boolean(),
        fc.nat({ max: 3 }),
        async (items, cuts, always, busy) => {
          let asked = 0
          // Not ready means that the library reads the frame, which here it does at once.
          const ready = (): boolean => always || asked++ % (busy + 1) === 0
          expect((await read(end, streamOf(items), cuts, ready)).texts).toEqual(expected(items))
        },
      ),
    )
  })

  it('is read byte by byte', async () => {
    const items = ['a', 'b'.repeat(126), '', 'ü€'].map((data) => ({ kind: 'text' as const, data }))
    const stream = streamOf(items)
    expect((await read(end, stream, Array.from(stream.keys()), () => true)).texts).toEqual(expected(items))
  })

  it('is read ahead of the library where frames are whole', async () => {
    const items = ['a', 'b'.repeat(300), 'ü€'].map((data) => ({ kind: 'text' as const, data }))
    expect((await read(end, streamOf(items), [], () => true)).ahead).toBe(3)
  })

  it('leaves a payload longer than allowed to the library', async () => {
    const { texts, ahead } = await read(end, streamOf([{ kind: 'text', data: 'z'.repeat(65_536) }]), [], () => true)
    expect(texts).toHaveLength(1)
    expect(ahead).toBe(0)
  })

  it.each<[string, Buffer]>([
    ['a frame masked as the wrong end does', frame(end === 'server' ? 'client' : 'server', 'm', 1)],
    ['a reserved opcode', frame(end, 'm', 3)],
    ['a reserved bit', Buffer.concat([Buffer.from([0xc1]), frame(end, 'm', 1).subarray(1)])],
    ['a continuation of nothing', frame(end, 'm', 0)],
    ['a ping of more than 125 bytes', frame(end, 'm'.repeat(126), 9)],
    ['a close frame with a code that may not be sent', frame(end, '\x03\x03', 8)],
  ])('leaves %s to the library and reads nothing after it', async (_what, wrong) => {
    const stream = Buffer.concat([handshakes[end], frame(end, 'good', 1), wrong, frame(end, 'never', 1)])
    expect((await read(end, stream, [], () => true)).texts).toEqual(['good', 'error'])
  })

  it('reads nothing after a close frame, wherever it is cut', async () => {
    const stream = Buffer.concat([handshakes[end], frame(end, 'good', 1), frame(end, '', 8), frame(end, 'never', 1)])
    for (const cut of stream.keys()) {
      let ahead = 0
      const owner = { isReady: () => true, message: () => void ahead++, pass: () => true }
      const reader = new DataFrameReader(owner, end, maxPayload)
      reader.read(Buffer.from(stream.subarray(0, cut)), cut)
      reader.read(Buffer.from(stream.subarray(cut)), stream.length - cut)
      expect(reader.hasYielded).toBe(true)
      expect(ahead).toBeLessThanOrEqual(1)
    }
  })

  it('keeps alive no more than it passes on, since the library may hold a cut frame for long', () => {
    const passed: Buffer[] = []
    const owner = { isReady: () => true, message: () => undefined, pass: (bytes: Buffer) => passed.push(bytes) > 0 }
    const reader = new DataFrameReader(owner, end, maxPayload)
    for (const byte of streamOf([{ kind: 'text', data: 'cut everywhere' }])) reader.read(Buffer.from([byte]), 1)
    expect(passed.length).toBeGreaterThan(15)
    for (const bytes of passed) expect(bytes.buffer.byteLength).toBe(bytes.length)
  })
})
