/**
 * The bridge over real sockets: both paths at once, in both directions, and agents that change between them with messages under way.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineClient, EngineServer } from '../../../src/engines/engine.ts'
import { acceptance, question, Recorder, until } from '../elicitation/engine-harness.ts'
import { admin, createBridgeClient, LegacyAgent, setFlags, startBridge, type BridgeSettings } from './bridge-harness.ts'

const running: (EngineServer | EngineClient)[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

async function bridge(settings: BridgeSettings = {}): Promise<EngineServer> {
  const server = await startBridge(settings)
  running.push(server)
  return server
}

async function clientOf(server: EngineServer, agents: number, transport: 'websocket' | 'sse' = 'websocket') {
  const recorder = new Recorder()
  const client = createBridgeClient(server.url, recorder, transport)
  running.push(client)
  await client.prepare(agents)
  for (let agent = 0; agent < agents; agent++) await client.connect(agent)
  client.beginRound('r0', 'seed')
  return { client, recorder }
}

const half = (agents: number): string[] => Array.from({ length: agents / 2 }, (_, index) => `a${index * 2}`)

describe.each(['websocket', 'sse'] as const)('both paths at once, push over %s', (transport) => {
  it('carry every exchange once, byte for byte, whichever path its two agents are on', async () => {
    const server = await bridge()
    await setFlags(server.url, { enabled: true, optIn: half(6) })
    const { client, recorder } = await clientOf(server, 6, transport)
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    for (let exchange = 0; exchange < 240; exchange++)
      client.ask(exchange, exchange % 6, (exchange * 5 + 1) % 6, question, 8000)
    await until(() => recorder.results.length === 240, '240 results')
    await until(() => recorder.acknowledged.length === 480, '480 acknowledgements')
    const { agents } = (await admin(server.url, '/admin/status')).body
    expect(agents).toMatchObject({ known: 6, assignedPush: 3, connectedPush: 3, polling: 3 })
    expect([recorder.refusals, recorder.duplicates, recorder.strays]).toEqual([[], [], []])
    expect(new Set(recorder.questions.map(({ exchange }) => exchange)).size).toBe(240)
    expect(recorder.questions.length).toBe(240)
    for (const { exchange, requester, recipient, body } of recorder.questions)
      expect([requester, recipient, body]).toEqual([exchange % 6, (exchange * 5 + 1) % 6, question])
    for (const { exchange, requester, outcome, body } of recorder.results)
      expect([requester, outcome, body]).toEqual([exchange % 6, 'accept', acceptance])
  })

  it('keep the order of what one agent asks another, on every pair of paths', async () => {
    const server = await bridge()
    await setFlags(server.url, { enabled: true, optIn: half(4) })
    const { client, recorder } = await clientOf(server, 4, transport)
    const pairs = [
      [0, 2],
      [0, 1],
      [1, 0],
      [1, 3],
    ] as const
    for (let exchange = 0; exchange < 120; exchange++) {
      const [requester, recipient] = pairs[exchange % 4] ?? [0, 1]
      client.ask(exchange, requester, recipient, question, 8000)
    }
    await until(() => recorder.questions.length === 120, '120 questions')
    for (const [pair] of pairs.entries()) {
      // Over SSE an agent's own POSTs overtake each other; over the old path and over sockets they may not.
      if (transport === 'sse' && pair < 2) continue
      const asked = recorder.questions.filter(({ exchange }) => exchange % 4 === pair).map(({ exchange }) => exchange)
      expect(asked).toEqual(asked.toSorted((a, b) => a - b))
    }
  })

  it('tell the requester each of the five outcomes once', async () => {
    const server = await bridge()
    await setFlags(server.url, { enabled: true, optIn: ['a0'] })
    const { client, recorder } = await clientOf(server, 2, transport)
    recorder.answerWith = (exchange, recipient) => {
      const kind = exchange % 5
      if (kind === 0) client.answer(exchange, recipient, 'accept', acceptance)
      if (kind === 1) client.answer(exchange, recipient, 'decline', '{"action":"decline"}')
      if (kind === 2) client.answer(exchange, recipient, 'cancel', '{"action":"cancel"}')
      if (kind === 3) client.cancel(exchange)
    }
    for (let exchange = 0; exchange < 10; exchange++) {
      const requester = exchange < 5 ? 0 : 1
      client.ask(exchange, requester, 1 - requester, question, exchange % 5 === 4 ? 100 : 5000)
    }
    await until(() => recorder.results.length === 10, 'ten results')
    const outcomes = recorder.results.toSorted((a, b) => a.exchange - b.exchange).map(({ outcome }) => outcome)
    const five = ['accept', 'decline', 'cancel', 'withdrawn', 'expired']
    expect(outcomes).toEqual([...five, ...five])
  })
})

describe('an agent that knows only the old path', () => {
  it('asks and answers push agents', async () => {
    const server = await bridge()
    await setFlags(server.url, { enabled: true, percentage: 100 })
    const { client, recorder } = await clientOf(server, 1)
    const legacy = await LegacyAgent.enrol(server.url, 'old-1')
    recorder.answerWith = null
    const stored = await legacy.ask('mine:old-1:1', 'a0', question)
    expect(stored.body).toMatchObject({ status: 'stored' })
    // The client knows the exchanges of its own rounds alone, so it sees a stray: what it is called shows that it came.
    await until(() => recorder.strays.length === 1, 'the question')
    expect(recorder.strays).toEqual([{ agent: 0, origin: 'foreign', wireId: 'mine:old-1:1' }])
    const other = await LegacyAgent.enrol(server.url, 'old-2')
    await legacy.ask('mine:old-1:2', 'old-2', question)
    const [asked] = (await other.wait()).events
    expect(asked).toMatchObject({
      sequence: 1,
      event_type: 'elicitation_request',
      source_agent: 'old-1',
      data: { elicitation_id: 'mine:old-1:2', body: question },
    })
    expect((await other.answer('mine:old-1:2', 'old-1', 'accept', acceptance)).status).toBe(200)
    const { answer, events } = await legacy.wait()
    expect(events).toMatchObject([
      {
        event_type: 'elicitation_response',
        source_agent: 'old-2',
        data: { elicitation_id: 'mine:old-1:2', response_type: 'accept', body: acceptance },
      },
    ])
    expect(answer.body).toMatchObject({ count: 1, status: 'new_events' })
    expect(client.stats().openSockets).toBe(1)
  })

  it('is given again what it has not acknowledged, and only that', async () => {
    const server = await bridge()
    const [one, two] = [await LegacyAgent.enrol(server.url, 'one'), await LegacyAgent.enrol(server.url, 'two')]
    for (const number of [1, 2, 3]) await one.ask(`x:one:${number}`, 'two', question)
    const ids = (events: readonly { data: Record<string, unknown> }[]): unknown[] =>
      events.map(({ data }) => data['elicitation_id'])
    expect(ids((await two.wait(0, 0)).events)).toEqual(['x:one:1', 'x:one:2', 'x:one:3'])
    expect(ids((await two.wait(0, 1)).events)).toEqual(['x:one:2', 'x:one:3'])
    expect(ids((await two.wait(0, 0)).events)).toEqual(['x:one:2', 'x:one:3'])
    expect((await two.wait(0, 3)).answer.body).toMatchObject({ events: [], count: 0, status: 'timeout' })
    expect((await two.wait(0, 4)).answer).toMatchObject({ status: 409, body: { error: { code: 'RESUME_GAP' } } })
  })

  it('repeats a post without asking twice, and is told when another body has the same id', async () => {
    const server = await bridge()
    const [one, two] = [await LegacyAgent.enrol(server.url, 'one'), await LegacyAgent.enrol(server.url, 'two')]
    for (let time = 0; time < 3; time++) expect((await one.ask('x:one:1', 'two', question)).status).toBe(200)
    const other = await one.ask('x:one:1', 'two', question.replace('Deploy', 'Delete'))
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'CONFLICT' } } })
    expect((await two.wait(0)).events.length).toBe(1)
  })
})

describe('an agent that changes its path', () => {
  it('loses nothing and sees nothing twice, however often, with messages under way', async () => {
    const server = await bridge({ options: { interval: '20ms', drain: '100000' } })
    const agents = 12
    const { client, recorder } = await clientOf(server, agents)
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    const exchanges = 1800
    let asked = 0
    const pace = setInterval(() => {
      for (let count = 0; count < 4 && asked < exchanges; count++, asked++)
        client.ask(asked, asked % agents, (asked * 7 + 3) % agents, question, 20_000)
    }, 10)
    try {
      for (const percentage of [100, 0, 50, 100, 25, 0]) {
        await setFlags(server.url, { enabled: true, percentage })
        const pushing = async (): Promise<boolean> => {
          const { agents: now } = (await admin(server.url, '/admin/status')).body
          const { assignedPush, connectedPush } = now as { assignedPush: number; connectedPush: number }
          return assignedPush === connectedPush
        }
        for (let time = 0; time < 400 && !(await pushing()); time++) await new Promise((done) => setTimeout(done, 10))
        expect(await pushing()).toBe(true)
      }
      await until(
        () => recorder.results.length >= exchanges,
        `${exchanges} results, got ${recorder.results.length}`,
        25_000,
      )
    } finally {
      clearInterval(pace)
    }
    expect(recorder.refusals).toEqual([])
    expect(recorder.questions.length).toBe(exchanges)
    expect(new Set(recorder.questions.map(({ exchange }) => exchange)).size).toBe(exchanges)
    expect(recorder.results.length).toBe(exchanges)
    expect(new Set(recorder.results.map(({ exchange }) => exchange)).size).toBe(exchanges)
    expect(recorder.results.every(({ outcome, body }) => outcome === 'accept' && body === acceptance)).toBe(true)
    // A change that was asked for is no broken session.
    expect(recorder.lost).toEqual([])
  }, 60_000)

  it('learns where it belongs when the path it is on is closed to it', async () => {
    const server = await bridge({ options: { drain: '100000' } })
    await setFlags(server.url, { enabled: true, percentage: 100, fallback: false })
    const { client, recorder } = await clientOf(server, 2)
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    await setFlags(server.url, { dualMode: false, percentage: 0, optIn: ['a1'] })
    const settled = async (): Promise<boolean> => {
      const { agents } = (await admin(server.url, '/admin/status')).body
      const { connectedPush, polling } = agents as { connectedPush: number; polling: number }
      return connectedPush === 1 && polling === 1
    }
    for (let time = 0; time < 400 && !(await settled()); time++) await new Promise((done) => setTimeout(done, 20))
    expect(await settled()).toBe(true)
    for (let exchange = 0; exchange < 10; exchange++)
      client.ask(exchange, exchange % 2, 1 - (exchange % 2), question, 8000)
    await until(() => recorder.results.length === 10, 'ten results')
    await setFlags(server.url, { legacyOff: true, dualMode: true })
    for (let exchange = 10; exchange < 20; exchange++)
      client.ask(exchange, exchange % 2, 1 - (exchange % 2), question, 8000)
    await until(() => recorder.results.length === 20, 'twenty results')
    expect((await admin(server.url, '/admin/status')).body['agents']).toMatchObject({ connectedPush: 2 })
    expect(new Set(recorder.results.map(({ exchange }) => exchange)).size).toBe(20)
  }, 30_000)

  it('hears of it within a second, on either path, and not at once with all others', async () => {
    const server = await bridge({ options: { interval: '5s', drain: '100000' } })
    const { client } = await clientOf(server, 40)
    const connected = async (): Promise<number> => {
      const { agents } = (await admin(server.url, '/admin/status')).body
      return (agents as { connectedPush: number }).connectedPush
    }
    for (const [percentage, end] of [
      [100, 40],
      [0, 0],
    ] as const) {
      await setFlags(server.url, { enabled: true, percentage })
      const steps = new Set<number>()
      for (let time = 0; time < 500; time++) {
        const now = await connected()
        steps.add(now)
        if (now === end) break
        await new Promise((done) => setTimeout(done, 10))
      }
      expect(steps.has(end)).toBe(true)
      // A crowd that moved at once would show two numbers.
      expect(steps.size).toBeGreaterThan(5)
    }
    expect(client.stats().openSockets).toBe(40)
  }, 30_000)

  it('goes on where it was after the bridge was started anew on its store', async () => {
    const storeFile = join(mkdtempSync(join(tmpdir(), 'bridge-test-')), 'events.db')
    const first = await startBridge({ durability: 'os', storeFile })
    await setFlags(first.url, { enabled: true, optIn: half(4) })
    const { client, recorder } = await clientOf(first, 4)
    for (let exchange = 0; exchange < 8; exchange++)
      client.ask(exchange, exchange % 4, (exchange + 1) % 4, question, 30_000)
    await until(() => recorder.questions.length === 8, 'eight questions')
    const port = Number(new URL(first.url).port)
    await first.close()
    const second = await bridge({ durability: 'os', storeFile, port })
    await until(() => recorder.restored.length >= 4, 'four sessions')
    const { flags, revision, agents } = (await admin(second.url, '/admin/status')).body
    expect({ flags, revision }).toMatchObject({ flags: { enabled: true, optIn: ['a0', 'a2'] }, revision: 1 })
    expect(agents).toMatchObject({ known: 4, connectedPush: 2 })
    for (let exchange = 0; exchange < 8; exchange++) client.answer(exchange, (exchange + 1) % 4, 'accept', acceptance)
    await until(() => recorder.results.length === 8, 'eight results')
    expect(recorder.questions.length).toBe(8)
    expect(new Set(recorder.results.map(({ exchange }) => exchange)).size).toBe(8)
  }, 30_000)
})
