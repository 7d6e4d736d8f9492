/**
 * The load host on a real thread against a real engine: requests, telemetry, interruption and errors cross the
 * channel. Assertions are about accounting and order; how fast it went is of no concern here.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEngine, type RunningEngine } from '../../../src/engines/hosts/running-engine.ts'
import type { LoadStartAnswer, LoadStartRequest } from '../../../src/load/load-host.ts'
import type { RoundProgress, RoundReport } from '../../../src/load/round-plan.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { clockOrigin, delay } from '../../../src/platform/clock.ts'
import { entryModule } from '../../../src/platform/modules.ts'
import { startPeer, type Peer } from '../../../src/platform/peer.ts'
import { mergeDistributions } from '../../../src/statistics/distribution.ts'
import { planOf, workload } from './session-fixture.ts'

const enrolmentKey = 'test-only-enrolment-key-0123456789'
const timeoutMs = 15_000
let engine: RunningEngine
const peers: Peer[] = []

function openHost(): Peer {
  const peer = startPeer(entryModule('load/load-host'), { kind: 'thread', name: 'load under test' })
  peers.push(peer)
  return peer
}

function startRequest(changes: Partial<LoadStartRequest> = {}): LoadStartRequest {
  return {
    engine: 'hybrid',
    agents: workload.agents,
    clockOrigin: clockOrigin(),
    client: { url: engine.url, options: {}, transport: 'websocket', durability: 'memory', enrolmentKey, seed: 'seed' },
    ...changes,
  }
}

function play(peer: Peer, changes: Parameters<typeof planOf>[0]): Promise<RoundReport> {
  return peer.request('round', planOf(changes), timeoutMs) as Promise<RoundReport>
}

beforeAll(async () => {
  engine = await startEngine({
    engine: 'hybrid',
    label: 'hybrid',
    host: 'thread',
    config: {
      options: {},
      durability: 'memory',
      storeFile: null,
      listen: '127.0.0.1',
      port: 0,
      tls: null,
      enrolmentKey,
    },
  })
})

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.kill()))
  await engine.stop()
})

describe('the load host', () => {
  it('connects, plays rounds and accounts for every exchange', async () => {
    const host = openHost()
    const progress: RoundProgress[] = []
    host.onTelemetry((type, payload) => {
      if (type === 'progress') progress.push(payload as RoundProgress)
    })
    const answer = (await host.request('start', startRequest(), timeoutMs)) as LoadStartAnswer
    expect(answer.semantics.expiry).toBe('client')
    expect(answer.connectsPerSecond).toBeGreaterThan(0)
    for (const round of [0, 1]) {
      const { evidence, hlog } = await play(host, { round, nonce: `t-r${round}`, seed: `seed/${round}` })
      const { counts } = evidence
      expect(counts.scheduled).toBeGreaterThan(200)
      expect(counts.completed + counts.refused + counts.timedOut + counts.lost).toBe(counts.scheduled)
      expect(evidence.ledger).toEqual({ state: 'COMPLETE', reasons: [] })
      expect(evidence.anomalies).toEqual([])
      expect(mergeDistributions(readHistogramLog(hlog).get('roundTrip') ?? []).n).toBe(counts.completed)
      await host.request('pause', null, timeoutMs)
    }
    expect(progress.length).toBeGreaterThan(0)
    expect(new Set(progress.map(({ round }) => round))).toEqual(new Set([0, 1]))
    await host.request('close', null, timeoutMs)
  })

  it('answers an abort at once, and the round with a report marked as interrupted', async () => {
    const host = openHost()
    await host.request('start', startRequest(), timeoutMs)
    const playing = play(host, { nonce: 't-abort', durationMs: 60_000 })
    await delay(200)
    await host.request('abort', null, timeoutMs)
    const { evidence } = await playing
    expect(evidence.audit.valid).toBe(false)
    expect(evidence.audit.reasons[0]).toBe('The round was interrupted.')
    expect(evidence.ledger.state).toBe('UNKNOWN')
  })

  it('says what was wrong when it is asked too early, twice, or for an engine that is not there', async () => {
    const host = openHost()
    await expect(play(host, {})).rejects.toMatchObject({ code: 'INTERNAL', message: /before it was started/ })
    const gone = startRequest({ client: { ...startRequest().client, url: 'http://127.0.0.1:1' } })
    await expect(host.request('start', gone, timeoutMs)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
    await expect(host.request('start', gone, timeoutMs)).rejects.toMatchObject({ message: /started twice/ })
    const other = openHost()
    await expect(other.request('start', startRequest({ engine: 'carrier-pigeon' }), timeoutMs)).rejects.toMatchObject({
      code: 'USAGE',
      message: /no engine called 'carrier-pigeon'/,
    })
  })
})
