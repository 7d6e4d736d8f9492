/**
 * The elicitation engine as the registry sees it: questions are pushed to agents, answers pushed back.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineDefinition } from '../engine.ts'
import { optionHelp, parseOptions } from './options.ts'
import { elicitationSemantics } from './semantics.ts'
import { createWebSocketClient } from './websocket-client.ts'

export const elicitationEngine: EngineDefinition = {
  name: 'elicitation',
  optionHelp,
  validateOptions(options) {
    parseOptions(options)
  },
  semantics: (_options, durability) => elicitationSemantics(durability),
  async startServer(config) {
    const { startElicitationServer } = await import('./server.ts')
    return startElicitationServer(config)
  },
  createClient(config) {
    if (config.transport !== 'websocket') {
      throw new LighthouseError('USAGE', `The elicitation engine does not speak ${config.transport}.`, {
        suggestions: ['Use --transport websocket.'],
      })
    }
    return createWebSocketClient(config)
  },
}
