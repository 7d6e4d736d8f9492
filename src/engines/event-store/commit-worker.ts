/**
 * The thread behind `thread` batching: opens its own connection to the store, commits each batch it is sent in
 * one transaction, and answers with the first sequence or the failure. It owns no other state. Where it is to be observed, each
 * answer says what the transaction waited for and wrote.
 */
import { readlinkSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { AppendTimer } from './append-timer.ts'
import { RowBatch } from './event-store.ts'
import { asStoreError } from './group-commit.ts'
import { openEventStore, type StoreOptions } from './sqlite-store.ts'
import type { BatchMessage, CommitObservation, CommitReply, WorkerReply } from './threaded-commit.ts'
import { framesWritten, openWalIndex, type WalReading } from './wal-index.ts'

export interface CommitWorkerData {
  readonly store: StoreOptions & { readonly file: string }
  readonly observed: boolean
}

/** Times one transaction after the other. */
class Observer implements AppendTimer {
  readonly #clock = systemClock()
  readonly #index: ReturnType<typeof openWalIndex>
  #lockWaitNs = 0
  #commitFromNs = 0
  #before: WalReading = { frames: 0, backfilled: 0 }

  constructor(file: string) {
    this.#index = openWalIndex(file)
  }

  nowNs(): number {
    return this.#clock.nowNs()
  }

  beforeCommit(startNs: number, lockedNs: number): void {
    this.#lockWaitNs = lockedNs - startNs
    this.#before = this.#index.read()
    this.#commitFromNs = this.nowNs()
  }

  committed(): CommitObservation {
    const commitNs = this.nowNs() - this.#commitFromNs
    const after = this.#index.read()
    return {
      lockWaitUs: this.#lockWaitNs / 1000,
      commitUs: commitNs / 1000,
      walFrames: framesWritten(this.#before, after),
      checkpointed: after.backfilled > this.#before.backfilled,
    }
  }
}

/** `pid/task/tid` of this thread below /proc; null where there is no such thing. */
function threadPath(): string | null {
  try {
    return readlinkSync('/proc/thread-self')
  } catch {
    return null
  }
}

function serve(port: NonNullable<typeof parentPort>, { store: options, observed }: CommitWorkerData): void {
  let observer: Observer | null = null
  const timer: AppendTimer | null = observed
    ? {
        nowNs: () => observer?.nowNs() ?? 0,
        beforeCommit: (startNs, lockedNs) => observer?.beforeCommit(startNs, lockedNs),
      }
    : null
  const store = openEventStore(options, timer)
  // The index is there once a connection has read the log, which opening the store has done.
  if (observed) observer = new Observer(options.file)
  const commit = (message: BatchMessage): CommitReply => {
    try {
      // Message ports strip prototypes; the store reads only the arrays.
      const firstSequence = store.append(Object.assign(new RowBatch(), message))
      return observer === null ? { firstSequence } : { firstSequence, observation: observer.committed() }
    } catch (error) {
      const failure = asStoreError(error)
      return { failure: { message: failure.message, suggestions: failure.suggestions } }
    }
  }
  port.on('message', (message: BatchMessage) => port.postMessage(commit(message)))
  port.postMessage({ ready: true, threadPath: threadPath() } satisfies WorkerReply)
}

if (parentPort === null) throw new LighthouseError('INTERNAL', 'The commit worker was started outside a worker thread.')
serve(parentPort, workerData as CommitWorkerData)
