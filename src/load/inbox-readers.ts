/**
 * The readers of a store round: each owns one inbox, waits until the store has something newer than it knows, and reads what is new in
 * its inbox. A reader looks again `pauseMs` after it looked at the earliest, as applications that poll their inbox do; without
 * it all readers would ask after every single commit, and the reads would be the load.
 */
import type { ContendedStore } from '../engines/event-store/contended-store.ts'
import type { StoredEvent } from '../engines/event-store/event-store.ts'
import type { LatencyRecorder } from '../measurement/latency-recorder.ts'
import { delay, type Clock } from '../platform/clock.ts'

export const readPauseMs = 10
/** A reader that was not woken looks all the same. */
const waitMs = 1000
const pageRows = 1000

export interface InboxReadersOptions {
  readonly store: Pick<ContendedStore, 'read' | 'waitForAppend'>
  readonly clock: Clock
  readonly inboxes: readonly string[]
  /** Nothing up to this sequence belongs to the round. */
  readonly after: number
  /** Microseconds of every read. */
  readonly readTime: Pick<LatencyRecorder, 'record'>
  readonly onEvent: (reader: number, event: StoredEvent) => void
  readonly onFailure: (error: unknown) => void
  readonly pauseMs?: number
}

export interface ReadCounts {
  readonly reads: number
  readonly rowsRead: number
  readonly emptyReads: number
}

export class InboxReaders {
  private readonly options: InboxReadersOptions
  private readonly stopping = new AbortController()
  private readonly loops: Promise<void>[]
  private reads = 0
  private rowsRead = 0
  private emptyReads = 0

  constructor(options: InboxReadersOptions) {
    this.options = options
    this.loops = options.inboxes.map((inbox, reader) => this.run(inbox, reader))
  }

  counts(): ReadCounts {
    const { reads, rowsRead, emptyReads } = this
    return { reads, rowsRead, emptyReads }
  }

  /** Resolves when the last read has ended. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.loops)
  }

  private async run(inbox: string, reader: number): Promise<void> {
    const { store, after, pauseMs, onFailure } = this.options
    const { signal } = this.stopping
    let known = after
    let cursor = after
    while (!signal.aborted) {
      try {
        known = (await store.waitForAppend(known, waitMs, signal)) ?? known
        if (signal.aborted) return
        cursor = await this.readNew(inbox, reader, cursor)
      } catch (error) {
        onFailure(error)
      }
      await delay(pauseMs ?? readPauseMs, signal)
    }
  }

  private async readNew(inbox: string, reader: number, after: number): Promise<number> {
    const { store, clock, readTime, onEvent } = this.options
    let cursor = after
    for (;;) {
      const askedNs = clock.nowNs()
      const rows = await store.read(inbox, cursor, pageRows)
      readTime.record((clock.nowNs() - askedNs) / 1000)
      this.reads++
      this.rowsRead += rows.length
      if (rows.length === 0) this.emptyReads++
      for (const row of rows) {
        onEvent(reader, row)
        cursor = row.sequence
      }
      if (rows.length < pageRows || this.stopping.signal.aborted) return cursor
    }
  }
}
