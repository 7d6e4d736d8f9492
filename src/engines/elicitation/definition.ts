/**
 * The elicitation engine as the registry sees it: questions are pushed to agents, answers pushed back.
 */
import type { EngineDefinition } from '../engine.ts'
import { exchangesToFill } from './ended-exchanges.ts'
import { defaultLimits } from './machine-ports.ts'
import { optionHelp, parseOptions } from './options.ts'
import { oneTransport } from './path-choice.ts'
import { elicitationSemantics } from './semantics.ts'
import { createElicitationClient } from './elicitation-client.ts'
import { eventStreamTransport } from './sse-client.ts'
import { webSocketTransport } from './websocket-client.ts'

/** A little less than answers of the load have on average. */
const usualAnswerBytes = 75

export const elicitationEngine: EngineDefinition = {
  name: 'elicitation',
  optionHelp,
  validateOptions(options) {
    parseOptions(options)
  },
  semantics: (_options, durability) => elicitationSemantics(durability),
  longestTtlMs: () => defaultLimits.retentionMs,
  exchangesKept: () => exchangesToFill(defaultLimits.retentionCount, usualAnswerBytes),
  async startServer(config) {
    const { startElicitationServer } = await import('./server.ts')
    return startElicitationServer(config)
  },
  createClient(config) {
    const { url, ca } = config
    const transport = config.transport === 'sse' ? eventStreamTransport(url, ca) : webSocketTransport(url, ca)
    parseOptions(config.options)
    return createElicitationClient(config, oneTransport(transport))
  },
  async openUnreadInbox(config) {
    return (await import('./unread-inbox.ts')).openUnreadInbox(config)
  },
}
