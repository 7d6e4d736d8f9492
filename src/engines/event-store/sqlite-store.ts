/**
 * The event store on SQLite through `node:sqlite`.
 *
 * Durability: `memory` is a database without a file; `os` is WAL with synchronous=NORMAL, whose commits survive
 * a killed process; `fsync` is WAL with synchronous=FULL, which syncs the log at each commit
 * (https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous). The log is append-only by
 * row id, and held alone once appended to, which spares the locks of every transaction (in a stand-alone prototype of
 * `append` 16 to 11, 6.7 to 5.4 and 5.2 to 4.5 µs of CPU per row at 1, 4 and 10 rows per commit under `os`); the index
 * by agent exists only where inboxes are read from the store. SQLite before 3.51.3 could damage a database when a WAL was
 * reset under two connections, hence the version check.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Durability } from '../../measurement/vocabulary.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { makeScratchFolder } from '../../platform/scratch.ts'
import type { AppendTimer } from './append-timer.ts'
import type { EventStore, RowBatch, StoredEvent } from './event-store.ts'
import { dieInCheckpoint, passFailpoint } from './failpoints.ts'
import { storeError } from './store-errors.ts'
import { applicationId, inspectStoreFile, schemaVersion } from './store-file.ts'

export interface StoreOptions {
  readonly durability: Durability
  /** null: a temporary file, removed on close. Not used under `memory`. */
  readonly file: string | null
  readonly indexedByAgent: boolean
  /** How long a write waits for a lock of another process. It blocks the thread, so keep it short. */
  readonly busyTimeoutMs?: number
  /** `second`: another connection of the same engine, which must not count as a new boot. */
  readonly connection?: 'first' | 'second'
  /** Caps the size of the database, in pages of 4096 bytes, so that a full disk can be provoked. */
  readonly maxPages?: number
}

const smallestVersion = [3, 51, 3] as const
const replayPage = 1000
const defaultBusyTimeoutMs = 1000
const columns = 'sequence, agent, source, kind, exchange, body, produced_at_ms'

const schema = `
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY, agent TEXT NOT NULL, source TEXT NOT NULL, kind INTEGER NOT NULL,
    exchange TEXT NOT NULL, body ANY NOT NULL, produced_at_ms REAL NOT NULL
  ) STRICT;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE nonces (agent INTEGER NOT NULL, nonce TEXT NOT NULL, PRIMARY KEY (agent, nonce)) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`

function isOlder(version: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, smallest] of smallestVersion.entries()) {
    const part = parts[index] ?? 0
    if (part !== smallest) return part < smallest
  }
  return false
}

function createFile(file: string): void {
  // The store holds the secret from which sessions are derived: nobody but its owner may read it.
  closeSync(openSync(file, 'a', 0o600))
}

class SqliteStore implements EventStore {
  readonly durability: Durability
  readonly file: string
  readonly #database: DatabaseSync
  readonly #temporaryFolder: string | null
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #insert: StatementSync
  readonly #readAfter: StatementSync
  readonly #page: StatementSync
  readonly #insertNonce: StatementSync
  #indexed: boolean
  #bootEpoch = 0
  #secret = new Uint8Array(0)
  #closed = false
  /** Whether the first append still has to ask for the file alone. */
  #mayOwn: boolean
  readonly #busyTimeoutMs: number

  readonly #timer: AppendTimer | null

  constructor(
    database: DatabaseSync,
    file: string,
    temporaryFolder: string | null,
    options: StoreOptions,
    timer: AppendTimer | null,
  ) {
    this.#timer = timer
    this.durability = options.durability
    this.#database = database
    this.file = file
    this.#temporaryFolder = temporaryFolder
    this.#setUp(options)
    this.#indexed = this.#exists('index', 'events_by_agent')
    if (options.indexedByAgent) this.indexByAgent()
    this.#mayOwn = options.durability !== 'memory' && !this.#indexed && options.connection !== 'second'
    this.#busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    this.#insert = database.prepare(
      'INSERT INTO events (agent, source, kind, exchange, body, produced_at_ms) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#readAfter = database.prepare(
      `SELECT ${columns} FROM events WHERE agent = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
    )
    this.#page = database.prepare(`SELECT ${columns} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?`)
    this.#insertNonce = database.prepare('INSERT OR IGNORE INTO nonces (agent, nonce) VALUES (?, ?)')
  }

  get indexedByAgent(): boolean {
    return this.#indexed
  }

  get bootEpoch(): number {
    return this.#bootEpoch
  }

  get secret(): Uint8Array {
    return this.#secret
  }

  append(batch: RowBatch, from = 0, to = batch.count): number {
    let last = 0
    try {
      if (this.#mayOwn) this.#own()
      const startNs = this.#timer?.nowNs() ?? 0
      this.#begin.run()
      const lockedNs = this.#timer?.nowNs() ?? 0
      for (let index = from; index < to; index++) {
        const result = this.#insert.run(
          batch.agents[index] as string,
          batch.sources[index] as string,
          batch.kinds[index] as number,
          batch.exchanges[index] as string,
          batch.bodies[index] as string | Uint8Array,
          batch.producedAtMs[index] as number,
        )
        if (index === to - 1) last = Number(result.lastInsertRowid)
      }
      passFailpoint('beforeCommit')
      this.#timer?.beforeCommit(startNs, lockedNs)
      this.#commit.run()
      if (passFailpoint('afterCommit')) dieInCheckpoint((sql) => this.#database.exec(sql), `${this.file}-checkpoint`)
    } catch (error) {
      this.#rollBack()
      throw storeError('write to', this.file, error)
    }
    return last - (to - from) + 1
  }

  readAfter(agent: string, sequence: number, limit: number): StoredEvent[] {
    try {
      return this.#readAfter.all(agent, sequence, limit).map(toEvent)
    } catch (error) {
      throw storeError('read', this.file, error)
    }
  }

  lastSequence(): number {
    return Number(this.#get('SELECT max(sequence) AS value FROM events') ?? 0)
  }

  replay(visitor: (event: StoredEvent) => void, afterSequence = 0): void {
    let cursor = afterSequence
    for (;;) {
      let rows: StoredEvent[]
      try {
        rows = this.#page.all(cursor, replayPage).map(toEvent)
      } catch (error) {
        throw storeError('read', this.file, error)
      }
      for (const row of rows) visitor(row)
      const last = rows.at(-1)
      if (last === undefined || rows.length < replayPage) return
      cursor = last.sequence
    }
  }

  indexByAgent(): void {
    // The row id is the implicit last column of every index, so this one serves (agent, sequence).
    this.#write('CREATE INDEX IF NOT EXISTS events_by_agent ON events (agent)')
    this.#indexed = true
  }

  useNonce(agent: number, nonce: string | number): boolean {
    try {
      return Number(this.#insertNonce.run(agent, String(nonce)).changes) === 1
    } catch (error) {
      throw storeError('write to', this.file, error)
    }
  }

  readMeta(key: string): string | null {
    const value = this.#get('SELECT value FROM meta WHERE key = ?', key)
    return typeof value === 'string' ? value : null
  }

  writeMeta(key: string, value: string): void {
    this.#write(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      key,
      value,
    )
  }

  walBytes(): number | null {
    if (this.file === ':memory:') return null
    return statSync(`${this.file}-wal`, { throwIfNoEntry: false })?.size ?? 0
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
    if (this.#temporaryFolder !== null) rmSync(this.#temporaryFolder, { recursive: true, force: true })
  }

  #setUp(options: StoreOptions): void {
    const database = this.#database
    const version = String(this.#get('SELECT sqlite_version() AS value'))
    if (isOlder(version)) {
      throw new LighthouseError('STORE', `SQLite ${version} is older than ${smallestVersion.join('.')}.`, {
        suggestions: ['Use Node 26 or newer, which carries a sound SQLite.'],
      })
    }
    if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`)
    // The schema is written in rollback-journal mode, so that its header fields are in the main file for good.
    this.#transaction(() => {
      if (!this.#exists('table', 'events')) database.exec(schema)
    })
    if (this.file !== ':memory:') {
      const mode = this.#get('PRAGMA journal_mode = WAL')
      if (mode !== 'wal')
        throw storeError('open', this.file, new Error(`no write-ahead log on this file system (${String(mode)})`))
    }
    database.exec('PRAGMA synchronous = FULL')
    if (options.connection !== 'second') this.#transaction(() => this.#boot())
    this.#bootEpoch = Number(this.readMeta('bootEpoch') ?? 0)
    this.#secret = new Uint8Array(Buffer.from(this.readMeta('secret') ?? '', 'hex'))
    if (options.durability !== 'fsync') database.exec('PRAGMA synchronous = NORMAL')
  }

  /** A boot is durable under every durability with a file: an epoch that came back would let old frames replay. */
  #boot(): void {
    this.writeMeta('bootEpoch', String(Number(this.readMeta('bootEpoch') ?? 0) + 1))
    if (this.readMeta('secret') === null) this.writeMeta('secret', randomBytes(32).toString('hex'))
    // Frames of an earlier epoch are refused by their epoch, so their nonces need not be kept.
    this.#database.exec('DELETE FROM nonces')
  }

  #transaction(run: () => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      run()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#rollBack()
      throw storeError('open', this.file, error)
    }
  }

  /**
   * Takes the file for this connection alone, which spares every transaction its lock calls. Only at the first append, since
   * a store whose rows a commit thread writes is shared with that thread; where anyone has it open, it stays shared.
   */
  #own(): void {
    this.#mayOwn = false
    const database = this.#database
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE')
    try {
      database.exec('BEGIN IMMEDIATE; COMMIT')
    } catch {
      this.#rollBack()
      database.exec('PRAGMA locking_mode = NORMAL')
    }
    database.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`)
  }

  #rollBack(): void {
    // SQLite rolls back by itself on some errors, a full disk among them.
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
  }

  #exists(type: 'table' | 'index', name: string): boolean {
    const found = this.#get('SELECT count(*) AS value FROM sqlite_schema WHERE type = ? AND name = ?', type, name)
    return Number(found) > 0
  }

  #get(sql: string, ...values: string[]): unknown {
    try {
      const row = this.#database.prepare(sql).get(...values)
      return row === undefined ? undefined : Object.values(row)[0]
    } catch (error) {
      throw storeError('read', this.file, error)
    }
  }

  #write(sql: string, ...values: string[]): void {
    try {
      this.#database.prepare(sql).run(...values)
    } catch (error) {
      throw storeError('write to', this.file, error)
    }
  }
}

function toEvent(row: Record<string, unknown>): StoredEvent {
  const body = row['body']
  return {
    sequence: Number(row['sequence']),
    agent: String(row['agent']),
    source: String(row['source']),
    kind: Number(row['kind']),
    exchange: String(row['exchange']),
    body: body instanceof Uint8Array ? body : String(body),
    producedAtMs: Number(row['produced_at_ms']),
  }
}

/** Opens or creates a store. Throws LighthouseError('STORE') and leaves the file as it was when it may not be used. */
export function openEventStore(options: StoreOptions, timer: AppendTimer | null = null): EventStore {
  const inMemory = options.durability === 'memory'
  const temporaryFolder = !inMemory && options.file === null ? makeScratchFolder('store') : null
  const file = inMemory ? ':memory:' : (options.file ?? join(temporaryFolder ?? '', 'events.db'))
  let database: DatabaseSync | null = null
  try {
    if (!inMemory && inspectStoreFile(file) === 'new') createFile(file)
    database = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? defaultBusyTimeoutMs })
    return new SqliteStore(database, file, temporaryFolder, options, timer)
  } catch (error) {
    database?.close()
    if (temporaryFolder !== null) rmSync(temporaryFolder, { recursive: true, force: true })
    throw storeError('open', file, error)
  }
}
