/**
 * What the load host is told to do in one round, and what it gives back. Plain data: it crosses a thread
 * or process boundary.
 */
import type { CoordinationPlan } from '../measurement/coordination-evidence.ts'
import type { LoadPhase, RoundEvidence } from '../measurement/round-evidence.ts'

export const patterns = ['pairs', 'ring'] as const
export type Pattern = (typeof patterns)[number]

export const pacings = ['timer', 'spin'] as const
export type Pacing = (typeof pacings)[number]

/** Who asks whom, how often, with what payload; separate from the engine it is put on. */
export interface Workload {
  readonly name: string
  readonly agents: number
  readonly ratePerSecond: number
  readonly pattern: Pattern
  readonly arrivals: 'poisson' | 'uniform'
  readonly payloadBytes: number
  /** Shares of accepting, declining and cancelling answers; they sum to 1. */
  readonly answers: { readonly accept: number; readonly decline: number; readonly cancel: number }
  readonly deadlineMs: number
}

export interface RoundPlan {
  readonly round: number
  readonly attempt: number
  /** [a-z0-9-]{1,24}, unique in the run: part of every wire id. */
  readonly nonce: string
  /** Same for every engine in the same round, so that each gets the same arrivals. */
  readonly seed: string
  readonly durationMs: number
  readonly workload: Workload
  readonly pacing: Pacing
  readonly loadModel: 'open' | 'closed'
  /** Added to the deadline for the drain: two polling intervals, or 1 s for a pushing engine. */
  readonly drainGraceMs: number
  /** Bound of send lateness p99: max(2 ms, 10 % of the smallest mandatory latency bound). */
  readonly latenessBoundMs: number
  /** Stretches that fill the round, each with its own rate and askers; without them the workload's hold throughout. */
  readonly phases?: readonly LoadPhase[]
  /** Whether the evidence tells the round second by second. */
  readonly timeline?: boolean
  /** Length of the blocks by which histograms are kept; a second unless given, more where a run has many long rounds. */
  readonly blockMs?: number
  /** The pattern that agents play, in place of single exchanges; `workload` then says what it comes to. */
  readonly coordination?: CoordinationPlan
  /** Recipients that answer late, or not at all. */
  readonly lateAnswers?: LateAnswerPlan
}

/**
 * `agents` agents from `firstAgent` on (0 unless given) answer `delayMs` after a question reached them; not at all if its deadline has
 * passed by then. Only questions that reach them from `fromMs` to before `untilMs` of the round, where these are given.
 */
export interface LateAnswerPlan {
  readonly firstAgent?: number
  readonly agents: number
  readonly delayMs: number
  readonly fromMs?: number
  readonly untilMs?: number
}

export interface RoundReport {
  /** `engineStats`, `resources` and `engine` are filled in by the suite. */
  readonly evidence: Omit<RoundEvidence, 'engine' | 'engineStats' | 'resources'>
  /** Body of `histograms.hlog` without the stage lines. */
  readonly hlog: string
}

/** At most a few a second while a round runs. */
export interface RoundProgress {
  readonly round: number
  readonly scheduled: number
  readonly sent: number
  readonly completed: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}
