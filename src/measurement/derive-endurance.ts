/**
 * What an endurance run shows, from the readings at rest and the histograms of its intervals: whether anything grows, whether
 * service drifts, what is kept per exchange, and how much of what was due was measured. Definitions: docs/methodology.md, "Endurance".
 */
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { significant, words } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { coverageShortfall, enduranceFigure } from './endurance-figures.ts'
import { coverageOf, livesOf, type Life } from './endurance-lives.ts'
import type { EngineEndurance, GrowthTrend } from './endurance-result.ts'
import { screenOf } from './endurance-screen.ts'
import {
  driftTrends,
  growthTrends,
  harnessOf,
  heldOf,
  storeOf,
  warmUpOf,
  type TrendOptions,
} from './endurance-trends.ts'
import type { CasePlan } from './round-evidence.ts'

interface Examined {
  readonly result: EngineEndurance
  /** Load that counts, by life. */
  readonly measuredMs: readonly number[]
}

export function enduranceSuite(cases: readonly JudgedCase[]): SuiteResult {
  const examined = cases.flatMap(({ view, judged }) => judged.sorted.arms.flatMap((arm) => examine(view.plan, arm)))
  return {
    sections: { endurance: { engines: examined.map(({ result }) => result) } },
    findings: examined.flatMap(({ result }) => findingsOf(result)),
    figureOf: (engine, path) => {
      const own = examined.find(({ result }) => result.engine === engine)
      return own === undefined ? undefined : enduranceFigure(own.result, own.measuredMs, path)
    },
    ledgerOf: 'candidate',
  }
}

function examine(plan: CasePlan, arm: ArmRounds): Examined[] {
  const { endurance } = plan
  if (endurance === undefined) return []
  const lives = livesOf(arm)
  const options: TrendOptions = {
    leastWarmUpMs: endurance.leastWarmUpMs,
    longestTtlMs: endurance.longestTtlMs[arm.arm.label] ?? 0,
  }
  const warmUp = (life: Life): number => warmUpOf(life, options)
  const held = growthTrends(lives, heldOf, options)
  const judgedLife = lives[held[0]?.life ?? 0]
  const coverage = coverageOf(arm, lives, plan, endurance)
  return [
    {
      result: {
        engine: arm.arm.label,
        coverage: { ...coverage, share: significant(coverage.share) },
        lives: lives.length,
        warmUpMs: judgedLife === undefined ? options.leastWarmUpMs : Math.round(warmUp(judgedLife)),
        held,
        store: growthTrends(lives, storeOf, options),
        harness: growthTrends(lives, harnessOf, options),
        service: driftTrends(lives, options),
        screen: screenOf(lives, warmUp),
      },
      measuredMs: lives.map(({ intervals }) =>
        intervals.reduce((sum, { valid, evidence }) => sum + (valid === null ? 0 : evidence.durationMs), 0),
      ),
    },
  ]
}

function findingsOf(result: EngineEndurance): string[] {
  const { engine, held, harness, service, screen, coverage, lives } = result
  const shortfall = coverageShortfall(result)
  return [
    ...held.filter(isLeak).map((each) => `finding: ${engine} leaks: ${growthWords(each)}`),
    ...held
      .filter(({ verdict }) => verdict === 'suspect')
      .map((each) => `finding: ${engine} may leak: ${growthWords(each)}: ${each.reason}`),
    ...harness.filter(isLeak).map((each) => `finding: the harness itself grows beside ${engine}: ${growthWords(each)}`),
    ...service.flatMap(({ series, verdict, ratio }) =>
      verdict === 'leak'
        ? [`finding: ${engine} drifts: ${series} at the end is ${words(ratio)} times that at the begin`]
        : [],
    ),
    ...service.flatMap(({ series, step }) =>
      step === null
        ? []
        : [
            `finding: ${engine} took a step ${words(step.atHours)} h into the run: ${series} from ${words(step.beforeMs)} to ${words(step.afterMs)} ms`,
          ],
    ),
    ...screen.series.flatMap(({ series, verdict, bytesPerExchange }) =>
      verdict === 'retains'
        ? [`finding: ${engine} keeps ${words(bytesPerExchange)} B of ${series} per exchange (${screen.label})`]
        : [],
    ),
    ...(lives > 1
      ? [
          `finding: ${engine} was started ${lives} times; ${coverage.missedIntervals} intervals passed while it was down`,
        ]
      : []),
    ...(shortfall === '' ? [] : [`finding: ${engine}: ${shortfall}`]),
  ]
}

function isLeak({ verdict }: GrowthTrend): boolean {
  return verdict === 'leak'
}

function growthWords({ series, unit, perHour, horizonHours }: GrowthTrend): string {
  const amount =
    unit === 'bytes' ? `${words(perHour === null ? null : perHour / 1e6)} MB/h` : `${words(perHour)} per hour`
  return `${series} by ${amount} over ${words(horizonHours)} h`
}
