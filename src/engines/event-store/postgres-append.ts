/**
 * Appends to a PostgreSQL store: one statement, hence one transaction and one round trip, with one row per event.
 *
 * **Order.** Numbers drawn from a sequence become visible when their transaction commits, not when they are drawn, so a
 * reader at cursor 8 could miss a row 7 that commits later. Here whoever appends holds the store's advisory lock from before
 * it draws its numbers until its transaction has ended. PostgreSQL makes a transaction visible before it releases its locks
 * (CommitTransaction in src/backend/access/transam/xact.c), so the next appender draws higher numbers only once all lower
 * ones are visible or will never exist. Whoever sees a sequence therefore sees every smaller one there will ever be.
 * The price: transactions follow one another, the sync of the log included; group commit makes up for it.
 *
 * **Broken connections.** When a connection ends under an append, the server may have committed. Each row carries the
 * random number of its batch; a new connection ends what is left of the old one, and looks whether the batch is there.
 */
import { randomBytes } from 'node:crypto'
import type { PoolClient } from 'pg'
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'
import { delay, type Clock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { RowBatch } from './event-store.ts'
import type { Connections } from './postgres-connections.ts'
import { isUncertain, postgresError } from './postgres-errors.ts'
import { batchParameters, batchPlaceholders, eventColumns } from './postgres-rows.ts'
import type { StoreNames } from './postgres-schema.ts'

/** A server process: its id may be used again, its start tells the two apart. */
interface Backend {
  readonly pid: number
  readonly start: string
}

interface Appended {
  readonly first: string
  readonly waitedUs: number
}

const settlePauseMs = 50
const longestLockWaitUs = 600_000_000

/** Each part reads the one before, which is what puts the lock before the numbers and those before the rows. */
function appendStatement(names: StoreNames): string {
  return `
    WITH asked AS MATERIALIZED (SELECT clock_timestamp() AS at),
    turn AS MATERIALIZED (SELECT at, pg_advisory_xact_lock(${names.lock}) FROM asked),
    block AS MATERIALIZED (
      SELECT extract(epoch FROM clock_timestamp() - at) * 1e6 AS waited_us,
        setval('${names.sequence}', nextval('${names.sequence}') + $1::bigint - 1) - $1::bigint + 1 AS first
      FROM turn
    ),
    stored AS (
      INSERT INTO ${names.events} (batch, ${eventColumns})
      SELECT $2::bigint, block.first + given.position - 1, agent, source, kind, exchange, form, body, produced_at_ms
      FROM block, unnest(${batchPlaceholders(3)}) WITH ORDINALITY
        AS given (agent, source, kind, exchange, form, body, produced_at_ms, position)
    )
    SELECT first, waited_us::float8 AS "waitedUs", pg_notify('${names.channel}', (first + $1::bigint - 1)::text)
    FROM block`
}

export class Appender {
  commits = 0
  rows = 0
  failures = 0
  /** Appends whose connection broke and whose outcome was then found out. */
  settled = 0
  /** Appends that gave up waiting for their turn. */
  lockTimeouts = 0
  /** Microseconds an append waited for the appenders before it, on the server's clock. */
  readonly lockWait: LatencyRecorder = createLatencyRecorder({ unit: 'us', highest: longestLockWaitUs })
  readonly #connections: Connections
  readonly #names: StoreNames
  readonly #statement: string
  readonly #clock: Clock
  readonly #settleWithinMs: number
  readonly #backends = new WeakMap<PoolClient, Backend>()
  /** A sequence that was in the store before any append under way began. */
  #lastKnown: number

  constructor(connections: Connections, names: StoreNames, lastSequence: number, clock: Clock, settleWithinMs: number) {
    this.#connections = connections
    this.#names = names
    this.#statement = appendStatement(names)
    this.#lastKnown = lastSequence
    this.#clock = clock
    this.#settleWithinMs = settleWithinMs
  }

  resetCounts(): void {
    this.commits = this.rows = this.failures = this.settled = this.lockTimeouts = 0
    this.lockWait.reset()
  }

  /** The batch is copied before the first wait. */
  async append(batch: RowBatch, from: number, to: number): Promise<number> {
    if (to <= from) throw new LighthouseError('INTERNAL', 'An append needs at least one row.')
    const parameters = batchParameters(batch, from, to)
    const count = to - from
    try {
      const first = await this.#commit(parameters, count)
      this.#lastKnown = Math.max(this.#lastKnown, first + count - 1)
      this.commits++
      this.rows += count
      return first
    } catch (error) {
      this.failures++
      if (isLockTimeout(error)) this.lockTimeouts++
      throw postgresError('write to', this.#connections.address, error)
    }
  }

  async #commit(parameters: readonly Buffer[], count: number): Promise<number> {
    const batch = randomBytes(8).readBigInt64BE().toString()
    const after = this.#lastKnown
    let backend: Backend | null = null
    try {
      return await this.#connections.use(async (client) => {
        const values = [count, batch, ...parameters]
        const identified = await this.#identify(client)
        backend = identified
        const { rows } = await client.query<Appended>({ name: 'append', text: this.#statement, values })
        const appended = rows[0] as Appended
        if (!this.#connections.closed) this.lockWait.record(appended.waitedUs)
        return Number(appended.first)
      })
    } catch (error) {
      // Without a backend nothing was sent; with a refusal by the server the transaction was rolled back.
      if (backend === null || error instanceof LighthouseError || !isUncertain(error)) throw error
      const first = await this.#settle(backend, batch, after, error)
      if (first === null) throw error
      return first
    }
  }

  async #identify(client: PoolClient): Promise<Backend> {
    const known = this.#backends.get(client)
    if (known !== undefined) return known
    const { rows } = await client.query<Backend>(
      `SELECT pid, extract(epoch FROM backend_start)::text AS start FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
    )
    const backend = rows[0] as Backend
    this.#backends.set(client, backend)
    return backend
  }

  /** The first sequence of the batch, null when it is not in the store and never will be. */
  async #settle(backend: Backend, batch: string, after: number, error: unknown): Promise<number | null> {
    const deadlineNs = this.#clock.nowNs() + this.#settleWithinMs * 1e6
    while (this.#clock.nowNs() < deadlineNs && !this.#connections.closed) {
      try {
        const outcome = await this.#connections.use((client) => this.#outcome(client, backend, batch, after))
        if (outcome !== 'under way') {
          this.settled++
          return outcome
        }
      } catch {
        // The server may still be recovering from what broke the connection.
      }
      await delay(settlePauseMs)
    }
    const { address } = this.#connections
    throw new LighthouseError(
      'STORE',
      `The connection to the event store ${address.shown} broke under an append, and whether its rows are stored could ` +
        `not be found out within ${this.#settleWithinMs} ms.`,
      {
        cause: postgresError('write to', address, error),
        suggestions: ['Restart the engine on the store once the server is back: it then reads what is there.'],
      },
    )
  }

  /** A server process that is gone from the list has ended its transaction, one way or the other. */
  async #outcome(
    client: PoolClient,
    backend: Backend,
    batch: string,
    after: number,
  ): Promise<number | null | 'under way'> {
    const left = await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2`,
      [backend.pid, backend.start],
    )
    if (left.rows.length > 0) return 'under way'
    const found = await client.query<{ first: string | null }>(
      `SELECT min(sequence) AS first FROM ${this.#names.events} WHERE sequence > $1 AND batch = $2`,
      [after, batch],
    )
    const first = found.rows[0]?.first ?? null
    return first === null ? null : Number(first)
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}
