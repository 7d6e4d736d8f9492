/**
 * One recovery run from settings to a finished run directory: fault after fault on engines of their own, then the control. Every round
 * is on disk before the next begins, so a run that was killed can be resumed.
 */
import { drainGraceMs } from './arm-timing.ts'
import { CasePlanner } from './case-plan.ts'
import type { PlannedArm } from './comparison-plan.ts'
import { playComparison } from './comparison.ts'
import { caseHooks, playControlled, type Ended } from './controlled-cases.ts'
import { faultKind, type FaultName } from './fault-kinds.ts'
import { openFaultyArm } from './faulty-arm.ts'
import { estimateRecovery, planRecovery, type RecoveryPlan, type RecoverySizes } from './recovery.ts'
import type { RunEvents } from './run-events.ts'
import { validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
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
  private readonly planner: CasePlanner

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.planner = new CasePlanner(parts.request, parts.outline.durationMs, parts.run)
  }

  playAll(): Promise<Ended> {
    const { request, outline, run, events, signal } = this.parts
    return playControlled({
      suite: 'failure-recovery',
      request,
      outline,
      run,
      events,
      signal,
      together: request.sizes.together,
      playRound: (each, round, arm) => this.playRound(each, round, arm),
      planOf: (control, order) => this.planner.toPlay(control, { order, timeline: true }),
    })
  }

  private async playRound(each: CasePlan, round: number, planned: PlannedArm): Promise<Ended> {
    const { request, run, events, signal } = this.parts
    if (signal.aborted) return 'interrupted'
    if (run.has(planned.label, round)) return 'complete'
    const { agents } = each
    const arm = await openFaultyArm(
      request,
      { arm: planned, agents, host: 'process', clockOrigin: run.origin },
      { faults: each.faults ?? [], seed: `${request.seed}/${each.name}/${round}`, clock: run.clock, signal },
      events,
    )
    try {
      const plan = {
        ...this.planner.toPlay(each, { order: [[planned.label]], timeline: true }),
        firstRound: round,
        rounds: 1,
      }
      // An engine that was broken once is not broken again: a round that does not count is not repeated.
      return (
        await playComparison({ ...plan, repeatUntilMs: 0 }, [arm], caseHooks({ run, events }, each), run.clock, signal)
      ).ended
    } finally {
      await arm.close().catch((error: unknown) => events.note(`${arm.label} did not stop cleanly: ${String(error)}`))
    }
  }
}
