/**
 * The bridge as the registry sees it: both protocols in front of one store, and clients that take the path they are assigned.
 */
import { systemClock, systemScheduler } from '../../platform/clock.ts'
import { seededRandom } from '../../platform/random.ts'
import type { EngineDefinition } from '../engine.ts'
import { elicitationEngine } from '../elicitation/definition.ts'
import { createElicitationClient } from '../elicitation/elicitation-client.ts'
import { elicitationSemantics } from '../elicitation/semantics.ts'
import { eventStreamTransport } from '../elicitation/sse-client.ts'
import { webSocketTransport } from '../elicitation/websocket-client.ts'
import { DualPath } from './dual-path.ts'
import { bridgeOptions, innerOptions, optionHelp } from './options.ts'
import { pollingTransport } from './polling-channel.ts'

export const bridgeEngine: EngineDefinition = {
  name: 'bridge',
  optionHelp,
  validateOptions(options) {
    bridgeOptions(options)
  },
  semantics: (_options, durability) => elicitationSemantics(durability),
  longestTtlMs: (options) =>
    Math.max(bridgeOptions(options).timeoutMs, elicitationEngine.longestTtlMs?.(innerOptions(options)) ?? 0),
  exchangesKept: (options) => elicitationEngine.exchangesKept?.(innerOptions(options)) ?? 0,
  async startServer(config) {
    const { startBridgeServer } = await import('./bridge-server.ts')
    return startBridgeServer(config)
  },
  async openUnreadInbox(config) {
    return (await import('../elicitation/unread-inbox.ts')).openUnreadInbox(config)
  },
  createClient(config) {
    const { url, ca, seed } = config
    const { timeoutMs, limit } = bridgeOptions(config.options)
    const push = config.transport === 'sse' ? eventStreamTransport(url, ca) : webSocketTransport(url, ca)
    const random = seededRandom(`${seed}/paths`)
    const poll = pollingTransport({ url, ca, timeoutMs, limit, scheduler: systemScheduler, random })
    return createElicitationClient(config, new DualPath(push, poll, systemClock(), random))
  },
}
