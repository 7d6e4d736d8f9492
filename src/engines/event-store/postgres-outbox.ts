/**
 * The outbox of a PostgreSQL store: lets readers wait for rows instead of asking again and again.
 *
 * One connection of its own listens; every append notifies it with its last sequence in the same transaction. A
 * notification that nobody heard is made up for by reading: after each LISTEN, so nothing falls between it and a lost
 * connection, and every `rereadEveryMs` while readers wait, which also finds a connection that died without a word.
 * What wakes a reader is only a hint to read; order and completeness are the log's own (postgres-append.ts).
 */
import type { Client } from 'pg'
import { delay, systemScheduler, type Cancel } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { Connections } from './postgres-connections.ts'
import type { StoreNames } from './postgres-schema.ts'

const maximumWaiters = 65_536
const firstPauseMs = 50
const longestPauseMs = 2000
const rereadEveryMs = 5000

interface Waiter {
  readonly after: number
  readonly wake: (sequence: number | null) => void
}

export class Outbox {
  /** Connections of the listener that were lost or could not be made. */
  reconnects = 0
  readonly #connections: Connections
  readonly #names: StoreNames
  readonly #waiters = new Set<Waiter>()
  readonly #closing = new AbortController()
  #running: Promise<void> | null = null
  /** Highest sequence heard of; null while there is no connection to hear with. */
  #heard: number | null = null

  constructor(connections: Connections, names: StoreNames) {
    this.#connections = connections
    this.#names = names
  }

  get listening(): boolean {
    return this.#heard !== null
  }

  get waiting(): number {
    return this.#waiters.size
  }

  wait(after: number, timeoutMs: number, signal?: AbortSignal): Promise<number | null> {
    if (this.#closing.signal.aborted || signal?.aborted === true) return Promise.resolve(null)
    if (this.#heard !== null && this.#heard > after) return Promise.resolve(this.#heard)
    if (this.#waiters.size >= maximumWaiters) {
      const { shown } = this.#connections.address
      return Promise.reject(
        new LighthouseError('STORE', `${maximumWaiters} readers already wait for rows of ${shown}.`, {
          suggestions: ['Let fewer readers wait, or let several share one wait.'],
        }),
      )
    }
    this.#running ??= this.#run()
    return new Promise((resolve) => {
      const aborted = (): void => waiter.wake(null)
      const waiter: Waiter = {
        after,
        wake: (sequence) => {
          this.#waiters.delete(waiter)
          cancelTimer()
          signal?.removeEventListener('abort', aborted)
          resolve(sequence)
        },
      }
      const cancelTimer: Cancel = systemScheduler.after(timeoutMs, aborted)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Wakes all readers with null and ends the connection; bounded, since the connection is cut. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const waiter of this.#waiters) waiter.wake(null)
    await this.#running
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs
    while (!this.#closing.signal.aborted) {
      const began = await this.#listen()
      if (this.#closing.signal.aborted) return
      this.reconnects++
      pauseMs = began ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs)
      await delay(pauseMs, this.#closing.signal)
    }
  }

  /** Listens on one connection until it or the store ends; false when it never came to listen. */
  async #listen(): Promise<boolean> {
    const client = this.#connections.newClient()
    const lost = new AbortController()
    const stop = AbortSignal.any([lost.signal, this.#closing.signal])
    client.on('error', () => lost.abort())
    client.on('end', () => lost.abort())
    client.on('notification', ({ payload }) => this.#hear(Number(payload)))
    stop.addEventListener('abort', () => client.connection.stream.destroy(), { once: true })
    let began = false
    try {
      await client.connect()
      await client.query(`LISTEN ${this.#names.channel}`)
      while (!stop.aborted) {
        // An idle outbox needs no reading: the next reader that comes is answered from what was heard.
        if (!began || this.#waiters.size > 0) await this.#reread(client)
        began = true
        await delay(rereadEveryMs, stop)
      }
    } catch {
      // The loss of the connection is what it looks like from here: the caller connects again.
    } finally {
      this.#heard = null
      lost.abort()
    }
    return began
  }

  /** Assigns rather than raises: the server sends notifications only between statements, so none is older than this. */
  async #reread(client: Client): Promise<void> {
    const { rows } = await client.query<{ last: string | null }>(
      `SELECT max(sequence) AS last FROM ${this.#names.events}`,
    )
    this.#heard = Number(rows[0]?.last ?? 0)
    this.#wake(this.#heard)
  }

  #hear(sequence: number): void {
    // Before the first reading #heard is null, and that reading will include this row.
    if (this.#heard === null || !(sequence > this.#heard)) return
    this.#heard = sequence
    this.#wake(sequence)
  }

  #wake(sequence: number): void {
    for (const waiter of this.#waiters) if (waiter.after < sequence) waiter.wake(sequence)
  }
}
