/**
 * The server's end of a WebSocket, held against a server that leaves every byte to the `ws` library: whatever bytes a client
 * sends, however they are cut, both must take the same messages, say the same and part in the same way.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocketServer, type RawData, type ServerOptions } from 'ws'
import { Connections, type AcceptedSession, type Channel } from '../../../src/engines/elicitation/connections.ts'
import { maxFrameBytes } from '../../../src/engines/elicitation/frame-codec.ts'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import type { ElicitationMachine } from '../../../src/engines/elicitation/machine.ts'
import { DataFrameReader } from '../../../src/engines/elicitation/websocket-frame-reader.ts'
import { WebSocketAcceptor } from '../../../src/engines/elicitation/websocket-server.ts'
import { rawFrame, type LengthForm } from '../../unit/elicitation/raw-web-socket.ts'

/** A socket in memory: the test is the client, and decides what arrives when. */
class Pipe extends Duplex {
  written = Buffer.alloc(0)
  ended = false
  /** Whether bytes are taken a turn of the event loop later, so that some are still queued when the next arrive. */
  private readonly isSlow: boolean

  constructor(isSlow: boolean) {
    super()
    this.isSlow = isSlow
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, taken: () => void): void {
    this._writev([{ chunk: bytes }], taken)
  }

  /** All that was corked together at once, as the kernel takes it: the library writes a frame as two chunks. */
  override _writev(chunks: readonly { chunk: Buffer }[], taken: () => void): void {
    const take = (): void => {
      this.written = Buffer.concat([this.written, ...chunks.map(({ chunk }) => chunk)])
      taken()
    }
    if (this.isSlow) setImmediate(take)
    else take()
  }

  override _final(done: () => void): void {
    this.ended = true
    done()
  }
}

interface Seen {
  readonly messages: string[]
  /** What the server wrote after the handshake. */
  said: string
  ended: boolean
  closes: number
}

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const request = {
  method: 'GET',
  url: '/v1/connect',
  headers: { upgrade: 'websocket', 'sec-websocket-key': key, 'sec-websocket-version': '13' },
} as unknown as IncomingMessage
const accepted: AcceptedSession = {
  agent: 0,
  session: 's',
  key: createFrameMac(Buffer.alloc(32)),
  expiresAtMs: Infinity,
  cursor: -1,
}
/** Written down again, so that a change of the server's own options shows here. */
const options: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: maxFrameBytes,
  maxFragments: 16,
  maxBufferedChunks: 1024,
  closeTimeout: 2000,
}

type Upgrade = (socket: Pipe, head: Buffer, seen: Seen) => void

const digest = (message: Buffer): string => createHash('sha256').update(message).digest('hex')

/** Answers every message, so that what is said shows where among control frames it was read. */
class Recording extends Connections {
  readonly seen: Seen

  constructor(seen: Seen) {
    super(() => ({ attach: () => undefined }) as unknown as ElicitationMachine)
    this.seen = seen
  }

  override received(_agent: number, channel: Channel, message: Buffer): void {
    const said = digest(message)
    this.seen.messages.push(said)
    if (channel.isOpen()) channel.send(said, 0)
  }

  override ended(): void {
    this.seen.closes++
  }
}

const ours: Upgrade = (socket, head, seen) =>
  new WebSocketAcceptor(new Recording(seen)).upgrade(request, socket, head, accepted)

const theirs: Upgrade = (socket, head, seen) => {
  new WebSocketServer(options).handleUpgrade(request, socket, head, (webSocket) => {
    webSocket.on('message', (data: RawData) => {
      const said = digest(data as Buffer)
      seen.messages.push(said)
      if (webSocket.readyState === webSocket.OPEN) webSocket.send(said)
    })
    webSocket.on('close', () => void seen.closes++)
    webSocket.on('error', () => webSocket.terminate())
  })
}

interface Cut {
  readonly bytes: number
  /** Whether what follows arrives in the same turn of the event loop. */
  readonly atOnce: boolean
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

async function play(
  upgrade: Upgrade,
  stream: Buffer,
  headBytes: number,
  cuts: readonly Cut[],
  isSlow: boolean,
): Promise<Seen> {
  const socket = new Pipe(isSlow)
  const seen: Seen = { messages: [], said: '', ended: false, closes: 0 }
  upgrade(socket, Buffer.from(stream.subarray(0, headBytes)), seen)
  let from = headBytes
  for (const { bytes, atOnce } of [...cuts, { bytes: stream.length, atOnce: false }]) {
    if (socket.destroyed) break
    const to = Math.min(stream.length, from + bytes)
    if (to > from) socket.push(Buffer.from(stream.subarray(from, to)))
    from = to
    if (!atOnce) await turn()
  }
  await turn()
  if (!socket.destroyed) socket.push(null)
  for (let waited = 0; waited < 40; waited++) await turn()
  seen.said = socket.written.toString('latin1')
  seen.ended = socket.ended
  socket.destroy()
  await turn()
  return seen
}

const mask = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.constant(new Uint8Array(4)))
const lengths = [0, 125, 126, 127, maxFrameBytes - 1, maxFrameBytes, maxFrameBytes + 1, 65_535, 65_536]
const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 140 }) },
  { weight: 2, arbitrary: fc.nat(2000).map((length) => new Uint8Array(length).fill(7)) },
  { weight: 1, arbitrary: fc.constantFrom(...lengths).map((length) => new Uint8Array(length).fill(9)) },
)
const form = fc.constantFrom<LengthForm>('least', 'medium', 'long')
const data = fc.tuple(fc.constantFrom(0x81, 0x82), payload, mask).map((parts) => rawFrame(...parts))
const wordy = fc
  .tuple(fc.constantFrom(0x81, 0x82), fc.uint8Array({ maxLength: 140 }), mask, form)
  .map((parts) => rawFrame(...parts))
const control = fc
  .tuple(fc.constantFrom(0x89, 0x8a), fc.uint8Array({ maxLength: 125 }), mask)
  .map((parts) => rawFrame(...parts))
const reasons = [[], [3, 232], [3, 232, 65], [15, 160], [3, 0], [0]].map((bytes) => Uint8Array.from(bytes))
const close = fc.tuple(fc.constantFrom(...reasons), mask).map(([reason, masked]) => rawFrame(0x88, reason, masked))
const fragments = fc
  .tuple(fc.array(payload, { minLength: 1, maxLength: 18 }), fc.option(control), mask)
  .map(([parts, between, masked]) =>
    Buffer.concat(
      parts.flatMap((body, index) => [
        rawFrame((index === 0 ? 1 : 0) | (index === parts.length - 1 ? 0x80 : 0), body, masked),
        between ?? Buffer.alloc(0),
      ]),
    ),
  )
const odd = fc
  .tuple(fc.nat(255), payload, fc.option(mask), fc.constantFrom<LengthForm>('least', 'short', 'medium', 'long'))
  .map((parts) => rawFrame(...parts))
const stream = fc
  .array(
    fc.oneof(
      { weight: 10, arbitrary: data },
      { weight: 3, arbitrary: wordy },
      { weight: 4, arbitrary: control },
      { weight: 1, arbitrary: close },
      { weight: 1, arbitrary: fragments },
      { weight: 1, arbitrary: odd },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    ),
    { maxLength: 14 },
  )
  .map((parts) => Buffer.concat(parts))
const piece = fc.oneof(...[12, 3000, 80_000].map((max) => fc.integer({ min: 1, max })))
const cuts = fc.array(fc.record({ bytes: piece, atOnce: fc.boolean() }), { maxLength: 30, size: 'max' })

const property = fc.asyncProperty(stream, fc.nat(20), cuts, fc.boolean(), async (bytes, early, pieces, isSlow) => {
  const headBytes = Math.min(early, bytes.length)
  const expected = await play(theirs, bytes, headBytes, pieces, isSlow)
  count('messages', expected.messages.length)
  count('closed in order', expected.said.includes('\x88\x02\x03\xe8') ? 1 : 0)
  count('errors of protocol', expected.said.includes('\x88\x02\x03\xea') ? 1 : 0)
  count('too long', expected.said.includes('\x88\x02\x03\xf1') ? 1 : 0)
  expect(await play(ours, bytes, headBytes, pieces, isSlow)).toEqual(expected)
})

const met = new Map<string, number>()
function count(what: string, more: number): void {
  met.set(what, (met.get(what) ?? 0) + more)
}

/** A frame whose payload comes in one chunk more than the library holds, and a whole frame in the last of them. */
async function tooManyChunks(upgrade: Upgrade): Promise<Seen> {
  const mask = Uint8Array.of(1, 2, 3, 4)
  const bytes = Buffer.concat([rawFrame(0x81, Buffer.alloc(2000), mask), rawFrame(0x81, 'next', mask)])
  const single = Array.from({ length: 8 + 1024 }, () => ({ bytes: 1, atOnce: true }))
  return play(upgrade, bytes, 0, single, false)
}

afterEach(() => void vi.restoreAllMocks())

describe('the server’s end of a WebSocket', () => {
  it('takes, says and ends what the library alone would', { timeout: 60_000 }, async () => {
    await fc.assert(property, { numRuns: 1500 })
    for (const what of ['messages', 'closed in order', 'errors of protocol', 'too long'])
      expect(met.get(what) ?? 0, what).toBeGreaterThan(10)
  })

  it('takes no frame after one that the library gave up', async () => {
    const expected = await tooManyChunks(theirs)
    expect(expected).toMatchObject({ messages: [], said: expect.stringContaining('\x88\x02\x03\xf0') })
    expect(await tooManyChunks(ours)).toEqual(expected)
  })
})

describe('the comparison itself', () => {
  it('sees a reader that goes on listening when the library no longer does', { timeout: 60_000 }, async () => {
    vi.spyOn(DataFrameReader.prototype, 'hasYielded', 'get').mockReturnValue(false)
    expect((await fc.check(property, { numRuns: 3000, endOnFailure: true })).failed).toBe(true)
  })

  it('sees a frame that is read although the library has stopped', async () => {
    vi.spyOn(Pipe.prototype, 'isPaused').mockReturnValue(false)
    expect((await tooManyChunks(ours)).messages).toEqual([digest(Buffer.from('next'))])
  })
})
