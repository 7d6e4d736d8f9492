/**
 * POST and event stream by hand: what each answer means, and the attacks that differ from those on a socket.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { macOf } from '../../../src/engines/elicitation/frame-codec.ts'
import { acceptance, question, startServer, until } from './engine-harness.ts'
import { issue, type Issued } from './raw-agent.ts'

let server: EngineServer
let alice: Issued
let bob: Issued
const aborts: AbortController[] = []
beforeEach(async () => {
  server = await startServer()
  alice = await issue(server.url, 'alice')
  bob = await issue(server.url, 'bob')
})
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort()
  await server.close()
})

function frame(by: Issued, nonce: number, verb: string, tail = '', body?: string): string {
  return `${verb} ${by.epoch} ${by.session} ${nonce} 0${tail === '' ? '' : ' '}${tail}${body === undefined ? '' : `\n${body}`}`
}

async function post(
  by: Issued,
  signed: string | Uint8Array<ArrayBuffer>,
  mac = macOf(by.key, signed),
  token = by.token,
) {
  const response = await fetch(new URL('/v1/frames', server.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'x-lighthouse-signature': mac },
    body: signed,
  })
  const text = await response.text()
  const answer: unknown = text === '' ? {} : JSON.parse(text)
  return { status: response.status, ...(answer as { code?: string; retryAfterMs?: number }) }
}

/** The text of an event stream as it grows. */
async function listen(by: Issued, lastEventId?: string): Promise<{ status: number; text: () => string }> {
  const abort = new AbortController()
  aborts.push(abort)
  const headers: Record<string, string> = { authorization: `Bearer ${by.token}` }
  if (lastEventId !== undefined) headers['last-event-id'] = lastEventId
  const response = await fetch(new URL('/v1/events', server.url), { headers, signal: abort.signal })
  let text = ''
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString('utf8')
  }
  read().catch(() => undefined)
  return { status: response.status, text: () => text }
}

describe('POST', () => {
  it('202 means committed', async () => {
    expect(await post(alice, frame(alice, 1, 'ask', 'x:alice:1 bob 5000', question))).toEqual({ status: 202 })
    expect(server.stats().committedRows).toBe(1)
  })

  it('may arrive out of order, each nonce once', async () => {
    expect((await post(alice, frame(alice, 5, 'ask', 'x:alice:5 bob 5000', question))).status).toBe(202)
    expect((await post(alice, frame(alice, 3, 'ask', 'x:alice:3 bob 5000', question))).status).toBe(202)
    expect(await post(alice, frame(alice, 3, 'cursor'))).toMatchObject({ status: 409, code: 'REPLAY_ATTACK' })
    expect(server.stats().committedRows).toBe(2)
  })

  it('of two with one nonce at the same time, one is taken', async () => {
    const signed = frame(alice, 1, 'ask', 'x:alice:1 bob 5000', question)
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => post(alice, signed)))).map(
      (answer) => answer.status,
    )
    expect(statuses.toSorted((a, b) => a - b)).toEqual([202, ...new Array<number>(19).fill(409)])
    expect(server.stats().committedRows).toBe(1)
  })

  it.each([
    ['a forged signature', () => post(alice, frame(alice, 1, 'cursor'), 'A'.repeat(43)), 401, 'INVALID_SIGNATURE'],
    ['no signature', () => post(alice, frame(alice, 1, 'cursor'), ''), 401, 'INVALID_SIGNATURE'],
    [
      'an altered body',
      () => post(alice, `${frame(alice, 1, 'cursor')} `, macOf(alice.key, frame(alice, 1, 'cursor'))),
      401,
      'INVALID_SIGNATURE',
    ],
    [
      'the token of another',
      () => post(alice, frame(alice, 1, 'cursor'), undefined, bob.token),
      401,
      'INVALID_SIGNATURE',
    ],
    ['no token', () => post(alice, frame(alice, 1, 'cursor'), undefined, 'x'), 401, 'INVALID_SESSION'],
    ['no envelope', () => post(alice, 'hello'), 400, 'MALFORMED'],
    [
      'a carriage return in the body',
      () => post(alice, frame(alice, 1, 'ask', 'x:alice:1 bob 5000', `{"message":\r${question.slice(11)}`)),
      400,
      'MALFORMED',
    ],
    ['40,000 bytes', () => post(alice, 'a'.repeat(40_000)), 413, 'MALFORMED'],
    [
      'an unknown recipient',
      () => post(alice, frame(alice, 1, 'ask', 'x:alice:1 nobody 5000', question)),
      404,
      'UNKNOWN_RECIPIENT',
    ],
    [
      'an unknown exchange',
      () => post(alice, frame(alice, 1, 'answer', 'x:bob:1', acceptance)),
      404,
      'ELICITATION_NOT_FOUND',
    ],
  ] as const)('%s', async (_what, act, status, code) => {
    expect(await act()).toMatchObject({ status, code })
    expect(server.stats().committedRows).toBe(0)
  })
})

describe('the event stream', () => {
  it('carries entries with their sequence as id, and resumes after Last-Event-ID', async () => {
    const first = await listen(bob)
    for (const number of [1, 2]) await post(alice, frame(alice, number, 'ask', `x:alice:${number} bob 60000`, question))
    await until(() => first.text().includes('x:alice:2'), 'two questions')
    expect(first.text()).toMatch(
      /^data: hello [^\n]+\n\nid: 1\ndata: question 0 1 x:alice:1 alice \d+\ndata: [^\n]+\n\nid: 2\ndata: question 0 2 x:alice:2 alice \d+\ndata: [^\n]+\n\n$/,
    )
    expect(first.text()).toContain(`\ndata: ${question}\n`)
    const second = await listen(bob, '1')
    await until(() => second.text().includes('x:alice:2'), 'the second question again')
    expect(second.text()).not.toContain('x:alice:1')
    await until(() => first.text().includes('data: bye REPLACED'), 'the first stream to be replaced')
  })

  it.each(['-1', 'x', '1e9', '99999999999999999999'])('refuses Last-Event-ID %s', async (lastEventId) => {
    expect((await listen(bob, lastEventId)).status).toBe(400)
  })

  it('says RESUME_GAP to a cursor from the future', async () => {
    const stream = await listen(bob, '7')
    await until(() => stream.text().includes('refused 0 - RESUME_GAP 0'), 'the gap')
  })

  it('asks for a token, and refuses browsers', async () => {
    expect((await fetch(new URL('/v1/events', server.url))).status).toBe(401)
    const headers = { authorization: `Bearer ${bob.token}`, origin: 'https://attacker.example' }
    expect((await fetch(new URL('/v1/events', server.url), { headers })).status).toBe(403)
  })
})
