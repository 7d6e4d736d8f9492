/**
 * Rounds of a burst case cut into their stretches (the first is what was before, the last what came after, and all between are
 * steps of the burst), and what rounds together show of degradation and recovery.
 *
 * A stretch holds the exchanges *scheduled* in its seconds. Those that failed would be missing from its latencies, and an engine
 * that refused a burst would look untouched by it; so each counts with its deadline, or with the slowest that completed in its second
 * where that is more. This goes into figures of bursts alone, never into a histogram.
 */
import { emptyDistribution, maximum, mergeDistributions, type Distribution } from '../statistics/distribution.ts'
import { medianBounds, ratiosOf } from '../statistics/paired-ratio.ts'
import type { RoundSample } from '../statistics/quantile-interval.ts'
import { firstRun, isAsGood, referenceOf, windowsFor } from './as-good-as-before.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { CasePlan, LoadPhase, RoundTimeline } from './round-evidence.ts'

export interface StretchSample {
  readonly scheduled: number
  readonly failed: number
  /** Round trips in µs, failures with their deadline; by second of the schedule. */
  readonly sample: RoundSample
}

export interface BurstRound {
  /** One per phase of the plan. */
  readonly stretches: readonly StretchSample[]
  /** Null where it was not as good as before within what was watched. */
  readonly recoveryMs: number | null
  readonly backlogBefore: number
  /** From the begin of the burst to the end of the drain. */
  readonly backlogMax: number
}

/** How long the aftermath is watched, how many good seconds in a row it takes, and the least that "not within it" means. */
export interface Watch {
  readonly watchedMs: number
  readonly windows: number
  readonly atLeastMs: number
}

export interface BurstPlan {
  readonly name: string
  /** Three or more. */
  readonly phases: readonly LoadPhase[]
  /** First second of each phase, and of what follows the last. */
  readonly bounds: readonly number[]
  readonly watch: Watch
}

/** Null for a case without a burst. */
export function burstPlan({ name, phases }: CasePlan): BurstPlan | null {
  if (phases === undefined || phases.length < 3) return null
  const bounds = [0]
  for (const { durationMs } of phases) bounds.push((bounds.at(-1) ?? 0) + durationMs / 1000)
  const watchedMs = phases.at(-1)?.durationMs ?? 0
  const windows = windowsFor(watchedMs)
  // Every begin that leaves room for a run was tried.
  const atLeastMs = Math.max(0, Math.floor(watchedMs / 1000) - windows + 1) * 1000
  return { name, phases, bounds, watch: { watchedMs, windows, atLeastMs } }
}

/** Of the valid rounds whose timeline agrees with their histograms. */
export function burstRounds(arm: ArmRounds, plan: BurstPlan, deadlineMs: number): BurstRound[] {
  return arm.valid.flatMap((round) => {
    const { timeline } = round.evidence
    return timeline === undefined || !agrees(timeline, round) ? [] : [burstRound(round, timeline, plan, deadlineMs)]
  })
}

function agrees({ scheduled, completed }: RoundTimeline, { evidence, series }: ValidRound): boolean {
  const { blocks } = series.roundTrip
  return (
    scheduled.reduce((sum, each) => sum + each, 0) === evidence.counts.scheduled &&
    scheduled.length >= blocks.length &&
    scheduled.every((due, second) => {
      const done = blocks[second]?.n ?? 0
      return done === completed[second] && done <= due
    })
  )
}

function burstRound(round: ValidRound, timeline: RoundTimeline, plan: BurstPlan, deadlineMs: number): BurstRound {
  const { blocks } = round.series.roundTrip
  const { bounds, phases, watch } = plan
  const whole = (index: number): readonly [from: number, end: number] => [
    Math.ceil(bounds[index] ?? 0),
    Math.floor(bounds[index + 1] ?? 0),
  ]
  const stretches = phases.map((_, index) => stretchOf(timeline, blocks, whole(index), deadlineMs))
  const burstFrom = Math.floor(bounds[1] ?? 0)
  const [afterFrom, afterEnd] = whole(phases.length - 1)
  const before = referenceOf(timeline, blocks, burstFrom)
  const good = (second: number): boolean => isAsGood(second, timeline, blocks, before)
  const start = firstRun(afterFrom, Math.min(afterEnd, timeline.scheduled.length), watch.windows, good)
  return {
    stretches,
    recoveryMs: start === null ? null : (start - afterFrom) * 1000,
    backlogBefore: Math.max(0, ...timeline.backlog.slice(0, burstFrom)),
    backlogMax: Math.max(0, ...timeline.backlog.slice(burstFrom)),
  }
}

function stretchOf(
  timeline: RoundTimeline,
  blocks: readonly Distribution[],
  [from, end]: readonly [number, number],
  deadlineMs: number,
): StretchSample {
  const seconds: Distribution[] = []
  let scheduled = 0
  let failed = 0
  for (let second = from; second < end; second++) {
    const done = blocks[second] ?? emptyDistribution
    const due = timeline.scheduled[second] ?? 0
    scheduled += due
    failed += due - done.n
    seconds.push(withFailures(done, due - done.n, deadlineMs * 1000))
  }
  return { scheduled, failed, sample: { whole: mergeDistributions(seconds), blocks: seconds } }
}

function withFailures(done: Distribution, failed: number, deadlineUs: number): Distribution {
  if (failed === 0) return done
  const takenUs = Math.max(deadlineUs, maximum(done) ?? 0)
  return mergeDistributions([done, { n: failed, values: Float64Array.of(takenUs), counts: Float64Array.of(failed) }])
}

/** The ratios of step `index` to what was before, one per round that holds both quantiles. */
export function degradations(rounds: readonly BurstRound[], index: number, q: number): number[] {
  return ratiosOf(
    rounds.flatMap(({ stretches }) => {
      const [before, step] = [stretches[0], stretches[index]]
      return before === undefined || step === undefined ? [] : [[step.sample.whole, before.sample.whole] as const]
    }),
    q,
  )
}

/**
 * Median of the recovery times and its bounds, each wrong with probability `alpha`. A round that was not as good again within what was
 * watched took `atLeastMs` or longer: it has its place in the order above all that were, and what would be read from it is null, but
 * for the lower bound.
 */
export function recoveryBounds(
  rounds: readonly BurstRound[],
  atLeastMs: number,
  alpha: number,
): { readonly median: number | null; readonly low: number | null; readonly high: number | null } {
  const times = rounds.map(({ recoveryMs }) => recoveryMs ?? atLeastMs)
  const { ratio, low, high } = medianBounds(times, alpha)
  const recovered = rounds.filter(({ recoveryMs }) => recoveryMs !== null).length
  const upperMiddle = Math.floor(rounds.length / 2) + 1
  return {
    median: recovered >= upperMiddle ? ratio : null,
    low,
    high: high === null || high >= atLeastMs ? null : high,
  }
}
