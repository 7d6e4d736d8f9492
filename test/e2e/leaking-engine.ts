/**
 * The elicitation engine with a planted leak: its heap grows by 2 MB/s for as long as it is up, by the clock, whatever the timers
 * do. Beside it a cache outside the heap fills for its TTL and stays full. What measures leaks has to tell the two apart.
 */
import type { EngineDefinition, EngineServer, ServerConfig } from '../../src/engines/engine.ts'
import { elicitationEngine } from '../../src/engines/elicitation/definition.ts'
import { systemClock, systemScheduler } from '../../src/platform/clock.ts'

export const leakBytesPerSecond = 2_000_000
const pieceDoubles = 12_500
const pieceBytes = 8 * pieceDoubles

const cacheTtlMs = 2000
const cacheBytesPerSecond = 4_000_000
const cachedBytes = 200_000

const tickMs = 25

async function startLeaking(config: ServerConfig): Promise<EngineServer> {
  const server = await elicitationEngine.startServer(config)
  const clock = systemClock()
  const startNs = clock.nowNs()
  const leaked: number[][] = []
  const cache: { readonly bytes: Uint8Array; readonly atMs: number }[] = []
  let cachedSoFar = 0
  const cancel = systemScheduler.every(tickMs, () => {
    const elapsedMs = (clock.nowNs() - startNs) / 1e6
    while (leaked.length * pieceBytes < (elapsedMs * leakBytesPerSecond) / 1000)
      leaked.push(Array.from({ length: pieceDoubles }, (_, place) => place + 0.5))
    while (cachedSoFar * cachedBytes < (elapsedMs * cacheBytesPerSecond) / 1000) {
      cache.push({ bytes: new Uint8Array(cachedBytes), atMs: elapsedMs })
      cachedSoFar++
    }
    while (cache[0] !== undefined && cache[0].atMs < elapsedMs - cacheTtlMs) cache.shift()
  })
  return {
    url: server.url,
    semantics: server.semantics,
    stats: () => server.stats(),
    gauges: () => server.gauges(),
    resetStats: () => server.resetStats(),
    close: () => {
      cancel()
      return server.close()
    },
  }
}

export const engine: EngineDefinition = {
  ...elicitationEngine,
  name: 'leaking',
  longestTtlMs: () => cacheTtlMs,
  exchangesKept: () => 0,
  startServer: startLeaking,
}
