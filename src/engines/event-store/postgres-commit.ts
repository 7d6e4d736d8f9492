/**
 * Group commit over a PostgreSQL store: the queue of gathering-commit.ts, whose transactions run in the server.
 *
 * The one case in which a failed ticket may be in the store after all is the store's own (`PostgresStore.append`): the
 * connection broke and the server stayed away beyond the time to find out.
 */
import { gatheringCommit, type GatheringBatching } from './gathering-commit.ts'
import { asStoreError, defaultCommitLimits } from './group-commit.ts'
import type { CommitHandlers, CommitLimits, GroupCommit } from './group-commit.ts'
import { checkRow } from './postgres-rows.ts'
import type { PostgresStore } from './postgres-store.ts'

/** The part of a store that this committer needs; `append` copies the batch before it returns. */
export type LateAppender = Pick<PostgresStore, 'append'>

/** `append` throws LighthouseError('STORE') for a row that could not be stored, which would fail the rows beside it too. */
export function postgresCommit(
  store: LateAppender,
  handlers: CommitHandlers,
  batching: GatheringBatching = 'thread',
  limits: CommitLimits = defaultCommitLimits,
): GroupCommit {
  const commit = gatheringCommit(
    {
      send(batch, settle) {
        store.append(batch).then(
          (firstSequence) => settle({ firstSequence }),
          (error: unknown) => settle({ error: asStoreError(error) }),
        )
      },
      close: () => Promise.resolve(),
    },
    handlers,
    batching,
    limits,
  )
  return {
    batching,
    append(agent, source, kind, exchange, body, producedAtMs) {
      checkRow(agent, source, kind, exchange)
      return commit.append(agent, source, kind, exchange, body, producedAtMs)
    },
    pendingRows: () => commit.pendingRows(),
    counts: () => commit.counts(),
    resetCounts: () => commit.resetCounts(),
    close: () => commit.close(),
  }
}
