/** What the bridge measures of its deliveries: by group, by interval, and nothing that was not delivered. */
import { afterEach, describe, expect, it } from 'vitest'
import { keptObservations, Observations } from '../../../src/engines/bridge/observations.ts'
import type { EngineClient, EngineServer, RefusalCode } from '../../../src/engines/engine.ts'
import type { BridgeObservation } from '../../../src/measurement/bridge-observation.ts'
import { decodeHistogram } from '../../../src/measurement/histogram-codec.ts'
import { acceptance, question, Recorder, until } from '../elicitation/engine-harness.ts'
import { admin, createBridgeClient, LegacyAgent, setFlags, startBridge } from './bridge-harness.ts'

let nowMs = 0
let refusals: Partial<Record<RefusalCode, number>> = {}
const clock = { nowNs: () => nowMs * 1e6, wallMs: () => 1_795_000_000_000 + nowMs }

function watched(): Observations {
  nowMs = 0
  refusals = {}
  return new Observations({
    clock,
    intervalMs: 1000,
    // Even agents are assigned push.
    pathOf: (agent) => (agent % 2 === 0 ? 'push' : 'poll'),
    agents: () => ({ push: 3, poll: 7 }),
    refusals: () => refusals,
  })
}

describe('an interval', () => {
  it('holds the deliveries of each group with their times, and what never arrived', () => {
    const observations = watched()
    nowMs = 500
    for (const [agent, takenAtMs] of [
      [0, 499],
      [2, 490],
      [1, 0],
    ] as const)
      observations.delivered(agent, takenAtMs * 1e6)
    observations.missed(3)
    observations.tick()
    expect(observations.since(0)).toEqual([])
    nowMs = 1010
    observations.tick()
    const [first, ...rest] = observations.since(0)
    expect(rest).toEqual([])
    expect(first).toMatchObject({
      sequence: 0,
      fromWallMs: 1_795_000_000_000,
      durationMs: 1010,
      push: { agents: 3, due: 2, failed: 0, unmeasured: 0 },
      poll: { agents: 7, due: 2, failed: 1, unmeasured: 0 },
    })
    const times = (group: BridgeObservation['push'] | undefined): number[] =>
      Array.from(decodeHistogram(group?.histogram ?? '').values, (us) => Math.round(us / 1000))
    expect([times(first?.push), times(first?.poll)]).toEqual([[1, 10], [500]])
    nowMs = 2010
    observations.tick()
    expect(observations.since(1)).toMatchObject([{ sequence: 1, durationMs: 1000, push: { due: 0 }, poll: { due: 0 } }])
    observations.destroy()
  })

  it('counts what no histogram can hold as delivered at a time that is not known', () => {
    const observations = watched()
    nowMs = 900_000
    observations.delivered(0, 1)
    observations.delivered(0, nowMs * 1e6 + 1e6)
    observations.tick()
    expect(observations.since(0)[0]?.push).toMatchObject({ due: 2, failed: 0, unmeasured: 2 })
    observations.destroy()
  })

  it('tells of refusals that no honest client causes, also after counters were set to zero', () => {
    const observations = watched()
    const seen: number[] = []
    for (const counts of [
      { REPLAY_ATTACK: 2, OVERLOADED: 9 },
      { REPLAY_ATTACK: 2, INVALID_SIGNATURE: 1 },
      {},
      { UNAUTHORIZED_RESPONSE: 1 },
    ]) {
      refusals = counts
      nowMs += 1000
      observations.tick()
      seen.push(observations.since(0).at(-1)?.securityViolations ?? -1)
    }
    expect(seen).toEqual([2, 1, 0, 1])
    observations.destroy()
  })

  it('is dropped when there are too many newer ones', () => {
    const observations = watched()
    for (let interval = 0; interval < keptObservations + 5; interval++) {
      nowMs += 1000
      observations.tick()
    }
    expect([observations.since(0).length, observations.since(0)[0]?.sequence]).toEqual([keptObservations, 5])
    observations.destroy()
  })
})

const running: (EngineServer | EngineClient)[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

describe('a bridge under load', () => {
  it('accounts for every delivery once, in the group of its recipient', async () => {
    const server = await startBridge({ options: { observe: '200ms', interval: '100ms' } })
    running.push(server)
    await setFlags(server.url, { enabled: true, optIn: ['a0', 'a1'] })
    const recorder = new Recorder()
    const client = createBridgeClient(server.url, recorder)
    running.push(client)
    await client.prepare(4)
    for (let agent = 0; agent < 4; agent++) await client.connect(agent)
    client.beginRound('r0', 'seed')
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    for (let exchange = 0; exchange < 60; exchange++)
      client.ask(exchange, exchange % 4, (exchange + 1) % 4, question, 8000)
    await until(() => recorder.results.length === 60, '60 results')
    // Nobody reads for it, so that its question ends unread.
    const [asker] = [await LegacyAgent.enrol(server.url, 'asker'), await LegacyAgent.enrol(server.url, 'absent')]
    await asker.ask('x:asker:1', 'absent', question, 0.2)
    const all = async (): Promise<BridgeObservation[]> =>
      (await admin(server.url, '/admin/observations')).body['observations'] as BridgeObservation[]
    const sum = (list: readonly BridgeObservation[], read: (each: BridgeObservation) => number): number =>
      list.reduce((total, each) => total + read(each), 0)
    for (let time = 0; time < 200 && sum(await all(), ({ poll }) => poll.failed) === 0; time++)
      await new Promise((done) => setTimeout(done, 20))
    const observed = await all()
    // Each exchange is a question to its recipient and a result to its requester; agents 0 and 1 are on push.
    expect(sum(observed, ({ push }) => push.due)).toBe(60)
    expect(sum(observed, ({ poll }) => poll.due)).toBe(61)
    expect(sum(observed, ({ push, poll }) => push.failed + 10 * poll.failed)).toBe(10)
    expect(sum(observed, ({ push }) => decodeHistogram(push.histogram).n)).toBe(60)
    expect(observed.at(-1)).toMatchObject({ push: { agents: 2 }, poll: { agents: 4 }, securityViolations: 0 })
    // Whoever polls waits for the next look; whoever is pushed does not.
    const slowest = (group: 'push' | 'poll'): number =>
      Math.max(...observed.flatMap((each) => Array.from(decodeHistogram(each[group].histogram).values)))
    expect(slowest('poll')).toBeGreaterThan(slowest('push'))
    expect((await admin(server.url, '/admin/observations?from=x')).status).toBe(400)
    const from = (await admin(server.url, `/admin/observations?from=${observed.at(-1)?.sequence ?? 0}`)).body
    expect((from['observations'] as BridgeObservation[])[0]?.sequence).toBe(observed.at(-1)?.sequence)
  })
})
