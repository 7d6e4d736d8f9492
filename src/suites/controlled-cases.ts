/**
 * The course of a run whose cases each start engines of their own, which they may break, and whose last case is a control on engines that
 * stay: these are up throughout, paused, and are what the run declares. Engines take turns round by round, or play side by side where
 * seconds must do. Rounds that a resumed run has already are not played again.
 */
import type { Arm, PlayedRound } from './arm.ts'
import type { PlannedArm } from './comparison-plan.ts'
import { playComparison, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, type SuiteRequest } from './run-frame.ts'
import type { BegunRun } from './run-record.ts'
import type { CasePlan, EngineArm } from '../measurement/round-evidence.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'

export type Ended = ComparisonOutcome['ended']

export interface ControlledRun {
  readonly suite: Suite
  readonly request: SuiteRequest & { readonly minimumRounds: number }
  readonly outline: {
    /** The control last. */
    readonly cases: readonly CasePlan[]
    readonly order: readonly (readonly string[])[]
    readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  }
  readonly run: BegunRun
  readonly events: RunEvents
  readonly signal: AbortSignal
  readonly together: boolean
  /** One round of a case on an engine that is started for it. */
  readonly playRound: (each: CasePlan, round: number, arm: PlannedArm) => Promise<Ended>
  readonly planOf: (control: CasePlan, order: ComparisonPlan['order']) => ComparisonPlan
}

export async function playControlled(parts: ControlledRun): Promise<Ended> {
  const { request, outline, run, events, signal } = parts
  const control = outline.cases.at(-1)
  if (control === undefined) throw new LighthouseError('INTERNAL', 'a plan without cases')
  const arms: Arm[] = []
  try {
    if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
    const { agents } = control
    const opened = await Promise.allSettled(
      request.arms.map((arm) => openArm(request, { arm, agents, host: 'process', clockOrigin: run.origin }, events)),
    )
    for (const each of opened) if (each.status === 'fulfilled') arms.push(each.value)
    const failed = opened.find((each) => each.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    declareRun(
      parts,
      arms.map((arm) => arm.describe()),
      control,
    )
    for (const arm of arms) await arm.pause()
    for (const each of outline.cases.slice(0, -1)) {
      const ended = await playCase(parts, each)
      if (ended !== 'complete') return ended
    }
    const plan = parts.planOf(control, openRounds(parts, control))
    return (await playComparison(plan, arms, caseHooks(parts, control), run.clock, signal)).ended
  } finally {
    await closeAll(arms, events)
  }
}

/** What a round of the case tells while it is played, and where it goes. */
export function caseHooks({ run, events }: Pick<ControlledRun, 'run' | 'events'>, { name }: CasePlan) {
  return {
    onWarmup: () => undefined,
    onRoundStart: (engine: string, round: number, attempt: number) =>
      events.roundStart(`${engine}, ${name}`, round, attempt),
    onRound: (played: PlayedRound) => run.keep(played),
  }
}

function declareRun(
  { suite, request, outline, run }: ControlledRun,
  engines: readonly EngineArm[],
  control: CasePlan,
): void {
  const { agents, ratePerSecond, roundDurationMs } = control
  const { order, cases, skippedCases } = outline
  const rounds = cases.reduce((sum, each) => sum + each.rounds, 0)
  const { minimumRounds } = request
  const sizes = { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order, cases }
  run.declare(engines, { suite, sizes: skippedCases.length === 0 ? sizes : { ...sizes, skippedCases } })
}

async function playCase(parts: ControlledRun, each: CasePlan): Promise<Ended> {
  const { request, outline } = parts
  for (let round = each.firstRound; round < each.firstRound + each.rounds; round++) {
    const arms = (outline.order[round] ?? []).flatMap((label) => request.arms.filter((arm) => arm.label === label))
    const play = (arm: PlannedArm): Promise<Ended> => parts.playRound(each, round, arm)
    const ended = parts.together ? await Promise.all(arms.map(play)) : await inTurn(arms, play)
    const early = ended.find((how) => how !== 'complete')
    if (early !== undefined) return early
  }
  return 'complete'
}

async function inTurn(arms: readonly PlannedArm[], play: (arm: PlannedArm) => Promise<Ended>): Promise<Ended[]> {
  const ended: Ended[] = []
  for (const arm of arms) {
    ended.push(await play(arm))
    if (ended.at(-1) !== 'complete') break
  }
  return ended
}

/** Who has yet to play each round of the case. */
function openRounds({ outline, run }: ControlledRun, { firstRound, rounds }: CasePlan): string[][] {
  return outline.order
    .slice(firstRound, firstRound + rounds)
    .map((labels, place) => labels.filter((each) => !run.has(each, firstRound + place)))
}
