/** What a case of a run means to the player of its rounds: its load, and the time that is left for it and for repeating what did not count. */
import type { ComparisonPlan } from './comparison.ts'
import type { SuiteRequest } from './run-frame.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import type { Clock } from '../platform/clock.ts'

export interface CasePlanner {
  readonly request: SuiteRequest
  /** Of the whole plan, as it was estimated: rounds are repeated no longer than that. */
  readonly plannedMs: number
  readonly runId: string
  readonly clock: Clock
  /** When the first case began. */
  readonly startNs: number
}

/** What suites choose for themselves; `share`: of the time for repeats, 1 unless given. */
export interface CaseChoices extends Partial<ComparisonPlan> {
  readonly order: ComparisonPlan['order']
  readonly share?: number
}

/** Warm-ups are 0 unless chosen. */
export function caseToPlay(
  each: CasePlan,
  planner: CasePlanner,
  { share = 1, ...chosen }: CaseChoices,
): ComparisonPlan {
  const { request, plannedMs, runId, clock, startNs } = planner
  const { timeBudgetMs } = request
  const elapsedMs = (clock.nowNs() - startNs) / 1e6
  const leftMs = (until: number): number => Math.max(0, until - elapsedMs)
  const { coordination, phases } = each
  return {
    rounds: each.rounds,
    firstRound: each.firstRound,
    roundDurationMs: each.roundDurationMs,
    warmupMs: 0,
    workload: { ...request.workload, agents: each.agents, ratePerSecond: each.ratePerSecond },
    pacing: request.pacing,
    loadModel: each.loadModel,
    seed: request.seed,
    runId,
    latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
    ...(phases === undefined ? {} : { phases }),
    ...(coordination === undefined ? {} : { coordination }),
    repeatUntilMs: leftMs(share * Math.min(plannedMs, timeBudgetMs ?? Infinity)),
    budgetMs: timeBudgetMs === null ? null : leftMs(timeBudgetMs),
    ...chosen,
  }
}
