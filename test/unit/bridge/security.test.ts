/**
 * Attacks on the bridge: each is one that a bridge without the defence would let through.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { acceptance, enrolmentKey, question, until } from '../elicitation/engine-harness.ts'
import { RawAgent, upgradeStatus } from '../elicitation/raw-agent.ts'
import {
  admin,
  adminKey,
  enrolKeyed,
  LegacyAgent,
  postFlags,
  setFlags,
  startBridge,
  type Answered,
} from './bridge-harness.ts'

let server: EngineServer
let alice: LegacyAgent
let bob: LegacyAgent
const raw: RawAgent[] = []
beforeEach(async () => {
  server = await startBridge()
  alice = await LegacyAgent.enrol(server.url, 'alice')
  bob = await LegacyAgent.enrol(server.url, 'bob')
})
afterEach(async () => {
  for (const agent of raw.splice(0)) agent.close()
  await server.close()
})

async function push(name: string): Promise<RawAgent> {
  const agent = await RawAgent.connect(server.url, name)
  raw.push(agent)
  return agent
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let time = 0; time < 200 && !(await condition()); time++) await new Promise((done) => setTimeout(done, 50))
  expect(await condition()).toBe(true)
}

const rows = (): number => server.stats().committedRows
const refused = (status: number, code: string) => ({ status, body: { error: { code } } })
const signed = (mac: string) => ({ 'x-lighthouse-signature': mac })

describe('impersonation', () => {
  it('another agent named as sender', async () => {
    const event = {
      ...alice.event('elicitation_request', 'bob', { elicitation_id: 'x:bob:1', timeout_seconds: 5, body: question }),
      agent_id: 'bob',
    }
    expect(await alice.post('/event/store', event)).toMatchObject(refused(403, 'INVALID_SESSION'))
    expect(rows()).toBe(0)
  })

  it('an exchange id that another agent produced', async () => {
    expect(await alice.ask('x:bob:1', 'bob', question)).toMatchObject(refused(409, 'CONFLICT'))
  })

  it('another agent inbox', async () => {
    await alice.ask('x:alice:1', 'bob', question)
    const mallory = await LegacyAgent.enrol(server.url, 'mallory')
    const query = new URL('/event/wait?agent_id=bob&since_sequence=0&timeout_seconds=0', server.url)
    const answer = await fetch(query, { headers: { authorization: `Bearer ${mallory.token}` } })
    expect(answer.status).toBe(403)
  })

  it.each(['old path', 'push'] as const)('an answer by an agent that was not asked, on the %s', async (path) => {
    await alice.ask('x:alice:1', 'bob', question)
    if (path === 'old path') {
      const mallory = await LegacyAgent.enrol(server.url, 'mallory')
      expect(await mallory.answer('x:alice:1', 'alice', 'accept', acceptance)).toMatchObject(
        refused(403, 'UNAUTHORIZED_RESPONSE'),
      )
    } else {
      const mallory = await push('mallory')
      mallory.send('answer', 'x:alice:1', acceptance)
      expect(await mallory.expect('refused')).toContain('UNAUTHORIZED_RESPONSE')
    }
    expect((await alice.wait(0)).events).toEqual([])
  })

  it('a withdrawal by another than the requester', async () => {
    await alice.ask('x:alice:1', 'bob', question)
    expect(
      await bob.post('/event/store', bob.event('elicitation_cancelled', 'alice', { elicitation_id: 'x:alice:1' })),
    ).toMatchObject(refused(403, 'UNAUTHORIZED_RESPONSE'))
  })
})

describe('hijacked and confused sessions', () => {
  it('a token of the old path opens nothing on the push side', async () => {
    const authorization = `Bearer ${alice.token}`
    expect(await upgradeStatus(server.url, { authorization })).toBe(401)
    expect((await fetch(new URL('/v1/events', server.url), { headers: { authorization } })).status).toBe(401)
    const posted = await fetch(new URL('/v1/frames', server.url), {
      method: 'POST',
      headers: { authorization, ...signed('A'.repeat(43)) },
      body: 'cursor 1 s 1 0',
    })
    expect(posted.status).toBe(401)
  })

  it('a stolen token of an agent with a key says nothing on the old path without the key', async () => {
    const carol = await enrolKeyed(server.url, 'carol')
    const thief = new LegacyAgent(server.url, 'carol')
    thief.token = carol.token
    const text = JSON.stringify(
      thief.event('elicitation_request', 'bob', { elicitation_id: 'x:carol:1', timeout_seconds: 5, body: question }),
    )
    const authorization = `Bearer ${carol.token}`
    expect(await thief.post('/event/store', text)).toMatchObject(refused(401, 'INVALID_SIGNATURE'))
    for (const mac of [
      '',
      'A'.repeat(43),
      carol.sign(`${text} `),
      carol.sign(text).toUpperCase(),
      `${carol.sign(text)}=`,
    ])
      expect(await thief.post('/event/store', text, authorization, signed(mac))).toMatchObject(
        refused(401, 'INVALID_SIGNATURE'),
      )
    const dave = await enrolKeyed(server.url, 'dave')
    expect(await thief.post('/event/store', text, authorization, signed(dave.sign(text)))).toMatchObject(
      refused(401, 'INVALID_SIGNATURE'),
    )
    expect(rows()).toBe(0)
    expect((await thief.post('/event/store', text, authorization, signed(carol.sign(text)))).status).toBe(200)
  })

  it.each([
    ['no token', ''],
    ['an empty token', 'Bearer '],
    ['rubbish', 'Bearer a.b.c.d.e'],
    ['the enrolment key', `Bearer ${enrolmentKey}`],
    ['the admin key', `Bearer ${adminKey}`],
  ])('%s is no session', async (_what, authorization) => {
    expect(
      await alice.post('/event/store', alice.event('elicitation_request', 'bob', {}), authorization),
    ).toMatchObject(refused(401, 'INVALID_SESSION'))
  })

  it('a token of which any part was altered is no session', async () => {
    const parts = alice.token.split('.')
    for (const [index, part] of parts.entries()) {
      const altered = parts.with(index, part.startsWith('b') ? `c${part.slice(1)}` : `b${part.slice(1)}`).join('.')
      expect(await alice.post('/event/store', '{}', `Bearer ${altered}`)).toMatchObject(refused(401, 'INVALID_SESSION'))
    }
    // Without its mark the session would be one with a key.
    const unmarked = alice.token.replace('keyless:', '')
    expect(await upgradeStatus(server.url, { authorization: `Bearer ${unmarked}` })).toBe(401)
  })

  it('a key does not enrol where another is asked for', async () => {
    expect(await alice.post('/session/create', { agent_id: 'eve' }, `Bearer ${adminKey}`)).toMatchObject(
      refused(401, 'INVALID_SESSION'),
    )
    expect((await admin(server.url, '/admin/status', { 'x-lighthouse-admin-key': enrolmentKey })).status).toBe(401)
  })
})

describe('replay', () => {
  it('a signed post sent again changes nothing', async () => {
    const carol = await enrolKeyed(server.url, 'carol')
    const sender = new LegacyAgent(server.url, 'carol')
    const text = JSON.stringify(
      sender.event('elicitation_request', 'bob', { elicitation_id: 'x:carol:1', timeout_seconds: 5, body: question }),
    )
    for (let time = 0; time < 3; time++)
      expect((await sender.post('/event/store', text, `Bearer ${carol.token}`, signed(carol.sign(text)))).status).toBe(
        200,
      )
    expect(rows()).toBe(1)
    expect((await bob.wait(0)).events.length).toBe(1)
    await bob.answer('x:carol:1', 'carol', 'accept', acceptance)
    expect((await sender.post('/event/store', text, `Bearer ${carol.token}`, signed(carol.sign(text)))).status).toBe(
      200,
    )
    expect(rows()).toBe(2)
  })

  it('a frame of push, sent as a post of the old path, and the reverse', async () => {
    const carol = await push('carol')
    const frame = carol.sign('ask', 'x:carol:1 bob 5000', question)
    const thief = new LegacyAgent(server.url, 'carol')
    const answer = await thief.post(
      '/event/store',
      frame.slice(44),
      `Bearer ${carol.issued.token}`,
      signed(frame.slice(0, 43)),
    )
    expect(answer).toMatchObject(refused(400, 'MALFORMED'))
    const keyed = await enrolKeyed(server.url, 'dave')
    const text = JSON.stringify(
      new LegacyAgent(server.url, 'dave').event('elicitation_request', 'bob', {
        elicitation_id: 'x:dave:1',
        timeout_seconds: 5,
        body: question,
      }),
    )
    const posted = await fetch(new URL('/v1/frames', server.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${keyed.token}`, ...signed(keyed.sign(text)) },
      body: text,
    })
    expect(posted.status).toBe(400)
    expect(rows()).toBe(0)
  })
})

describe('mixed state', () => {
  it.each([
    ['a line feed in the id', { elicitation_id: 'x:alice:1\nquestion 0 9 x:bob:1 bob 1' }],
    ['a space in the id', { elicitation_id: 'x:alice:1 bob' }],
    ['an id that is no string', { elicitation_id: 7 }],
    ['a line feed in the body', { body: '{}\nresult 0 1 x accept' }],
    ['a carriage return in the body', { body: '{}\rdata: x' }],
    ['half a surrogate pair', { body: '{"message":"\ud800"}' }],
    ['a body that no frame could carry', { body: `{"message":"${'x'.repeat(33_000)}"}` }],
    ['a body that is no string', { body: { message: 'x' } }],
    ['a timeout that is none', { timeout_seconds: -1 }],
    ['a timeout beyond any timer', { timeout_seconds: 1e12 }],
  ])('%s is refused before it reaches a frame', async (_what, data) => {
    const whole = { elicitation_id: 'x:alice:1', timeout_seconds: 5, body: question, ...data }
    expect(await alice.post('/event/store', alice.event('elicitation_request', 'bob', whole))).toMatchObject(
      refused(400, 'MALFORMED'),
    )
    expect(rows()).toBe(0)
  })

  it('an answer that says accept and carries decline', async () => {
    await alice.ask('x:alice:1', 'bob', question)
    expect(await bob.answer('x:alice:1', 'alice', 'accept', '{"action":"decline"}')).toMatchObject(
      refused(400, 'MALFORMED'),
    )
    expect((await bob.answer('x:alice:1', 'alice', 'decline', '{"action":"decline"}')).status).toBe(200)
  })

  it('two answers of one agent, one on each path: the first counts, the second is a CONFLICT', async () => {
    const carol = await push('carol')
    await alice.ask('x:alice:1', 'carol', question)
    await carol.expect('question')
    carol.send('answer', 'x:alice:1', acceptance)
    await until(() => rows() === 2, 'the answer')
    const old = await LegacyAgent.enrol(server.url, 'carol')
    expect(await old.answer('x:alice:1', 'alice', 'decline', '{"action":"decline"}')).toMatchObject(
      refused(409, 'CONFLICT'),
    )
    const { events } = await alice.wait(0)
    expect(events.map(({ data }) => data['response_type'])).toEqual(['accept'])
  })

  it('an acknowledgement on a socket never covers what was posted on the old path', async () => {
    const carol = await push('carol')
    const old = await LegacyAgent.enrol(server.url, 'carol')
    await Promise.all([1, 2, 3].map((number) => old.ask(`x:carol:${number}`, 'bob', question)))
    carol.send('ping', '')
    expect(await carol.expect('pong')).toBe('pong 1')
  })
})

describe('a greedy agent', () => {
  it('holds a few polls and no more: the oldest is ended for the newest', async () => {
    const ended: Answered[] = []
    const poll = async (): Promise<void> => {
      ended.push((await alice.wait(30)).answer)
    }
    const polls = Array.from({ length: 6 }, () => poll().catch(() => undefined))
    await until(() => ended.length === 2, 'two polls that were ended')
    expect(server.stats().heldConnections).toBe(4)
    for (const answer of ended) expect(answer).toMatchObject({ status: 200, body: { status: 'timeout' } })
    expect((await bob.wait(0)).answer.status).toBe(200)
    expect(ended.length).toBe(2)
    await server.close()
    await Promise.all(polls)
  })

  it('polls within its rate', async () => {
    await server.close()
    server = await startBridge({ options: { rateLimit: '1', rateBurst: '5' } })
    const greedy = await LegacyAgent.enrol(server.url, 'greedy')
    const statuses: number[] = []
    for (let poll = 0; poll < 8; poll++) statuses.push((await greedy.wait(0)).answer.status)
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200])
    expect(statuses.slice(6)).toEqual([429, 429])
  })

  it('that posts the same many times at once has an answer to each', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => alice.ask('x:alice:1', 'bob', question)))
    for (const { status } of answers) expect([200, 503]).toContain(status)
    expect(answers.some(({ status }) => status === 200)).toBe(true)
    expect(rows()).toBe(1)
  })
})

describe('names and sizes', () => {
  it('with dots are good on both paths, and hostile ones on neither', async () => {
    const dotted = await LegacyAgent.enrol(server.url, 'svc.a')
    expect((await dotted.ask('x:svc.a:1', 'bob', question)).status).toBe(200)
    expect((await dotted.wait(0)).answer.status).toBe(200)
    const keyed = await enrolKeyed(server.url, 'svc.b')
    const poll = new LegacyAgent(server.url, 'svc.b')
    poll.token = keyed.token
    expect((await poll.wait(0)).answer.body).toMatchObject({ path: 'poll', floor: 0, head: 0 })
    for (const name of ['constructor', '__proto__', 'a b'])
      expect((await alice.post('/session/create', { agent_id: name }, `Bearer ${enrolmentKey}`)).status).toBe(400)
  })

  it('a body that push takes is taken on the old path too', async () => {
    const carol = await push('carol')
    // As long as a frame may be, its signature line with it.
    const room = 32_768 - Buffer.byteLength(carol.sign('ask', 'x:carol:1 bob 5000', question, 1))
    const longest = question + ' '.repeat(room)
    carol.send('ask', 'x:carol:1 bob 5000', longest)
    await until(() => rows() === 1, 'a row')
    const old = await LegacyAgent.enrol(server.url, 'carol')
    expect((await old.ask('x:carol:1', 'bob', longest)).status).toBe(200)
    expect(rows()).toBe(1)
  })
})

describe('the rate limit', () => {
  it('is one for both paths', async () => {
    await server.close()
    server = await startBridge({ options: { rateLimit: '1', rateBurst: '6' } })
    const receiver = await LegacyAgent.enrol(server.url, 'bob')
    const carol = await push('carol')
    const old = await LegacyAgent.enrol(server.url, 'carol')
    for (let number = 0; number < 3; number++) carol.send('ask', `x:carol:${number} bob 5000`, question)
    await until(() => rows() === 3, 'three rows')
    const codes: unknown[] = []
    for (let number = 3; number < 9; number++) {
      const { status, body } = await old.ask(`x:carol:${number}`, 'bob', question)
      codes.push(status === 200 ? 'taken' : (body['error'] as { code: string }).code)
    }
    expect(codes.slice(0, 3)).toEqual(['taken', 'taken', 'taken'])
    expect(codes.slice(4)).toEqual(['RATE_LIMIT_EXCEEDED', 'RATE_LIMIT_EXCEEDED'])
    carol.send('ask', 'x:carol:9 bob 5000', question)
    expect(await carol.expect('refused')).toContain('RATE_LIMIT_EXCEEDED')
    expect((await receiver.wait(0)).events.length).toBeLessThanOrEqual(7)
  })
})

describe('flags', () => {
  const change = { actor: 'ada', reason: 'canary', revision: 0, change: { enabled: true, percentage: 5 } }

  it('are changed with the key, and the change is in the audit with its actor, reason and chain', async () => {
    expect(await postFlags(server.url, change)).toMatchObject({
      status: 200,
      body: { revision: 1, flags: { percentage: 5 } },
    })
    const { records } = (await admin(server.url, '/admin/audit')).body as { records: Record<string, unknown>[] }
    expect(records).toMatchObject([
      { revision: 0, flags: { percentage: 0 } },
      { revision: 1, actor: 'ada', reason: 'canary', flags: { enabled: true, percentage: 5 } },
    ])
    expect(records[1]?.['previous']).toBe(records[0]?.['hash'])
    expect((await admin(server.url, '/admin/audit?from=1')).body['records']).toMatchObject([{ revision: 1 }])
  })

  it.each([
    ['without the key', change, { 'x-lighthouse-admin-key': '' }, 401],
    ['with another key', change, { 'x-lighthouse-admin-key': `${adminKey}x` }, 401],
    ['from a page of another origin', change, { origin: 'http://evil.example' }, 403],
    ['from a page of its own origin', change, { origin: 'http://127.0.0.1' }, 403],
    ['as a form', change, { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['as plain text, which needs no preflight', change, { 'content-type': 'text/plain' }, 415],
    ['by a browser that says so', change, { 'sec-fetch-site': 'same-origin' }, 403],
    ['without an actor', { ...change, actor: undefined }, {}, 400],
    ['with an actor that forges a line', { ...change, actor: 'ada\n{"revision":9}' }, {}, 400],
    ['without a reason', { ...change, reason: ' ' }, {}, 400],
    ['without a revision', { ...change, revision: undefined }, {}, 400],
    ['on a revision that is not the last', { ...change, revision: 7 }, {}, 409],
    ['to what is no flag', { ...change, change: { percentage: 200 } }, {}, 400],
    ['by a prototype', '{"actor":"a","reason":"b","revision":0,"change":{"__proto__":{"enabled":true}}}', {}, 400],
    ['with no JSON', '{', {}, 400],
    ['with more than a megabyte', `"${'x'.repeat(1_100_000)}"`, {}, 413],
  ])('are not changed %s', async (_what, body, headers: Record<string, string>, status) => {
    expect((await postFlags(server.url, body, headers)).status).toBe(status)
    const { revision, flags } = (await admin(server.url, '/admin/flags')).body
    expect({ revision, flags }).toMatchObject({ revision: 0, flags: { enabled: false, percentage: 0 } })
  })

  it('of two changes at once one is made', async () => {
    const both = await Promise.all(
      [5, 50].map((percentage) => postFlags(server.url, { ...change, change: { percentage } })),
    )
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
  })

  it('no preflight is answered with a permission', async () => {
    const headers = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-lighthouse-admin-key',
    }
    for (const origin of [undefined, 'http://evil.example']) {
      const answer = await fetch(new URL('/admin/flags', server.url), {
        method: 'OPTIONS',
        headers: origin === undefined ? headers : { ...headers, origin },
      })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      for (const name of answer.headers.keys()) expect(name).not.toMatch(/^access-control/)
    }
  })

  it('are not to be had at all without an admin key', async () => {
    const { bridgeEngine } = await import('../../../src/engines/bridge/definition.ts')
    const closed = await bridgeEngine.startServer({
      options: {},
      durability: 'memory',
      storeFile: null,
      listen: '127.0.0.1',
      port: 0,
      tls: null,
      enrolmentKey,
    })
    try {
      expect((await admin(closed.url, '/admin/flags', { 'x-lighthouse-admin-key': 'undefined' })).status).toBe(404)
    } finally {
      await closed.close()
    }
  })
})

describe('the end of the old path', () => {
  it('is announced, then only for those it is meant for, then for all', async () => {
    expect((await alice.wait(0)).answer.headers.get('deprecation')).toBeNull()
    await setFlags(server.url, { deprecation: true })
    const { answer } = await alice.wait(0)
    expect(answer.headers.get('deprecation')).toMatch(/^@\d{10}$/)
    expect(answer.body).toMatchObject({ deprecated: true })
    await setFlags(server.url, { enabled: true, dualMode: false, optIn: ['alice'] })
    // Agents are given the time to move.
    expect((await alice.wait(0)).answer.status).toBe(200)
    await eventually(async () => (await alice.wait(0)).answer.status === 403)
    expect((await alice.wait(0)).answer).toMatchObject(refused(403, 'PATH_CLOSED'))
    expect((await bob.wait(0)).answer.status).toBe(200)
    const keyed = await enrolKeyed(server.url, 'bob')
    expect(await upgradeStatus(server.url, { authorization: `Bearer ${keyed.token}` })).toBe(403)
    await setFlags(server.url, { legacyOff: true })
    await eventually(async () => (await bob.wait(0)).answer.status === 410)
    for (const path of ['/event/store', '/session/create'])
      expect(await bob.post(path, {})).toMatchObject(refused(410, 'PATH_CLOSED'))
    expect((await bob.wait(0)).answer).toMatchObject(refused(410, 'PATH_CLOSED'))
  }, 30_000)

  it.each(['constructor', '/__proto__', '/toString', '/event', '/event/wait/x'])('%s is no path', async (path) => {
    const answer = await fetch(new URL(path, `${server.url}/`), { headers: { authorization: `Bearer ${alice.token}` } })
    expect(answer.status).toBe(404)
  })
})
