/**
 * One burst run from settings to a finished run directory: engines are started once, with all agents connected, and stay up;
 * case after case is played on them, the engines of a round in turn, while the clients of the others are paused.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { estimateBurst, planBurst, type BurstPlanOfRun, type BurstSizes } from './burst.ts'
import { CasePlanner } from './case-plan.ts'
import { chooseHost } from './comparison-plan.ts'
import { playComparison, type ComparisonOutcome } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { EngineArm } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface BurstRequest extends SuiteRequest {
  readonly sizes: BurstSizes
  readonly minimumRounds: number
}

export interface BurstOutline extends BurstPlanOfRun {
  readonly host: 'thread' | 'process'
  readonly hostNote: string | null
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  readonly durationMs: number
  readonly diskBytes: number
}

/** Throws USAGE for sizes that make no burst, ENVIRONMENT when the agents do not fit the machine. */
export async function outlineBurst(request: BurstRequest): Promise<BurstOutline> {
  const { sizes, arms: planned, seed, warmupMs } = request
  const labels = planned.map(({ label }) => label)
  const plan = planBurst(sizes, labels, seed)
  const started = planned.filter(({ url }) => url === undefined).length
  const environment = await collectEnvironment(request.projectFolder)
  const limit = environment.descriptorLimit.value
  const { host, note } = chooseHost(request.host, sizes.agents, Math.max(1, started), limit)
  const arms = planned.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return { ...plan, host, hostNote: note, skippedCases: [], ...estimateBurst(plan, arms, sizes, warmupMs) }
}

export async function runBurst(
  request: BurstRequest,
  outline: BurstOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  if (outline.hostNote !== null) events.note(outline.hostNote)
  const run = await beginRun(request, events)
  const arms: Arm[] = []
  try {
    for (const arm of request.arms) {
      if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
      const { agents } = request.sizes
      arms.push(await openArm(request, { arm, agents, host: outline.host, clockOrigin: run.origin }, events))
    }
    declare(
      run,
      arms.map((arm) => arm.describe()),
      request,
      outline,
    )
    // Polling loops burn CPU from the first connection on, not only while their engine plays.
    for (const arm of arms) await arm.pause()
    return run.finish(await playCases({ request, outline, run, arms, events, signal }))
  } finally {
    await closeAll(arms, events)
  }
}

function declare(run: BegunRun, engines: readonly EngineArm[], request: BurstRequest, outline: BurstOutline): void {
  const { order, cases } = outline
  const control = cases.at(-1)
  if (control === undefined) throw new LighthouseError('INTERNAL', 'a burst plan without cases')
  const { agents, ratePerSecond, roundDurationMs } = control
  const rounds = cases.reduce((sum, each) => sum + each.rounds, 0)
  const { minimumRounds } = request
  run.declare(engines, {
    suite: 'burst',
    sizes: { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order, cases },
  })
}

interface Playing {
  readonly request: BurstRequest
  readonly outline: BurstOutline
  readonly run: BegunRun
  readonly arms: readonly Arm[]
  readonly events: RunEvents
  readonly signal: AbortSignal
}

async function playCases(playing: Playing): Promise<ComparisonOutcome['ended']> {
  const { request, outline, run, arms, events, signal } = playing
  const planner = new CasePlanner(request, outline.durationMs, run)
  for (const each of outline.cases) {
    const hooks = {
      onWarmup: (engine: string) => {
        if (each.firstRound === 0 && request.warmupMs > 0) events.stage(`warming ${engine} up`)
      },
      onRoundStart: (engine: string, round: number, attempt: number) =>
        events.roundStart(`${engine}, ${each.name}`, round, attempt),
      onRound: (played: PlayedRound) => run.keep(played),
    }
    const plan = planner.toPlay(each, {
      warmupMs: each.firstRound === 0 ? request.warmupMs : 0,
      order: outline.order.slice(each.firstRound, each.firstRound + each.rounds),
      timeline: true,
    })
    const { ended } = await playComparison(plan, arms, hooks, run.clock, signal)
    if (ended !== 'complete') return ended
  }
  return 'complete'
}
