/**
 * What the polling server does with input that no honest client sends: bad requests are 4xx with a stable code, a session
 * is worth one agent's inbox, a store that cannot write acknowledges nothing, and afterwards the server still serves.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { request } from 'undici'
import { throwAwayCertificate, throwAwayKey } from './polling-certificate.ts'
import { enrolmentKey, eventually, RecordingClient, ServerProcess } from './polling-harness.ts'

interface Answer {
  readonly status: number
  readonly code: string | null
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Readonly<Record<string, unknown>>
}

let server: ServerProcess
let token1 = ''
let token2 = ''

async function call(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  token: string | null,
  body: string | Buffer | null = null,
  url = server.url,
): Promise<Answer> {
  const answer = await request(`${url}${path}`, {
    method,
    body,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  })
  const text = await answer.body.text()
  const parsed = JSON.parse(text) as { error?: { code?: string } }
  return { status: answer.statusCode, code: parsed.error?.code ?? null, headers: answer.headers, body: { ...parsed } }
}

async function enrol(agent: string, url = server.url): Promise<string> {
  const { body } = await call('POST', '/session/create', enrolmentKey, JSON.stringify({ agent_id: agent }), url)
  return String(body['session_token'])
}

function event(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    event_type: 'elicitation_request',
    agent_id: 'a1',
    aggregate_id: 'a2',
    data: { elicitation_id: 'n:a1:0', body: 'hello' },
    ...changes,
  })
}

beforeAll(async () => {
  server = await ServerProcess.start()
  token1 = await enrol('a1')
  token2 = await enrol('a2')
})
afterAll(() => server.close())
/** Whatever a test did: the server answers, and an honest post is stored. */
afterEach(async () => {
  const health = await call('GET', '/health', null)
  const stored = await call('POST', '/event/store', token1, event({ aggregate_id: 'sink' }))
  if (health.status !== 200 || stored.status !== 200) throw new Error('the server does not serve any more')
})

test('answers have the shape of the system being replaced', async () => {
  const stored = await call('POST', '/event/store', token1, event())
  const sequence = Number(stored.body['sequence'])
  expect(stored).toMatchObject({
    status: 200,
    body: { status: 'stored', event_id: { sequence }, message: 'Event stored' },
  })
  const read = await call('GET', `/event/wait?agent_id=a2&since_sequence=${sequence - 1}&timeout_seconds=1`, token2)
  expect(read).toMatchObject({ status: 200, body: { count: 1, status: 'new_events' } })
  const [first] = read.body['events'] as { timestamp: number }[]
  expect(first?.timestamp).toBeGreaterThan(1e9)
  expect(read.body['events']).toEqual([
    {
      sequence,
      event_type: 'elicitation_request',
      source_agent: 'a1',
      timestamp: first?.timestamp,
      data: { elicitation_id: 'n:a1:0', body: 'hello' },
    },
  ])
  const nothing = await call('GET', `/event/wait?agent_id=a2&since_sequence=${sequence}&timeout_seconds=0.1`, token2)
  expect(nothing).toMatchObject({ status: 200, body: { events: [], count: 0, status: 'timeout' } })
})

test('a thousand agents are enrolled in one call, and not one more', async () => {
  const names = Array.from({ length: 1001 }, (_, index) => `a${index}`)
  const enough = await call('POST', '/session/create', enrolmentKey, JSON.stringify({ agent_ids: names.slice(1) }))
  expect(enough.status).toBe(200)
  expect(enough.body['sessions']).toHaveLength(1000)
  const tooMany = await call('POST', '/session/create', enrolmentKey, JSON.stringify({ agent_ids: names }))
  expect([tooMany.status, tooMany.code]).toEqual([400, 'MALFORMED'])
})

describe('identity', () => {
  const wait = '/event/wait?agent_id=a2&timeout_seconds=0'
  test.each([
    ['no token', () => null],
    ['an empty token', () => ''],
    ['the enrolment key', () => enrolmentKey],
    ['a token with another agent put in', () => token1.replace('.a1.', '.a2.')],
    ['a token with another boot put in', () => token2.replace(/^\d+/, '999')],
    ['a shortened token', () => token2.slice(0, -1)],
    ['a lengthened token', () => `${token2}A`],
    ['an altered MAC', () => token2.slice(0, -2) + (token2.endsWith('AA') ? 'BB' : 'AA')],
    ['a token in another case', () => token2.toUpperCase()],
  ])('%s is refused with 401', async (_name, tokenOf) => {
    expect(await call('GET', wait, tokenOf())).toMatchObject({ status: 401, code: 'INVALID_SESSION' })
    expect(await call('POST', '/event/store', tokenOf(), event({ agent_id: 'a2' }))).toMatchObject({ status: 401 })
  })

  test("another agent's inbox and another agent's name are refused with 403", async () => {
    expect(await call('GET', wait, token1)).toMatchObject({ status: 403, code: 'INVALID_SESSION' })
    expect(await call('POST', '/event/store', token2, event())).toMatchObject({ status: 403, code: 'INVALID_SESSION' })
  })

  test('the sender that is shown comes from the session, whatever the data says', async () => {
    const posted = await call(
      'POST',
      '/event/store',
      token1,
      event({ source_agent: 'a7', data: { source_agent: 'a7' } }),
    )
    const since = Number(posted.body['sequence']) - 1
    const read = await call('GET', `/event/wait?agent_id=a2&since_sequence=${since}&timeout_seconds=0`, token2)
    expect(read.body['events']).toMatchObject([{ source_agent: 'a1' }])
  })

  test.each(['', 'wrong', `${enrolmentKey}x`])('enrolment with the key %j is refused', async (key) => {
    const answer = await call('POST', '/session/create', key, '{"agent_id":"a1"}')
    expect([answer.status, answer.code]).toEqual([401, 'INVALID_SESSION'])
    expect(answer.body).not.toHaveProperty('session_token')
  })

  test('a token of an earlier boot or of another store is refused', async () => {
    const other = await ServerProcess.start()
    const foreign = await enrol('a2', other.url)
    await other.close()
    expect(await call('GET', wait, foreign)).toMatchObject({ status: 401, code: 'INVALID_SESSION' })
  })
})

describe('bad bodies are 4xx MALFORMED', () => {
  test.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['null', 'null'],
    ['an array', '[]'],
    ['a number', '1e400'],
    ['NaN', 'NaN'],
    ['cut off', event().slice(0, -1)],
    ['trailing bytes', `${event()}x`],
    ['a byte order mark', `\ufeff${event()}`],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['an unknown event type', event({ event_type: 'system_started' })],
    ['no event type', event({ event_type: undefined })],
    ['an event type from the prototype', event({ event_type: '__proto__' })],
    ['agent_id that is a number', event({ agent_id: 1 })],
    ['no recipient', event({ aggregate_id: undefined })],
    ['a recipient with a path', event({ aggregate_id: '../a1' })],
    ['a recipient with a line break', event({ aggregate_id: 'a1\n' })],
    ['a recipient of 10 KB', event({ aggregate_id: 'a'.repeat(10_240) })],
    ['data that is text', event({ data: 'text' })],
    ['data that is an array', event({ data: [] })],
    ['data that is null', event({ data: null })],
    ['an id that is a number', event({ data: { elicitation_id: 5 } })],
    ['an id of 1 KB', event({ data: { elicitation_id: 'x'.repeat(1024) } })],
    ['nesting that is cut off', event({ data: 'DEEP' }).replace('"DEEP"', '{"a":'.repeat(100_000))],
  ])('%s', async (_name, body) => {
    const answer = await call('POST', '/event/store', token1, body)
    expect([answer.status, answer.code]).toEqual([400, 'MALFORMED'])
  })

  test('more than a megabyte is 413', async () => {
    const answer = await call('POST', '/event/store', token1, event({ data: { body: 'x'.repeat(1024 * 1024) } }))
    expect([answer.status, answer.code]).toEqual([413, 'MALFORMED'])
  })

  test('a hundred thousand levels of nesting are carried', async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    const posted = await call('POST', '/event/store', token1, event({ data: 'DEEP' }).replace('"DEEP"', deep))
    expect(posted.status).toBe(200)
  })

  test('hostile names in data are carried, not obeyed', async () => {
    const data = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"body":"\\ud800\\u0000"}'
    const posted = await call('POST', '/event/store', token1, event({ data: 'DATA' }).replace('"DATA"', data))
    const since = Number(posted.body['sequence']) - 1
    const read = await call('GET', `/event/wait?agent_id=a2&since_sequence=${since}&timeout_seconds=0`, token2)
    expect(JSON.stringify(read.body['events'])).toContain(data)
  })
})

describe('bad queries', () => {
  test.each([
    'agent_id=',
    'agent_id=a2&since_sequence=-1',
    'agent_id=a2&since_sequence=1.5',
    'agent_id=a2&since_sequence=NaN',
    'agent_id=a2&since_sequence=99999999999999999999',
    'agent_id=a2&timeout_seconds=-1',
    'agent_id=a2&timeout_seconds=NaN',
    'agent_id=a2&timeout_seconds=1e9',
    'agent_id=%00',
    'agent_id=a2&since_sequence=1%0d%0aX:1',
    '',
  ])('%s', async (query) => {
    const answer = await call('GET', `/event/wait?${query}`, token2)
    expect([answer.status, answer.code]).toEqual([400, 'MALFORMED'])
  })

  test('a cursor beyond the end is RESUME_GAP and says where the end is', async () => {
    const answer = await call('GET', '/event/wait?agent_id=a2&since_sequence=900000000&timeout_seconds=0', token2)
    expect([answer.status, answer.code]).toEqual([409, 'RESUME_GAP'])
    expect(answer.body['error']).toHaveProperty('sequence')
  })

  test('unknown paths and methods', async () => {
    expect(await call('GET', '/event/query', token2)).toMatchObject({ status: 404, code: 'MALFORMED' })
    expect(await call('PUT', '/event/store', token1, event())).toMatchObject({ status: 405, code: 'MALFORMED' })
    expect(await call('GET', '/session/create', enrolmentKey)).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
    })
  })

  test('what is not HTTP gets a 400 and a closed connection', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      let received = ''
      const socket = connect(server.port, '127.0.0.1', () => socket.write('\u0016\u0003\u0001 not http\r\n\r\n'))
      socket.setEncoding('latin1')
      socket.on('data', (chunk: string) => (received += chunk))
      socket.on('close', () => resolve(received))
      socket.on('error', reject)
    })
    expect(text).toMatch(/^HTTP\/1\.1 400 [^]*MALFORMED/)
  })
})

test('a client that vanishes leaves no held poll behind', async () => {
  const token = await enrol('quiet')
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`GET /event/wait?agent_id=quiet&timeout_seconds=300 HTTP/1.1\r\nHost: x\r\n`)
    socket.write(`Authorization: Bearer ${token}\r\n\r\n`)
    socket.on('error', () => {})
    return socket
  })
  await eventually('held polls', async () => (await server.stats()).heldConnections === 20)
  for (const socket of sockets) socket.destroy()
  await eventually('no held poll', async () => (await server.stats()).heldConnections === 0)
  const { databaseQueries } = await server.stats()
  expect((await server.stats()).databaseQueries).toBe(databaseQueries)
})

test('a store that cannot write answers 503 with a pause, acknowledges nothing, and goes on afterwards', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
  const file = join(folder, 'store.db')
  const blocked = await ServerProcess.start({ storeFile: file })
  const lock = new DatabaseSync(file)
  try {
    const token = await enrol('a1', blocked.url)
    lock.exec('BEGIN IMMEDIATE')
    const answers = await Promise.all(
      [1, 2, 3].map(() => call('POST', '/event/store', token, event({ aggregate_id: 'a1' }), blocked.url)),
    )
    for (const answer of answers) {
      expect([answer.status, answer.code, answer.headers['retry-after']]).toEqual([503, 'OVERLOADED', '1'])
    }
    lock.exec('ROLLBACK')
    expect(lock.prepare('SELECT count(*) AS count FROM events').get()).toMatchObject({ count: 0 })
    const after = await call('POST', '/event/store', token, event({ aggregate_id: 'a1' }), blocked.url)
    expect(after).toMatchObject({ status: 200, body: { sequence: 1 } })
    expect((await blocked.stats()).refusals).toEqual({ OVERLOADED: 3 })
  } finally {
    lock.close()
    await blocked.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('over TLS, and only with the certificate that the client was given', async () => {
  const secure = await ServerProcess.start({ tls: { certificate: throwAwayCertificate, key: throwAwayKey } })
  const trusting = new RecordingClient(secure.url, 'polling', {}, throwAwayCertificate)
  const distrusting = new RecordingClient(secure.url)
  try {
    expect(secure.url).toMatch(/^https:/)
    await trusting.open(2)
    trusting.client.beginRound('r1', 'seed')
    trusting.client.ask(0, 0, 1, '{}', 20_000)
    await eventually('the result', () => trusting.results.length === 1)
    await expect(distrusting.client.prepare(1)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  } finally {
    await trusting.client.close()
    await distrusting.client.close()
    await secure.close()
  }
})

test('options and settings that cannot work are refused before anything is opened', async () => {
  await expect(ServerProcess.start({ options: { batching: 'thread' }, durability: 'memory' })).rejects.toThrow(
    /needs a file/,
  )
  await expect(ServerProcess.start({ enrolmentKey: '' })).rejects.toThrow(/enrolment key/)
  await expect(ServerProcess.start({ port: server.port })).rejects.toThrow(/cannot listen/)
})
