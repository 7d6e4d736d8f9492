/**
 * Group commit over a store that answers later: the first row is sent at once, and rows gather while its transaction is
 * under way, up to `gatherLimit` rows or `gatherBodyUnits` in the next. With batching `off` each row has its own
 * transaction. One transaction is under way at a time, which keeps tickets in the order of sequences.
 *
 * The one case in which a failed ticket may be in the store after all is the store's own (`PostgresStore.append`): the
 * connection broke and the server stayed away beyond the time to find out.
 */
import { delay } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { RowBatch } from './event-store.ts'
import { asStoreError, defaultCommitLimits } from './group-commit.ts'
import type { Batching, CommitHandlers, CommitLimits, GroupCommit } from './group-commit.ts'
import { checkRow } from './postgres-rows.ts'
import type { PostgresStore } from './postgres-store.ts'

/** `thread` names what it does elsewhere too: commits run beside the engine, here in the server. */
export type PostgresBatching = Extract<Batching, 'thread' | 'off'>

/** Rows of one transaction at most. */
export const gatherLimit = 512
/** A transaction with more than one row holds no more than this sum of body lengths. */
export const gatherBodyUnits = 8 * 1024 * 1024
/** How long a closing committer waits for what it holds. */
const closeWithinMs = 3000

/** The part of a store that this committer needs; `append` copies the batch before it returns. */
export type LateAppender = Pick<PostgresStore, 'append'>

class PostgresCommit implements GroupCommit {
  readonly batching: PostgresBatching
  readonly #store: LateAppender
  readonly #handlers: CommitHandlers
  readonly #limits: CommitLimits
  /** Chunks that wait, oldest first; rows are added to the last. */
  readonly #chunks: RowBatch[] = []
  readonly #spare: RowBatch[] = []
  #lastTicket = 0
  #sentTo = 0
  #settledTo = 0
  /** Body lengths of all rows that are not settled, those under way included: the driver holds them until then. */
  #heldUnits = 0
  #busy = false
  #closed = false
  #abandoned = false
  #whenIdle: (() => void) | null = null
  #commits = 0
  #rows = 0
  #failures = 0

  constructor(store: LateAppender, handlers: CommitHandlers, batching: PostgresBatching, limits: CommitLimits) {
    this.#store = store
    this.#handlers = handlers
    this.batching = batching
    this.#limits = limits
  }

  /** Throws LighthouseError('STORE') for a row that could not be stored, which would fail the rows beside it too. */
  append(
    agent: string,
    source: string,
    kind: number,
    exchange: string,
    body: string | Uint8Array,
    producedAtMs: number,
  ): number {
    checkRow(agent, source, kind, exchange)
    if (this.#closed || this.pendingRows() >= this.#limits.maxPendingRows) return -1
    if (this.#heldUnits + body.length > this.#limits.maxPendingBodyUnits) return -1
    this.#tail(body.length).add(agent, source, kind, exchange, body, producedAtMs)
    this.#heldUnits += body.length
    this.#lastTicket++
    this.#sendNext()
    return this.#lastTicket
  }

  pendingRows(): number {
    return this.#lastTicket - this.#settledTo
  }

  counts(): { readonly commits: number; readonly rows: number; readonly failures: number } {
    return { commits: this.#commits, rows: this.#rows, failures: this.#failures }
  }

  resetCounts(): void {
    this.#commits = this.#rows = this.#failures = 0
  }

  async close(): Promise<void> {
    this.#closed = true
    if (!this.#busy) return
    const idle = Promise.withResolvers<void>()
    const giveUp = new AbortController()
    this.#whenIdle = idle.resolve
    await Promise.race([idle.promise, delay(closeWithinMs, giveUp.signal)])
    giveUp.abort()
    if (this.#busy) this.#abandon()
  }

  /**
   * What was sent may yet be stored, so nothing is said of it, as if the engine had been killed; what was not sent is not
   * stored and never will be.
   */
  #abandon(): void {
    this.#abandoned = true
    const from = this.#sentTo + 1
    this.#chunks.length = 0
    this.#sentTo = this.#settledTo = this.#lastTicket
    this.#heldUnits = 0
    if (from > this.#lastTicket) return
    this.#failures++
    const error = new LighthouseError('STORE', 'The event store was closed before these rows could be stored.')
    this.#handlers.onFailed(from, this.#lastTicket, error)
  }

  #tail(units: number): RowBatch {
    const last = this.#chunks.at(-1)
    const limit = this.batching === 'off' ? 1 : gatherLimit
    if (last !== undefined && last.count < limit && last.bodyUnits + units <= gatherBodyUnits) return last
    const chunk = this.#spare.pop() ?? new RowBatch()
    this.#chunks.push(chunk)
    return chunk
  }

  #sendNext(): void {
    const chunk = this.#busy ? undefined : this.#chunks.shift()
    if (chunk === undefined) return
    this.#busy = true
    const from = this.#sentTo + 1
    const units = chunk.bodyUnits
    this.#sentTo += chunk.count
    const to = this.#sentTo
    this.#store.append(chunk).then(
      (firstSequence) => this.#settle(from, to, units, firstSequence, null),
      (error: unknown) => this.#settle(from, to, units, 0, asStoreError(error)),
    )
    chunk.clear()
    if (this.#spare.length < 2) this.#spare.push(chunk)
  }

  #settle(from: number, to: number, units: number, firstSequence: number, error: LighthouseError | null): void {
    if (this.#abandoned) return
    this.#busy = false
    this.#settledTo = to
    this.#heldUnits -= units
    // The next transaction is on its way before the answers to this one are written.
    this.#sendNext()
    if (error === null) {
      this.#commits++
      this.#rows += to - from + 1
      this.#handlers.onCommitted(from, to, firstSequence)
    } else {
      this.#failures++
      this.#handlers.onFailed(from, to, error)
    }
    if (!this.#busy) this.#whenIdle?.()
  }
}

export function postgresCommit(
  store: LateAppender,
  handlers: CommitHandlers,
  batching: PostgresBatching = 'thread',
  limits: CommitLimits = defaultCommitLimits,
): GroupCommit {
  return new PostgresCommit(store, handlers, batching, limits)
}
