/**
 * Starts a polling server: opens the store, then its committer, then the port, and closes again what was opened
 * when a later step fails.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineServer } from '../engine.ts'
import type { EventStore } from '../event-store/event-store.ts'
import { type CommitHandlers, type GroupCommit, inlineCommit } from '../event-store/group-commit.ts'
import { openEventStore, type StoreOptions } from '../event-store/sqlite-store.ts'
import type { PollingOptions } from './options.ts'
import { PollingServer, type PollingServerInputs } from './polling-server.ts'

async function openCommitter(
  batching: PollingOptions['batching'],
  options: StoreOptions,
  store: EventStore,
  handlers: CommitHandlers,
): Promise<GroupCommit> {
  if (batching !== 'thread') return inlineCommit(store, handlers, batching)
  const { threadedCommit } = await import('../event-store/threaded-commit.ts')
  return threadedCommit({ ...options, file: store.file }, handlers)
}

/** Throws LighthouseError: STORE, ENGINE_START or USAGE. */
export async function startPollingServer(inputs: PollingServerInputs): Promise<EngineServer> {
  const { config, options } = inputs
  if (options.batching === 'thread' && config.durability === 'memory') {
    throw new LighthouseError(
      'USAGE',
      'batching=thread of the polling engine needs a file, and memory durability has none.',
      {
        suggestions: ['Use batching=turn, or durability os or fsync.'],
      },
    )
  }
  if (config.enrolmentKey === '') {
    throw new LighthouseError('CONFIGURATION', 'The enrolment key of the polling engine is empty.', {
      suggestions: ['Give the engine a key; an empty one would let anybody enrol.'],
    })
  }
  const storeOptions: StoreOptions = { durability: config.durability, file: config.storeFile, indexedByAgent: true }
  const store = openEventStore(storeOptions)
  let commit: GroupCommit | null = null
  try {
    const server = new PollingServer(inputs, store)
    commit = await openCommitter(options.batching, storeOptions, store, server.commitHandlers)
    await server.start(commit)
    return server
  } catch (error) {
    await commit?.close()
    store.close()
    throw error
  }
}
