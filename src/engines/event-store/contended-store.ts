/**
 * A store under many writers and readers, for those who measure the store itself and no engine before it: rows go through the group
 * commit that engines use, readers wait for rows and read inboxes, and each round tells what it cost.
 *
 * Transactions run beside the thread that writes and reads (a commit thread, a server), so that a stall of the store delays commits and
 * never the load; batching `turn`, which commits on the engine's own thread, is therefore not among the forms.
 */
import type { LatencyRecorder } from '../../measurement/latency-recorder.ts'
import type { LighthouseError } from '../../platform/errors.ts'
import type { StoredEvent } from './event-store.ts'
import type { GroupCommit } from './group-commit.ts'

/** What a round asks of its store. */
export interface StoreRoundSettings {
  readonly writers: number
  /** Connections of the pool; null where the store has none, or for its default. */
  readonly poolSize: number | null
  /** Whether every writer commits by itself, as clients without a committer between do. */
  readonly ownTransactions: boolean
}

/** Called in the order of a writer's appends. Neither may throw. */
export interface StoreRoundHandlers {
  onCommitted(exchange: number): void
  onFailed(exchange: number, error: LighthouseError): void
}

/** One row to append; `exchange` comes back through the handlers. */
export interface ContendedRow {
  readonly writer: number
  readonly exchange: number
  readonly agent: string
  readonly source: string
  readonly wireId: string
  readonly body: string
  readonly atMs: number
}

/** Since `begin`. Units end the names; null is what this store or machine does not tell. */
export interface StoreReading {
  readonly figures: Readonly<Record<string, number | null>>
  /** Of the store's own threads or processes. */
  readonly cpuUs: number | null
  readonly openConnections: number
  readonly walBytesMax: number | null
  readonly nullReasons: Readonly<Record<string, string>>
}

export interface ContendedStore {
  /** Opens what a round needs. */
  begin(settings: StoreRoundSettings, handlers: StoreRoundHandlers): Promise<void>
  /** False when the store is full: nothing was taken, and no handler is called. */
  append(row: ContendedRow): boolean
  lastSequence(): Promise<number>
  /** Events of one inbox above `after`, oldest first. */
  read(agent: string, after: number, limit: number): Promise<readonly StoredEvent[]>
  /** The last sequence as soon as it is above `after`; null after `timeoutMs` and on abort. */
  waitForAppend(after: number, timeoutMs: number, signal: AbortSignal): Promise<number | null>
  /** Series of the round under way, in microseconds; their recorders are emptied by whoever takes their blocks. */
  series(): Readonly<Record<string, LatencyRecorder>>
  /** Ends the round; what is still under way gets 3 s. */
  end(): Promise<StoreReading>
  close(): Promise<void>
}

/** Tickets of a committer come back in order, so which exchange each one was is a queue. */
export class TicketQueue {
  private exchanges: number[] = []
  private head = 0

  push(exchange: number): void {
    this.exchanges.push(exchange)
  }

  take(): number {
    const exchange = this.exchanges[this.head++] as number
    if (this.head > 4096 && this.head * 2 > this.exchanges.length) {
      this.exchanges = this.exchanges.slice(this.head)
      this.head = 0
    }
    return exchange
  }
}

/** A committer and the exchanges whose tickets it holds. */
export interface Committer {
  readonly commit: GroupCommit
  readonly tickets: TicketQueue
}

export function appendTo({ commit, tickets }: Committer, row: ContendedRow): boolean {
  const { agent, source, wireId, body, atMs, exchange } = row
  if (commit.append(agent, source, 1, wireId, body, atMs) === -1) return false
  tickets.push(exchange)
  return true
}
