/**
 * The polling engine and its control arm as the registry sees them. `polling` sleeps between looks at the database
 * as the system being replaced did; `hybrid` speaks the same protocol but wakes a held poll at the commit.
 */
import type { ClientConfig, Durability, EngineDefinition, EngineOptions, EngineSemantics } from '../engine.ts'
import { optionHelp, pollingOptions, type PollingMode } from './options.ts'
import { createPollingClient } from './polling-client.ts'

/**
 * At-least-once: a post whose answer was lost is sent again, and the server, like its original, does not know that it
 * has the event already. Events of one sender to one recipient are read in the order of their commits.
 */
function semantics(durability: Durability): EngineSemantics {
  return { delivery: 'at-least-once', durability, ordering: 'per-pair', replay: 'cursor', expiry: 'client' }
}

function define(mode: PollingMode): EngineDefinition {
  return {
    name: mode,
    optionHelp,
    validateOptions(options: EngineOptions) {
      pollingOptions(options, mode)
    },
    semantics: (_options, durability) => semantics(durability),
    longestTtlMs: (options) => pollingOptions(options, mode).timeoutMs,
    async startServer(config) {
      const { startPollingServer } = await import('./start-server.ts')
      const options = pollingOptions(config.options, mode)
      return startPollingServer({ config, options, mode, semantics: semantics(config.durability) })
    },
    createClient(config: ClientConfig) {
      return createPollingClient(config, pollingOptions(config.options, mode), semantics(config.durability))
    },
    async openUnreadInbox(config) {
      return (await import('./unread-inbox.ts')).openUnreadInbox(config)
    },
  }
}

export const pollingEngine: EngineDefinition = define('polling')
export const hybridEngine: EngineDefinition = define('hybrid')
