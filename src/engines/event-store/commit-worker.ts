/**
 * The thread behind `thread` batching: opens its own connection to the store, commits each batch it is sent in
 * one transaction, and answers with the first sequence or the failure. It owns no other state.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { LighthouseError } from '../../platform/errors.ts'
import { RowBatch } from './event-store.ts'
import { asStoreError } from './group-commit.ts'
import { openEventStore, type StoreOptions } from './sqlite-store.ts'
import type { BatchMessage, CommitReply } from './threaded-commit.ts'

function serve(port: NonNullable<typeof parentPort>, options: StoreOptions): void {
  const store = openEventStore(options)
  const commit = (message: BatchMessage): CommitReply => {
    try {
      // Message ports strip prototypes; the store reads only the arrays.
      return { firstSequence: store.append(Object.assign(new RowBatch(), message)) }
    } catch (error) {
      const failure = asStoreError(error)
      return { failure: { message: failure.message, suggestions: failure.suggestions } }
    }
  }
  port.on('message', (message: BatchMessage) => port.postMessage(commit(message)))
  port.postMessage({ ready: true })
}

if (parentPort === null) throw new LighthouseError('INTERNAL', 'The commit worker was started outside a worker thread.')
serve(parentPort, workerData as StoreOptions)
