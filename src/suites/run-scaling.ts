/**
 * One scaling run from settings to a finished run directory: level after level, engine after engine, each on hosts of its own.
 * An engine that completes less than 90 % of a level is not put to larger ones. Every round is on disk before the next begins.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { CasePlanner } from './case-plan.ts'
import { estimateDiskBytes, type PlannedArm } from './comparison-plan.ts'
import { playComparison, type ComparisonHooks, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun } from './run-record.ts'
import { estimateScalingMs, planScaling, type ScalingPlan, type ScalingSizes } from './scaling.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import { countedRoundTrip, levelProbe, nextProbeRate, probeOutcome, type Probe } from '../measurement/knee.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { stopBelowSuccess, successShare } from '../measurement/run-cases.ts'
import { delay, type Clock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface ScalingRequest extends SuiteRequest {
  readonly sizes: ScalingSizes
  readonly minimumRounds: number
  readonly coolDownMs: number
  /** Agents of a level start evenly over this time. */
  readonly staggerMs: number
}

export interface ScalingOutline extends ScalingPlan {
  readonly host: 'thread' | 'process'
  readonly durationMs: number
  readonly diskBytes: number
}

export async function outlineScaling(request: ScalingRequest): Promise<ScalingOutline> {
  const environment = await collectEnvironment(request.projectFolder)
  const labels = request.arms.map(({ label }) => label)
  const plan = planScaling(request.sizes, labels, request.seed, environment.descriptorLimit.value)
  const arms = request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return {
    ...plan,
    host: request.host,
    durationMs: estimateScalingMs(plan, arms, request.warmupMs, request),
    diskBytes: plan.cases.reduce(
      (sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs),
      0,
    ),
  }
}

export async function runScaling(
  request: ScalingRequest,
  outline: ScalingOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  for (const { name, reason } of outline.skippedCases) events.note(`${name} SKIPPED: ${reason}`)
  const run = await beginRun(request, events)
  const { origin, clock, runId } = run
  const engines = await describeEngines(request, outline, origin, events)
  const last = outline.cases.findLast(({ searchBoundsMs }) => searchBoundsMs === undefined)
  if (last === undefined) throw new LighthouseError('INTERNAL', 'a scaling plan without cases')
  const { cases, skippedCases, order } = outline
  run.declare(engines, {
    suite: 'scaling',
    sizes: {
      agents: last.agents,
      ratePerSecond: last.ratePerSecond,
      rounds: outline.cases.reduce((sum, each) => sum + each.rounds, 0),
      minimumRounds: request.minimumRounds,
      roundDurationMs: last.roundDurationMs,
      order,
      cases,
      ...(skippedCases.length === 0 ? {} : { skippedCases }),
    },
  })
  const levels = new LevelPlayer({ request, outline, runId, origin, clock, events, signal }, (played, connects) => {
    run.keep({ ...played, evidence: { ...played.evidence, connectsPerSecond: connects } })
  })
  return run.finish(await levels.playAll())
}

/** What the engines say of themselves, before the first level: each is started once with two agents. */
async function describeEngines(
  request: ScalingRequest,
  outline: ScalingOutline,
  clockOriginMs: number,
  events: RunEvents,
): Promise<ReturnType<Arm['describe']>[]> {
  const arms: Arm[] = []
  try {
    for (const arm of request.arms) {
      arms.push(await openArm(request, { arm, agents: 2, host: outline.host, clockOrigin: clockOriginMs }, events))
    }
    return arms.map((arm) => arm.describe())
  } finally {
    await closeAll(arms, events)
  }
}

interface LevelParts {
  readonly request: ScalingRequest
  readonly outline: ScalingOutline
  readonly runId: string
  readonly origin: number
  readonly clock: Clock
  readonly events: RunEvents
  readonly signal: AbortSignal
}

class LevelPlayer {
  private readonly parts: LevelParts
  private readonly onRound: (played: PlayedRound, connectsPerSecond: number) => void
  private readonly stopped = new Set<string>()
  private readonly planner: CasePlanner

  constructor(parts: LevelParts, onRound: (played: PlayedRound, connectsPerSecond: number) => void) {
    this.parts = parts
    this.onRound = onRound
    this.planner = new CasePlanner(parts.request, parts.outline.durationMs, parts)
  }

  async playAll(): Promise<ComparisonOutcome['ended']> {
    const { outline, request, signal } = this.parts
    const loads = outline.cases.filter(({ searchBoundsMs }) => searchBoundsMs === undefined)
    for (const [index, level] of loads.entries()) {
      for (const label of outline.order[level.firstRound] ?? []) {
        const arm = request.arms.find((each) => each.label === label)
        if (arm === undefined || this.stopped.has(label)) continue
        if (signal.aborted) return 'interrupted'
        const ended = await this.playLevel(level, arm)
        if (ended !== 'complete') return ended
      }
      if (request.coolDownMs > 0 && index < loads.length - 1) await delay(request.coolDownMs, signal)
    }
    return signal.aborted ? 'interrupted' : 'complete'
  }

  private async playLevel(level: CasePlan, planned: PlannedArm): Promise<ComparisonOutcome['ended']> {
    const { request, outline, events, origin, clock, signal } = this.parts
    const opened = await openArm(
      request,
      { arm: planned, agents: level.agents, host: outline.host, clockOrigin: origin, staggerMs: request.staggerMs },
      events,
    )
    const played: PlayedRound[] = []
    const hooks: ComparisonHooks = {
      onWarmup: () => undefined,
      onRoundStart: (engine, round, attempt) => events.roundStart(`${engine}, ${level.name}`, round, attempt),
      onRound: (round) => {
        played.push(round)
        this.onRound(round, opened.connectPerSecond)
      },
    }
    try {
      const { ended } = await playComparison(this.levelPlan(level, planned.label), [opened], hooks, clock, signal)
      const share = successShare(played.map(({ evidence }) => evidence))
      if (share !== null && share < stopBelowSuccess) {
        this.stopped.add(planned.label)
        events.note(
          `${planned.label} completed ${(share * 100).toFixed(1)} % at ${level.name}; it is not put to larger loads`,
        )
      }
      return ended === 'complete' && !this.stopped.has(planned.label)
        ? await this.searchKnee(level, opened, played)
        : ended
    } finally {
      await closeAll([opened], events)
    }
  }

  /** Probes rate after rate on hosts that are up; see knee.ts for what follows what. */
  private async searchKnee(
    level: CasePlan,
    arm: Arm,
    levelRounds: readonly PlayedRound[],
  ): Promise<ComparisonOutcome['ended']> {
    const { outline, events, clock, signal } = this.parts
    const search = outline.cases.find((each) => each.searchBoundsMs !== undefined && each.agents === level.agents)
    const boundMs = search?.searchBoundsMs?.[arm.label]
    if (search === undefined || boundMs === undefined || level.loadModel === 'closed') return 'complete'
    const probes: Probe[] = []
    const atLevel = levelProbe(
      levelRounds.map((played) => ({ evidence: played.evidence, roundTrip: countedRoundTrip(played) })),
      boundMs,
    )
    for (;;) {
      const rate = nextProbeRate(probes, search.ratePerSecond, search.rounds, atLevel)
      if (rate === null) return 'complete'
      events.stage(`${arm.label}: probing ${rate.toFixed(0)} exchanges/s with ${level.agents} agents`)
      const hooks: ComparisonHooks = {
        onWarmup: () => undefined,
        onRoundStart: () => undefined,
        onRound: (played) => {
          const outcome = probeOutcome(played.evidence, countedRoundTrip(played), boundMs)
          probes.push({ ratePerSecond: rate, outcome })
          this.onRound(played, arm.connectPerSecond)
        },
      }
      const plan = {
        ...this.levelPlan({ ...search, ratePerSecond: rate }, arm.label),
        rounds: 1,
        firstRound: search.firstRound + probes.length,
        warmupMs: 0,
        order: [[arm.label]],
        // A probe is never repeated: what does not hold is an answer.
        repeatUntilMs: 0,
      }
      const { ended } = await playComparison(plan, [arm], hooks, clock, signal)
      if (ended !== 'complete') return ended
    }
  }

  private levelPlan(level: CasePlan, label: string): ComparisonPlan {
    const { request } = this.parts
    const { agents, ratePerSecond, loadModel } = level
    const closed = loadModel === 'closed'
    return this.planner.toPlay(level, {
      // Of a closed loop the schedule says only how many exchanges there are, and even arrivals are as many as were planned.
      ...(closed ? { workload: { ...request.workload, agents, ratePerSecond, arrivals: 'uniform' } } : {}),
      warmupMs: closed ? 0 : request.warmupMs,
      order: Array.from({ length: level.rounds }, () => [label]),
    })
  }
}
