/**
 * The comparison suite: how much faster is the candidate than the baseline, at the same load, on this machine,
 * and is it correct and cheap enough to be approved within that scope?
 *
 * Workload design. Agents exchange questions and answers: one asks, the other is delivered the question and
 * answers, the asker holds the result. Both ends run in one load host per engine, on one clock, so delivery
 * and round trip need no clock synchronisation. Arrivals are open loop: a Poisson schedule, drawn before the
 * round from the run's seed and the same for every engine in that round; latency counts from the scheduled
 * instant, so an engine that stalls is charged for every exchange that had to wait (coordinated omission).
 * Recipients answer at once: think time would be added to both engines alike and hide the difference that is
 * being asked about.
 *
 * Why it answers the question. The replicate is the round, not the exchange: exchanges of one round share its
 * stalls and are not independent. Rounds of the engines are interleaved in an order drawn from the seed, so that
 * drift of the machine falls on all alike, and ratios are taken per round, in pairs.
 *
 * What would fool it, and what is done. A saturated generator (self-audit: achieved rate, own CPU, send
 * lateness; such rounds are INVALID, listed, and repeated). A machine that was taken away (steal, foreign CPU).
 * Polling loops whose phases stay aligned (redrawn from the seed every round). The idle engine's polls burning
 * CPU in the other's round (polling clients pause). A fast engine that loses messages (the ledger accounts for
 * every exchange on both legs). Refusals passed off as omissions (they are failures). Most of the difference
 * being the sleep and not the protocol (control arms: `polling:interval=100`, `hybrid`).
 */
import { delay, type Clock } from '../platform/clock.ts'
import type { CoordinationPlan } from '../measurement/coordination-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import type { LoadPhase } from '../measurement/round-evidence.ts'
import type { Pacing, RoundPlan, Workload } from '../load/round-plan.ts'
import type { PlayedRound } from './arm.ts'

/** A round that was not valid is repeated at once, so that its pair stays close in time. */
export const maximumRepeats = 5

export interface ComparisonPlan {
  readonly rounds: number
  readonly roundDurationMs: number
  readonly warmupMs: number
  readonly workload: Workload
  readonly pacing: Pacing
  readonly loadModel: 'open' | 'closed'
  readonly seed: string
  readonly runId: string
  readonly latenessBoundMs: number
  /** Number of the first round, where the run has others before; 0 by default. */
  readonly firstRound?: number
  /** Whether each round is told second by second. */
  readonly timeline?: boolean
  /** Pattern that agents play, in place of single exchanges. */
  readonly coordination?: CoordinationPlan
  /** Stretches of different load that fill each round. */
  readonly phases?: readonly LoadPhase[]
  /** See RoundPlan. */
  readonly blockMs?: number
  /** Engine labels in the order of play, per round. */
  readonly order: readonly (readonly string[])[]
  /** Rounds are repeated while this much time has not passed since the start; null for no bound. */
  readonly repeatUntilMs: number | null
  /** The run ends with TIME_BUDGET when this much has passed; null for no bound. */
  readonly budgetMs: number | null
}

/** What the suite needs of an arm; `suites/arm.ts` is the real one. */
export interface PlayableArm {
  readonly label: string
  readonly drainGraceMs: number
  play(plan: RoundPlan): Promise<PlayedRound>
  abort(): Promise<void>
}

export interface ComparisonHooks {
  readonly onRoundStart: (engine: string, round: number, attempt: number) => void
  readonly onRound: (round: PlayedRound) => void
  readonly onWarmup: (engine: string) => void
}

export interface ComparisonOutcome {
  readonly ended: 'complete' | 'interrupted' | 'time-budget'
}

/** Plays warm-ups and all rounds. Every played round goes to `onRound` at once, valid or not. */
export async function playComparison(
  plan: ComparisonPlan,
  arms: readonly PlayableArm[],
  hooks: ComparisonHooks,
  clock: Clock,
  signal: AbortSignal,
): Promise<ComparisonOutcome> {
  const startNs = clock.nowNs()
  const elapsedMs = (): number => (clock.nowNs() - startNs) / 1e6
  const byLabel = new Map(arms.map((arm) => [arm.label, arm]))
  const stopPlaying = (): void => {
    for (const arm of arms) void arm.abort().catch(ignoreGone)
  }
  signal.addEventListener('abort', stopPlaying, { once: true })
  let repeats = 0
  try {
    for (const arm of arms) {
      if (signal.aborted) return { ended: 'interrupted' }
      hooks.onWarmup(arm.label)
      if (plan.warmupMs > 0)
        await arm.play(roundPlan(plan, arm, { round: 0, attempt: 0, durationMs: plan.warmupMs, kind: 'w' }))
    }
    for (const [place, labels] of plan.order.entries()) {
      const round = (plan.firstRound ?? 0) + place
      for (const label of labels) {
        const arm = byLabel.get(label)
        if (arm === undefined) throw new LighthouseError('INTERNAL', `no arm is called ${label}`)
        for (let attempt = 0; ; attempt++) {
          if (signal.aborted) return { ended: 'interrupted' }
          if (plan.budgetMs !== null && elapsedMs() > plan.budgetMs) return { ended: 'time-budget' }
          hooks.onRoundStart(label, round, attempt)
          const durationMs = plan.roundDurationMs
          const played = await arm.play(roundPlan(plan, arm, { round, attempt, durationMs, kind: 'r' }))
          hooks.onRound(played)
          if (played.evidence.audit.valid || repeats >= maximumRepeats) break
          if (plan.repeatUntilMs !== null && elapsedMs() > plan.repeatUntilMs) break
          repeats++
          await delay(200, signal)
        }
      }
    }
    return { ended: signal.aborted ? 'interrupted' : 'complete' }
  } finally {
    signal.removeEventListener('abort', stopPlaying)
  }
}

/** Aborting an arm that is already gone is what the abort wanted. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof LighthouseError)) throw error
}

interface RoundKey {
  readonly round: number
  readonly attempt: number
  readonly durationMs: number
  readonly kind: 'w' | 'r'
}

function roundPlan(plan: ComparisonPlan, arm: PlayableArm, key: RoundKey): RoundPlan {
  const name = `${key.kind}${key.round}${key.attempt === 0 ? '' : `a${key.attempt}`}`
  return {
    round: key.round,
    attempt: key.attempt,
    nonce: `${plan.runId.slice(-4)}-${name}`,
    // Not of the attempt: a round that is repeated meets the same arrivals as its pair.
    seed: `${plan.seed}/${key.kind}${key.round}`,
    durationMs: key.durationMs,
    workload: plan.workload,
    pacing: plan.pacing,
    loadModel: plan.loadModel,
    drainGraceMs: arm.drainGraceMs,
    latenessBoundMs: plan.latenessBoundMs,
    ...(plan.timeline === undefined ? {} : { timeline: plan.timeline }),
    ...(plan.blockMs === undefined ? {} : { blockMs: plan.blockMs }),
    ...(plan.coordination === undefined ? {} : { coordination: plan.coordination }),
    ...(plan.phases === undefined || key.kind === 'w' ? {} : { phases: plan.phases }),
  }
}
