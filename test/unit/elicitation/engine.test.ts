/**
 * The engine over real sockets in one process: exchanges, every outcome, retries after a broken connection.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Durability, EngineClient, EngineServer } from '../../../src/engines/engine.ts'
import {
  acceptance,
  createClient,
  question,
  Recorder,
  startServer,
  until,
  type ServerSettings,
} from './engine-harness.ts'

const running: (EngineServer | EngineClient)[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

type Settings = ServerSettings & { transport?: 'websocket' | 'sse' }

async function start(agents: number, settings: Settings = {}) {
  const server = await startServer(settings)
  running.push(server)
  const recorder = new Recorder()
  const client = createClient(server.url, recorder, settings.durability, settings.transport)
  running.push(client)
  await client.prepare(agents)
  for (let agent = 0; agent < agents; agent++) await client.connect(agent)
  client.beginRound('r0', 'seed')
  return { server, client, recorder }
}

type Arm = { durability: Durability; transport?: 'websocket' | 'sse'; [option: string]: string }

describe.each<Arm>([
  { batching: 'turn', durability: 'memory' },
  { batching: 'off', durability: 'os' },
  { batching: 'thread', durability: 'os' },
  { validation: 'pipelined', durability: 'os' },
  { nonceStore: 'database', durability: 'os' },
  { schemaCache: 'off', durability: 'fsync' },
  { transport: 'sse', durability: 'os' },
  { transport: 'sse', durability: 'memory', validation: 'pipelined' },
])('with %o', ({ durability, transport = 'websocket', ...options }) => {
  it('carries every exchange once, byte for byte, and acknowledges both legs', async () => {
    const { server, client, recorder } = await start(6, { durability, options, transport })
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    for (let exchange = 0; exchange < 300; exchange++) {
      client.ask(exchange, exchange % 6, (exchange * 5 + 1) % 6, question, 5000)
    }
    await until(() => recorder.results.length === 300, '300 results')
    await until(() => recorder.acknowledged.length === 600, '600 acknowledgements')
    expect(recorder.refusals).toEqual([])
    expect(recorder.duplicates).toEqual([])
    expect(recorder.strays).toEqual([])
    expect(new Set(recorder.questions.map((asked) => asked.exchange)).size).toBe(300)
    expect(recorder.questions.length).toBe(300)
    for (const asked of recorder.questions) {
      expect(asked.body).toBe(question)
      expect(asked.requester).toBe(asked.exchange % 6)
      expect(asked.recipient).toBe((asked.exchange * 5 + 1) % 6)
    }
    for (const result of recorder.results) {
      expect(result).toMatchObject({ outcome: 'accept', body: acceptance, requester: result.exchange % 6 })
    }
    const stats = server.stats()
    expect(stats.committedRows).toBe(600)
    expect(stats.refusals).toEqual({})
    expect(stats.openConnections).toBe(6)
    expect(stats.stages.map((stage) => stage.tag)).toContain('total')
  })
})

describe.each(['websocket', 'sse'] as const)('outcomes over %s', (transport) => {
  it('tells the requester each of the five once', async () => {
    const { client, recorder } = await start(2, { transport })
    recorder.answerWith = (exchange, recipient) => {
      if (exchange === 0) client.answer(exchange, recipient, 'accept', acceptance)
      if (exchange === 1) client.answer(exchange, recipient, 'decline', '{"action":"decline"}')
      if (exchange === 2) client.answer(exchange, recipient, 'cancel', '{"action":"cancel"}')
      if (exchange === 3) client.cancel(exchange)
    }
    for (let exchange = 0; exchange < 5; exchange++) client.ask(exchange, 0, 1, question, exchange === 4 ? 50 : 5000)
    await until(() => recorder.results.length === 5, 'five results')
    const outcomes = recorder.results.toSorted((a, b) => a.exchange - b.exchange).map((result) => result.outcome)
    expect(outcomes).toEqual(['accept', 'decline', 'cancel', 'withdrawn', 'expired'])
  })

  it('reports definitive refusals by leg and code', async () => {
    const { client, recorder } = await start(2, { transport })
    client.ask(0, 0, 7, question, 1000)
    client.ask(1, 0, 1, '{"message":"no schema"}', 1000)
    client.ask(2, 0, 1, '{"message":"x","requestedSchema":{"type":"object","properties":{"a":{"$ref":"#"}}}}', 1000)
    recorder.answerWith = (exchange, recipient) =>
      client.answer(exchange, recipient, 'accept', '{"action":"accept","content":{"ok":1}}')
    client.ask(3, 0, 1, question, 1000)
    await until(() => recorder.refusals.length === 4, 'four refusals')
    expect(recorder.refusals).toEqual([
      { exchange: 0, leg: 'ask', code: 'UNKNOWN_RECIPIENT' },
      { exchange: 1, leg: 'ask', code: 'MALFORMED' },
      { exchange: 2, leg: 'ask', code: 'SCHEMA_VIOLATION' },
      { exchange: 3, leg: 'answer', code: 'SCHEMA_VIOLATION' },
    ])
  })

  it('keeps a question for an agent that is not connected', async () => {
    const server = await startServer()
    running.push(server)
    const recorder = new Recorder()
    const client = createClient(server.url, recorder, 'memory', transport)
    running.push(client)
    await client.prepare(2)
    await client.connect(0)
    client.beginRound('late', 'seed')
    client.ask(0, 0, 1, question, 5000)
    await until(() => recorder.acknowledged.length === 1, 'the acknowledgement of an ask nobody has received')
    expect(recorder.questions).toEqual([])
    await client.connect(1)
    await until(() => recorder.questions.length === 1, 'the question')
  })

  it('classifies what belongs to an earlier round', async () => {
    const { client, recorder } = await start(2, { transport })
    client.ask(0, 0, 1, question, 60)
    await until(() => recorder.questions.length === 1, 'the question')
    client.beginRound('r1', 'seed')
    await until(() => recorder.strays.length === 1, 'the result of the earlier round')
    expect(recorder.strays).toEqual([{ agent: 0, origin: 'earlier', wireId: 'r0:a0:0' }])
  })
})

describe.each(['websocket', 'sse'] as const)('over %s, a server that starts again on the same port', (transport) => {
  it('loses nothing that was acknowledged, and clients resume by themselves', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const { join } = await import('node:path')
    const folder = mkdtempSync(join(tmpdir(), 'elicitation-test-'))
    try {
      const storeFile = join(folder, 'events.db')
      const { server, client, recorder } = await start(3, { durability: 'os', storeFile, transport })
      const port = Number(new URL(server.url).port)
      for (let exchange = 0; exchange < 30; exchange++)
        client.ask(exchange, exchange % 3, (exchange + 1) % 3, question, 20_000)
      await until(() => recorder.acknowledged.length === 30 && recorder.questions.length === 30, '30 questions')
      await server.close()
      running.splice(running.indexOf(server), 1)
      await until(() => recorder.lost.length === 3, 'three lost sessions')
      // While the server is away: answers that only the next one can take.
      for (const asked of recorder.questions) client.answer(asked.exchange, asked.recipient, 'accept', acceptance)
      running.unshift(await startServer({ durability: 'os', storeFile, port }))
      await until(() => recorder.results.length === 30, '30 results after the restart')
      await until(() => recorder.restored.length === 3, 'three restored sessions')
      expect(new Set(recorder.results.map((result) => result.exchange)).size).toBe(30)
      expect(recorder.questions.length).toBe(30)
      expect(recorder.refusals).toEqual([])
      expect(client.stats().reconnects).toBe(3)
    } finally {
      for (const part of running.splice(0).reverse()) await part.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
