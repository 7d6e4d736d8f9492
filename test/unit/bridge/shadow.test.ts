/** Copies of exchanges over real sockets: what they come to, what is found when the new path does wrong, and that no agent sees anything of them. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  openShadowLink,
  type OpenShadowLink,
  type ShadowEvents,
  type ShadowLink,
} from '../../../src/engines/bridge/shadow-link.ts'
import { bridgeOptions } from '../../../src/engines/bridge/options.ts'
import type { EngineClient, EngineServer } from '../../../src/engines/engine.ts'
import type { ShadowReport } from '../../../src/measurement/shadow-document.ts'
import { acceptance, question, Recorder, until } from '../elicitation/engine-harness.ts'
import { admin, createBridgeClient, LegacyAgent, setFlags, startBridge, type BridgeSettings } from './bridge-harness.ts'

const running: (EngineServer | EngineClient)[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

const declined = '{"action":"decline"}'
const report = async (url: string): Promise<ShadowReport> =>
  (await admin(url, '/admin/shadow')).body as unknown as ShadowReport

async function reportWhen(url: string, holds: (report: ShadowReport) => boolean): Promise<ShadowReport> {
  for (let time = 0; time < 400; time++) {
    const read = await report(url)
    if (holds(read)) return read
    await new Promise((done) => setTimeout(done, 20))
  }
  return expect.fail(`never came to it: ${JSON.stringify(await report(url))}`)
}

async function shadowed(settings: BridgeSettings = {}): Promise<EngineServer> {
  const server = await startBridge({ ...settings, options: { shadow: 'on', shadowSla: '10s', ...settings.options } })
  running.push(server)
  await reportWhen(server.url, ({ state }) => state === 'on')
  return server
}

/** Asks and answers one after the other; the asker reads each result. Gives all events that the two have read. */
async function exchanges(url: string, count: number, answer = acceptance, action = 'accept'): Promise<string[]> {
  const [asker, asked] = [await LegacyAgent.enrol(url, 'asker'), await LegacyAgent.enrol(url, 'asked')]
  const seen: string[] = []
  for (let index = 0; index < count; index++) {
    const id = `x:asker:${index}`
    expect((await asker.ask(id, 'asked', question)).status).toBe(200)
    for (const event of (await asked.wait()).events)
      seen.push(`asked ${event.event_type} ${String(event.data['elicitation_id'])}`)
    expect((await asked.answer(id, 'asker', action, answer)).status).toBe(200)
    for (const event of (await asker.wait()).events)
      seen.push(`asker ${event.event_type} ${String(event.data['elicitation_id'])}`)
  }
  for (const agent of [asker, asked]) expect((await agent.wait(0)).events).toEqual([])
  return seen
}

/** The new path with something done to what goes in or comes out. */
function faulty(
  change: (link: ShadowLink, events: ShadowEvents) => { link?: Partial<ShadowLink>; events?: Partial<ShadowEvents> },
): OpenShadowLink {
  return async (events) => {
    const holder: { link?: ShadowLink } = {}
    const late: ShadowLink = {
      ask: (...given) => holder.link?.ask(...given),
      answer: (...given) => holder.link?.answer(...given),
      cancel: (copy) => holder.link?.cancel(copy),
      close: async () => holder.link?.close(),
    }
    const changed = change(late, events)
    holder.link = await openShadowLink({ ...events, ...changed.events })
    return { ...late, ...changed.link }
  }
}

describe('a bridge without a shadow', () => {
  it('says so, and copies nothing', async () => {
    const server = await startBridge()
    running.push(server)
    await exchanges(server.url, 2)
    expect(await report(server.url)).toMatchObject({ state: 'off', copies: 0, compared: 0 })
  })
})

describe('a shadow', () => {
  it('comes to the same, and no agent sees anything of it', async () => {
    const server = await shadowed()
    const seen = await exchanges(server.url, 5)
    expect(seen).toEqual(
      Array.from({ length: 5 }, (_, index) => [
        `asked elicitation_request x:asker:${index}`,
        `asker elicitation_response x:asker:${index}`,
      ]).flat(),
    )
    const read = await reportWhen(server.url, ({ compared }) => compared === 5)
    expect(read).toMatchObject({
      copies: 5,
      open: 0,
      examples: [],
      delivered: { both: 5, onlyOld: 0, onlyNew: 0, neither: 0 },
    })
    expect(Object.values({ ...read.differences, ...read.dropped }).every((count) => count === 0)).toBe(true)
    expect([read.oldPath.n, read.newPath.n]).toEqual([10, 10])
    expect(read.sla).toMatchObject({ both: 0, onlyCandidate: 0, onlyBaseline: 0, neither: 5, p: 1 })
    const { agents } = (await admin(server.url, '/admin/status')).body as { agents: unknown }
    expect(agents).toMatchObject({ known: 2, connectedPush: 0 })
    expect(server.stats().openConnections).toBe(0)
  })

  it('declines, withdraws and expires with its exchange', async () => {
    const server = await shadowed()
    await exchanges(server.url, 1, declined, 'decline')
    const [one, other] = [await LegacyAgent.enrol(server.url, 'one'), await LegacyAgent.enrol(server.url, 'other')]
    await one.ask('y:one:1', 'other', question, 30)
    expect((await other.wait()).events).toHaveLength(1)
    await one.post('/event/store', one.event('elicitation_cancelled', 'other', { elicitation_id: 'y:one:1' }))
    expect((await one.wait()).events).toMatchObject([{ data: { reason: 'withdrawn' } }])
    await one.ask('y:one:2', 'other', question, 0.3)
    expect((await other.wait()).events).toHaveLength(1)
    expect((await one.wait()).events).toMatchObject([{ data: { reason: 'expired' } }])
    const read = await reportWhen(server.url, ({ compared }) => compared === 3)
    expect(read).toMatchObject({ examples: [], delivered: { both: 3 } })
  })

  it('takes what agents post that could push and were assigned the old path', async () => {
    const server = await shadowed()
    const recorder = new Recorder()
    const client = createBridgeClient(server.url, recorder)
    running.push(client)
    await client.prepare(4)
    for (let agent = 0; agent < 4; agent++) await client.connect(agent)
    client.beginRound('r0', 'seed')
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    for (let exchange = 0; exchange < 40; exchange++)
      client.ask(exchange, exchange % 4, (exchange + 1) % 4, question, 8000)
    await until(() => recorder.results.length === 40, '40 results')
    const read = await reportWhen(server.url, ({ compared }) => compared === 40)
    expect(read).toMatchObject({ copies: 40, examples: [], delivered: { both: 40 } })
    expect([recorder.strays.length, recorder.questions.length, recorder.refusals.length]).toEqual([0, 40, 0])
  })

  it('takes none of agents that are on push, nor of a share that is not drawn', async () => {
    const server = await shadowed({ options: { shadowShare: '0.000001' } })
    await exchanges(server.url, 3)
    expect(await report(server.url)).toMatchObject({ copies: 0 })
    const other = await shadowed()
    await setFlags(other.url, { enabled: true, percentage: 100 })
    const recorder = new Recorder()
    const client = createBridgeClient(other.url, recorder)
    running.push(client)
    await client.prepare(2)
    for (const agent of [0, 1]) await client.connect(agent)
    client.beginRound('r0', 'seed')
    const legacy = await LegacyAgent.enrol(other.url, 'legacy')
    expect((await legacy.ask('x:legacy:1', 'a0', question)).status).toBe(200)
    await until(() => recorder.strays.length === 1, 'the question at its agent')
    expect(await report(other.url)).toMatchObject({ copies: 0, open: 0 })
  })

  it('says of an agent that reads nothing that the question arrived on the new path alone', async () => {
    const server = await shadowed()
    const [asker] = [await LegacyAgent.enrol(server.url, 'asker'), await LegacyAgent.enrol(server.url, 'absent')]
    await asker.ask('x:asker:1', 'absent', question, 0.2)
    expect((await asker.wait()).events).toMatchObject([{ data: { reason: 'expired' } }])
    const read = await reportWhen(server.url, ({ compared }) => compared === 1)
    expect(read).toMatchObject({
      delivered: { onlyNew: 1 },
      differences: { onlyNew: 1, outcome: 0, resultLost: 0 },
      examples: [{ id: 'x:asker:1', what: ['onlyNew'] }],
      sla: { neither: 0, both: 0 },
    })
  })
})

describe('a new path that does wrong is found out', () => {
  it('corrupts, drops, answers otherwise, refuses', async () => {
    const openShadow = faulty((link, events) => ({
      link: {
        ask: (copy, body, ttlMs) => (copy === 4 ? events.refused(copy, 'OVERLOADED') : link.ask(copy, body, ttlMs)),
        answer: (copy, action, body) =>
          copy === 2 ? link.answer(copy, 'decline', declined) : link.answer(copy, action, body),
      },
      events: {
        question: (copy, body) =>
          copy !== 1 && events.question(copy, copy === 0 ? body.replace('Deploy', 'Delete') : body),
        result: (copy, outcome, body) =>
          copy !== 3 && events.result(copy, outcome, body.replace('true', copy === 5 ? 'false' : 'true')),
      },
    }))
    const server = await shadowed({ openShadow })
    const [asker, asked] = [await LegacyAgent.enrol(server.url, 'asker'), await LegacyAgent.enrol(server.url, 'asked')]
    for (let index = 0; index < 7; index++) {
      await asker.ask(`x:asker:${index}`, 'asked', question, 1)
      await asked.wait()
      expect((await asked.answer(`x:asker:${index}`, 'asker', 'accept', acceptance)).status).toBe(200)
      // What the application has is what its own partner said.
      expect((await asker.wait()).events).toMatchObject([{ data: { response_type: 'accept', body: acceptance } }])
    }
    const read = await reportWhen(server.url, ({ compared }) => compared === 7)
    expect(Object.fromEntries(read.examples.map(({ id, what }) => [id, what]))).toEqual({
      'x:asker:0': ['questionBody'],
      // Its stand-in was never asked, so it could say nothing: the copy expires.
      'x:asker:1': ['questionLost', 'outcome'],
      'x:asker:2': ['outcome'],
      'x:asker:3': ['resultLost'],
      'x:asker:4': ['refused', 'questionLost', 'resultLost'],
      'x:asker:5': ['resultBody'],
    })
    expect(read.differences).toEqual({
      questionLost: 2,
      resultLost: 2,
      questionBody: 1,
      resultBody: 1,
      outcome: 2,
      refused: 1,
      onlyNew: 0,
    })
    expect(read.delivered).toEqual({ both: 5, onlyOld: 2, onlyNew: 0, neither: 0 })
    // What never came missed any bound.
    expect(read.sla).toMatchObject({ onlyCandidate: 3, onlyBaseline: 0, both: 0, neither: 4 })
    expect(read.sla.p).toBeCloseTo(0.25, 9)
    expect(JSON.stringify(read)).not.toContain('Deploy')
  })

  it('comes too late', async () => {
    const openShadow = faulty((_link, events) => ({
      events: { result: (...given) => void setTimeout(() => events.result(...given), 900) },
    }))
    const server = await shadowed({ openShadow, options: { shadowSla: '800ms' } })
    await exchanges(server.url, 2)
    const read = await reportWhen(server.url, ({ compared }) => compared === 2)
    expect(read.sla.onlyCandidate + read.sla.both).toBe(2)
    expect(read.examples).toEqual([])
  })

  it('cannot be opened', async () => {
    const server = await startBridge({
      options: { shadow: 'on' },
      openShadow: () => Promise.reject(new Error('no socket')),
    })
    running.push(server)
    await reportWhen(server.url, ({ state }) => state === 'failed')
    await exchanges(server.url, 2)
    expect(await report(server.url)).toMatchObject({
      state: 'failed',
      reason: 'no socket',
      copies: 0,
      dropped: { notReady: 2 },
    })
  })
})

describe('options', () => {
  it.each([
    ['shadow', 'yes', /on or off/],
    ['shadowShare', '0', /above 0 and at most 1/],
    ['shadowShare', '1.5', /above 0 and at most 1/],
    ['shadowSla', '0ms', /a duration from 1ms to 10m/],
  ])('%s=%s are refused', (name, value, message) => {
    expect(() => bridgeOptions({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'USAGE', suggestions: [expect.stringMatching(message)] }) as Error,
    )
  })
})
