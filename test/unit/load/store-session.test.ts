/**
 * Writers and readers on a store: a clean round accounts for every write, and what a store does wrong shows under its own name and
 * no other. The store is in memory and faulty on demand; one round runs on the embedded store.
 */
import { describe, expect, test } from 'vitest'
import { openContendedSqlite } from '../../../src/engines/event-store/contended-sqlite.ts'
import type {
  ContendedRow,
  ContendedStore,
  StoreRoundHandlers,
} from '../../../src/engines/event-store/contended-store.ts'
import type { StoredEvent } from '../../../src/engines/event-store/event-store.ts'
import type { RoundPlan } from '../../../src/load/round-plan.ts'
import { StoreSession, type StoreRoundReport } from '../../../src/load/store-session.ts'
import { inboxName } from '../../../src/load/store-round.ts'
import { systemGauge, systemTiming } from '../../../src/load/timing.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import type { ExchangeCounts } from '../../../src/measurement/results-document.ts'
import { clockOrigin, delay } from '../../../src/platform/clock.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { mergeDistributions } from '../../../src/statistics/distribution.ts'

type Change = (event: StoredEvent, index: number) => readonly StoredEvent[]

/** Commits in the next turn of the event loop; `store` says what is stored of a row, `refuses` what is told to have failed. */
class MemoryStore implements ContendedStore {
  private readonly events: StoredEvent[] = []
  private handlers: StoreRoundHandlers | null = null
  private count = 0
  private readonly lockWait = createLatencyRecorder({ unit: 'us', highest: 1000 })
  private readonly change: Change
  private readonly fails: (index: number) => boolean

  constructor(change: Change = (event) => [event], fails: (index: number) => boolean = () => false) {
    this.change = change
    this.fails = fails
  }

  begin(_settings: unknown, handlers: StoreRoundHandlers): Promise<void> {
    this.handlers = handlers
    return Promise.resolve()
  }

  append(row: ContendedRow): boolean {
    setImmediate(() => {
      const index = this.count++
      const { agent, source, wireId: exchange, body, atMs: producedAtMs } = row
      const event = { sequence: 0, agent, source, kind: 1, exchange, body, producedAtMs }
      for (const each of this.change(event, index)) this.events.push({ ...each, sequence: this.events.length + 1 })
      this.lockWait.record(7)
      if (this.fails(index)) this.handlers?.onFailed(row.exchange, new LighthouseError('STORE', 'planted'))
      else this.handlers?.onCommitted(row.exchange)
    })
    return true
  }

  lastSequence(): Promise<number> {
    return Promise.resolve(this.events.length)
  }

  read(agent: string, after: number, limit: number): Promise<readonly StoredEvent[]> {
    return Promise.resolve(this.events.filter((each) => each.agent === agent && each.sequence > after).slice(0, limit))
  }

  async waitForAppend(after: number, _timeoutMs: number, signal: AbortSignal): Promise<number | null> {
    await delay(2, signal)
    return this.events.length > after ? this.events.length : null
  }

  series() {
    return { lockWait: this.lockWait }
  }

  end() {
    const figures = { commits: this.count }
    return Promise.resolve({ figures, cpuUs: 1, openConnections: 1, walBytesMax: null, nullReasons: {} })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const plan: RoundPlan = {
  round: 3,
  attempt: 0,
  nonce: 'abcd-r3',
  seed: 'store-session',
  durationMs: 300,
  workload: {
    name: 'writers',
    agents: 20,
    ratePerSecond: 400,
    pattern: 'ring',
    arrivals: 'poisson',
    payloadBytes: 200,
    answers: { accept: 1, decline: 0, cancel: 0 },
    deadlineMs: 200,
  },
  pacing: 'timer',
  loadModel: 'open',
  drainGraceMs: 100,
  latenessBoundMs: 1000,
}

async function play(store: ContendedStore, rounds = 1): Promise<StoreRoundReport> {
  const timing = systemTiming(clockOrigin())
  const session = new StoreSession({ store, timing, gauge: systemGauge(), checkerSelfTest: () => [] })
  let report: StoreRoundReport | null = null
  for (let round = 0; round < rounds; round++) {
    report = await session.playRound({
      plan: { ...plan, round, nonce: `abcd-r${round}` },
      poolSize: null,
      ownTransactions: false,
    })
  }
  await session.close()
  if (report === null) throw new Error('no round was played')
  return report
}

const anomalies = [
  'lost',
  'duplicated',
  'phantom',
  'misdelivered',
  'reordered',
  'doubleTerminal',
  'late',
  'corrupt',
  'unexpected',
] as const satisfies readonly (keyof ExchangeCounts)[]

function found({ evidence }: StoreRoundReport): string[] {
  return anomalies.filter((name) => evidence.counts[name] > 0)
}

describe('a round of writers and readers', () => {
  test('accounts for every write, with a histogram entry for each', async () => {
    const report = await play(new MemoryStore(), 2)
    const { counts, ledger, client, engineStats } = report.evidence
    expect(found(report)).toEqual([])
    expect(counts.scheduled).toBeGreaterThan(50)
    expect(counts.completed).toBe(counts.scheduled)
    expect(ledger).toEqual({ state: 'COMPLETE', reasons: [] })
    expect([client['writers'], client['readers'], client['rowsRead']]).toEqual([20, 2, counts.scheduled])
    expect(engineStats['commits']).toBeGreaterThanOrEqual(counts.scheduled)
    const series = readHistogramLog(report.hlog)
    for (const tag of ['roundTrip', 'serviceTime', 'delivery', 'lateness']) {
      expect(mergeDistributions(series.get(tag) ?? []).n, tag).toBe(counts.scheduled)
    }
    expect(mergeDistributions(series.get('store.lockWait') ?? []).n).toBeGreaterThanOrEqual(counts.scheduled)
    expect(mergeDistributions(series.get('store.read') ?? []).n).toBe(client['reads'])
  })

  const at = (which: number, change: (event: StoredEvent) => readonly StoredEvent[]): Change => {
    return (event, index) => (index === which ? change(event) : [event])
  }
  const faults: readonly (readonly [name: string, store: () => MemoryStore])[] = [
    ['lost', () => new MemoryStore(at(20, () => []))],
    ['duplicated', () => new MemoryStore(at(20, (event) => [event, event]))],
    ['corrupt', () => new MemoryStore(at(20, (event) => [{ ...event, body: `${String(event.body)} ` }]))],
    ['unexpected', () => new MemoryStore(at(20, (event) => [event, { ...event, exchange: 'other:1' }]))],
    ['late', () => new MemoryStore(at(20, (event) => [event, { ...event, exchange: 'abcd-r9:1' }]))],
    ['phantom', () => new MemoryStore(undefined, (index) => index === 20)],
  ]
  test.each(faults)('a store whose row is %s is found out, and for nothing else', async (name, store) => {
    expect(found(await play(store()))).toEqual([name])
  })

  test('a row in the inbox of another reader is misdelivered', async () => {
    const moved = at(20, (event) => [{ ...event, agent: inboxName(event.agent === inboxName(0) ? 1 : 0) }])
    const report = await play(new MemoryStore(moved))
    expect(found(report)).toEqual(['misdelivered'])
  })

  test('two rows of one writer in the wrong order are reordered', async () => {
    const held = new Map<string, StoredEvent>()
    let swapped = false
    // The first row of some writer is stored after its second.
    const swap: Change = (event) => {
      const first = held.get(event.source)
      if (first !== undefined) {
        held.delete(event.source)
        return [event, first]
      }
      if (swapped) return [event]
      swapped = true
      held.set(event.source, event)
      return []
    }
    expect(found(await play(new MemoryStore(swap)))).toEqual(['reordered'])
  })

  test('what fails and is not stored is refused, and no anomaly', async () => {
    const report = await play(
      new MemoryStore(
        at(20, () => []),
        (index) => index === 20,
      ),
    )
    expect([found(report), report.evidence.counts.refused]).toEqual([[], 1])
    expect(report.evidence.client['refused.ask.STORE']).toBe(1)
  })

  test('a store that throws ends the round with its error, its readers and the store; an abort leaves an invalid round', async () => {
    class Throwing extends MemoryStore {
      ended = 0
      override append(): boolean {
        throw new Error('planted')
      }
      override end() {
        this.ended++
        return super.end()
      }
    }
    const broken = new Throwing()
    await expect(play(broken)).rejects.toThrow('planted')
    expect(broken.ended).toBe(1)
    const timing = systemTiming(clockOrigin())
    const session = new StoreSession({
      store: new MemoryStore(),
      timing,
      gauge: systemGauge(),
      checkerSelfTest: () => [],
    })
    const report = session.playRound({ plan, poolSize: null, ownTransactions: false })
    session.abort()
    const { audit, ledger } = (await report).evidence
    expect([audit.valid, ledger.state]).toEqual([false, 'UNKNOWN'])
    expect(audit.reasons).toContain('The round was interrupted.')
  })

  test.each(['thread', 'off'] as const)('the embedded store, batching %s', async (batching) => {
    const report = await play(await openContendedSqlite({ durability: 'os', batching, connections: 2 }), 2)
    const { counts, engineStats, resources } = report.evidence
    expect(found(report)).toEqual([])
    expect(counts.completed).toBe(counts.scheduled)
    expect(engineStats['committedRows']).toBe(counts.scheduled)
    const commits = engineStats['commits'] ?? 0
    if (batching === 'off') expect(commits).toBe(counts.scheduled)
    else expect(commits).toBeLessThanOrEqual(counts.scheduled)
    expect(engineStats['walBytesWritten']).toBeGreaterThanOrEqual(commits * 4096)
    const written = engineStats['writtenBytes'] ?? null
    // What the kernel counted of the threads includes what the log's own index says.
    if (written !== null) expect(written).toBeGreaterThanOrEqual(engineStats['walBytesWritten'] ?? 0)
    expect(resources.openConnectionsMax).toBe(3)
    expect(mergeDistributions(readHistogramLog(report.hlog).get('store.commit') ?? []).n).toBe(commits)
  })
})
