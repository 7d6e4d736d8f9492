/** What a case of a run means to the player of its rounds: its load, and the time that is left for it and for repeating what did not count. */
import type { ComparisonPlan } from './comparison.ts'
import type { SuiteRequest } from './run-frame.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import type { Clock } from '../platform/clock.ts'

/** What suites choose for themselves; `share`: of the time for repeats, 1 unless given. */
export interface CaseChoices extends Partial<ComparisonPlan> {
  readonly order: ComparisonPlan['order']
  readonly share?: number
}

/** Plans the cases of one run, whose time begins with it. */
export class CasePlanner {
  private readonly request: SuiteRequest
  private readonly plannedMs: number
  private readonly runId: string
  private readonly clock: Clock
  private readonly startNs: number

  /** `plannedMs`: of the whole plan, as it was estimated; rounds are repeated no longer than that. */
  constructor(
    request: SuiteRequest,
    plannedMs: number,
    { runId, clock }: { readonly runId: string; readonly clock: Clock },
  ) {
    this.request = request
    this.plannedMs = plannedMs
    this.runId = runId
    this.clock = clock
    this.startNs = clock.nowNs()
  }

  /** Warm-ups are 0 unless chosen. */
  toPlay(each: CasePlan, { share = 1, ...chosen }: CaseChoices): ComparisonPlan {
    const { request, plannedMs } = this
    const { timeBudgetMs } = request
    const elapsedMs = (this.clock.nowNs() - this.startNs) / 1e6
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
      runId: this.runId,
      latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
      ...(phases === undefined ? {} : { phases }),
      ...(coordination === undefined ? {} : { coordination }),
      repeatUntilMs: leftMs(share * Math.min(plannedMs, timeBudgetMs ?? Infinity)),
      budgetMs: timeBudgetMs === null ? null : leftMs(timeBudgetMs),
      ...chosen,
    }
  }
}
