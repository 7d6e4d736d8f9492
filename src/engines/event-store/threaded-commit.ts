/**
 * Group commit on a thread of its own: the queue of gathering-commit.ts, whose transactions run on a worker with its own
 * connection to the store.
 */
import { Worker } from 'node:worker_threads'
import { LighthouseError } from '../../platform/errors.ts'
import { entryModule } from '../../platform/modules.ts'
import type { RowBatch } from './event-store.ts'
import type { CommitWorkerData } from './commit-worker.ts'
import { gatheringCommit, type BatchOutcome, type BatchPort, type GatheringBatching } from './gathering-commit.ts'
import { asStoreError, defaultCommitLimits } from './group-commit.ts'
import type { CommitHandlers, CommitLimits, GroupCommit } from './group-commit.ts'
import type { StoreOptions } from './sqlite-store.ts'

/** A chunk of rows as plain data that a message port can copy. */
export type BatchMessage = Pick<
  RowBatch,
  'count' | 'agents' | 'sources' | 'kinds' | 'exchanges' | 'bodies' | 'producedAtMs'
>

/** What one transaction waited for and wrote. */
export interface CommitObservation {
  /** From asking for the write lock to holding it. */
  readonly lockWaitUs: number
  /** Of the commit alone, with its sync and with the checkpoint that it may have to make. */
  readonly commitUs: number
  /** Frames of the write-ahead log that its rows took. */
  readonly walFrames: number
  readonly checkpointed: boolean
}

export type CommitReply =
  | { readonly firstSequence: number; readonly observation?: CommitObservation }
  | { readonly failure: { readonly message: string; readonly suggestions: readonly string[] } }

function outcomeOf(reply: CommitReply): BatchOutcome {
  if ('firstSequence' in reply) return reply
  const { message, suggestions } = reply.failure
  return { error: new LighthouseError('STORE', message, { suggestions }) }
}

export type WorkerReply = CommitReply | { readonly ready: true; readonly threadPath: string | null }

interface WorkerPort {
  readonly port: BatchPort
  readonly threadPath: string | null
}

/** A worker thread with its own connection. Should it die, every batch fails from then on: nothing is acknowledged. */
function workerPort(
  workerData: CommitWorkerData,
  onObservation: (observation: CommitObservation) => void,
): Promise<WorkerPort> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entryModule('engines/event-store/commit-worker'), { workerData, execArgv: [] })
    let settleCurrent: ((outcome: BatchOutcome) => void) | null = null
    let death: string | null = null
    const answer = (reply: CommitReply): void => {
      const settle = settleCurrent
      settleCurrent = null
      settle?.(outcomeOf(reply))
    }
    const port: BatchPort = {
      send(batch, settle) {
        settleCurrent = settle
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
        if (death === null) worker.postMessage(batch)
        else queueMicrotask(() => answer({ failure: { message: death ?? '', suggestions: [] } }))
      },
      close: async () => {
        await worker.terminate()
      },
    }
    worker.on('message', (reply: WorkerReply) => {
      if ('ready' in reply) return resolve({ port, threadPath: reply.threadPath })
      if ('observation' in reply && reply.observation !== undefined) onObservation(reply.observation)
      answer(reply)
    })
    const onDeath = (reason: string): void => {
      death ??= `The thread that writes the event store ended: ${reason}.`
      reject(asStoreError(new LighthouseError('STORE', death)))
      answer({ failure: { message: death, suggestions: ['Restart the engine on the same store.'] } })
    }
    worker.on('error', (error) => onDeath(error instanceof Error ? error.message : String(error)))
    worker.on('exit', (code) => onDeath(`exit ${code}`))
  })
}

/**
 * Opens the store a second time on a worker. The caller's own connection must exist already (it creates the file
 * and counts the boot). Under `memory` the two connections are two databases: the caller must never read.
 */
export async function threadedCommit(
  store: StoreOptions & { readonly file: string },
  handlers: CommitHandlers,
  limits: CommitLimits = defaultCommitLimits,
): Promise<GroupCommit> {
  const { port } = await workerPort({ store: { ...store, connection: 'second' }, observed: false }, () => undefined)
  return gatheringCommit(port, handlers, 'thread', limits)
}

export interface ObservedCommit {
  readonly commit: GroupCommit
  /** `pid/task/tid` of the committing thread below /proc; null where there is no such thing. */
  readonly threadPath: string | null
}

/** The same, with what each transaction waited for, told before its tickets come back; not for a store in memory. */
export async function observedCommit(
  store: StoreOptions & { readonly file: string },
  handlers: CommitHandlers,
  batching: GatheringBatching,
  onObservation: (observation: CommitObservation) => void,
): Promise<ObservedCommit> {
  const data = { store: { ...store, connection: 'second' }, observed: true } as const
  const { port, threadPath } = await workerPort(data, onObservation)
  return { commit: gatheringCommit(port, handlers, batching), threadPath }
}
