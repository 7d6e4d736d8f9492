/**
 * Group commit over whatever commits elsewhere and answers later, a thread or a server: the first row is sent at once, and
 * rows gather while its transaction is under way (the adaptive form of group commit; no timer), up to `gatherLimit` rows or
 * `gatherBodyUnits` in the next. With batching `off` each row has its own transaction. One transaction is under way at
 * a time, which keeps tickets in the order of sequences and the memory on the way bounded.
 */
import { delay } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { RowBatch } from './event-store.ts'
import { defaultCommitLimits } from './group-commit.ts'
import type { Batching, CommitHandlers, CommitLimits, GroupCommit } from './group-commit.ts'

/** `thread`: commits run beside the engine, on a thread or in a server. */
export type GatheringBatching = Extract<Batching, 'thread' | 'off'>

/** Rows of one transaction at most. */
export const gatherLimit = 512
/** A transaction with more than one row holds no more than this sum of body lengths. */
export const gatherBodyUnits = 8 * 1024 * 1024
/** How long a closing committer waits for what it holds. */
const closeWithinMs = 3000

export type BatchOutcome = { readonly firstSequence: number } | { readonly error: LighthouseError }

/** Where batches go. `send` copies the batch before it returns, and is answered by exactly one call of `settle`, later. */
export interface BatchPort {
  send(batch: RowBatch, settle: (outcome: BatchOutcome) => void): void
  close(): Promise<void>
}

/** A view into a larger buffer would be held, or copied, with all of that buffer. */
function compact(body: string | Uint8Array): string | Uint8Array {
  return typeof body === 'string' || body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}

class GatheringCommit implements GroupCommit {
  readonly batching: GatheringBatching
  readonly #port: BatchPort
  readonly #handlers: CommitHandlers
  readonly #limits: CommitLimits
  /** Chunks that wait, oldest first; rows are added to the last. */
  readonly #chunks: RowBatch[] = []
  readonly #spare: RowBatch[] = []
  #lastTicket = 0
  #sentTo = 0
  #settledTo = 0
  /** Body lengths of all rows that are not settled, those under way included: somebody holds them until then. */
  #heldUnits = 0
  #busy = false
  #closed = false
  #abandoned = false
  #whenIdle: (() => void) | null = null
  #commits = 0
  #rows = 0
  #failures = 0

  constructor(port: BatchPort, handlers: CommitHandlers, batching: GatheringBatching, limits: CommitLimits) {
    this.#port = port
    this.#handlers = handlers
    this.batching = batching
    this.#limits = limits
  }

  append(
    agent: string,
    source: string,
    kind: number,
    exchange: string,
    body: string | Uint8Array,
    producedAtMs: number,
  ): number {
    if (this.#closed || this.pendingRows() >= this.#limits.maxPendingRows) return -1
    if (this.#heldUnits + body.length > this.#limits.maxPendingBodyUnits) return -1
    this.#tail(body.length).add(agent, source, kind, exchange, compact(body), producedAtMs)
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
    if (this.#busy) {
      const idle = Promise.withResolvers<void>()
      const giveUp = new AbortController()
      this.#whenIdle = idle.resolve
      await Promise.race([idle.promise, delay(closeWithinMs, giveUp.signal)])
      giveUp.abort()
      if (this.#busy) this.#abandon()
    }
    await this.#port.close()
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
    this.#port.send(chunk, (outcome) => this.#settle(from, to, units, outcome))
    chunk.clear()
    if (this.#spare.length < 2) this.#spare.push(chunk)
  }

  #settle(from: number, to: number, units: number, outcome: BatchOutcome): void {
    if (this.#abandoned) return
    this.#busy = false
    this.#settledTo = to
    this.#heldUnits -= units
    // The next transaction is on its way before the answers to this one are written.
    this.#sendNext()
    if ('error' in outcome) {
      this.#failures++
      this.#handlers.onFailed(from, to, outcome.error)
    } else {
      this.#commits++
      this.#rows += to - from + 1
      this.#handlers.onCommitted(from, to, outcome.firstSequence)
    }
    if (!this.#busy) this.#whenIdle?.()
  }
}

export function gatheringCommit(
  port: BatchPort,
  handlers: CommitHandlers,
  batching: GatheringBatching = 'thread',
  limits: CommitLimits = defaultCommitLimits,
): GroupCommit {
  return new GatheringCommit(port, handlers, batching, limits)
}
