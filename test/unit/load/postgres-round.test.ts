/** Writers and readers on a PostgreSQL server: every write is accounted for, and what the server counts is what the writers did. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openContendedPostgres } from '../../../src/engines/event-store/contended-postgres.ts'
import type { StoreRoundSettings } from '../../../src/engines/event-store/contended-store.ts'
import { PostgresMonitor } from '../../../src/engines/event-store/postgres-monitor.ts'
import { StoreSession, type StoreRoundReport } from '../../../src/load/store-session.ts'
import { systemGauge, systemTiming } from '../../../src/load/timing.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { clockOrigin } from '../../../src/platform/clock.ts'
import { mergeDistributions } from '../../../src/statistics/distribution.ts'
import { skipWithoutPostgres, startPostgres, type PostgresServer } from '../event-store/postgres-server.ts'

const namespace = 'bench_round'
const writers = 20

describe.skipIf(skipWithoutPostgres())('a round on PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ fsync: 'on' })
  })
  afterAll(() => server.stop())

  async function play(
    batching: 'thread' | 'off',
    settings: Omit<StoreRoundSettings, 'writers'>,
  ): Promise<StoreRoundReport> {
    const { url, pid } = server
    const store = await openContendedPostgres({ url, durability: 'fsync', batching, namespace, serverPid: pid })
    const timing = systemTiming(clockOrigin())
    const session = new StoreSession({ store, timing, gauge: systemGauge(), checkerSelfTest: () => [] })
    try {
      return await session.playRound({
        ...settings,
        plan: {
          round: 0,
          attempt: 0,
          nonce: 'abcd-r0',
          seed: 'postgres-round',
          durationMs: 500,
          workload: {
            name: 'writers',
            agents: writers,
            ratePerSecond: 200,
            pattern: 'ring',
            arrivals: 'poisson',
            payloadBytes: 300,
            answers: { accept: 1, decline: 0, cancel: 0 },
            deadlineMs: 10_000,
          },
          pacing: 'timer',
          loadModel: 'open',
          drainGraceMs: 2000,
          latenessBoundMs: 10_000,
        },
      })
    } finally {
      await session.close()
    }
  }

  function expectClean({ evidence }: StoreRoundReport): void {
    const { counts, ledger } = evidence
    expect(counts.scheduled).toBeGreaterThan(50)
    expect(counts).toEqual({
      ...Object.fromEntries(Object.keys(counts).map((name) => [name, 0])),
      scheduled: counts.scheduled,
      completed: counts.scheduled,
    })
    expect(ledger).toEqual({ state: 'COMPLETE', reasons: [] })
  }

  test('with group commit: rows share transactions, and the log grew by what they hold', async () => {
    const report = await play('thread', { poolSize: null, ownTransactions: false })
    expectClean(report)
    const { engineStats, counts, resources } = report.evidence
    expect(engineStats['committedRows']).toBe(counts.scheduled)
    expect(engineStats['commits']).toBeLessThanOrEqual(counts.scheduled)
    // Bodies alone are 300 bytes a row, and PostgreSQL's log holds each of them.
    expect(engineStats['walBytesWritten']).toBeGreaterThan(300 * counts.scheduled)
    expect(resources.cpuUs).toBeGreaterThan(0)
    expect(resources.openConnectionsMax).toBe(11)
  })

  test('without it every row has a transaction and a sync of its own', async () => {
    const report = await play('off', { poolSize: null, ownTransactions: false })
    expectClean(report)
    const { engineStats, counts } = report.evidence
    expect(engineStats['commits']).toBe(counts.scheduled)
    const fsyncs = engineStats['fsyncs'] ?? null
    // Appends follow one another, so no two commits share a sync; servers before 14 do not count them.
    if (fsyncs !== null) expect(fsyncs).toBeGreaterThanOrEqual(counts.scheduled)
  })

  test('a small pool is waited for, in a series by second; its size and its bound are on record', async () => {
    const report = await play('thread', { poolSize: 2, ownTransactions: true })
    expectClean(report)
    const { engineStats, counts, client, resources } = report.evidence
    expect(engineStats['poolSize']).toBe(2)
    expect(engineStats['commits']).toBe(counts.scheduled)
    expect(resources.openConnectionsMax).toBe(3)
    const series = readHistogramLog(report.hlog)
    // One wait for a connection before each transaction and each read, and before the look at where the round begins.
    expect(mergeDistributions(series.get('store.poolWait') ?? []).n).toBe(counts.scheduled + (client['reads'] ?? 0) + 1)
    expect(series.get('store.poolWait')).toHaveLength(1)
    expect(mergeDistributions(series.get('store.lockWait') ?? []).n).toBe(counts.scheduled)
  })

  test('leaves nothing in the database', async () => {
    await play('thread', { poolSize: null, ownTransactions: false })
    const left = await server.query('SELECT nspname FROM pg_namespace WHERE nspname = $1', [namespace])
    expect(left).toEqual([])
  })

  test('a server that cannot be asked is named, its password is not', async () => {
    const url = server.url.replace(/:\d+\/store/, ':1/store')
    const refused = await PostgresMonitor.open(url).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'STORE', message: expect.stringMatching(/Cannot observe/) as string })
    expect((refused as Error).message).not.toContain(server.password)
  })
})
