/**
 * What bursts did to the engines of a run, from the phases of its plan and the timelines and histograms of its rounds.
 *
 * The definitions are those of docs/methodology.md, "Bursts". Degradation: round trip p50 and p99 of the exchanges scheduled in a
 * step over the same of those scheduled before it, per round; published is the median of these ratios with its order-statistic
 * interval, as for ratios of engines (paired-ratio.ts). Recovery: from the end of the burst to the first of several consecutive
 * seconds as good as before (as-good-as-before.ts), the median over rounds.
 */
import { mergeDistributions } from '../statistics/distribution.ts'
import { medianBounds, ratioVerdict, roundQuantile } from '../statistics/paired-ratio.ts'
import { burstFigure, type BurstSample } from './burst-figures.ts'
import type { BurstCaseResult, BurstFactor, BurstRecovery, BurstStep, BurstStretch } from './burst-result.ts'
import { burstPlan, burstRounds, degradations, recoveryBounds, type BurstRound } from './burst-rounds.ts'
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { msOf, significant, significantHigh, significantLow } from './derive-figures.ts'
import type { LoadPhase } from './round-evidence.ts'

const published = 0.025

export function burstSuite(cases: readonly JudgedCase[]): SuiteResult {
  const samples = cases.flatMap(samplesOf)
  const results = samples.map(resultOf)
  return {
    sections: { burst: { cases: results } },
    findings: results.flatMap(findingsOf),
    figureOf: (engine, path) =>
      burstFigure(
        samples.filter((each) => each.engine === engine),
        path,
      ),
    // A baseline that a burst drowned leaves the question about the candidate as it was.
    ledgerOf: 'candidate',
  }
}

function samplesOf({ view, judged }: JudgedCase): BurstSample[] {
  const plan = burstPlan(view.plan)
  if (plan === null) return []
  const { profile, plan: sizes } = view.manifest
  return judged.sorted.arms.map((arm) => ({
    plan,
    engine: arm.arm.label,
    profile,
    plannedRounds: view.plan.rounds,
    rounds: burstRounds(arm, plan, sizes.deadlineMs),
  }))
}

function resultOf({ plan, engine, rounds }: BurstSample): BurstCaseResult {
  const last = plan.phases.length - 1
  const stretch = (index: number): BurstStretch => stretchOf(plan.phases[index], rounds, index)
  return {
    case: plan.name,
    engine,
    rounds: rounds.length,
    before: stretch(0),
    steps: plan.phases.slice(1, last).map((phase, index): BurstStep => ({
      ...stretch(index + 1),
      times: significant(phase.ratePerSecond / (plan.phases[0]?.ratePerSecond ?? NaN)) ?? 0,
      p50: factorOf(rounds, index + 1, 0.5),
      p99: factorOf(rounds, index + 1, 0.99),
    })),
    after: stretch(last),
    recovery: recoveryOf({ plan, rounds }),
    backlogBefore: rounds.length === 0 ? null : Math.max(...rounds.map((each) => each.backlogBefore)),
    backlogMax: rounds.length === 0 ? null : Math.max(...rounds.map((each) => each.backlogMax)),
  }
}

function stretchOf(phase: LoadPhase | undefined, rounds: readonly BurstRound[], index: number): BurstStretch {
  const own = rounds.flatMap(({ stretches }) => stretches[index] ?? [])
  const pooled = mergeDistributions(own.map(({ sample }) => sample.whole))
  return {
    agents: phase?.agents ?? 0,
    ratePerSecond: phase?.ratePerSecond ?? 0,
    scheduled: own.reduce((sum, { scheduled }) => sum + scheduled, 0),
    failed: own.reduce((sum, { failed }) => sum + failed, 0),
    p50Ms: msOf(roundQuantile(pooled, 0.5)),
    p99Ms: msOf(roundQuantile(pooled, 0.99)),
  }
}

const verdictWords = { faster: 'degraded', slower: 'improved', '~': '~', NOT_DEMONSTRATED: 'NOT_DEMONSTRATED' } as const

function factorOf(rounds: readonly BurstRound[], index: number, q: number): BurstFactor {
  const bounds = medianBounds(degradations(rounds, index, q), published)
  return {
    ratio: significant(bounds.ratio),
    low: significantLow(bounds.low),
    high: significantHigh(bounds.high),
    rounds: bounds.rounds,
    // In the burst over before: above 1, "how many times faster" is how many times slower.
    verdict: verdictWords[ratioVerdict(bounds)],
  }
}

function recoveryOf({ plan, rounds }: Pick<BurstSample, 'plan' | 'rounds'>): BurstRecovery {
  const { watch } = plan
  const { median, low, high } = recoveryBounds(rounds, watch.atLeastMs, published)
  return {
    medianMs: median,
    lowMs: low,
    highMs: high,
    rounds: rounds.length,
    recoveredRounds: rounds.filter(({ recoveryMs }) => recoveryMs !== null).length,
    windows: watch.windows,
    watchedMs: watch.watchedMs,
  }
}

function findingsOf({ case: name, engine, steps, recovery }: BurstCaseResult): string[] {
  const late = recovery.rounds - recovery.recoveredRounds
  const failing = steps.filter(({ failed }) => failed > 0)
  return [
    ...failing.map(
      ({ failed, scheduled, times }) =>
        `finding: ${engine} failed ${failed} of ${scheduled} exchanges at ${times} times the rate (${name})`,
    ),
    ...(late === 0
      ? []
      : [
          `finding: ${engine} was not as good as before within the ${Math.round(recovery.watchedMs / 100) / 10} s it was watched after the burst ` +
            `(${name}), in ${late} of ${recovery.rounds} rounds`,
        ]),
  ]
}
