/**
 * The embedded store under contention: commit threads of its own, one by default, and a connection of this thread that reads. With
 * several connections each commits for its share of the writers, and they wait for one another's write lock as processes would.
 */
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'
import type { Durability } from '../../measurement/vocabulary.ts'
import { systemScheduler, type Cancel } from '../../platform/clock.ts'
import { appendTo, TicketQueue, type Committer, type ContendedRow, type ContendedStore } from './contended-store.ts'
import type { StoreReading, StoreRoundHandlers, StoreRoundSettings } from './contended-store.ts'
import type { EventStore, StoredEvent } from './event-store.ts'
import type { GatheringBatching } from './gathering-commit.ts'
import { openEventStore } from './sqlite-store.ts'
import { observedCommit, type CommitObservation } from './threaded-commit.ts'
import { ioCounters, threadCpuUs, type IoCounters } from './thread-usage.ts'
import { frameBytes } from './wal-index.ts'

const longestUs = 600_000_000
const walSampleMs = 100
const busyTimeoutMs = 5000
/** SQLite syncs the log before a checkpoint, the database after it, and the log's header when the log starts again (wal.c). */
const syncsPerCheckpoint = 3

export interface ContendedSqliteOptions {
  readonly durability: Exclude<Durability, 'memory'>
  readonly batching: GatheringBatching
  readonly connections: number
}

interface CommitThread extends Committer {
  readonly threadPath: string | null
}

interface Waiter {
  readonly after: number
  wake(sequence: number | null): void
}

interface Usage {
  readonly io: readonly (IoCounters | null)[]
  readonly cpuUs: readonly (number | null)[]
}

export async function openContendedSqlite(options: ContendedSqliteOptions): Promise<ContendedStore> {
  const store = openEventStore({ durability: options.durability, file: null, indexedByAgent: true, busyTimeoutMs })
  const contended = new ContendedSqlite(store, options)
  try {
    await contended.open()
    return contended
  } catch (error) {
    await contended.close()
    throw error
  }
}

class ContendedSqlite implements ContendedStore {
  readonly #store: EventStore
  readonly #options: ContendedSqliteOptions
  readonly #threads: CommitThread[] = []
  readonly #lockWait = createLatencyRecorder({ unit: 'us', highest: longestUs })
  readonly #commit = createLatencyRecorder({ unit: 'us', highest: longestUs })
  readonly #waiters = new Set<Waiter>()
  #handlers: StoreRoundHandlers | null = null
  #last = 0
  #frames = 0
  #checkpoints = 0
  #stallUs = 0
  #stallMaxUs = 0
  #walMax = 0
  #usage: Usage = { io: [], cpuUs: [] }
  #stopSampling: Cancel | null = null

  constructor(store: EventStore, options: ContendedSqliteOptions) {
    this.#store = store
    this.#options = options
  }

  async open(): Promise<void> {
    const { durability, batching, connections } = this.#options
    const store = { durability, file: this.#store.file, indexedByAgent: true, busyTimeoutMs } as const
    for (let index = 0; index < connections; index++) {
      const tickets = new TicketQueue()
      const observed = await observedCommit(
        store,
        {
          onCommitted: (from, to, first) => {
            this.#appended(first + to - from)
            for (let ticket = from; ticket <= to; ticket++) this.#handlers?.onCommitted(tickets.take())
          },
          onFailed: (from, to, error) => {
            for (let ticket = from; ticket <= to; ticket++) this.#handlers?.onFailed(tickets.take(), error)
          },
        },
        batching,
        (observation) => this.#observe(observation),
      )
      this.#threads.push({ ...observed, tickets })
    }
    this.#last = this.#store.lastSequence()
  }

  begin(_settings: StoreRoundSettings, handlers: StoreRoundHandlers): Promise<void> {
    this.#handlers = handlers
    this.#lockWait.reset()
    this.#commit.reset()
    this.#frames = this.#checkpoints = this.#stallUs = this.#stallMaxUs = this.#walMax = 0
    for (const { commit } of this.#threads) commit.resetCounts()
    this.#usage = this.#readUsage()
    const sample = (): void => void (this.#walMax = Math.max(this.#walMax, this.#store.walBytes() ?? 0))
    sample()
    this.#stopSampling = systemScheduler.every(walSampleMs, sample)
    return Promise.resolve()
  }

  append(row: ContendedRow): boolean {
    return appendTo(this.#threads[row.writer % this.#threads.length] as CommitThread, row)
  }

  lastSequence(): Promise<number> {
    return Promise.resolve(this.#store.lastSequence())
  }

  read(agent: string, after: number, limit: number): Promise<readonly StoredEvent[]> {
    return Promise.resolve(this.#store.readAfter(agent, after, limit))
  }

  waitForAppend(after: number, timeoutMs: number, signal: AbortSignal): Promise<number | null> {
    if (signal.aborted) return Promise.resolve(null)
    if (this.#last > after) return Promise.resolve(this.#last)
    return new Promise((resolve) => {
      const aborted = (): void => waiter.wake(null)
      const waiter: Waiter = {
        after,
        wake: (sequence) => {
          this.#waiters.delete(waiter)
          cancel()
          signal.removeEventListener('abort', aborted)
          resolve(sequence)
        },
      }
      const cancel = systemScheduler.after(timeoutMs, aborted)
      signal.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }

  series(): Readonly<Record<string, LatencyRecorder>> {
    return { lockWait: this.#lockWait, commit: this.#commit }
  }

  end(): Promise<StoreReading> {
    this.#stopSampling?.()
    this.#stopSampling = null
    this.#handlers = null
    const counts = this.#threads.map(({ commit }) => commit.counts())
    const sum = (pick: (count: (typeof counts)[number]) => number): number =>
      counts.reduce((total, each) => total + pick(each), 0)
    const commits = sum((each) => each.commits)
    const now = this.#readUsage()
    const written = differences(now.io, this.#usage.io, (io) => io?.writtenBytes ?? null)
    const synced = this.#options.durability === 'fsync' ? commits : 0
    return Promise.resolve({
      figures: {
        commits,
        committedRows: sum((each) => each.rows),
        commitFailures: sum((each) => each.failures),
        walBytesWritten: this.#frames * frameBytes,
        writtenBytes: written,
        writeCalls: differences(now.io, this.#usage.io, (io) => io?.writeCalls ?? null),
        fsyncs: synced + syncsPerCheckpoint * this.#checkpoints,
        checkpoints: this.#checkpoints,
        checkpointStallMs: this.#stallUs / 1000,
        checkpointStallMaxMs: this.#stallMaxUs / 1000,
      },
      cpuUs: differences(now.cpuUs, this.#usage.cpuUs, (us) => us),
      openConnections: this.#threads.length + 1,
      walBytesMax: this.#walMax,
      nullReasons: {},
    })
  }

  async close(): Promise<void> {
    this.#stopSampling?.()
    for (const waiter of this.#waiters) waiter.wake(null)
    await Promise.all(this.#threads.map(({ commit }) => commit.close()))
    this.#store.close()
    this.#lockWait.destroy()
    this.#commit.destroy()
  }

  #observe({ lockWaitUs, commitUs, walFrames, checkpointed }: CommitObservation): void {
    this.#lockWait.record(lockWaitUs)
    this.#commit.record(commitUs)
    this.#frames += walFrames
    if (!checkpointed) return
    this.#checkpoints++
    this.#stallUs += commitUs
    this.#stallMaxUs = Math.max(this.#stallMaxUs, commitUs)
  }

  #appended(sequence: number): void {
    this.#last = Math.max(this.#last, sequence)
    for (const waiter of this.#waiters) if (waiter.after < this.#last) waiter.wake(this.#last)
  }

  #readUsage(): Usage {
    return {
      io: this.#threads.map(({ threadPath }) => ioCounters(threadPath)),
      cpuUs: this.#threads.map(({ threadPath }) => threadCpuUs(threadPath)),
    }
  }
}

/** Sum over the threads of what a counter grew by; null when a thread lacks it. */
function differences<T>(now: readonly T[], before: readonly T[], of: (reading: T) => number | null): number | null {
  let sum = 0
  for (const [index, reading] of now.entries()) {
    const start = before[index]
    const [from, to] = [start === undefined ? null : of(start), of(reading)]
    if (from === null || to === null) return null
    sum += to - from
  }
  return sum
}
