/**
 * The event store: an append-only log with one global sequence, and nothing an engine needs beyond it.
 *
 * `append` is all or nothing and returns only after the commit at the store's durability; whatever an engine
 * acknowledges or delivers must rest on it. Rows travel as a `RowBatch`, a structure of arrays that is
 * filled, committed and reused, so that 40,000 rows/s allocate no object per row.
 */
import type { Durability } from '../../measurement/vocabulary.ts'

/** A row as read back. `sequence` is global and increasing; gaps mean batches that failed or other agents' rows. */
export interface StoredEvent {
  readonly sequence: number
  /** Index name of the recipient, such as `a17`: whose inbox the row belongs to. */
  readonly agent: string
  /** Name of the sender. */
  readonly source: string
  /** A small integer whose meaning belongs to the engine. */
  readonly kind: number
  /** Wire id of the exchange. */
  readonly exchange: string
  readonly body: string | Uint8Array
  /** Wall-clock milliseconds since the epoch at which the engine took the row. */
  readonly producedAtMs: number
}

/** Rows to append; parallel arrays of `count` entries. */
export class RowBatch {
  count = 0
  /** Sum of body lengths: UTF-16 units for text, bytes otherwise. */
  bodyUnits = 0
  readonly agents: string[] = []
  readonly sources: string[] = []
  readonly kinds: number[] = []
  readonly exchanges: string[] = []
  readonly bodies: (string | Uint8Array)[] = []
  readonly producedAtMs: number[] = []

  add(
    agent: string,
    source: string,
    kind: number,
    exchange: string,
    body: string | Uint8Array,
    producedAtMs: number,
  ): void {
    const index = this.count++
    this.agents[index] = agent
    this.sources[index] = source
    this.kinds[index] = kind
    this.exchanges[index] = exchange
    this.bodies[index] = body
    this.producedAtMs[index] = producedAtMs
    this.bodyUnits += body.length
  }

  /** Empties the batch for reuse; nothing of it is kept alive. */
  clear(): void {
    this.agents.length = this.sources.length = this.kinds.length = 0
    this.exchanges.length = this.bodies.length = this.producedAtMs.length = 0
    this.count = 0
    this.bodyUnits = 0
  }
}

export interface EventStore {
  readonly durability: Durability
  /** The file, or ':memory:'. */
  readonly file: string
  /** Whether inboxes can be read in order without a scan; `readAfter` on a store without it scans the log. */
  readonly indexedByAgent: boolean
  /** Counts openings of this store, from 1; raised durably before `open` returns. */
  readonly bootEpoch: number
  /** 32 random bytes made when the store was created; never leaves the engine's process. */
  readonly secret: Uint8Array
  /**
   * Commits rows `from` … `to`−1 of the batch (all of it by default) in one transaction and returns the sequence of the
   * first; the others follow without gaps. Throws LighthouseError('STORE') and stores nothing when it cannot.
   */
  append(batch: RowBatch, from?: number, to?: number): number
  /** Events of one inbox with a sequence above `sequence`, oldest first, `limit` at most. */
  readAfter(agent: string, sequence: number, limit: number): StoredEvent[]
  /** Highest sequence in the store, 0 when empty. */
  lastSequence(): number
  /** Visits every event after `afterSequence` in order; page by page, so that no long read holds the log back. */
  replay(visitor: (event: StoredEvent) => void, afterSequence?: number): void
  /** Builds the index by agent after the fact; an index that exists during a run costs five times on insert. */
  indexByAgent(): void
  /** False when `nonce` was already used by this agent since the store was opened; durable when it returns. */
  useNonce(agent: number, nonce: string | number): boolean
  readMeta(key: string): string | null
  writeMeta(key: string, value: string): void
  /** Bytes of the write-ahead log; null without a file. */
  walBytes(): number | null
  close(): void
}
