/**
 * Group commit without a timer: how rows of many messages share one transaction, and when it is taken.
 *
 * `turn`: one transaction per turn of the event loop, on the engine's own thread: all that one round of socket
 * reads brought is committed by the `setImmediate` that follows it. `off`: the same, but one transaction per
 * row. `thread` (threaded-commit.ts): a worker commits, the first row at once, and rows gather while it runs.
 *
 * `append` hands out consecutive ticket numbers, and tickets come back in order through `onCommitted` or
 * `onFailed`, so a caller keeps what waits in a plain ring and no row costs a promise or a closure.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { EventStore } from './event-store.ts'
import { RowBatch } from './event-store.ts'

export const batchings = ['turn', 'thread', 'off'] as const
export type Batching = (typeof batchings)[number]

/** Called in ticket order. Both may call `append`; neither may throw. */
export interface CommitHandlers {
  /** Tickets `from` … `to` are in the store at its durability; ticket t has sequence firstSequence + t − from. */
  onCommitted(from: number, to: number, firstSequence: number): void
  /** None of the tickets `from` … `to` is in the store, and none may be acknowledged. */
  onFailed(from: number, to: number, error: LighthouseError): void
}

export interface CommitLimits {
  /** Rows waiting for their commit; beyond it `append` answers −1. */
  readonly maxPendingRows: number
  /** Sum of the waiting bodies' lengths. */
  readonly maxPendingBodyUnits: number
}

export const defaultCommitLimits: CommitLimits = { maxPendingRows: 16_384, maxPendingBodyUnits: 64 * 1024 * 1024 }

export interface GroupCommit {
  readonly batching: Batching
  /** A ticket number above 0, or −1 when the queue is full or closed: answer OVERLOADED. Never commits by itself. */
  append(
    agent: string,
    source: string,
    kind: number,
    exchange: string,
    body: string | Uint8Array,
    producedAtMs: number,
  ): number
  /** Rows that were appended and neither committed nor failed yet. */
  pendingRows(): number
  /** Transactions that succeeded, and their rows, since the last `resetCounts`. */
  counts(): { readonly commits: number; readonly rows: number; readonly failures: number }
  resetCounts(): void
  /** Commits what waits, then takes no more rows. Does not close the store. Bounded by 3 s. */
  close(): Promise<void>
}

/** The part of a store that a committer needs. */
export type Appender = Pick<EventStore, 'append'>

/** Runs `run` once the present turn of the event loop has read all its sockets. */
export type Soon = (run: () => void) => void

export function asStoreError(error: unknown): LighthouseError {
  return error instanceof LighthouseError
    ? error
    : new LighthouseError(
        'STORE',
        `The event store failed: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
        },
      )
}

/** Both inline forms: `turn`, and `off` with one row per transaction. `soon` is `setImmediate` unless a test drives it. */
export function inlineCommit(
  store: Appender,
  handlers: CommitHandlers,
  batching: 'turn' | 'off' = 'turn',
  limits: CommitLimits = defaultCommitLimits,
  soon: Soon = setImmediate,
): GroupCommit {
  let filling = new RowBatch()
  let committing = new RowBatch()
  let lastTicket = 0
  let scheduled = false
  let closed = false
  let unsettled = 0
  let commits = 0
  let rows = 0
  let failures = 0

  const commitRange = (batch: RowBatch, from: number, to: number, firstTicket: number): void => {
    const lastOfRange = firstTicket + (to - from) - 1
    let firstSequence: number
    try {
      firstSequence = store.append(batch, from, to)
    } catch (error) {
      failures++
      unsettled -= to - from
      handlers.onFailed(firstTicket, lastOfRange, asStoreError(error))
      return
    }
    commits++
    rows += to - from
    unsettled -= to - from
    handlers.onCommitted(firstTicket, lastOfRange, firstSequence)
  }

  const commit = (): void => {
    scheduled = false
    if (filling.count === 0) return
    // Handlers may append: they fill the other batch while this one is worked off.
    const batch = filling
    filling = committing
    committing = batch
    const count = batch.count
    const firstTicket = lastTicket - count + 1
    if (batching === 'turn') commitRange(batch, 0, count, firstTicket)
    else for (let index = 0; index < count; index++) commitRange(batch, index, index + 1, firstTicket + index)
    batch.clear()
  }

  return {
    batching,
    append(agent, source, kind, exchange, body, producedAtMs) {
      if (closed || unsettled >= limits.maxPendingRows) return -1
      if (filling.bodyUnits + committing.bodyUnits + body.length > limits.maxPendingBodyUnits) return -1
      filling.add(agent, source, kind, exchange, body, producedAtMs)
      unsettled++
      if (!scheduled) {
        scheduled = true
        soon(commit)
      }
      return ++lastTicket
    },
    pendingRows: () => unsettled,
    counts: () => ({ commits, rows, failures }),
    resetCounts() {
      commits = rows = failures = 0
    },
    close() {
      // A handler may append while the last batch is committed; closed, it gets −1, so two passes end it.
      if (!closed) {
        closed = true
        commit()
        commit()
      }
      return Promise.resolve()
    },
  }
}
