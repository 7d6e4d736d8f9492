/**
 * Entry module of the load's own thread or process: one engine client with both ends of every exchange, driven
 * by a handful of requests a round. Secrets arrive in the `start` message and nowhere else. Progress leaves as
 * telemetry, four times a second at most.
 */
import type { ClientConfig, EngineSemantics } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import { readProcess, type ProcessReading } from '../measurement/process-reading.ts'
import { LighthouseError } from '../platform/errors.ts'
import { servePeer } from '../platform/peer.ts'
import { LoadSession, type WarmUpReport } from './load-session.ts'
import type { RoundPlan, RoundReport } from './round-plan.ts'
import { systemGauge, systemTiming } from './timing.ts'

export interface LoadStartRequest {
  readonly engine: string
  readonly agents: number
  readonly clockOrigin: number
  readonly client: Omit<ClientConfig, 'handlers'>
  /** Sessions opened at once. */
  readonly concurrency?: number
  /** Sessions are opened evenly over this time instead of at once. */
  readonly staggerMs?: number
}

export interface LoadStartAnswer {
  readonly semantics: EngineSemantics
  readonly connectsPerSecond: number
  readonly connectMs: number
}

/** Telemetry `roundStart`: the zero of a round, in ns of the broadcast clock. */
export interface RoundStart {
  readonly round: number
  readonly startNs: number
}

export interface MarkRequest {
  readonly name: string
  readonly atNs: number
}

let session: LoadSession | null = null

function running(): LoadSession {
  if (session === null) throw new LighthouseError('INTERNAL', 'the load host was asked before it was started')
  return session
}

const parent = servePeer({
  async start(payload): Promise<LoadStartAnswer> {
    const request = payload as LoadStartRequest
    if (session !== null) throw new LighthouseError('INTERNAL', 'the load host was started twice')
    const definition = await loadEngine(request.engine)
    const started = new LoadSession({
      createClient: (handlers) => definition.createClient({ ...request.client, handlers }),
      timing: systemTiming(request.clockOrigin),
      gauge: systemGauge(),
      onProgress: (progress) => parent.telemetry('progress', progress),
      onRoundStart: (round, startNs) => parent.telemetry('roundStart', { round, startNs } satisfies RoundStart),
    })
    session = started
    const { connectsPerSecond, elapsedMs } = await started.connect(
      request.agents,
      request.concurrency,
      request.staggerMs,
    )
    return { semantics: started.semantics, connectsPerSecond, connectMs: elapsedMs }
  },
  warmUp(payload): Promise<WarmUpReport> {
    return running().warmUp(payload as RoundPlan)
  },
  round(payload): Promise<RoundReport> {
    return running().runRound(payload as RoundPlan)
  },
  mark(payload): void {
    const { name, atNs } = payload as MarkRequest
    running().mark(name, atNs)
  },
  open(): number {
    return running().open
  },
  async pause(): Promise<void> {
    await running().pause()
  },
  /** What this host holds when its garbage is gone. */
  rest(): Promise<ProcessReading> {
    return readProcess()
  },
  /** Answered at once; the round under way then ends with a report marked as interrupted. */
  abort(): void {
    session?.abort()
  },
  async close(): Promise<void> {
    await session?.close()
    session = null
  },
})
