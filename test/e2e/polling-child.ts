/**
 * A polling server in a process of its own: takes its settings as the first message, answers with its URL, answers
 * every `stats` message, closes on `close`, and leaves when its parent does.
 */
import { hybridEngine, pollingEngine } from '../../src/engines/polling/definition.ts'
import type { EngineServer, EngineStats, ServerConfig } from '../../src/engines/engine.ts'

export interface ChildSettings {
  readonly mode: 'polling' | 'hybrid'
  readonly config: ServerConfig
}
export type ChildMessage = { readonly url: string } | { readonly stats: EngineStats } | { readonly failure: string }

let server: EngineServer | null = null

const tell = (message: ChildMessage): void => void process.send?.(message)

async function obey(message: ChildSettings | 'stats' | 'close'): Promise<void> {
  if (message === 'stats') {
    if (server !== null) tell({ stats: server.stats() })
  } else if (message === 'close') {
    await server?.close()
    process.disconnect?.()
  } else {
    const engine = message.mode === 'hybrid' ? hybridEngine : pollingEngine
    server = await engine.startServer(message.config)
    tell({ url: server.url })
  }
}

process.on('message', (message: ChildSettings | 'stats' | 'close') => {
  obey(message).catch((error: unknown) => tell({ failure: error instanceof Error ? error.message : String(error) }))
})
process.on('disconnect', () => process.exit(0))
