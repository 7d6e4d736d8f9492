/**
 * Group commit on a thread of its own: the first row is handed over at once, and rows gather while a commit
 * runs, up to `gatherLimit` in one transaction (the adaptive form of group commit; no timer).
 *
 * The queueing (`gatheringCommit`) knows nothing of threads: it sends a batch through a port and is told how
 * it ended, so the same property test drives it and the inline form. One batch is under way at a time, which keeps
 * tickets in order and the memory between the threads bounded.
 */
import { Worker } from 'node:worker_threads'
import { delay } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { entryModule } from '../../platform/modules.ts'
import { RowBatch } from './event-store.ts'
import { asStoreError, defaultCommitLimits } from './group-commit.ts'
import type { CommitHandlers, CommitLimits, GroupCommit } from './group-commit.ts'
import type { StoreOptions } from './sqlite-store.ts'

export const gatherLimit = 512
/** How long a closing committer waits for what is under way. */
const closeWithinMs = 3000

/** A chunk of rows as plain data that a message port can copy. */
export type BatchMessage = Pick<
  RowBatch,
  'count' | 'agents' | 'sources' | 'kinds' | 'exchanges' | 'bodies' | 'producedAtMs'
>

export type CommitReply =
  | { readonly firstSequence: number }
  | { readonly failure: { readonly message: string; readonly suggestions: readonly string[] } }

/** Where batches go. `send` is answered by exactly one call of `settle`, later. */
export interface BatchPort {
  send(batch: BatchMessage, settle: (reply: CommitReply) => void): void
  close(): Promise<void>
}

/** A view into a larger buffer would be copied with all of that buffer. */
function compact(body: string | Uint8Array): string | Uint8Array {
  return typeof body === 'string' || body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}

export function gatheringCommit(
  port: BatchPort,
  handlers: CommitHandlers,
  limits: CommitLimits = defaultCommitLimits,
): GroupCommit {
  /** Chunks of at most `gatherLimit` rows, oldest first; rows are added to the last. */
  const chunks: RowBatch[] = []
  const spare: RowBatch[] = []
  let lastTicket = 0
  let sentTo = 0
  let settledTo = 0
  let waitingUnits = 0
  let busy = false
  let closed = false
  let whenIdle: (() => void) | null = null
  let commits = 0
  let rows = 0
  let failures = 0

  const settle = (reply: CommitReply): void => {
    const from = settledTo + 1
    const to = sentTo
    settledTo = to
    busy = false
    // The next batch is on its way before the answers to this one are written.
    sendNext()
    if ('firstSequence' in reply) {
      commits++
      rows += to - from + 1
      handlers.onCommitted(from, to, reply.firstSequence)
    } else {
      failures++
      const { message, suggestions } = reply.failure
      handlers.onFailed(from, to, new LighthouseError('STORE', message, { suggestions }))
    }
    if (!busy) whenIdle?.()
  }

  const sendNext = (): void => {
    const chunk = busy ? undefined : chunks.shift()
    if (chunk === undefined) return
    busy = true
    sentTo += chunk.count
    waitingUnits -= chunk.bodyUnits
    // `send` copies, so the chunk is free again when it returns.
    port.send(chunk, settle)
    chunk.clear()
    spare.push(chunk)
  }

  const tail = (): RowBatch => {
    const last = chunks.at(-1)
    if (last !== undefined && last.count < gatherLimit) return last
    const chunk = spare.pop() ?? new RowBatch()
    chunks.push(chunk)
    return chunk
  }

  return {
    batching: 'thread',
    append(agent, source, kind, exchange, body, producedAtMs) {
      if (closed || lastTicket - settledTo >= limits.maxPendingRows) return -1
      if (waitingUnits + body.length > limits.maxPendingBodyUnits) return -1
      tail().add(agent, source, kind, exchange, compact(body), producedAtMs)
      waitingUnits += body.length
      lastTicket++
      sendNext()
      return lastTicket
    },
    pendingRows: () => lastTicket - settledTo,
    counts: () => ({ commits, rows, failures }),
    resetCounts() {
      commits = rows = failures = 0
    },
    async close() {
      closed = true
      if (busy) {
        const idle = Promise.withResolvers<void>()
        const giveUp = new AbortController()
        whenIdle = idle.resolve
        await Promise.race([idle.promise, delay(closeWithinMs, giveUp.signal)])
        giveUp.abort()
      }
      await port.close()
    },
  }
}

type WorkerReply = CommitReply | { readonly ready: true }

/** A worker thread with its own connection. Should it die, every batch fails from then on: nothing is acknowledged. */
function workerPort(store: StoreOptions): Promise<BatchPort> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entryModule('engines/event-store/commit-worker'), { workerData: store, execArgv: [] })
    let settleCurrent: ((reply: CommitReply) => void) | null = null
    let death: string | null = null
    const answer = (reply: CommitReply): void => {
      const settle = settleCurrent
      settleCurrent = null
      settle?.(reply)
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
      if ('ready' in reply) resolve(port)
      else answer(reply)
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
  const port = await workerPort({ ...store, connection: 'second' })
  return gatheringCommit(port, handlers, limits)
}
