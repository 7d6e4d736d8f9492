/**
 * One comparison from settings to a finished run directory: fix everything that is fixed beforehand and write it
 * down, start the arms, play the rounds, and derive what is published from what was written. A run that is
 * interrupted or breaks leaves the rounds it had, with results over them.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { chooseHost, drawOrder, estimateDiskBytes, estimateMs } from './comparison-plan.ts'
import { playComparison, type ComparisonPlan } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun } from './run-record.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface ComparisonRequest extends SuiteRequest {
  readonly rounds: number
  readonly minimumRounds: number
  readonly roundDurationMs: number
}

/** What a run would do, without doing it. */
export interface ComparisonOutline {
  readonly host: 'thread' | 'process'
  readonly hostNote: string | null
  readonly durationMs: number
  readonly diskBytes: number
  readonly order: readonly (readonly string[])[]
  readonly exchangesPerEngine: number
}

export async function outlineComparison(request: ComparisonRequest): Promise<ComparisonOutline> {
  const started = request.arms.filter(({ url }) => url === undefined).length
  const environment = await collectEnvironment(request.projectFolder)
  const { host, note } = chooseHost(
    request.host,
    request.workload.agents,
    Math.max(1, started),
    environment.descriptorLimit.value,
  )
  return {
    host,
    hostNote: note,
    durationMs: estimateMs({
      arms: request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) })),
      agents: request.workload.agents,
      rounds: request.rounds,
      roundDurationMs: request.roundDurationMs,
      warmupMs: request.warmupMs,
    }),
    diskBytes: estimateDiskBytes(request.arms.length, request.rounds, request.roundDurationMs),
    order: drawOrder(labelsOf(request), request.rounds, request.seed),
    exchangesPerEngine: Math.round((request.workload.ratePerSecond * request.rounds * request.roundDurationMs) / 1000),
  }
}

function labelsOf(request: ComparisonRequest): string[] {
  return request.arms.map(({ label }) => label)
}

export async function runComparison(
  request: ComparisonRequest,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  const outline = await outlineComparison(request)
  if (outline.hostNote !== null) events.note(outline.hostNote)
  const run = await beginRun(request, events)

  const arms: Arm[] = []
  try {
    for (const arm of request.arms) {
      if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
      const { host } = outline
      arms.push(await openArm(request, { arm, agents: request.workload.agents, host, clockOrigin: run.origin }, events))
    }
    const { rounds, minimumRounds, roundDurationMs } = request
    const { agents, ratePerSecond } = request.workload
    const sizes = { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order: outline.order }
    run.declare(
      arms.map((arm) => arm.describe()),
      { suite: 'comparison', sizes },
    )
    const hooks = {
      onWarmup: (engine: string) => events.stage(`warming ${engine} up`),
      onRoundStart: (engine: string, round: number, attempt: number) => events.roundStart(engine, round, attempt),
      onRound: (played: PlayedRound) => run.keep(played),
    }
    const plan = comparisonPlan(request, run.runId, outline)
    const { ended } = await playComparison(plan, arms, hooks, run.clock, signal)
    return run.finish(ended)
  } finally {
    await closeAll(arms, events)
  }
}

function comparisonPlan(request: ComparisonRequest, runId: string, outline: ComparisonOutline): ComparisonPlan {
  return {
    rounds: request.rounds,
    roundDurationMs: request.roundDurationMs,
    warmupMs: request.warmupMs,
    workload: request.workload,
    pacing: request.pacing,
    loadModel: 'open',
    seed: request.seed,
    runId,
    latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
    order: outline.order,
    // The estimate errs on the long side; what it leaves over is what repeats may use.
    repeatUntilMs: Math.min(outline.durationMs, request.timeBudgetMs ?? Infinity),
    budgetMs: request.timeBudgetMs,
  }
}
