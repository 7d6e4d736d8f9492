/** The PostgreSQL store against a server of its own: what it keeps, in which order, and what becomes of it when things break. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { inspect } from 'node:util'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import type { StoredEvent } from '../../../src/engines/event-store/event-store.ts'
import { postgresCommit } from '../../../src/engines/event-store/postgres-commit.ts'
import type { PostgresOptions } from '../../../src/engines/event-store/postgres-options.ts'
import { storeNames } from '../../../src/engines/event-store/postgres-schema.ts'
import { openPostgresStore, type PostgresStore } from '../../../src/engines/event-store/postgres-store.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { eventually, skipWithoutPostgres, startPostgres, type PostgresServer } from './postgres-server.ts'

const skipped = skipWithoutPostgres()
const names = storeNames('lighthouse')
let server: PostgresServer
const opened: PostgresStore[] = []
const clients: Client[] = []

// So slow a log writer shows reliably what a commit leaves in memory; it changes nothing for commits that wait for the log.
beforeAll(async () => {
  if (!skipped) server = await startPostgres({ wal_writer_delay: '10s' })
}, 60_000)
afterAll(() => (skipped ? undefined : server.stop()), 30_000)

beforeEach(async () => {
  if (!skipped) await server.query('DROP SCHEMA IF EXISTS lighthouse CASCADE')
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

async function open(changes: Partial<PostgresOptions> = {}): Promise<PostgresStore> {
  const store = await openPostgresStore({ url: server.url, durability: 'os', indexedByAgent: false, ...changes })
  opened.push(store)
  return store
}

async function connectRaw(): Promise<Client> {
  const client = await server.connect()
  clients.push(client)
  return client
}

function batchOf(...rows: readonly (readonly [agent: string, body: string | Uint8Array])[]): RowBatch {
  const batch = new RowBatch()
  for (const [agent, body] of rows) batch.add(agent, 'a0', 1, 'n:a0:1', body, 1234.5)
  return batch
}

async function rejection(promise: Promise<unknown>): Promise<LighthouseError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LighthouseError)
  return error as LighthouseError
}

async function everything(store: PostgresStore, after = 0): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  await store.replay((event) => events.push(event), after)
  return events
}

async function bodies(store: PostgresStore): Promise<(string | Uint8Array)[]> {
  return (await everything(store)).map((event) => event.body)
}

/** Server processes of the store that wait for a lock. */
async function waitingForLock(): Promise<number[]> {
  const rows = await server.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'lighthouse' AND wait_event_type = 'Lock'`,
  )
  return rows.map((row) => row.pid)
}

/** Another appender that holds its turn until the returned client commits. */
async function holdTurn(): Promise<Client> {
  const client = await connectRaw()
  await client.query('BEGIN')
  await client.query(`SELECT pg_advisory_xact_lock(${names.lock})`)
  return client
}

const insertRaw = `
  INSERT INTO lighthouse.events (sequence, agent, source, kind, exchange, form, body, produced_at_ms, batch)
  VALUES (nextval('lighthouse.event_sequence'), 'a1', 'raw', 1, 'x', 1, 'raw', 0, 0) RETURNING sequence::int`

describe.skipIf(skipped)('rows', () => {
  test.each(['os', 'fsync'] as const)(
    'under %s come back as they went in, by inbox and in order',
    async (durability) => {
      const store = await open({ durability, indexedByAgent: true })
      expect([await store.lastSequence(), store.indexedByAgent]).toEqual([0, true])
      expect(await store.append(batchOf(['a1', 'one'], ['a2', 'two'], ['a1', new Uint8Array([0, 255, 7])]))).toBe(1)
      const odd = ['füür \u0000 \u{1F525}', 'half \ud83d pair', '', String.raw`{"a\\,}'NULL`, 'NULL']
      expect(await store.append(batchOf(...odd.map((body) => ['a1', body] as const)))).toBe(4)
      expect((await store.readAfter('a1', 0, 3)).map((event) => [event.sequence, event.body])).toEqual([
        [1, 'one'],
        [3, new Uint8Array([0, 255, 7])],
        [4, odd[0]],
      ])
      expect((await store.readAfter('a1', 3, 10)).map((event) => event.body)).toEqual(odd)
      expect(await store.readAfter('a3', 0, 10)).toEqual([])
      expect(await store.readAfter('a2', 0, 10)).toEqual([
        { sequence: 2, agent: 'a2', source: 'a0', kind: 1, exchange: 'n:a0:1', body: 'two', producedAtMs: 1234.5 },
      ])
      expect(await store.lastSequence()).toBe(8)
    },
  )

  test('names and kinds at their limits are kept, what cannot be kept is refused with its whole batch', async () => {
    const store = await open()
    const batch = new RowBatch()
    batch.add('ä "1"', '\\{,}', -(2 ** 31), '\u{1F525}', 'body', Number.MIN_VALUE)
    batch.add('', '', 2 ** 31 - 1, '', new Uint8Array(0), -1.5)
    await store.append(batch)
    expect((await everything(store)).map((event): unknown[] => Object.values(event).slice(1))).toEqual([
      ['ä "1"', '\\{,}', -(2 ** 31), '\u{1F525}', 'body', Number.MIN_VALUE],
      ['', '', 2 ** 31 - 1, '', new Uint8Array(0), -1.5],
    ])
    const bad = [
      ['a\u0000', 'a0', 1, 'x'],
      ['a1', '\ud800', 1, 'x'],
      ['a1', 'a0', 1, '\u0000'],
      ['a1', 'a0', 2 ** 31, 'x'],
      ['a1', 'a0', 0.5, 'x'],
    ] as const
    for (const [agent, source, kind, exchange] of bad) {
      const mixed = batchOf(['a1', 'beside'])
      mixed.add(agent, source, kind, exchange, 'body', 0)
      expect((await rejection(store.append(mixed))).code).toBe('STORE')
    }
    expect(await store.lastSequence()).toBe(2)
  })

  test('a part of a batch is appended alone, and the batch may be reused at once', async () => {
    const store = await open()
    const bytes = new Uint8Array([1])
    const batch = batchOf(['a1', 'one'], ['a1', bytes], ['a1', 'three'])
    const appended = store.append(batch, 1, 2)
    bytes.fill(9)
    batch.clear()
    batch.add('a1', 'a0', 1, 'x', 'other', 0)
    expect([await appended, await bodies(store)]).toEqual([1, [new Uint8Array([1])]])
    expect((await rejection(store.append(batch, 1, 1))).code).toBe('INTERNAL')
  })

  test('a batch is stored whole or not at all, and the store goes on', async () => {
    const store = await open()
    await server.query(`ALTER TABLE lighthouse.events ADD CHECK (agent <> 'poison')`)
    const error = await rejection(store.append(batchOf(['a1', 'before'], ['poison', ''], ['a1', 'behind'])))
    expect([error.code, await store.lastSequence()]).toEqual(['STORE', 0])
    await store.append(batchOf(['a1', 'next']))
    expect(await bodies(store)).toEqual(['next'])
    expect(store.statistics()).toMatchObject({ commits: 1, rows: 1, failures: 1, settled: 0 })
  })

  test('replay visits everything once, in order, across pages', async () => {
    const store = await open()
    const all = Array.from({ length: 2500 }, (_, index) => String(index))
    await store.append(batchOf(...all.map((body) => ['a1', body] as const)))
    expect(await bodies(store)).toEqual(all)
    expect((await everything(store, 2498)).map((event) => event.sequence)).toEqual([2499, 2500])
  })

  test('an append-only store is indexed afterwards', async () => {
    const store = await open()
    await store.append(batchOf(['a1', 'one'], ['a2', 'two']))
    expect([store.indexedByAgent, (await store.readAfter('a2', 0, 10)).length]).toEqual([false, 1])
    await store.indexByAgent()
    expect([store.indexedByAgent, (await store.readAfter('a2', 0, 10)).length]).toEqual([true, 1])
    expect((await open()).indexedByAgent).toBe(true)
  })
})

/** Follows the log as a reader does: waits, reads what is new, moves its cursor; ends when `count` rows came. */
async function follow(store: PostgresStore, count: number): Promise<number[]> {
  const seen: number[] = []
  while (seen.length < count) {
    const last = await store.waitForAppend(seen.at(-1) ?? 0, 4000)
    if (last === null) throw new Error(`no row came after ${seen.length} of ${count}`)
    await store.replay((event) => seen.push(event.sequence), seen.at(-1) ?? 0)
  }
  return seen
}

async function storedSequences(): Promise<number[]> {
  const rows = await server.query<{ sequence: number }>('SELECT sequence::int FROM lighthouse.events ORDER BY sequence')
  return rows.map((row) => row.sequence)
}

describe.skipIf(skipped)('order', () => {
  test('under 8 appenders of two processes a waiting reader sees every row exactly once, ascending', async () => {
    const first = await open({ poolSize: 8 })
    const second = await open({ poolSize: 8, connection: 'second' })
    const reader = await open({ poolSize: 1, connection: 'second' })
    const perAppender = 25
    let total = 0
    const appendAll = async (appender: number): Promise<[number, string][]> => {
      const store = appender % 2 === 0 ? first : second
      const own: [number, string][] = []
      for (let round = 0; round < perAppender; round++) {
        const rows = Array.from({ length: 1 + ((appender + round) % 4) }, (_, row) => `${appender}/${round}/${row}`)
        total += rows.length
        const sequence = await store.append(batchOf(...rows.map((body) => ['a1', body] as const)))
        own.push(...rows.map((body, row): [number, string] => [sequence + row, body]))
      }
      return own
    }
    const expectedTotal = Array.from({ length: 8 * perAppender }, (_, index) => {
      return 1 + ((Math.floor(index / perAppender) + (index % perAppender)) % 4)
    }).reduce((sum, rows) => sum + rows, 0)
    const following = follow(reader, expectedTotal)
    const acknowledged = (await Promise.all(Array.from({ length: 8 }, (_, appender) => appendAll(appender)))).flat()
    const seen = await following
    expect(total).toBe(expectedTotal)
    expect(seen).toEqual(await storedSequences())
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
    // Each row is where its appender was told it is.
    const stored = await everything(reader)
    expect(acknowledged.sort((a, b) => a[0] - b[0])).toEqual(stored.map((event) => [event.sequence, event.body]))
    const { commits, rows, lockWaitUs, poolWaitUs } = first.statistics()
    expect([commits, lockWaitUs.count]).toEqual([4 * perAppender, 4 * perAppender])
    expect(poolWaitUs.count).toBeGreaterThanOrEqual(commits)
    expect(rows + second.statistics().rows).toBe(expectedTotal)
  })

  test('a row drawn but not committed holds back every later one', async () => {
    const store = await open()
    const slow = await holdTurn()
    await slow.query(insertRaw)
    const later = store.append(batchOf(['a1', 'later']))
    await eventually('the append waits for its turn', async () => (await waitingForLock()).length === 1)
    expect(await everything(store)).toEqual([])
    const following = follow(store, 2)
    await slow.query('COMMIT')
    expect([await following, await later]).toEqual([[1, 2], 2])
    expect(store.statistics().lockWaitUs.quantile(1)).toBeGreaterThan(0)
  })

  test('the reader misses a row of an appender that does not wait for its turn: the check can fail', async () => {
    const store = await open()
    const unruly = await connectRaw()
    await unruly.query('BEGIN')
    await unruly.query(insertRaw)
    await store.append(batchOf(['a1', 'overtakes']))
    const seen = await follow(store, 1)
    await unruly.query('COMMIT')
    await store.append(batchOf(['a1', 'last']))
    seen.push(...(await everything(store, seen.at(-1))).map((event) => event.sequence))
    expect([seen, await storedSequences()]).toEqual([
      [2, 3],
      [1, 2, 3],
    ])
  })
})

describe.skipIf(skipped)('a reader that waits', () => {
  test('is woken by an append of another process, and answered at once by rows that are there', async () => {
    const store = await open()
    const writer = await open({ connection: 'second' })
    // Shorter than the time after which the outbox reads by itself, so only a notification can wake it.
    const waiting = store.waitForAppend(0, 4000)
    await eventually('the outbox listens', () => store.statistics().listening)
    await writer.append(batchOf(['a1', 'one'], ['a1', 'two']))
    expect(await waiting).toBe(2)
    expect(await store.waitForAppend(1, 4000)).toBe(2)
  })

  test('is told null at its time-out, on abort, and when the store closes', async () => {
    const store = await open()
    await store.append(batchOf(['a1', 'one']))
    const stop = new AbortController()
    const answers = [
      store.waitForAppend(1, 30),
      store.waitForAppend(1, 60_000, stop.signal),
      store.waitForAppend(1, 60_000),
    ]
    expect(store.statistics().waitingReaders).toBe(3)
    expect(await answers[0]).toBeNull()
    stop.abort()
    expect([await answers[1], store.statistics().waitingReaders]).toEqual([null, 1])
    expect(await store.waitForAppend(0, 4000, AbortSignal.abort())).toBeNull()
    await store.close()
    expect([await answers[2], await store.waitForAppend(0, 4000)]).toEqual([null, null])
  })

  test('does not miss what was appended while its connection was lost', async () => {
    const store = await open()
    const waiting = store.waitForAppend(0, 15_000)
    await eventually('the outbox listens', () => store.statistics().listening)
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'listener'`)
    await eventually('the outbox has noticed', () => !store.statistics().listening)
    await store.append(batchOf(['a1', 'unheard']))
    expect(await waiting).toBe(1)
    expect(store.statistics().listenerReconnects).toBe(1)
    const next = store.waitForAppend(1, 4000)
    await store.append(batchOf(['a1', 'heard']))
    expect(await next).toBe(2)
  })
})

/** Stands between store and server; can swallow what the server answers, and turn everybody away. */
class Proxy {
  deaf = false
  shut = false
  readonly #sockets = new Set<Socket>()
  readonly #listener: Server

  constructor(port: number) {
    this.#listener = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => to.destroy())
        from.on('data', (data) => {
          if (from === near || !this.deaf) to.write(data)
        })
      }
      if (this.shut) this.cut()
    }).listen(0, '127.0.0.1')
  }

  async url(): Promise<string> {
    if (!this.#listener.listening) await once(this.#listener, 'listening')
    const { port } = this.#listener.address() as AddressInfo
    return server.url.replace(/:\d+\/store/, `:${port}/store`)
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  close(): void {
    this.cut()
    this.#listener.close()
  }
}

describe.skipIf(skipped)('broken connections', () => {
  test('an append whose server process is ended fails with nothing stored, and the store goes on', async () => {
    const store = await open()
    const holder = await holdTurn()
    const failing = rejection(store.append(batchOf(['a1', 'under way'])))
    await eventually('the append waits', async () => (await waitingForLock()).length === 1)
    await holder.query('SELECT pg_terminate_backend($1)', await waitingForLock())
    const error = await failing
    expect([error.code, error.message]).toEqual(['STORE', expect.stringMatching(/the server ended the connection/)])
    await holder.query('COMMIT')
    await store.append(batchOf(['a1', 'after']))
    expect(await bodies(store)).toEqual(['after'])
    expect(store.statistics()).toMatchObject({ commits: 1, failures: 1, settled: 1 })
  })

  test('connections that end while idle are replaced', async () => {
    const store = await open()
    await store.append(batchOf(['a1', 'one']))
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lighthouse'`)
    await eventually('the pool has noticed', () => store.statistics().lostIdleConnections === 1)
    expect(await store.append(batchOf(['a1', 'two']))).toBe(2)
  })

  test('an append that was committed but not answered is found to be stored', async () => {
    const proxy = new Proxy(server.port)
    try {
      const store = await open({ url: await proxy.url() })
      await store.append(batchOf(['a1', 'one']))
      proxy.deaf = true
      const appending = store.append(batchOf(['a1', 'two'], ['a1', 'three']))
      await eventually('the server has committed', async () => (await storedSequences()).length === 3)
      proxy.deaf = false
      proxy.cut()
      expect(await appending).toBe(2)
      expect(store.statistics()).toMatchObject({ commits: 2, rows: 3, failures: 0, settled: 1 })
      expect(await bodies(store)).toEqual(['one', 'two', 'three'])
    } finally {
      proxy.close()
    }
  })

  test('an append that did not come to its turn is ended before it is given up', async () => {
    const proxy = new Proxy(server.port)
    try {
      const store = await open({ url: await proxy.url() })
      const holder = await holdTurn()
      const failing = rejection(store.append(batchOf(['a1', 'under way'])))
      await eventually('the append waits', async () => (await waitingForLock()).length === 1)
      // The server does not notice: left alone, it would store the rows once its turn came.
      proxy.cut()
      const error = await failing
      expect(error.message).toMatch(/connection/)
      expect(await waitingForLock()).toEqual([])
      await holder.query('COMMIT')
      await store.append(batchOf(['a1', 'after']))
      expect(await bodies(store)).toEqual(['after'])
    } finally {
      proxy.close()
    }
  })

  test('where the outcome stays unknown the error says so, within its bound', async () => {
    const proxy = new Proxy(server.port)
    try {
      const store = await open({ url: await proxy.url(), settleWithinMs: 300 })
      const holder = await holdTurn()
      const failing = rejection(store.append(batchOf(['a1', 'under way'])))
      await eventually('the append waits', async () => (await waitingForLock()).length === 1)
      proxy.shut = true
      proxy.cut()
      expect((await failing).message).toMatch(/could not be found out within 300 ms/)
      await holder.query('COMMIT')
    } finally {
      proxy.close()
    }
  })
})

describe.skipIf(skipped)('bounded waits', () => {
  test('a pool whose connections are all busy refuses after its time-out, a turn that does not come after its own', async () => {
    const store = await open({ poolSize: 1, connectTimeoutMs: 300, lockTimeoutMs: 1500 })
    const holder = await holdTurn()
    const holding = rejection(store.append(batchOf(['a1', 'waits for its turn'])))
    await eventually('the append waits', async () => (await waitingForLock()).length === 1)
    const refused = await rejection(store.lastSequence())
    expect(refused.message).toMatch(/every connection of the pool stayed busy/)
    expect(refused.suggestions[0]).toMatch(/Raise the pool size/)
    expect((await holding).message).toMatch(/beyond the lock time-out/)
    await holder.query('COMMIT')
    expect(await store.append(batchOf(['a1', 'after']))).toBeGreaterThan(0)
    const { poolFailures, lockTimeouts, poolWaitUs, connections } = store.statistics()
    expect([poolFailures, lockTimeouts, connections]).toEqual([1, 1, { total: 1, idle: 1, waiting: 0 }])
    expect(poolWaitUs.quantile(1)).toBeGreaterThan(0)
    store.resetStatistics()
    expect(store.statistics()).toMatchObject({ commits: 0, failures: 0, poolFailures: 0, lockTimeouts: 0 })
    expect([store.statistics().poolWaitUs.count, store.statistics().lockWaitUs.count]).toEqual([0, 0])
  })

  test('a statement that takes too long is ended by the server, with nothing stored', async () => {
    const store = await open({ statementTimeoutMs: 400, lockTimeoutMs: 60_000 })
    const holder = await holdTurn()
    expect((await rejection(store.append(batchOf(['a1', 'late'])))).message).toMatch(/statement time-out/)
    await holder.query('COMMIT')
    expect([await store.lastSequence(), store.statistics().settled]).toEqual([0, 0])
  })

  test('closing cuts off what does not end, and nothing goes on behind it', async () => {
    const store = await open()
    const holder = await holdTurn()
    const cut = rejection(store.append(batchOf(['a1', 'cut off'])))
    await eventually('the append waits', async () => (await waitingForLock()).length === 1)
    await store.close()
    expect((await cut).message).toMatch(/broke under an append/)
    expect((await rejection(store.append(batchOf(['a1', 'late'])))).message).toMatch(/is closed/)
    expect((await rejection(store.lastSequence())).message).toMatch(/is closed/)
    await holder.query('COMMIT')
  })
})

describe.skipIf(skipped)('opening', () => {
  test('a store opened again keeps rows, secret and settings, and counts the boot', async () => {
    const first = await open()
    await first.append(batchOf(['a1', 'kept']))
    await first.writeMeta('retention', '30m')
    await first.writeMeta('retention', '1h')
    expect([await first.useNonce(1, 7), await first.useNonce(2, 7), await first.useNonce(1, '7')]).toEqual([
      true,
      true,
      false,
    ])
    expect([first.bootEpoch, first.secret.length]).toEqual([1, 32])
    await first.close()
    const second = await open()
    expect([second.bootEpoch, second.secret]).toEqual([2, first.secret])
    expect([await second.readMeta('retention'), await second.readMeta('absent')]).toEqual(['1h', null])
    expect([await bodies(second), await second.useNonce(1, 7)]).toEqual([['kept'], true])
    expect(await second.append(batchOf(['a1', 'next']))).toBe(2)
    const reader = await open({ connection: 'second' })
    expect([reader.bootEpoch, reader.secret]).toEqual([2, first.secret])
    const other = await open({ namespace: 'other_store' })
    expect([other.bootEpoch, Buffer.from(other.secret).equals(first.secret), await other.lastSequence()]).toEqual([
      1,
      false,
      0,
    ])
    await server.query('DROP SCHEMA other_store CASCADE')
  })

  test('of two that open a new store at once one makes it', async () => {
    const both = await Promise.all([open(), open()])
    expect(both.map((store) => store.bootEpoch).sort((a, b) => a - b)).toEqual([1, 2])
    expect(both[0].secret).toEqual(both[1].secret)
  })

  test('what cannot be met is a usage error before anything connects', async () => {
    const url = 'postgresql://owner:secret-word@127.0.0.1:1/store'
    const refused: Partial<PostgresOptions>[] = [
      { durability: 'memory' },
      { poolSize: 0 },
      { poolSize: 201 },
      { poolSize: 1.5 },
      { connectTimeoutMs: 0 },
      { settleWithinMs: 0 },
      { namespace: 'Not Usable' },
      { namespace: 'pg_catalog' },
    ]
    for (const changes of refused) {
      const error = await rejection(open({ url, ...changes }))
      expect([error.code, error.suggestions.length]).toEqual(['USAGE', 1])
    }
    expect((await rejection(open({ durability: 'memory' }))).message).toMatch(/cannot keep an event store in memory/)
  })

  test('foreign tables, another schema version, another encoding and a missing first connection are refused', async () => {
    expect((await rejection(open({ connection: 'second' }))).message).toMatch(/without a first/)
    await server.query('CREATE SCHEMA lighthouse; CREATE TABLE lighthouse.meta (precious text)')
    expect((await rejection(open())).message).toMatch(/holds other tables/)
    expect(await server.query('SELECT * FROM lighthouse.meta')).toEqual([])
    await server.query('DROP SCHEMA lighthouse CASCADE; CREATE SCHEMA lighthouse')
    await (await open()).writeMeta('schemaVersion', '99')
    expect((await rejection(open())).message).toMatch(/schema is version 99 and this Lighthouse knows 1/)
    await server.query("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
    const narrow = server.url.replace(/store$/, 'narrow')
    expect((await rejection(open({ url: narrow }))).message).toMatch(/the database is in LATIN1/)
    await server.query('DROP DATABASE narrow')
  })

  test('no error holds the password, however deep one looks', async () => {
    const deaf = createServer(() => {}).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    const deafPort = (deaf.address() as AddressInfo).port
    const secret = 'p@ss/wörd'
    const at = (port: number, database = 'store'): string =>
      `postgresql://owner:${encodeURIComponent(secret)}@127.0.0.1:${port}/${database}`
    try {
      const errors = [
        [await rejection(open({ url: at(server.port) })), /the password is wrong/],
        [await rejection(open({ url: at(1) })), /nobody listens there/],
        [
          await rejection(open({ url: at(deafPort), connectTimeoutMs: 200 })),
          /did not answer within the connect time-out/,
        ],
        [await rejection(open({ url: `${at(server.port)}?sslmode=require` })), /speaks no TLS/],
        [await rejection(open({ url: server.url.replace(/store$/, 'absent') })), /database does not exist/],
      ] as const
      for (const [error, message] of errors) {
        expect([error.code, error.message]).toEqual(['STORE', expect.stringMatching(message)])
        expect(error.message).toMatch(/postgresql:\/\/owner@127\.0\.0\.1:/)
        expect(error.suggestions.length).toBe(1)
        const text = inspect(error, { depth: 20, showHidden: true })
        for (const leak of [secret, encodeURIComponent(secret), server.password]) expect(text).not.toContain(leak)
      }
    } finally {
      deaf.close()
    }
  })
})

describe.skipIf(skipped)('durability', () => {
  test('a killed client: whatever it was told is stored', async () => {
    const store = await open()
    const child = spawn(
      process.execPath,
      [new URL('./postgres-child.ts', import.meta.url).pathname, 'append', server.url],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const told: number[] = []
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        told.push(Number(line))
        if (told.length === 30) child.kill('SIGKILL')
      }
    } finally {
      child.kill('SIGKILL')
    }
    expect(told.length).toBeGreaterThanOrEqual(30)
    const stored = new Set((await everything(store)).map((event) => event.sequence))
    expect(told.filter((sequence) => !stored.has(sequence))).toEqual([])
  })

  /** One server process dies by SIGKILL; the server then ends all others and recovers from its log. */
  async function killOneProcess(): Promise<void> {
    // The checkpointer is one of those others: a new one means that the crash has been dealt with.
    const checkpointer = async (): Promise<unknown> =>
      (await server.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`))[0]
        ?.pid
    const before = await checkpointer()
    const victim = await connectRaw()
    const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    process.kill(Number(rows[0]?.pid), 'SIGKILL')
    await eventually('the server has recovered', () =>
      checkpointer().then(
        (now) => now !== undefined && now !== before,
        () => false,
      ),
    )
  }

  test.each(['os', 'fsync'] as const)('a killed server process, then a killed server, under %s', async (durability) => {
    const store = await open({ durability })
    const { secret } = store
    await store.append(batchOf(['a1', 'one']))
    await killOneProcess()
    expect(
      await store.append(batchOf(['a1', 'two'])).catch(() => store.append(batchOf(['a1', 'two']))),
    ).toBeGreaterThan(1)
    await server.crash()
    expect((await rejection(store.lastSequence())).code).toBe('STORE')
    await server.start()
    const again = await open({ durability })
    expect([await bodies(again), again.bootEpoch, again.secret]).toEqual([['one', 'two'], 2, secret])
  })

  test('synchronous_commit=off loses acknowledged rows to one killed process: the check can fail', async () => {
    const store = await open()
    const outcomes: number[] = []
    // A checkpoint or another commit may save the row by chance.
    for (let attempt = 1; attempt <= 5 && !outcomes.includes(0); attempt++) {
      const hasty = await connectRaw()
      await hasty.query('SET synchronous_commit = off')
      const { rows } = await hasty.query<{ sequence: number }>(insertRaw)
      await killOneProcess()
      const found = await server.query('SELECT FROM lighthouse.events WHERE sequence = $1', [rows[0]?.sequence])
      outcomes.push(found.length)
    }
    expect(outcomes).toContain(0)
    await store.close()
  })

  test('fsync is refused where the server does not sync, os is not', async () => {
    const setTo = async (value: 'on' | 'off'): Promise<void> => {
      await server.query(`ALTER SYSTEM SET fsync = ${value}`)
      await server.query('SELECT pg_reload_conf()')
      await eventually(
        `fsync is ${value}`,
        async () => (await server.query('SELECT WHERE current_setting($1) = $2', ['fsync', value])).length === 1,
      )
    }
    await setTo('off')
    try {
      expect((await rejection(open({ durability: 'fsync' }))).message).toMatch(/runs with fsync off/)
      const store = await open({ durability: 'os' })
      await store.append(batchOf(['a1', 'kept']))
      await killOneProcess()
      expect(await server.query('SELECT FROM lighthouse.events')).toHaveLength(1)
    } finally {
      await setTo('on')
    }
  })

  test.each([
    ['os', 'local'],
    ['fsync', 'on'],
  ] as const)('%s is synchronous_commit=%s whatever role and URL say', async (durability, expected) => {
    await server.query(
      "ALTER ROLE owner SET synchronous_commit = off; ALTER ROLE owner SET default_transaction_isolation = 'serializable'",
    )
    try {
      const store = await open({ durability, poolSize: 1 })
      await server.query(`CREATE TABLE lighthouse.noted (setting text);
        CREATE FUNCTION lighthouse.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO lighthouse.noted SELECT current_setting(name) FROM unnest(ARRAY['synchronous_commit', 'transaction_isolation']) AS name;
          RETURN NULL; END $$;
        CREATE TRIGGER note AFTER INSERT ON lighthouse.events FOR EACH STATEMENT EXECUTE FUNCTION lighthouse.note()`)
      await store.append(batchOf(['a1', 'one']))
      expect(await server.query('SELECT setting FROM lighthouse.noted')).toEqual([
        { setting: expected },
        { setting: 'read committed' },
      ])
    } finally {
      await server.query('ALTER ROLE owner RESET ALL')
    }
  })
})

describe.skipIf(skipped)('group commit on the server', () => {
  test.each([
    ['thread', false],
    ['off', true],
  ] as const)('%s: every ticket comes back once with its row, in order', async (batching, alone) => {
    const store = await open()
    const sequences: number[] = []
    const commit = postgresCommit(
      store,
      {
        onCommitted(from, to, firstSequence) {
          expect(from).toBe(sequences.length + 1)
          for (let ticket = from; ticket <= to; ticket++) sequences.push(firstSequence + ticket - from)
        },
        onFailed(_from, _to, error) {
          throw error
        },
      },
      batching,
    )
    for (let index = 1; index <= 60; index++) expect(commit.append('a1', 'a0', 1, 'x', String(index), 0)).toBe(index)
    await commit.close()
    expect(commit.append('a1', 'a0', 1, 'x', 'late', 0)).toBe(-1)
    expect((await everything(store)).map((event) => [event.sequence, event.body])).toEqual(
      sequences.map((sequence, index) => [sequence, String(index + 1)]),
    )
    expect(commit.counts()).toEqual({ commits: alone ? 60 : 2, rows: 60, failures: 0 })
    expect([commit.pendingRows(), store.statistics().commits]).toEqual([0, alone ? 60 : 2])
  })
})

describe('the server of the tests', () => {
  test('its absence skips on a user’s machine and fails on a build machine', () => {
    const warned: unknown[] = []
    const { warn } = console
    console.warn = (...words: unknown[]) => void warned.push(...words)
    try {
      expect(skipWithoutPostgres(null, {})).toBe(true)
    } finally {
      console.warn = warn
    }
    expect(String(warned[0])).toMatch(/^SKIPPED/)
    for (const name of ['CI', 'LIGHTHOUSE_CI']) {
      expect(() => skipWithoutPostgres(null, { [name]: 'true' })).toThrow(/install postgresql/)
      expect(skipWithoutPostgres('/somewhere', { [name]: 'true' })).toBe(false)
    }
  })

  test.skipIf(skipped)('stops when the process that started it is killed', async () => {
    const child = spawn(process.execPath, [new URL('./postgres-child.ts', import.meta.url).pathname, 'serve'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const [pid, folder] = line.toString().trim().split(' ') as [string, string]
    const isAlive = (): boolean => {
      try {
        return process.kill(Number(pid), 0)
      } catch {
        return false
      }
    }
    expect([isAlive(), existsSync(folder)]).toEqual([true, true])
    child.kill('SIGKILL')
    await eventually('the orphaned server has ended', () => !isAlive(), 15_000)
    await eventually('its folder is gone', () => !existsSync(folder))
  })
})
