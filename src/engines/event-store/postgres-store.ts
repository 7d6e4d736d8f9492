/**
 * The event store on PostgreSQL through `pg`: the log of event-store.ts behind promises, and readers that can wait.
 *
 * Durability is what an acknowledged row survives. `os` is synchronous_commit=local: the log has left the server's
 * processes before a commit is answered, so the row survives a killed engine and killed server processes; `fsync` is
 * synchronous_commit=on, which also waits for the standbys that the server declares synchronous, and is refused where the
 * server runs with fsync off. synchronous_commit=off is used for neither: it answers up to three times wal_writer_delay
 * before the log leaves shared memory, and one killed server process loses those rows
 * (https://www.postgresql.org/docs/current/wal-async-commit.html). Whoever wants `os` to cost no sync of the disk runs a
 * server with fsync off. `memory` does not exist here.
 *
 * The order of sequences is kept by postgres-append.ts, waiting readers by postgres-outbox.ts.
 */
import type { LatencyRecorder } from '../../measurement/latency-recorder.ts'
import type { Durability } from '../../measurement/vocabulary.ts'
import { systemClock } from '../../platform/clock.ts'
import type { RowBatch, StoredEvent } from './event-store.ts'
import { parsePostgresAddress } from './postgres-address.ts'
import { Appender } from './postgres-append.ts'
import { Connections } from './postgres-connections.ts'
import { postgresError } from './postgres-errors.ts'
import { checkOptions, indexWithinMs, type PostgresOptions } from './postgres-options.ts'
import { Outbox } from './postgres-outbox.ts'
import { eventColumns, toEvent, type EventRow } from './postgres-rows.ts'
import { setUpStore, storeNames, type StoreNames, type StoreState } from './postgres-schema.ts'

const replayPage = 1000

/** Since the store was opened or `resetStatistics` was called; the recorders end with the store. */
export interface PostgresStatistics {
  readonly commits: number
  readonly rows: number
  readonly failures: number
  /** Appends whose connection broke and whose outcome was then found out. */
  readonly settled: number
  readonly poolWaitUs: LatencyRecorder
  /** Waits that ended without a connection. */
  readonly poolFailures: number
  /** How long appends waited for the appenders before them; a wait that timed out is in `lockTimeouts` alone. */
  readonly lockWaitUs: LatencyRecorder
  readonly lockTimeouts: number
  readonly lostIdleConnections: number
  readonly listenerReconnects: number
  readonly listening: boolean
  readonly waitingReaders: number
  readonly connections: { readonly total: number; readonly idle: number; readonly waiting: number }
}

/** As `EventStore`, but every call answers later. All reject with LighthouseError('STORE'). */
export interface PostgresStore {
  readonly durability: Durability
  /** For messages and reports: without password. */
  readonly location: string
  readonly indexedByAgent: boolean
  /** Counts openings of this store, from 1; raised durably before `openPostgresStore` resolves. */
  readonly bootEpoch: number
  /** 32 random bytes made when the store was created. */
  readonly secret: Uint8Array
  /**
   * Stores rows `from` … `to`−1 of the batch (all of it by default) in one transaction; resolves with the sequence of the
   * first, the others follow without gaps. The batch is copied before the call returns. When it rejects nothing was stored,
   * except that a connection may break and the server stay away beyond `settleWithinMs`; the message then says so.
   */
  append(batch: RowBatch, from?: number, to?: number): Promise<number>
  /** Events of one inbox with a sequence above `sequence`, oldest first, `limit` at most. */
  readAfter(agent: string, sequence: number, limit: number): Promise<StoredEvent[]>
  /** Highest sequence in the store, 0 when empty. */
  lastSequence(): Promise<number>
  /** Visits every event after `afterSequence` in order, page by page, up to the end of the log when it gets there. */
  replay(visitor: (event: StoredEvent) => void, afterSequence?: number): Promise<void>
  /**
   * Resolves with the last sequence as soon as it is above `afterSequence`, with null after `timeoutMs`, on abort and
   * when the store closes. Connects on first use. Never rejects for a lost connection: it comes back and reads what it missed.
   */
  waitForAppend(afterSequence: number, timeoutMs: number, signal?: AbortSignal): Promise<number | null>
  indexByAgent(): Promise<void>
  /** False when `nonce` was already used by this agent since the store was opened; durable when it resolves. */
  useNonce(agent: number, nonce: string | number): Promise<boolean>
  readMeta(key: string): Promise<string | null>
  writeMeta(key: string, value: string): Promise<void>
  statistics(): PostgresStatistics
  resetStatistics(): void
  /** Lets what is under way end; bounded by 3 s, after which connections are cut. */
  close(): Promise<void>
}

class Store implements PostgresStore {
  readonly durability: Durability
  readonly location: string
  readonly bootEpoch: number
  readonly secret: Uint8Array
  readonly #connections: Connections
  readonly #names: StoreNames
  readonly #appender: Appender
  readonly #outbox: Outbox
  #indexed: boolean
  #closing: Promise<void> | null = null

  constructor(
    durability: Durability,
    connections: Connections,
    names: StoreNames,
    state: StoreState,
    appender: Appender,
  ) {
    this.durability = durability
    this.location = connections.address.shown
    this.bootEpoch = state.bootEpoch
    this.secret = state.secret
    this.#indexed = state.indexedByAgent
    this.#connections = connections
    this.#names = names
    this.#appender = appender
    this.#outbox = new Outbox(connections, names)
  }

  get indexedByAgent(): boolean {
    return this.#indexed
  }

  append(batch: RowBatch, from = 0, to = batch.count): Promise<number> {
    return this.#appender.append(batch, from, to)
  }

  async readAfter(agent: string, sequence: number, limit: number): Promise<StoredEvent[]> {
    const rows = await this.#rows<EventRow>(
      'read',
      `SELECT ${eventColumns} FROM ${this.#names.events} WHERE agent = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
      [agent, sequence, limit],
      'read',
    )
    return rows.map(toEvent)
  }

  async lastSequence(): Promise<number> {
    const sql = `SELECT max(sequence) AS last FROM ${this.#names.events}`
    const rows = await this.#rows<{ last: string | null }>('read', sql)
    return Number(rows[0]?.last ?? 0)
  }

  async replay(visitor: (event: StoredEvent) => void, afterSequence = 0): Promise<void> {
    const sql = `SELECT ${eventColumns} FROM ${this.#names.events} WHERE sequence > $1 ORDER BY sequence LIMIT $2`
    let cursor = afterSequence
    for (;;) {
      const rows = await this.#rows<EventRow>('read', sql, [cursor, replayPage], 'page')
      for (const row of rows) visitor(toEvent(row))
      const last = rows.at(-1)
      if (last === undefined || rows.length < replayPage) return
      cursor = Number(last.sequence)
    }
  }

  waitForAppend(afterSequence: number, timeoutMs: number, signal?: AbortSignal): Promise<number | null> {
    return this.#outbox.wait(afterSequence, timeoutMs, signal)
  }

  async indexByAgent(): Promise<void> {
    await buildIndex(this.#connections, this.#names)
    this.#indexed = true
  }

  async useNonce(agent: number, nonce: string | number): Promise<boolean> {
    const rows = await this.#rows(
      'write to',
      `INSERT INTO ${this.#names.nonces} (agent, nonce) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING agent`,
      [agent, String(nonce)],
      'nonce',
    )
    return rows.length === 1
  }

  async readMeta(key: string): Promise<string | null> {
    const sql = `SELECT value FROM ${this.#names.meta} WHERE key = $1`
    const rows = await this.#rows<{ value: string }>('read', sql, [key])
    return rows[0]?.value ?? null
  }

  async writeMeta(key: string, value: string): Promise<void> {
    await this.#rows(
      'write to',
      `INSERT INTO ${this.#names.meta} (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      [key, value],
    )
  }

  statistics(): PostgresStatistics {
    const { commits, rows, failures, settled, lockWait, lockTimeouts } = this.#appender
    const { poolWait, poolFailures, lostIdle } = this.#connections
    return {
      commits,
      rows,
      failures,
      settled,
      poolWaitUs: poolWait,
      poolFailures,
      lockWaitUs: lockWait,
      lockTimeouts,
      lostIdleConnections: lostIdle,
      listenerReconnects: this.#outbox.reconnects,
      listening: this.#outbox.listening,
      waitingReaders: this.#outbox.waiting,
      connections: this.#connections.counts(),
    }
  }

  resetStatistics(): void {
    this.#appender.resetCounts()
    this.#connections.resetCounts()
    this.#outbox.reconnects = 0
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#outbox.close(), this.#connections.close()]).then(() =>
      this.#appender.lockWait.destroy(),
    )
    return this.#closing
  }

  /** `prepared` names a statement that each connection parses once. */
  async #rows<T extends object>(action: string, text: string, values: unknown[] = [], prepared?: string): Promise<T[]> {
    const query = prepared === undefined ? { text, values } : { text, values, name: prepared }
    try {
      return await this.#connections.use(async (client) => (await client.query<T>(query)).rows)
    } catch (error) {
      throw postgresError(action, this.#connections.address, error)
    }
  }
}

async function buildIndex(connections: Connections, names: StoreNames): Promise<void> {
  const text = `CREATE INDEX IF NOT EXISTS events_by_agent ON ${names.events} (agent, sequence)`
  try {
    await connections.transaction(async (client) => {
      await client.query(`SET LOCAL statement_timeout = ${indexWithinMs}`)
      // The driver takes a time-out per query, which its types leave out.
      await client.query(Object.assign({ text }, { query_timeout: indexWithinMs + 1000 }))
    })
  } catch (error) {
    throw postgresError('index', connections.address, error)
  }
}

/**
 * Opens or makes a store. Rejects with LighthouseError('USAGE') for options that cannot be met and with
 * LighthouseError('STORE') for a server or a namespace that may not be used, which are left as they were.
 */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const limits = checkOptions(options)
  const address = parsePostgresAddress(options.url)
  const names = storeNames(options.namespace ?? 'lighthouse')
  const clock = options.clock ?? systemClock()
  const connections = new Connections(address, limits, options.durability === 'fsync' ? 'on' : 'local', clock)
  try {
    const state = await setUpStore(connections, names, options.durability, options.connection ?? 'first')
    const appender = new Appender(connections, names, state.lastSequence, clock, limits.settleWithinMs)
    const store = new Store(options.durability, connections, names, state, appender)
    if (options.indexedByAgent && !state.indexedByAgent) await store.indexByAgent()
    return store
  } catch (error) {
    await connections.close()
    throw postgresError('open', address, error)
  }
}
