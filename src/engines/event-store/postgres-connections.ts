/**
 * The connections of a PostgreSQL store: one pool in which every wait has an end, and the settings that each
 * connection starts with, so that no setting of the server, the database or the role weakens what the store promises.
 *
 * Bounds: the wait for a connection, free or new (`connectTimeoutMs`, and `maximumWaiting` callers); for a lock and for a
 * statement, by the server; for its answer, a second longer, by this side; for closing, `closeWithinMs`.
 */
import { Client, Pool } from 'pg'
import type { ClientConfig, PoolClient } from 'pg'
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'
import { delay, type Clock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { PostgresAddress } from './postgres-address.ts'
import { isUncertain } from './postgres-errors.ts'

export interface ConnectionLimits {
  /** Connections at most, 1 … 200; the listener of `waitForAppend` takes one more. */
  readonly poolSize: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}

export const largestPool = 200
/** Callers that may wait for a connection; the next is refused at once. */
const maximumWaiting = 10_000
const closeWithinMs = 3000
/** How much longer than the server this side waits: a server that is gone cannot enforce its own time-outs. */
const answerSlackMs = 1000
const longestWaitUs = 600_000_000

export class Connections {
  readonly address: PostgresAddress
  /** Microseconds from asking for a connection to having one, or to giving up. */
  readonly poolWait: LatencyRecorder = createLatencyRecorder({ unit: 'us', highest: longestWaitUs })
  /** Waits that ended without a connection. */
  poolFailures = 0
  /** Connections that ended while nobody used them. */
  lostIdle = 0
  readonly #pool: Pool
  readonly #configuration: ClientConfig
  readonly #clock: Clock
  readonly #open = new Set<PoolClient>()
  #closing: Promise<void> | null = null

  constructor(address: PostgresAddress, limits: ConnectionLimits, synchronousCommit: 'local' | 'on', clock: Clock) {
    this.address = address
    this.#clock = clock
    this.#configuration = clientConfiguration(address, limits, synchronousCommit)
    this.#pool = new Pool({ ...this.#configuration, max: limits.poolSize, idleTimeoutMillis: 0 })
    this.#pool.on('error', () => this.lostIdle++)
    this.#pool.on('connect', (client) => {
      this.#open.add(client)
      // A connection that breaks in use fails its query and also emits; unheard, that would end the process.
      client.on('error', () => {})
    })
    this.#pool.on('remove', (client) => this.#open.delete(client))
  }

  get closed(): boolean {
    return this.#closing !== null
  }

  counts(): { readonly total: number; readonly idle: number; readonly waiting: number } {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount }
  }

  resetCounts(): void {
    this.poolFailures = this.lostIdle = 0
    this.poolWait.reset()
  }

  /** Runs on a connection of the pool; one whose state is in doubt is thrown away. Rejects with the driver's own errors. */
  async use<T>(run: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#take()
    let broken = true
    try {
      const result = await run(client)
      broken = false
      return result
    } catch (error) {
      broken = !(error instanceof LighthouseError) && isUncertain(error)
      throw error
    } finally {
      client.release(broken)
    }
  }

  /** All or nothing; the first statement of `run` already is inside the transaction. */
  transaction<T>(run: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.use(async (client) => {
      await client.query('BEGIN')
      try {
        const result = await run(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        // A connection in doubt is thrown away, and the server rolls back by itself.
        if (error instanceof LighthouseError || !isUncertain(error)) await client.query('ROLLBACK')
        throw error
      }
    })
  }

  /** A connection outside the pool, for the listener; its owner ends it. */
  newClient(): Client {
    return new Client({ ...this.#configuration, application_name: 'lighthouse listener' })
  }

  /** Lets what is under way end, cuts off what has not ended after `closeWithinMs`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const giveUp = new AbortController()
    await Promise.race([this.#pool.end(), delay(closeWithinMs, giveUp.signal)])
    giveUp.abort()
    for (const client of this.#open) client.connection.stream.destroy()
    this.poolWait.destroy()
  }

  async #take(): Promise<PoolClient> {
    if (this.closed) throw new LighthouseError('STORE', `The event store ${this.address.shown} is closed.`)
    if (this.#pool.waitingCount >= maximumWaiting) {
      this.poolFailures++
      throw new LighthouseError(
        'STORE',
        `Cannot use the event store ${this.address.shown}: ${maximumWaiting} callers already wait for a connection.`,
        { suggestions: ['Raise the pool size or lower the load; nothing was sent to the server.'] },
      )
    }
    const askedNs = this.#clock.nowNs()
    try {
      return await this.#pool.connect()
    } catch (error) {
      this.poolFailures++
      throw error
    } finally {
      if (!this.closed) this.poolWait.record((this.#clock.nowNs() - askedNs) / 1000)
    }
  }
}

function clientConfiguration(
  address: PostgresAddress,
  limits: ConnectionLimits,
  synchronousCommit: 'local' | 'on',
): ClientConfig {
  const settings = {
    synchronous_commit: synchronousCommit,
    default_transaction_isolation: String.raw`read\ committed`,
    default_transaction_read_only: 'off',
    // Every name is written with its schema; nobody else's function can stand in for the server's own.
    search_path: 'pg_catalog',
  }
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    database: address.database,
    ssl: address.ssl,
    application_name: 'lighthouse',
    client_encoding: 'UTF8',
    keepAlive: true,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    statement_timeout: limits.statementTimeoutMs,
    query_timeout: limits.statementTimeoutMs + answerSlackMs,
    lock_timeout: limits.lockTimeoutMs,
    idle_in_transaction_session_timeout: limits.statementTimeoutMs,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  }
}
