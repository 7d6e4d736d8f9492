/**
 * What a PostgreSQL server counts of itself, read on a connection beside the store: the log it wrote, syncs of the log, checkpoints.
 *
 * Counters are of the whole server, so what others do on it is in them. The position in the log is exact at any moment; all else comes
 * from the cumulative statistics, which a server process hands in at the end of its connection at the latest: hence the wait
 * for the store's own connections to be gone (https://www.postgresql.org/docs/current/monitoring-stats.html). Where counters stand has
 * moved: syncs of the log from pg_stat_wal to pg_stat_io in 18, checkpoints from pg_stat_bgwriter to pg_stat_checkpointer in 17.
 */
import { Client } from 'pg'
import { delay } from '../../platform/clock.ts'
import { parsePostgresAddress, type PostgresAddress } from './postgres-address.ts'
import { postgresError } from './postgres-errors.ts'
import { storeNames } from './postgres-schema.ts'

export interface ServerCounters {
  /** Position in the log, in bytes. */
  readonly walBytes: number
  readonly walSyncs: number | null
  readonly checkpoints: number | null
  /** Time that checkpoints spent writing, spread out on purpose, and syncing. */
  readonly checkpointWriteMs: number | null
  readonly checkpointSyncMs: number | null
  readonly checkpointBytes: number | null
}

const connectTimeoutMs = 5000
const queryTimeoutMs = 10_000
const goneWithinMs = 2000
const lookEveryMs = 20

export class PostgresMonitor {
  readonly #client: Client
  readonly #address: PostgresAddress
  readonly #version: number

  private constructor(client: Client, address: PostgresAddress, version: number) {
    this.#client = client
    this.#address = address
    this.#version = version
  }

  /** Rejects with LighthouseError('STORE') where the server cannot be asked. */
  static async open(url: string): Promise<PostgresMonitor> {
    const address = parsePostgresAddress(url)
    const { host, port, user, password, database, ssl } = address
    const client = new Client({
      host,
      port,
      user,
      password,
      database,
      ssl,
      application_name: 'lighthouse monitor',
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: queryTimeoutMs,
    })
    // A connection that breaks in use fails its query and also emits; unheard, that would end the process.
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ version: number }>(
        "SELECT current_setting('server_version_num')::int AS version",
      )
      return new PostgresMonitor(client, address, rows[0]?.version ?? 0)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw postgresError('observe', address, error)
    }
  }

  /** Waits, at most 2 s, until no connection of the store in `namespace` is left, then reads. */
  async read(): Promise<ServerCounters> {
    try {
      for (let waitedMs = 0; waitedMs < goneWithinMs; waitedMs += lookEveryMs) {
        const { rows } = await this.#client.query<{ left: number }>(
          `SELECT count(*)::int AS left FROM pg_stat_activity
           WHERE application_name = 'lighthouse' AND datname = current_database()`,
        )
        if (rows[0]?.left === 0) break
        await delay(lookEveryMs)
      }
      const { rows } = await this.#client.query<ServerCounters>(
        `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS "walBytes",
           ${this.#walSyncs()} AS "walSyncs", ${this.#checkpoints()}`,
      )
      return rows[0] as ServerCounters
    } catch (error) {
      throw postgresError('observe', this.#address, error)
    }
  }

  /** Removes a store and everything in it. */
  async drop(namespace: string): Promise<void> {
    try {
      await this.#client.query(`DROP SCHEMA IF EXISTS ${storeNames(namespace).namespace} CASCADE`)
    } catch (error) {
      throw postgresError('remove', this.#address, error)
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }

  #walSyncs(): string {
    if (this.#version >= 180_000) return "(SELECT sum(fsyncs)::float8 FROM pg_stat_io WHERE object = 'wal')"
    return this.#version >= 140_000 ? '(SELECT wal_sync::float8 FROM pg_stat_wal)' : 'NULL::float8'
  }

  #checkpoints(): string {
    const [view, count, buffers, write, sync] =
      this.#version >= 170_000
        ? ['pg_stat_checkpointer', 'num_timed + num_requested', 'buffers_written', 'write_time', 'sync_time']
        : [
            'pg_stat_bgwriter',
            'checkpoints_timed + checkpoints_req',
            'buffers_checkpoint',
            'checkpoint_write_time',
            'checkpoint_sync_time',
          ]
    const bytes = `(${buffers} * current_setting('block_size')::int)`
    const column = (expression: string, name: string): string =>
      `(SELECT (${expression})::float8 FROM ${view}) AS "${name}"`
    return [
      column(count, 'checkpoints'),
      column(write, 'checkpointWriteMs'),
      column(sync, 'checkpointSyncMs'),
      column(bytes, 'checkpointBytes'),
    ].join(', ')
  }
}
