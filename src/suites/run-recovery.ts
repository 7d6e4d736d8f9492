/**
 * One recovery run from settings to a finished run directory: fault after fault on engines of their own, then the control. Every round
 * is on disk before the next begins, so a run that was killed can be resumed.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import type { PlannedArm } from './comparison-plan.ts'
import { playComparison, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import { faultKind, type FaultName } from './fault-kinds.ts'
import { openFaultyArm } from './faulty-arm.ts'
import { estimateRecovery, planRecovery, type RecoveryPlan, type RecoverySizes } from './recovery.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import type { CasePlan, EngineArm } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { onPath } from '../platform/process.ts'

export interface RecoveryRequest extends SuiteRequest {
  readonly sizes: RecoverySizes
  readonly minimumRounds: number
  /** Directory of a run that was cut short, or null. */
  readonly resume: string | null
}

export interface RecoveryOutline extends RecoveryPlan {
  readonly host: 'process'
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  readonly durationMs: number
  readonly diskBytes: number
}

/** Throws USAGE where an engine runs elsewhere: what is not ours is not broken. */
export function outlineRecovery(request: RecoveryRequest): RecoveryOutline {
  const remote = request.arms.find(({ url }) => url !== undefined)
  if (remote !== undefined) {
    throw new LighthouseError(
      'USAGE',
      `faults are injected into engines that this run starts, and ${remote.label} runs elsewhere`,
      {
        suggestions: ['Leave the URL of the engine out.'],
      },
    )
  }
  const labels = request.arms.map(({ label }) => label)
  const skippedCases = skippedFaults(request.sizes.faults)
  const faults = request.sizes.faults.filter((name) => skippedCases.every((each) => each.name !== name))
  const plan = planRecovery({ ...request.sizes, faults }, labels, request.seed)
  const arms = request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return { ...plan, host: 'process', skippedCases, ...estimateRecovery(plan, arms, request.sizes) }
}

/** Faults that need a program which this machine does not have. */
function skippedFaults(names: readonly FaultName[]): { readonly name: string; readonly reason: string }[] {
  return names.flatMap((name) => {
    const tool = faultKind(name)?.tool
    return tool === undefined || onPath(tool) ? [] : [{ name, reason: `${tool} is not installed` }]
  })
}

export async function runRecovery(
  request: RecoveryRequest,
  outline: RecoveryOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  for (const { name, reason } of outline.skippedCases) events.note(`${name} SKIPPED: ${reason}`)
  const run = await beginRun(request, events, request.resume)
  const player = new RecoveryPlayer({ request, outline, run, events, signal })
  return run.finish(await player.playAll())
}

interface PlayerParts {
  readonly request: RecoveryRequest
  readonly outline: RecoveryOutline
  readonly run: BegunRun
  readonly events: RunEvents
  readonly signal: AbortSignal
}

class RecoveryPlayer {
  private readonly parts: PlayerParts
  private readonly startNs: number

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.startNs = parts.run.clock.nowNs()
  }

  /** The control's engines are up throughout, paused: they are what the run declares. */
  async playAll(): Promise<ComparisonOutcome['ended']> {
    const { request, outline, run, events, signal } = this.parts
    const control = outline.cases.at(-1)
    if (control === undefined) throw new LighthouseError('INTERNAL', 'a recovery plan without cases')
    const arms: Arm[] = []
    try {
      for (const arm of request.arms) {
        if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
        const { agents } = request.sizes
        arms.push(await openArm(request, { arm, agents, host: 'process', clockOrigin: run.origin }, events))
      }
      this.writeDeclaration(
        arms.map((arm) => arm.describe()),
        control,
      )
      for (const arm of arms) await arm.pause()
      for (const each of outline.cases) {
        if (each === control) break
        const ended = await this.playFaults(each)
        if (ended !== 'complete') return ended
      }
      const hooks = {
        onWarmup: () => undefined,
        onRoundStart: (engine: string, round: number, attempt: number) =>
          events.roundStart(`${engine}, control`, round, attempt),
        onRound: (played: PlayedRound) => run.keep(played),
      }
      return (await playComparison(this.planOf(control, null), arms, hooks, run.clock, signal)).ended
    } finally {
      await closeAll(arms, events)
    }
  }

  private writeDeclaration(engines: readonly EngineArm[], control: CasePlan): void {
    const { request, outline, run } = this.parts
    const { agents, ratePerSecond, roundDurationMs } = control
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    const { minimumRounds } = request
    const { order, cases, skippedCases } = outline
    const sizes = { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order, cases }
    run.declare(engines, {
      suite: 'failure-recovery',
      sizes: skippedCases.length === 0 ? sizes : { ...sizes, skippedCases },
    })
  }

  private async playFaults(each: CasePlan): Promise<ComparisonOutcome['ended']> {
    const { request, outline } = this.parts
    for (let round = each.firstRound; round < each.firstRound + each.rounds; round++) {
      const order = outline.order[round] ?? []
      const arms = order.flatMap((label) => request.arms.filter((planned) => planned.label === label))
      const ended = request.sizes.together
        ? await Promise.all(arms.map((arm) => this.playRound(each, round, arm)))
        : await this.oneByOne(arms, (arm) => this.playRound(each, round, arm))
      const early = ended.find((how) => how !== 'complete')
      if (early !== undefined) return early
    }
    return 'complete'
  }

  private async oneByOne(
    arms: readonly PlannedArm[],
    play: (arm: PlannedArm) => Promise<ComparisonOutcome['ended']>,
  ): Promise<ComparisonOutcome['ended'][]> {
    const ended: ComparisonOutcome['ended'][] = []
    for (const arm of arms) {
      ended.push(await play(arm))
      if (ended.at(-1) !== 'complete') break
    }
    return ended
  }

  private async playRound(each: CasePlan, round: number, planned: PlannedArm): Promise<ComparisonOutcome['ended']> {
    const { request, run, events, signal } = this.parts
    if (signal.aborted) return 'interrupted'
    if (run.has(planned.label, round)) return 'complete'
    const { agents } = request.sizes
    const arm = await openFaultyArm(
      request,
      { arm: planned, agents, host: 'process', clockOrigin: run.origin },
      { faults: each.faults ?? [], seed: `${request.seed}/${each.name}/${round}`, clock: run.clock, signal },
      events,
    )
    const hooks = {
      onWarmup: () => undefined,
      onRoundStart: (engine: string, number: number, attempt: number) =>
        events.roundStart(`${engine}, ${each.name}`, number, attempt),
      onRound: (played: PlayedRound) => run.keep(played),
    }
    try {
      const plan = { ...this.planOf(each, planned.label), firstRound: round, rounds: 1, order: [[planned.label]] }
      // An engine that was broken once is not broken again: a round that does not count is not repeated.
      return (await playComparison({ ...plan, repeatUntilMs: 0 }, [arm], hooks, run.clock, signal)).ended
    } finally {
      await arm.close().catch((error: unknown) => events.note(`${arm.label} did not stop cleanly: ${String(error)}`))
    }
  }

  /** Who has yet to play each round of the case. */
  private openRounds({ firstRound, rounds }: CasePlan): string[][] {
    const { outline, run } = this.parts
    return outline.order
      .slice(firstRound, firstRound + rounds)
      .map((labels, place) => labels.filter((each) => !run.has(each, firstRound + place)))
  }

  private planOf(each: CasePlan, label: string | null): ComparisonPlan {
    const { request, outline, run } = this.parts
    const elapsedMs = (run.clock.nowNs() - this.startNs) / 1e6
    const leftMs = (until: number): number => Math.max(0, until - elapsedMs)
    return {
      rounds: each.rounds,
      firstRound: each.firstRound,
      roundDurationMs: each.roundDurationMs,
      warmupMs: 0,
      workload: { ...request.workload, agents: each.agents, ratePerSecond: each.ratePerSecond },
      pacing: request.pacing,
      loadModel: 'open',
      seed: request.seed,
      runId: run.runId,
      latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
      order: label === null ? this.openRounds(each) : [[label]],
      timeline: true,
      ...(each.phases === undefined ? {} : { phases: each.phases }),
      repeatUntilMs: leftMs(Math.min(outline.durationMs, request.timeBudgetMs ?? Infinity)),
      budgetMs: request.timeBudgetMs === null ? null : leftMs(request.timeBudgetMs),
    }
  }
}
