/**
 * A PostgreSQL store under contention. Every round has a pool of its own, so that its size may differ from round to round and the server
 * has been told all of a round's statistics once it is over; its connections are made before the round begins.
 */
import type { LatencyRecorder } from '../../measurement/latency-recorder.ts'
import type { Durability } from '../../measurement/vocabulary.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { appendTo, TicketQueue, type Committer, type ContendedRow, type ContendedStore } from './contended-store.ts'
import type { StoreReading, StoreRoundHandlers, StoreRoundSettings } from './contended-store.ts'
import type { StoredEvent } from './event-store.ts'
import type { GatheringBatching } from './gathering-commit.ts'
import { postgresCommit } from './postgres-commit.ts'
import { PostgresMonitor, type ServerCounters } from './postgres-monitor.ts'
import { openPostgresStore, type PostgresStore } from './postgres-store.ts'
import { familyCpuUs } from './thread-usage.ts'

const defaultPoolSize = 10

export interface ContendedPostgresOptions {
  /** With the password, if it has one. */
  readonly url: string
  readonly durability: Exclude<Durability, 'memory'>
  readonly batching: GatheringBatching
  /** Made for this run and removed at its end. */
  readonly namespace: string
  /** First process of a server on this machine, whose CPU can then be told; null for any other. */
  readonly serverPid: number | null
}

interface Round {
  readonly store: PostgresStore
  /** One for all writers, or one for each. */
  readonly committers: readonly Committer[]
  readonly poolSize: number
  readonly before: ServerCounters
  readonly cpuBeforeUs: number | null
}

export async function openContendedPostgres(options: ContendedPostgresOptions): Promise<ContendedStore> {
  const monitor = await PostgresMonitor.open(options.url)
  const contended = new ContendedPostgres(monitor, options)
  try {
    await contended.create()
    return contended
  } catch (error) {
    await contended.close()
    throw error
  }
}

class ContendedPostgres implements ContendedStore {
  readonly #monitor: PostgresMonitor
  readonly #options: ContendedPostgresOptions
  #round: Round | null = null

  constructor(monitor: PostgresMonitor, options: ContendedPostgresOptions) {
    this.#monitor = monitor
    this.#options = options
  }

  /** Makes the tables and their index once, before any round. */
  async create(): Promise<void> {
    const { url, durability, namespace } = this.#options
    const store = await openPostgresStore({ url, durability, namespace, indexedByAgent: true, poolSize: 1 })
    await store.close()
  }

  async begin(settings: StoreRoundSettings, handlers: StoreRoundHandlers): Promise<void> {
    const { url, durability, namespace, batching, serverPid } = this.#options
    const poolSize = settings.poolSize ?? defaultPoolSize
    const before = await this.#monitor.read()
    const store = await openPostgresStore({
      url,
      durability,
      namespace,
      indexedByAgent: true,
      poolSize,
      connection: 'second',
    })
    try {
      // As many callers at once as the pool holds, so that it makes all its connections now.
      await Promise.all(Array.from({ length: poolSize }, () => store.lastSequence()))
    } catch (error) {
      await store.close()
      throw error
    }
    store.resetStatistics()
    const own = settings.ownTransactions || batching === 'off'
    const committers = Array.from({ length: own ? settings.writers : 1 }, () =>
      committer(store, handlers, own ? 'off' : 'thread'),
    )
    const cpuBeforeUs = serverPid === null ? null : familyCpuUs(serverPid)
    this.#round = { store, committers, poolSize, before, cpuBeforeUs }
  }

  append(row: ContendedRow): boolean {
    const { committers } = this.#running()
    return appendTo(committers[row.writer % committers.length] as Committer, row)
  }

  lastSequence(): Promise<number> {
    return this.#running().store.lastSequence()
  }

  read(agent: string, after: number, limit: number): Promise<readonly StoredEvent[]> {
    return this.#running().store.readAfter(agent, after, limit)
  }

  waitForAppend(after: number, timeoutMs: number, signal: AbortSignal): Promise<number | null> {
    return this.#running().store.waitForAppend(after, timeoutMs, signal)
  }

  series(): Readonly<Record<string, LatencyRecorder>> {
    const { poolWaitUs, lockWaitUs } = this.#running().store.statistics()
    return { poolWait: poolWaitUs, lockWait: lockWaitUs }
  }

  async end(): Promise<StoreReading> {
    const { store, committers, poolSize, before, cpuBeforeUs } = this.#running()
    const { serverPid } = this.#options
    await Promise.all(committers.map(({ commit }) => commit.close()))
    const { commits, rows, failures, poolFailures, lockTimeouts, settled, listenerReconnects } = store.statistics()
    this.#round = null
    await store.close()
    const after = await this.#monitor.read()
    const cpuUs = serverPid === null ? null : familyCpuUs(serverPid)
    const grown = (name: keyof ServerCounters): number | null => {
      const [from, to] = [before[name], after[name]]
      return from === null || to === null ? null : Math.max(0, to - from)
    }
    const checkpointMs = [grown('checkpointWriteMs'), grown('checkpointSyncMs')] as const
    const written = [grown('walBytes'), grown('checkpointBytes')] as const
    return {
      figures: {
        commits,
        committedRows: rows,
        commitFailures: failures,
        walBytesWritten: written[0],
        writtenBytes: written[0] === null || written[1] === null ? null : written[0] + written[1],
        fsyncs: grown('walSyncs'),
        checkpoints: grown('checkpoints'),
        checkpointWriteMs: checkpointMs[0],
        checkpointSyncMs: checkpointMs[1],
        poolSize,
        poolFailures,
        lockTimeouts,
        settledAppends: settled,
        listenerReconnects,
      },
      cpuUs: cpuUs === null || cpuBeforeUs === null ? null : cpuUs - cpuBeforeUs,
      openConnections: poolSize + 1,
      walBytesMax: null,
      nullReasons: {
        walBytesMax: 'the server recycles the files of its log; what was written is in walBytesWritten',
        ...(serverPid === null ? { cpuUs: 'the processes of a server that runs elsewhere are not observed' } : {}),
      },
    }
  }

  async close(): Promise<void> {
    const round = this.#round
    this.#round = null
    await round?.store.close()
    try {
      await this.#monitor.drop(this.#options.namespace)
    } finally {
      await this.#monitor.close()
    }
  }

  #running(): Round {
    if (this.#round === null) throw new LighthouseError('INTERNAL', 'the store was asked outside a round')
    return this.#round
  }
}

function committer(store: PostgresStore, handlers: StoreRoundHandlers, batching: GatheringBatching): Committer {
  const tickets = new TicketQueue()
  const commit = postgresCommit(
    store,
    {
      onCommitted: (from, to) => {
        for (let ticket = from; ticket <= to; ticket++) handlers.onCommitted(tickets.take())
      },
      onFailed: (from, to, error) => {
        for (let ticket = from; ticket <= to; ticket++) handlers.onFailed(tickets.take(), error)
      },
    },
    batching,
  )
  return { commit, tickets }
}
