/**
 * One coordination run from settings to a finished run directory: pattern after pattern, each on engines of its own with the agents
 * of that pattern; within a pattern the engines take turns round by round.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { CasePlanner } from './case-plan.ts'
import { playComparison, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import {
  estimateCoordination,
  planCoordination,
  type CoordinationOutlinePlan,
  type CoordinationSizes,
} from './coordination.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { CasePlan, EngineArm } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface CoordinationRequest extends SuiteRequest {
  readonly sizes: CoordinationSizes
  readonly minimumRounds: number
}

export interface CoordinationOutline extends CoordinationOutlinePlan {
  /** Of the last case. */
  readonly host: 'thread' | 'process'
  readonly durationMs: number
  readonly diskBytes: number
}

export async function outlineCoordination(request: CoordinationRequest): Promise<CoordinationOutline> {
  const { descriptorLimit } = await collectEnvironment(request.projectFolder)
  const labels = request.arms.map(({ label }) => label)
  const startedArms = Math.max(1, request.arms.filter(({ url }) => url === undefined).length)
  const machine = { host: request.host, startedArms, descriptorLimit: descriptorLimit.value }
  const plan = planCoordination(request.sizes, labels, request.seed, machine)
  const arms = request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  const last = plan.cases.at(-1)?.name ?? ''
  return {
    ...plan,
    host: plan.hosts[last]?.host ?? request.host,
    ...estimateCoordination(plan, arms, request.warmupMs),
  }
}

export async function runCoordination(
  request: CoordinationRequest,
  outline: CoordinationOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  for (const { name, reason } of outline.skippedCases) events.note(`${name} SKIPPED: ${reason}`)
  for (const [name, { note }] of Object.entries(outline.hosts)) if (note !== null) events.note(`${name}: ${note}`)
  const run = await beginRun(request, events)
  const player = new PatternPlayer({ request, outline, run, events, signal })
  return run.finish(await player.playAll())
}

interface PlayerParts {
  readonly request: CoordinationRequest
  readonly outline: CoordinationOutline
  readonly run: BegunRun
  readonly events: RunEvents
  readonly signal: AbortSignal
}

class PatternPlayer {
  private readonly parts: PlayerParts
  private readonly planner: CasePlanner
  private declared = false

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.planner = new CasePlanner(parts.request, parts.outline.durationMs, parts.run)
  }

  async playAll(): Promise<ComparisonOutcome['ended']> {
    for (const each of this.parts.outline.cases) {
      const ended = await this.playCase(each)
      if (ended !== 'complete') return ended
    }
    return 'complete'
  }

  private async playCase(each: CasePlan): Promise<ComparisonOutcome['ended']> {
    const { request, outline, run, events, signal } = this.parts
    const host = outline.hosts[each.name]?.host ?? request.host
    const arms: Arm[] = []
    try {
      for (const arm of request.arms) {
        if (signal.aborted) {
          if (this.declared) return 'interrupted'
          throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
        }
        arms.push(await openArm(request, { arm, agents: each.agents, host, clockOrigin: run.origin }, events))
      }
      this.declareOnce(arms.map((arm) => arm.describe()))
      // Polling loops burn CPU from the first connection on, not only while their engine plays.
      for (const arm of arms) await arm.pause()
      const hooks = {
        onWarmup: (engine: string) => {
          if (request.warmupMs > 0) events.stage(`warming ${engine} up`)
        },
        onRoundStart: (engine: string, round: number, attempt: number) =>
          events.roundStart(`${engine}, ${each.name}`, round, attempt),
        onRound: (played: PlayedRound) => run.keep(played),
      }
      return (await playComparison(this.planOf(each), arms, hooks, run.clock, signal)).ended
    } finally {
      await closeAll(arms, events)
    }
  }

  private declareOnce(engines: readonly EngineArm[]): void {
    const { request, outline, run } = this.parts
    const { cases, order, skippedCases } = outline
    const last = cases.at(-1)
    if (this.declared) return
    if (last?.coordination === undefined) throw new LighthouseError('INTERNAL', 'a coordination plan without cases')
    this.declared = true
    const { pattern, payloadBytes, deadlineMs } = last.coordination
    run.declare(engines, {
      suite: 'coordination',
      sizes: {
        agents: last.agents,
        ratePerSecond: last.ratePerSecond,
        rounds: cases.reduce((sum, each) => sum + each.rounds, 0),
        minimumRounds: request.minimumRounds,
        roundDurationMs: last.roundDurationMs,
        pattern: pattern.kind,
        payloadBytes,
        deadlineMs,
        order,
        cases,
        ...(skippedCases.length === 0 ? {} : { skippedCases }),
      },
    })
  }

  private planOf(each: CasePlan): ComparisonPlan {
    const { request, outline } = this.parts
    const { coordination, agents, ratePerSecond } = each
    if (coordination === undefined) throw new LighthouseError('INTERNAL', `the case ${each.name} names no pattern`)
    const { payloadBytes, deadlineMs, arrivals } = coordination
    return this.planner.toPlay(each, {
      warmupMs: request.warmupMs,
      workload: { ...request.workload, name: each.name, agents, ratePerSecond, payloadBytes, deadlineMs, arrivals },
      order: outline.order.slice(each.firstRound, each.firstRound + each.rounds),
    })
  }
}
