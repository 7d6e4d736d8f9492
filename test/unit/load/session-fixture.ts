/**
 * A load session against the memory engine on virtual time, and a plan to run on it.
 */
import { LoadSession, type LoadSessionOptions } from '../../../src/load/load-session.ts'
import type { RoundPlan, RoundReport, Workload } from '../../../src/load/round-plan.ts'
import { MemoryEngine, type MemoryEngineOptions } from './memory-engine.ts'
import { fixedGauge, VirtualTime } from './virtual-time.ts'

export const workload: Workload = {
  name: 'pairs',
  agents: 10,
  ratePerSecond: 200,
  pattern: 'pairs',
  arrivals: 'poisson',
  payloadBytes: 300,
  answers: { accept: 0.8, decline: 0.1, cancel: 0.1 },
  deadlineMs: 2000,
}

export function planOf(changes: Partial<RoundPlan> = {}): RoundPlan {
  return {
    round: 0,
    attempt: 0,
    nonce: 'r0',
    seed: 'seed/round-0',
    durationMs: 1500,
    workload,
    pacing: 'timer',
    loadModel: 'open',
    drainGraceMs: 1000,
    latenessBoundMs: 2,
    ...changes,
  }
}

export interface Bench {
  readonly time: VirtualTime
  readonly engine: MemoryEngine
  readonly session: LoadSession
  readonly run: (plan?: RoundPlan, signal?: AbortSignal) => Promise<RoundReport>
}

export async function bench(
  engineOptions: MemoryEngineOptions = {},
  sessionOptions: Partial<LoadSessionOptions> = {},
): Promise<Bench> {
  const time = new VirtualTime()
  const engines: MemoryEngine[] = []
  const session = new LoadSession({
    createClient: (handlers) => {
      const engine = new MemoryEngine(time, handlers, engineOptions)
      engines.push(engine)
      return engine
    },
    timing: time,
    gauge: fixedGauge(),
    ...sessionOptions,
  })
  const engine = engines[0]
  if (engine === undefined) throw new Error('the session made no client')
  await time.drive(session.connect(workload.agents, 4))
  return { time, engine, session, run: (plan = planOf(), signal) => time.drive(session.runRound(plan, signal)) }
}
