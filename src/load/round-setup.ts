/** What a round is given to run with, and what it knows when it is over, before that is put into words. */
import type { LedgerReport } from '../delivery/ledger.ts'
import type { EngineClient } from '../engines/engine.ts'
import type { CoordinationEvidence } from '../measurement/coordination-evidence.ts'
import type { RoundMark, RoundTimeline } from '../measurement/round-evidence.ts'
import type { RoundPlan, RoundProgress } from './round-plan.ts'
import type { RoundRecorders } from './round-recorders.ts'
import type { GeneratorGauge, Timing } from './timing.ts'

export interface RoundSetup {
  readonly plan: RoundPlan
  readonly client: EngineClient
  readonly timing: Timing
  readonly gauge: GeneratorGauge
  readonly onProgress: ((progress: RoundProgress) => void) | null
  /** Agents without a session right now. */
  readonly disconnected: () => number
  /** Called with the round's zero, in ns of the clock, before the first send. */
  readonly onStart?: (startNs: number) => void
}

/** What a finished round knows, before it is put into words. */
export interface RoundOutcome {
  readonly plan: RoundPlan
  readonly ledger: LedgerReport
  readonly recorders: RoundRecorders
  readonly startedAtMs: number
  readonly drainMs: number
  readonly sentInTime: number
  readonly cpuPercent: number
  readonly eventLoopP99Ms: number
  readonly interrupted: boolean
  readonly timeline: RoundTimeline | null
  /** Null unless the round played a coordination pattern. */
  readonly coordination: CoordinationEvidence | null
  readonly marks: readonly RoundMark[]
  /** Null where no recipient was to be late. */
  readonly answersKeptBack: number | null
}

/** Of the display while a round runs. */
export function msOf(us: number | null): number | null {
  return us === null ? null : us / 1000
}
