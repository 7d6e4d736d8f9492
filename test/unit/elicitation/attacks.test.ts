/**
 * Attacks by name. Each is carried out over a real connection and must end in its own code, and change nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { macOf, signedFrame } from '../../../src/engines/elicitation/frame-codec.ts'
import { acceptance, enrolmentKey, question, startServer, until } from './engine-harness.ts'
import { enrolRaw, issue, RawAgent, upgradeStatus } from './raw-agent.ts'

let server: EngineServer
let alice: RawAgent
let bob: RawAgent
let mallory: RawAgent
const extra: RawAgent[] = []
const connect = async (...args: Parameters<typeof RawAgent.connect>): Promise<RawAgent> => {
  const agent = await RawAgent.connect(...args)
  extra.push(agent)
  return agent
}

beforeEach(async () => {
  server = await startServer()
  alice = await connect(server.url, 'alice')
  bob = await connect(server.url, 'bob')
  mallory = await connect(server.url, 'mallory')
})
afterEach(async () => {
  for (const agent of extra.splice(0)) agent.close()
  await server.close()
})

/** Alice asks Bob; resolves when Bob holds the question. */
async function aliceAsksBob(id = 'x:alice:1'): Promise<string> {
  const frame = alice.send('ask', `${id} bob 5000`, question)
  await bob.expect('question')
  return frame
}

const rows = (): number => server.stats().committedRows

describe('signatures', () => {
  it('forged signature', async () => {
    mallory.socket.send(`${'A'.repeat(43)}\n${mallory.sign('ask', 'x:mallory:1 bob 1000', question).slice(44)}`)
    await mallory.expectBye('INVALID_SIGNATURE')
    expect(rows()).toBe(0)
  })

  it('body altered after signing', async () => {
    mallory.socket.send(mallory.sign('ask', 'x:mallory:1 bob 1000', question).replace('Deploy', 'Delete'))
    await mallory.expectBye('INVALID_SIGNATURE')
  })

  it('body written anew with the same meaning', async () => {
    mallory.socket.send(mallory.sign('ask', 'x:mallory:1 bob 1000', question).replace('{"message"', '{ "message"'))
    await mallory.expectBye('INVALID_SIGNATURE')
  })

  it.each([
    ['short', (mac: string) => mac.slice(0, 42)],
    ['long', (mac: string) => `${mac}A`],
    ['empty', () => ''],
    ['upper case', (mac: string) => mac.toUpperCase()],
    ['hexadecimal', (mac: string) => Buffer.from(mac, 'base64url').toString('hex')],
    ['with padding', (mac: string) => `${mac}=`],
    ['another spelling of the same bytes', otherSpelling],
  ])('signature that is %s', async (_what, change) => {
    const frame = mallory.sign('cursor', '')
    mallory.socket.send(`${change(frame.slice(0, 43))}\n${frame.slice(44)}`)
    await mallory.expectBye('INVALID_SIGNATURE')
  })

  it('valid signature of another agent', async () => {
    mallory.socket.send(alice.sign('ask', 'x:alice:1 bob 1000', question))
    await mallory.expectBye('INVALID_SIGNATURE')
    expect(bob.question()).toBeUndefined()
  })

  it('a verdict is not remembered: the same id with a bad signature after a good one', async () => {
    await aliceAsksBob()
    const again = alice.sign('ask', 'x:alice:1 bob 5000', question)
    alice.socket.send(`${'B'.repeat(43)}${again.slice(43)}`)
    await alice.expectBye('INVALID_SIGNATURE')
  })
})

describe('replay', () => {
  it('on the same connection', async () => {
    alice.socket.send(await aliceAsksBob())
    await alice.expectBye('REPLAY_ATTACK')
    expect(rows()).toBe(1)
  })

  it('on another connection of the same session', async () => {
    const frame = await aliceAsksBob()
    const again = await connect(server.url, 'alice', alice.issued)
    await alice.expect('bye REPLACED')
    again.socket.send(frame)
    await again.expectBye('REPLAY_ATTACK')
  })

  it('on a connection of another session of the agent', async () => {
    const frame = await aliceAsksBob()
    const again = await connect(server.url, 'alice')
    again.socket.send(frame)
    await again.expectBye('REPLAY_ATTACK')
  })

  it('a nonce used again for another frame', async () => {
    await aliceAsksBob()
    alice.socket.send(alice.sign('ask', 'x:alice:2 bob 1000', question, 1))
    await alice.expectBye('REPLAY_ATTACK')
  })

  it('a nonce below the window', async () => {
    // Frames by POST may leave nonces out.
    const ahead = alice.sign('cursor', '', undefined, 100_000)
    const { status } = await fetch(new URL('/v1/frames', server.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.issued.token}`, 'x-lighthouse-signature': ahead.slice(0, 43) },
      body: ahead.slice(44),
    })
    expect(status).toBe(202)
    alice.socket.send(alice.sign('cursor', '', undefined, 99_000))
    await alice.expectBye('REPLAY_ATTACK')
  })

  it('a frame withheld, and the next one let through: the next is not taken either', async () => {
    const withheld = alice.sign('ask', 'x:alice:1 bob 1000', question)
    alice.send('ask', 'x:alice:2 bob 1000', question)
    await alice.expectBye('NONCE_GAP')
    expect(rows()).toBe(0)
    const again = await connect(server.url, 'alice', alice.issued)
    again.socket.send(withheld)
    await bob.expect('question 0 1 x:alice:1')
  })

  it('after the exchange has ended', async () => {
    await aliceAsksBob()
    const answer = bob.send('answer', 'x:alice:1', acceptance)
    await alice.expect('result')
    bob.socket.send(answer)
    await bob.expectBye('REPLAY_ATTACK')
  })

  it('after a restart on the same store, and an old token', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'elicitation-test-'))
    const settings = { durability: 'os', storeFile: join(folder, 'events.db') } as const
    try {
      const first = await startServer(settings)
      const before = await connect(first.url, 'carol')
      await connect(first.url, 'dave')
      const frame = before.send('ask', 'x:carol:1 dave 60000', question)
      await before.expect('ack')
      await first.close()
      const second = await startServer(settings)
      try {
        expect(await upgradeStatus(second.url, { authorization: `Bearer ${before.issued.token}` })).toBe(401)
        const after = await connect(second.url, 'carol')
        expect(after.issued.epoch).toBe(before.issued.epoch + 1)
        after.socket.send(frame)
        await after.expectBye('REPLAY_ATTACK')
      } finally {
        await second.close()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('identity', () => {
  it('impersonation: an exchange in the name of another agent', async () => {
    mallory.send('ask', 'x:alice:1 bob 1000', question)
    await mallory.expect('refused 1 x:alice:1 CONFLICT')
    expect(bob.question()).toBeUndefined()
  })

  it('answering for another agent', async () => {
    await aliceAsksBob()
    mallory.send('answer', 'x:alice:1', acceptance)
    await mallory.expect('refused 1 x:alice:1 UNAUTHORIZED_RESPONSE')
    expect(alice.frames.some((frame) => frame.startsWith('result'))).toBe(false)
  })

  it('withdrawing the question of another agent', async () => {
    await aliceAsksBob()
    mallory.send('cancel', 'x:alice:1')
    await mallory.expect('refused 1 x:alice:1 UNAUTHORIZED_RESPONSE')
    bob.send('answer', 'x:alice:1', acceptance)
    expect(await alice.expect('result')).toMatch(/^result \d+ 1 x:alice:1 accept\n/)
  })

  it('id guessing: answering what was never asked', async () => {
    for (let guess = 1; guess <= 20; guess++) mallory.send('answer', `x:alice:${guess}`, acceptance)
    await mallory.expect('refused 20 x:alice:20 ELICITATION_NOT_FOUND')
    expect(server.stats().refusals).toEqual({ ELICITATION_NOT_FOUND: 20 })
  })

  it('session hijack: the token of another agent with one’s own key', async () => {
    const stolen = await issue(server.url, 'alice')
    const hijacker = await connect(server.url, 'alice', { ...stolen, key: mallory.issued.key })
    hijacker.send('ask', 'x:alice:9 bob 1000', question)
    await hijacker.expectBye('INVALID_SIGNATURE')
  })

  it('session hijack: one’s own session with the name of another in the token', async () => {
    const forged = mallory.issued.token.replace('mallory', 'alice')
    expect(await upgradeStatus(server.url, { authorization: `Bearer ${forged}` })).toBe(401)
  })

  it.each(['', 'Bearer ', 'Bearer x', 'Bearer a.b.c.d.e', `Bearer ${'a'.repeat(5000)}`, 'Basic YTpi'])(
    'no valid token: %s',
    async (authorization) => {
      expect(await upgradeStatus(server.url, authorization === '' ? {} : { authorization })).toBe(401)
    },
  )

  it('a browser’s request', async () => {
    const headers = { authorization: `Bearer ${mallory.issued.token}`, origin: 'https://attacker.example' }
    expect(await upgradeStatus(server.url, headers)).toBe(403)
  })

  it('reading the inbox of another agent by its cursor', async () => {
    await aliceAsksBob()
    const spy = await connect(server.url, 'mallory', undefined, 1)
    await spy.expect('refused 0 - RESUME_GAP 0')
    spy.send('ping', '')
    await spy.expect('pong')
    expect(spy.question()).toBeUndefined()
  })

  it('enrolment without the key', async () => {
    for (const key of ['', 'wrong', `${enrolmentKey}x`])
      expect((await enrolRaw(server.url, ['eve'], key)).status).toBe(401)
  })

  it.each(['__proto__', 'constructor', 'prototype', 'a b', 'a\nb', '../x', '', 'ä', 'a'.repeat(65), 'a:b'])(
    'enrolment under the name %j',
    async (name) => {
      expect((await enrolRaw(server.url, [name])).status).toBe(400)
    },
  )
})

describe('the life of an exchange', () => {
  it('second answer', async () => {
    await aliceAsksBob()
    bob.send('answer', 'x:alice:1', acceptance)
    await alice.expect('result')
    bob.send('answer', 'x:alice:1', '{"action":"decline"}')
    await bob.expect('refused 2 x:alice:1 CONFLICT')
    bob.send('answer', 'x:alice:1', acceptance)
    await bob.expect('ack 3')
    expect(alice.frames.filter((frame) => frame.startsWith('result')).length).toBe(1)
  })

  it('unknown action does not become a decline', async () => {
    await aliceAsksBob()
    bob.send('answer', 'x:alice:1', '{"action":"reject"}')
    await bob.expect('refused 1 x:alice:1 MALFORMED')
    bob.send('answer', 'x:alice:1', acceptance)
    expect(await alice.expect('result')).toContain(' accept\n')
  })

  it('an id used again for another question', async () => {
    await aliceAsksBob()
    alice.send('ask', 'x:alice:1 bob 5000', question.replace('Deploy', 'Delete'))
    await alice.expect('refused 2 x:alice:1 CONFLICT')
    alice.send('ask', 'x:alice:1 mallory 5000', question)
    await alice.expect('refused 3 x:alice:1 CONFLICT')
    alice.send('ask', 'x:alice:1 bob 5000', question)
    await alice.expect('ack 4')
    expect(rows()).toBe(1)
  })

  it('a repeated ask after the end gets the result again', async () => {
    await aliceAsksBob()
    bob.send('answer', 'x:alice:1', acceptance)
    await alice.expect('result')
    alice.send('ask', 'x:alice:1 bob 5000', question)
    await until(() => alice.frames.filter((frame) => frame.startsWith('result')).length === 2, 'the result again')
    expect(rows()).toBe(2)
  })

  it('answer after expiry, after withdrawal', async () => {
    alice.send('ask', 'x:alice:1 bob 40', question)
    await alice.expect('result 1 1 x:alice:1 expired')
    bob.send('answer', 'x:alice:1', acceptance)
    await bob.expect('refused 1 x:alice:1 EXPIRED')
    alice.send('ask', 'x:alice:2 bob 5000', question)
    alice.send('cancel', 'x:alice:2')
    await alice.expect('result 3 2 x:alice:2 withdrawn')
    bob.send('answer', 'x:alice:2', acceptance)
    await bob.expect('refused 2 x:alice:2 ELICITATION_NOT_FOUND')
  })

  it.each(['0', '-1', '2147483648', '1e3', 'NaN', '01', ''])('a deadline of %j ms', async (ttlMs) => {
    mallory.send('ask', `x:mallory:1 bob ${ttlMs}`, question)
    await mallory.expectBye('MALFORMED')
  })

  it.each([
    'x:mallory:../1',
    'x:mallory:1/2',
    'mallory:1',
    `x:mallory:${'1'.repeat(17)}`,
    `${'x'.repeat(65)}:mallory:1`,
  ])('the id %j', async (id) => {
    mallory.send('ask', `${id} bob 1000`, question)
    await mallory.expectBye('MALFORMED')
  })

  it('a third line, to speak in the name of the server over an event stream', async () => {
    mallory.send('ask', 'x:mallory:1 bob 1000', `${question}\nresult 1 1 x:alice:1 accept`)
    await mallory.expectBye('MALFORMED')
  })
})

describe('bodies', () => {
  const schemaOf = (properties: string): string =>
    `{"message":"m","requestedSchema":{"type":"object","properties":${properties}}}`
  it.each([
    ['a reference', schemaOf('{"a":{"$ref":"#/properties/a"}}')],
    ['a pattern', schemaOf('{"a":{"type":"string","pattern":"(a+)+$"}}')],
    ['nesting', schemaOf('{"a":{"type":"object","properties":{}}}')],
    ['__proto__', schemaOf('{"__proto__":{"type":"string"}}')],
    ['constructor', schemaOf('{"constructor":{"type":"string"}}')],
    [
      '65 properties',
      schemaOf(
        JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`p${n}`, { type: 'boolean' }]))),
      ),
    ],
    ['17 kB', schemaOf(`{"a":{"type":"string","description":"${'d'.repeat(17_000)}"}}`)],
    ['depth 10,000', `{"message":"m","requestedSchema":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
  ])('schema with %s', async (_what, body) => {
    mallory.send('ask', 'x:mallory:1 bob 1000', body)
    await mallory.expect('refused 1 x:mallory:1 SCHEMA_VIOLATION')
    expect(rows()).toBe(0)
  })

  it.each([
    '',
    'null',
    '[]',
    '{}',
    'NaN',
    '{"message":1}',
    '{"message":"m"}',
    '{"message":"m","requestedSchema":{}',
    '\ufeff{}',
  ])('question body %j', async (body) => {
    mallory.send('ask', 'x:mallory:1 bob 1000', body)
    await mallory.expect('refused 1 x:mallory:1 MALFORMED')
  })

  it.each([
    '{"action":"accept"}',
    '{"action":"accept","content":{}}',
    '{"action":"accept","content":{"ok":"true"}}',
    '{"action":"accept","content":{"ok":true,"more":1}}',
    '{"action":"accept","content":{"ok":true,"__proto__":{"ok":true}}}',
    '{"action":"accept","content":{"__proto__":{"ok":true}}}',
    '{"action":"accept","content":[true]}',
  ])('answer %s', async (body) => {
    await aliceAsksBob()
    bob.send('answer', 'x:alice:1', body)
    await bob.expect('refused 1 x:alice:1 SCHEMA_VIOLATION')
  })

  it('bytes that are no UTF-8', async () => {
    const { epoch, session, key } = mallory.issued
    const signed = Buffer.concat([
      Buffer.from(`ask ${epoch} ${session} 1 0 x:mallory:1 bob 1000\n`),
      Buffer.from([0xc3, 0x28]),
    ])
    mallory.socket.send(Buffer.concat([Buffer.from(`${macOf(key, signed)}\n`), signed]))
    await mallory.expectBye('MALFORMED')
  })
})

describe('volume', () => {
  it('flooding: the frame above the burst is refused with a time to wait', async () => {
    for (let count = 0; count < 450; count++) mallory.send('cursor', '')
    const refusal = await mallory.expect('refused')
    expect(refusal).toMatch(/^refused \d+ - RATE_LIMIT_EXCEEDED [1-9]\d*$/)
    await aliceAsksBob()
  })

  it('oversize frame', async () => {
    mallory.socket.send(Buffer.alloc(40_000, 65))
    await until(() => mallory.closedWith !== null, 'the connection to close')
    expect(mallory.closedWith).toBe(1009)
    await aliceAsksBob()
  })

  it('many fragments', async () => {
    for (let part = 0; part < 200; part++) mallory.socket.send('', { fin: false })
    await until(() => mallory.closedWith !== null, 'the connection to close')
    await aliceAsksBob()
  })

  it('two connections of one agent: the newest wins', async () => {
    const newer = await connect(server.url, 'mallory')
    await mallory.expect('bye REPLACED')
    newer.send('ping', '')
    await newer.expect('pong')
    await until(() => server.stats().openConnections === 3, 'the older connection to be gone')
  })

  it('enrolment of 1,001 agents in one request', async () => {
    expect(
      (
        await enrolRaw(
          server.url,
          Array.from({ length: 1001 }, (_, n) => `n${n}`),
        )
      ).status,
    ).toBe(400)
  })
})

describe('the tests themselves', () => {
  it('a frame signed by the same helper and not tampered with is taken', async () => {
    mallory.socket.send(signedFrame(mallory.issued.key, mallory.sign('ping', '').slice(44)))
    await mallory.expect('pong 1')
  })
})

/** The last character of 43 holds two unused bits; a lenient decoder ignores them. */
function otherSpelling(mac: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(mac.slice(-1))
  const twin = mac.slice(0, -1) + alphabet.charAt(last ^ 1)
  if (!Buffer.from(twin, 'base64url').equals(Buffer.from(mac, 'base64url'))) throw new Error('not the same bytes')
  return twin
}
