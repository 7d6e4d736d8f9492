/**
 * Attacks on the server's reading and writing past its WebSocket library: bytes by hand, over TCP and over TLS.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as library from 'ws'
import { elicitationEngine } from '../../../src/engines/elicitation/definition.ts'
import { maxFrameBytes } from '../../../src/engines/elicitation/frame-codec.ts'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { throwAwayCertificate, throwAwayKey } from '../../e2e/polling-certificate.ts'
import { enrolmentKey, question, startServer, until } from './engine-harness.ts'
import { masked, opcodes, rawFrame, RawWebSocket } from './raw-web-socket.ts'

/** The type definitions do not know the receiver. */
const { Receiver } = library as typeof library & { Receiver: { prototype: { dataMessage(): void } } }

let server: EngineServer
const sockets: RawWebSocket[] = []
let body = ''
async function connect(name: string, head?: (by: RawWebSocket) => Buffer): Promise<RawWebSocket> {
  const socket = await RawWebSocket.connect(server.url, name, head, body)
  sockets.push(socket)
  return socket
}
afterEach(async () => {
  for (const { socket } of sockets.splice(0)) socket.destroy()
  await server.close()
  body = ''
  vi.restoreAllMocks()
})

function startSecure(options: Readonly<Record<string, string>>): Promise<EngineServer> {
  const tls = { certificate: throwAwayCertificate, key: throwAwayKey }
  return elicitationEngine.startServer({
    options,
    durability: 'memory',
    storeFile: null,
    listen: '127.0.0.1',
    port: 0,
    tls,
    enrolmentKey,
  })
}

const startOpen = (options: Readonly<Record<string, string>>): Promise<EngineServer> => startServer({ options })
const starts = [
  ['TCP', startOpen, ''],
  ['TLS', startSecure, ''],
  ['TCP, after a request with a body', startOpen, 'of no use'],
  ['TLS, after a request with a body', startSecure, 'of no use'],
] as const

/** Lets the server read what was written so far before more is written. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => void setImmediate(resolve))
}
const rows = (): number => server.stats().committedRows
/** Every frame is answered by its own acknowledgement, so order and loss show. */
const pongs = (count: number, from = 1): string[] => Array.from({ length: count }, (_, index) => `pong ${from + index}`)

describe.each(starts)('over %s', (_name, start, given) => {
  let alice: RawWebSocket
  beforeEach(async () => {
    body = given
    server = await start({ rateLimit: '100000', rateBurst: '100000' })
    alice = await connect('alice')
  })

  it('whole data frames are indeed read ahead of the library, and cut ones by it', async () => {
    const seen = vi.spyOn(Receiver.prototype, 'dataMessage')
    for (let count = 1; count <= 20; count++) {
      alice.socket.write(alice.text('ping'))
      await alice.expect(`pong ${count}`)
    }
    expect(seen).toHaveBeenCalledTimes(0)
    const frame = alice.text('ping')
    alice.socket.write(frame.subarray(0, 30))
    await turns()
    await turns()
    alice.socket.write(frame.subarray(30))
    await alice.expect('pong 21')
    expect(alice.heard).toEqual(pongs(21))
    expect(seen.mock.calls.length).toBeLessThanOrEqual(1)
  })

  it('frames that arrive with the request are read, whole and cut', async () => {
    let rest: Uint8Array = Buffer.alloc(0)
    const early = await connect('early', (by) => {
      const whole = [by.text('ping'), masked(opcodes.ping, 'p'), by.text('ping')]
      const cut = by.text('ping')
      rest = cut.subarray(11)
      return Buffer.concat([...whole, cut.subarray(0, 11)])
    })
    await early.expect('pong 2')
    early.socket.write(rest)
    early.socket.write(early.text('ping'))
    await early.expect('pong 4')
    expect(early.heard).toEqual(['pong 1', 'PONG p', 'pong 2', 'pong 3', 'pong 4'])
  })

  it('control frames are answered where they stand between data frames of one write', async () => {
    const parts = [1, 2, 3].flatMap((count) => [
      alice.text('ping'),
      masked(opcodes.ping, `p${count}`),
      masked(opcodes.pong, ''),
    ])
    alice.socket.write(Buffer.concat([...parts, alice.text('ping')]))
    await alice.expect('pong 4')
    expect(alice.heard).toEqual(['pong 1', 'PONG p1', 'pong 2', 'PONG p2', 'pong 3', 'PONG p3', 'pong 4'])
  })

  it('two frames and a control frame between them, cut at every byte', async () => {
    let asked = 0
    for (let cut = 1; ; cut++) {
      const stream = Buffer.concat([alice.text('ping'), masked(opcodes.ping, 'between'), alice.text('ping')])
      if (cut >= stream.length) break
      alice.socket.write(stream.subarray(0, cut))
      await turns()
      alice.socket.write(stream.subarray(cut))
      asked += 2
      const newest = asked
      await until(() => alice.said.at(-1) === `pong ${newest}`, `pong ${newest} after a cut at ${cut}`)
    }
    expect(alice.heard.filter((each) => each !== 'PONG between')).toEqual(pongs(asked))
    expect(alice.heard.filter((each) => each === 'PONG between').length).toBe(asked / 2)
  })

  it('a frame byte by byte, then whole ones', async () => {
    for (const byte of Buffer.concat([alice.text('ping'), alice.text('ping')])) {
      alice.socket.write(Uint8Array.of(byte))
      await turns()
    }
    alice.socket.write(Buffer.concat([alice.text('ping'), alice.text('ping')]))
    await alice.expect('pong 4')
    expect(alice.heard).toEqual(pongs(4))
  })

  it('a message in fragments with pings between, before and after whole ones', async () => {
    const whole = alice.text('ping')
    const signed = alice.sign('ping')
    const stream = [
      whole,
      rawFrame(0x01, signed.slice(0, 10), Uint8Array.of(1, 2, 3, 4)),
      masked(opcodes.ping, 'a'),
      rawFrame(0x00, '', Uint8Array.of(1, 2, 3, 4)),
      rawFrame(0x00, signed.slice(10, 60), Uint8Array.of(9, 9, 9, 9)),
      masked(opcodes.ping, 'b'),
      masked(opcodes.more, signed.slice(60)),
      alice.text('ping'),
    ]
    alice.socket.write(Buffer.concat(stream))
    alice.socket.write(alice.text('ping'))
    await alice.expect('pong 4')
    expect(alice.heard).toEqual(['pong 1', 'PONG a', 'PONG b', 'pong 2', 'pong 3', 'pong 4'])
  })

  it.each(['medium', 'long'] as const)('a short frame whose length is written in the %s form', async (form) => {
    alice.socket.write(Buffer.concat([masked(opcodes.text, alice.sign('ping'), form), alice.text('ping')]))
    await turns()
    alice.socket.write(alice.text('ping'))
    await alice.expect('pong 3')
    expect(alice.heard).toEqual(pongs(3))
  })

  it('a slow reader gets every frame unspoilt, in order, once', { timeout: 60_000 }, async () => {
    const bob = await connect('bob')
    bob.socket.pause()
    const bodyOf = (number: number): string => {
      const length = number % 3 === 0 ? 30_000 : number % 50
      return question.replace('Deploy', `${number}:${String.fromCharCode(97 + (number % 26)).repeat(length)}`)
    }
    const count = 1000
    for (let number = 1; number <= count; number++) {
      alice.socket.write(alice.text('ask', `x:alice:${number} bob 600000`, bodyOf(number)))
      if (number % 50 === 0) await until(() => rows() === number, `${number} rows`)
    }
    // Others are written to from the same scratch buffer meanwhile.
    for (let turn = 0; turn < 50; turn++) alice.socket.write(alice.text('ping'))
    await alice.expect(`pong ${count + 50}`)
    expect(bob.heard.length).toBeLessThan(count)
    bob.socket.resume()
    await until(() => bob.heard.length >= count, 'all questions', 30_000)
    const questions = bob.heard.filter((each) => each.startsWith('question'))
    expect(questions.map((each) => Number(each.split(' ', 3)[2]))).toEqual(Array.from(questions.keys(), (at) => at + 1))
    expect(questions.length).toBe(count)
    for (const [at, each] of questions.entries()) expect(each.slice(each.indexOf('\n') + 1)).toBe(bodyOf(at + 1))
  })
})

describe('sizes', () => {
  beforeEach(async () => {
    server = await startServer()
  })

  it.each([-1, 0])('a frame of the most bytes %d is taken', async (more) => {
    const [alice, bob] = [await connect('alice'), await connect('bob')]
    const empty = alice.sign('ask', 'x:alice:1 bob 5000', question)
    alice.nonce = 0
    const body = question.replace('Deploy', 'd'.repeat(6 + maxFrameBytes + more - Buffer.byteLength(empty)))
    alice.socket.write(alice.text('ask', 'x:alice:1 bob 5000', body))
    expect(await bob.expect('question')).toContain(body)
  })

  it('a frame of one byte more ends the connection with 1009, and what follows it is not taken', async () => {
    const [alice] = [await connect('alice'), await connect('bob')]
    const tooLong = masked(opcodes.text, Buffer.alloc(maxFrameBytes + 1, 65))
    alice.socket.write(Buffer.concat([tooLong, alice.text('ask', 'x:alice:1 bob 5000', question)]))
    await alice.expect('CLOSE 1009')
    await until(() => server.stats().openConnections === 1, 'the connection to be gone')
    expect(rows()).toBe(0)
  })

  it('an empty frame carries no signature', async () => {
    const alice = await connect('alice')
    alice.socket.write(masked(opcodes.text, ''))
    await alice.expect('bye INVALID_SIGNATURE')
  })
})

describe('what the library refuses', () => {
  beforeEach(async () => {
    server = await startServer()
  })

  it.each([
    ['a reserved bit', 1002, masked(0xc1, 'x')],
    ['another reserved bit on a control frame', 1002, masked(0xa9, 'x')],
    ['a reserved opcode', 1002, masked(0x83, 'x')],
    ['no mask', 1002, rawFrame(opcodes.text, 'x', null)],
    ['a control frame without mask', 1002, rawFrame(opcodes.ping, 'x', null)],
    ['a continuation of nothing', 1002, masked(opcodes.more, 'x')],
    ['a ping in fragments', 1002, masked(0x09, 'x')],
    ['a ping of 126 bytes', 1002, masked(opcodes.ping, 'x'.repeat(126))],
    ['a short ping with a medium length', 1002, masked(opcodes.ping, 'x', 'medium')],
    ['a short ping with a long length', 1002, masked(opcodes.ping, 'x', 'long')],
    ['a close frame of one byte', 1002, masked(opcodes.close, 'x')],
    ['a close frame with a code nobody may send', 1002, masked(opcodes.close, Uint8Array.of(3, 0xed))],
    ['a new message amid another', 1002, Buffer.concat([masked(0x01, 'x'), masked(opcodes.text, 'x')])],
    ['17 fragments', 1008, Buffer.concat([masked(0x01, ''), ...Array.from({ length: 16 }, () => masked(0x00, ''))])],
  ])(
    '%s ends the connection with %d, and what follows it in the same write is not taken',
    async (_what, code, bytes) => {
      const [alice, bob] = [await connect('alice'), await connect('bob')]
      alice.socket.write(
        Buffer.concat([
          alice.text('ping'),
          bytes,
          alice.text('ping'),
          alice.text('ask', 'x:alice:1 bob 5000', question),
        ]),
      )
      await alice.expect(`CLOSE ${code}`)
      await until(() => server.stats().openConnections === 1, 'the connection to be gone')
      expect(alice.heard).toEqual(['pong 1', `CLOSE ${code}`])
      bob.socket.write(bob.text('ping'))
      await bob.expect('pong 1')
      expect(bob.heard).toEqual(['pong 1'])
      expect(rows()).toBe(0)
    },
  )

  it.each([
    ['in the same write', false],
    ['in the next', true],
  ])('a frame after a close frame, %s, is not taken, and the connection ends in order', async (_when, apart) => {
    const [alice] = [await connect('alice'), await connect('bob')]
    const end = masked(opcodes.close, Uint8Array.of(3, 232))
    const late = alice.text('ask', 'x:alice:1 bob 5000', question)
    alice.socket.write(apart ? end : Buffer.concat([end, late]))
    if (apart) {
      await turns()
      alice.socket.write(late)
    }
    await alice.expect('CLOSE 1000')
    await until(() => alice.ended !== null, 'the end')
    expect(rows()).toBe(0)
    expect(alice.heard).toEqual(['CLOSE 1000'])
    await until(() => server.stats().openConnections === 1, 'the connection to be gone')
  })

  it('a frame with a bad signature in front of a good one in the same write', async () => {
    const [alice, bob] = [await connect('alice'), await connect('bob')]
    const bad = masked(opcodes.text, `${'A'.repeat(43)}\n${alice.sign('ping').slice(44)}`)
    alice.socket.write(Buffer.concat([bad, alice.text('ask', 'x:alice:1 bob 5000', question)]))
    await alice.expect('CLOSE 1000')
    expect(alice.heard).toEqual(['refused 0 - INVALID_SIGNATURE 0', 'bye INVALID_SIGNATURE', 'CLOSE 1000'])
    expect(bob.heard).toEqual([])
    expect(rows()).toBe(0)
  })
})

describe('ends of a connection', () => {
  beforeEach(async () => {
    server = await startServer()
  })

  it.each([
    ['with an end right behind it', (by: RawWebSocket, frame: Buffer) => by.socket.end(frame)],
    [
      'with a close frame right behind it',
      (by: RawWebSocket, frame: Buffer) => by.socket.write(Buffer.concat([frame, masked(opcodes.close, '')])),
    ],
  ])('a frame %s is taken once, the connection counted out once', async (_how, leave) => {
    const [alice, bob] = [await connect('alice'), await connect('bob')]
    leave(
      alice,
      Buffer.concat([
        alice.text('ask', 'x:alice:1 bob 5000', question),
        alice.text('ask', 'x:alice:2 bob 5000', question),
      ]),
    )
    await bob.expect('question 0 2')
    await until(() => alice.ended !== null && server.stats().openConnections === 1, 'the connection to be gone')
    expect(rows()).toBe(2)
    const again = await connect('alice')
    expect(server.stats().openConnections).toBe(2)
    expect(again.said[0]).toMatch(/^hello /)
  })

  it('a frame that never came whole is not taken, and may be repeated', async () => {
    const [alice, bob] = [await connect('alice'), await connect('bob')]
    const frame = alice.text('ask', 'x:alice:1 bob 5000', question)
    alice.socket.end(frame.subarray(0, frame.length - 1))
    await until(() => alice.ended !== null && server.stats().openConnections === 1, 'the connection to be gone')
    expect(rows()).toBe(0)
    const again = await connect('alice')
    again.socket.write(again.text('ask', 'x:alice:1 bob 5000', question))
    await bob.expect('question 0 1 x:alice:1')
    expect(rows()).toBe(1)
  })

  it('what a replaced connection still sends is not taken, cut or whole', async () => {
    const [older, bob] = [await connect('alice'), await connect('bob')]
    older.socket.pause()
    const cut = older.text('ask', 'x:alice:1 bob 5000', question)
    older.socket.write(cut.subarray(0, 20))
    await turns()
    const newer = await connect('alice')
    older.socket.write(Buffer.concat([cut.subarray(20), older.text('ask', 'x:alice:2 bob 5000', question)]))
    await turns()
    newer.socket.write(newer.text('ask', 'x:alice:3 bob 5000', question))
    expect(await bob.expect('question')).toContain(' x:alice:3 ')
    older.socket.resume()
    await older.expect('bye REPLACED')
    expect(rows()).toBe(1)
  })
})
