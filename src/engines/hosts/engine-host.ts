/**
 * Entry module of an engine's own thread or process: starts one engine server, samples its resources, and
 * answers the suite's questions about it. Several requests a round at most; nothing per exchange.
 */
import { readProcess, type ProcessReading } from '../../measurement/process-reading.ts'
import { startResourceSampler, type ResourceSampler } from '../../measurement/resource-sampler.ts'
import type { ResourceSummary } from '../../measurement/round-evidence.ts'
import { settledMemory, type SettledMemory } from '../../measurement/settled-memory.ts'
import { systemClock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { servePeer } from '../../platform/peer.ts'
import type { EngineSemantics, EngineServer, EngineStats, ServerConfig } from '../engine.ts'
import { armFailpoint, type Failpoint } from '../event-store/failpoints.ts'
import { loadEngine } from '../registry.ts'

export interface EngineStartRequest {
  readonly engine: string
  readonly config: ServerConfig
  readonly scope: 'thread' | 'process'
}

export interface EngineStartAnswer {
  readonly url: string
  readonly semantics: EngineSemantics
}

export interface EngineReading {
  readonly stats: EngineStats
  readonly resources: ResourceSummary
}

export interface EngineAtRest {
  readonly process: ProcessReading
  readonly openConnections: number
  readonly walBytes: number | null
}

let server: EngineServer | null = null
let sampler: ResourceSampler | null = null

function running(): EngineServer {
  if (server === null) throw new LighthouseError('INTERNAL', 'the engine host was asked before it was started')
  return server
}

servePeer({
  async start(payload): Promise<EngineStartAnswer> {
    const request = payload as EngineStartRequest
    const definition = await loadEngine(request.engine)
    definition.validateOptions(request.config.options)
    const started = await definition.startServer(request.config)
    server = started
    sampler = startResourceSampler(request.scope, () => {
      const stats = started.gauges()
      return { openConnections: stats.openConnections, walBytes: stats.walBytes }
    })
    return { url: started.url, semantics: started.semantics }
  },
  reset(): void {
    running().resetStats()
    sampler?.reset()
  },
  read(): EngineReading {
    const stats = running().stats()
    if (sampler === null) throw new LighthouseError('INTERNAL', 'the engine host has no sampler')
    return { stats, resources: sampler.summary() }
  },
  /** What the process holds when its garbage is gone; see BreakableStart. */
  settle(): Promise<SettledMemory> {
    return settledMemory()
  },
  /** The same with everything else that an endurance run follows. */
  async rest(): Promise<EngineAtRest> {
    const process = await readProcess()
    const { openConnections, walBytes } = running().gauges()
    return { process, openConnections, walBytes }
  },
  /** Holds the event loop, as a long computation in an application would. */
  stall(payload): void {
    const { forMs } = payload as { forMs: number }
    const clock = systemClock()
    const untilNs = clock.nowNs() + forMs * 1e6
    while (clock.nowNs() < untilNs);
  },
  arm(payload): void {
    const { at, commits } = payload as { at: Failpoint; commits: number }
    armFailpoint(at, commits)
  },
  async stop(): Promise<void> {
    sampler?.stop()
    await server?.close()
    server = null
  },
})
