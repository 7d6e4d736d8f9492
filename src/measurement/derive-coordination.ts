/**
 * What a coordination run says of its patterns, from the series `pattern` and the evidence of its valid rounds.
 *
 * Completion: pooled quantiles of all completed instances with the intervals that every latency gets (quantile-interval.ts). Ratios
 * between engines and indices of fairness are one value per round, of which the median and its order-statistic interval
 * are published (paired-ratio.ts), because instances of one round share its stalls.
 */
import type { Distribution } from '../statistics/distribution.ts'
import { medianBounds, ratiosOf, ratioVerdict } from '../statistics/paired-ratio.ts'
import { quantileOf } from '../statistics/target-expression.ts'
import { coordinationFigure, trueIndex, type PatternSample } from './coordination-figures.ts'
import type { CoordinationResult, FairnessResult, PatternComparison, PatternResult } from './coordination-result.ts'
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { seriesResult } from './derive-engine.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'

/** Of each end of a published interval. */
const alpha = 0.025
const comparedQuantiles = ['p50', 'p95'] as const

export function coordinationSuite(cases: readonly JudgedCase[]): SuiteResult {
  const samples = cases.flatMap(samplesOf)
  const coordination: CoordinationResult = {
    patterns: samples.map(patternResult),
    comparisons: cases.flatMap(comparisonsOf),
  }
  return {
    sections: { coordination },
    findings: coordination.patterns.flatMap(findingsOf),
    figureOf: (engine, path) =>
      coordinationFigure(
        samples.filter((each) => each.engine === engine),
        path,
      ),
  }
}

function samplesOf({ view, judged }: JudgedCase): PatternSample[] {
  const { name, coordination } = view.plan
  if (coordination === undefined) return []
  return judged.sorted.arms.map((arm) => ({
    case: name,
    plan: coordination,
    engine: arm.arm.label,
    exchangesPerInstance: view.plan.ratePerSecond / coordination.instancesPerSecond,
    rounds: arm.valid.flatMap(({ evidence, pattern }) =>
      evidence.coordination === undefined ? [] : [{ evidence: evidence.coordination, pattern }],
    ),
  }))
}

function patternResult({ case: name, plan, engine, rounds }: PatternSample): PatternResult {
  const sum = (read: (round: PatternSample['rounds'][number]) => number): number =>
    rounds.reduce((total, round) => total + read(round), 0)
  return {
    case: name,
    kind: plan.pattern.kind,
    engine,
    validRounds: rounds.length,
    instancesPerSecond: significant(plan.instancesPerSecond) ?? 0,
    instances: {
      scheduled: sum(({ evidence }) => evidence.instances.scheduled),
      completed: sum(({ evidence }) => evidence.instances.completed),
      failed: sum(({ evidence }) => evidence.instances.failed),
    },
    withdrawals: {
      asked: sum(({ evidence }) => evidence.withdrawals.asked),
      withdrawn: sum(({ evidence }) => evidence.withdrawals.withdrawn),
    },
    neverOffered: sum(({ evidence }) => evidence.neverOffered),
    completion: seriesResult(rounds.map(({ pattern }) => pattern)),
    fairness: fairnessResults(rounds),
  }
}

function fairnessResults(rounds: PatternSample['rounds']): FairnessResult[] {
  const roles = rounds[0]?.evidence.fairness ?? []
  return roles.map(({ role, agents, measure }): FairnessResult => {
    const own = rounds.flatMap(({ evidence }) => evidence.fairness.filter((each) => each.role === role))
    const known = (read: (each: (typeof own)[number]) => number | null): number[] =>
      own.map(read).filter((value) => value !== null)
    const index = medianBounds(
      known((each) => each.index),
      alpha,
    )
    const worst = medianBounds(
      known((each) => each.worstToMedian),
      alpha,
    )
    const beyond = medianBounds(known(trueIndex), alpha)
    const byChance = medianBounds(
      known((each) => each.indexByChance),
      alpha,
    )
    return {
      role,
      agents,
      measure,
      rounds: own.length,
      exchangesPerAgent: significant(own.reduce((sum, each) => sum + each.exchangesPerAgent, 0) / own.length) ?? 0,
      index: significant(index.ratio),
      indexInterval: [significantLow(index.low), significantHigh(index.high)],
      indexByChance: significant(byChance.ratio),
      indexBeyondChance: significant(beyond.ratio),
      indexBeyondChanceInterval: [significantLow(beyond.low), significantHigh(beyond.high)],
      worstToMedian: significant(worst.ratio),
      worstToMedianInterval: [significantLow(worst.low), significantHigh(worst.high)],
    }
  })
}

function comparisonsOf({ view, judged }: JudgedCase): PatternComparison[] {
  const candidate = judged.sorted.arms.at(-1)
  if (candidate === undefined) return []
  const byRound = new Map(candidate.valid.map((round) => [round.evidence.round, round.pattern.whole]))
  return judged.sorted.arms.slice(0, -1).flatMap((baseline) => {
    const pairs = baseline.valid.flatMap((round): [Distribution, Distribution][] => {
      const other = byRound.get(round.evidence.round)
      return other === undefined ? [] : [[round.pattern.whole, other]]
    })
    return comparedQuantiles.map((quantile): PatternComparison => {
      const bounds = medianBounds(ratiosOf(pairs, quantileOf[quantile]), alpha)
      return {
        case: view.plan.name,
        baseline: baseline.arm.label,
        candidate: candidate.arm.label,
        quantile,
        ratio: significant(bounds.ratio),
        low: significantLow(bounds.low),
        high: significantHigh(bounds.high),
        rounds: bounds.rounds,
        verdict: ratioVerdict(bounds),
      }
    })
  })
}

function findingsOf({ case: name, engine, instances, validRounds }: PatternResult): string[] {
  if (validRounds === 0) return [`finding: no round of ${engine} in ${name} is valid, so the pattern was not measured`]
  if (instances.failed === 0) return []
  return [`finding: ${instances.failed} of ${instances.scheduled} instances of ${name} failed on ${engine}`]
}
