/**
 * What the scaling suite publishes: per engine and load whether it held, how fast sessions opened and how many database queries an
 * exchange cost, and how memory, connections and queries grow with the number of agents.
 *
 * Growth is a least-squares line through every valid round of every load, with its 95 % interval per agent, and is called linear
 * only after the test of `statistics/linear-fit.ts`: the documents this suite tests claim it, so it has to be shown.
 */
import { fitLine, testLinearity } from '../statistics/linear-fit.ts'
import type { JudgedCase } from './derive-cases.ts'
import { sumOf } from './derive-engine.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { kneeResult, scalabilityOf } from './derive-knees.ts'
import { growthMetrics, type GrowthResult, type ScalingResult } from './results-document.ts'
import type { RoundEvidence, RunManifest } from './round-evidence.ts'
import { stopBelowSuccess, successShare, warnBelowSuccess } from './run-cases.ts'

/** `searches` are the cases that look for knees, `cases` all others. */
export function scalingResult(
  manifest: RunManifest,
  cases: readonly JudgedCase[],
  searches: readonly JudgedCase[],
): ScalingResult {
  const labels = manifest.engines.map(({ label }) => label)
  const knees = searches.flatMap((each) => labels.flatMap((label) => kneeResult(each, label, levelAt(each, cases))))
  return {
    knees,
    scalability: searches.length === 0 ? [] : labels.map((label) => scalabilityOf(label, knees)),
    levels: cases.flatMap((each) => labels.map((label) => levelOf(each, label))),
    growth: labels.flatMap((label) => growthMetrics.map((metric) => growthOf(cases, label, metric))),
  }
}

/** The load of as many agents that was played before the search. */
function levelAt({ view }: JudgedCase, cases: readonly JudgedCase[]): JudgedCase | undefined {
  return cases.find(({ view: { plan } }) => plan.agents === view.plan.agents && plan.loadModel === 'open')
}

function roundsOf({ judged }: JudgedCase, label: string): ArmRounds | undefined {
  return judged.sorted.arms.find(({ arm }) => arm.label === label)
}

function levelOf(each: JudgedCase, engine: string): ScalingResult['levels'][number] {
  const rounds = roundsOf(each, engine)
  const share = successShare(rounds?.all ?? [])
  const valid = rounds?.valid.map(({ evidence }) => evidence) ?? []
  const queries = sumOf(valid.map(({ engineStats }) => engineStats['databaseQueries']))
  const completed = valid.reduce((sum, { counts }) => sum + counts.completed, 0)
  const connects = rounds?.all.flatMap(({ connectsPerSecond }) => connectsPerSecond ?? [])[0] ?? null
  return {
    case: each.view.plan.name,
    engine,
    connectsPerSecond: significant(connects),
    successShare: significant(share),
    databaseQueriesPerExchange: queries === null || completed === 0 ? null : significant(queries / completed),
    state: stateOf(rounds, share),
  }
}

function stateOf(rounds: ArmRounds | undefined, share: number | null): ScalingResult['levels'][number]['state'] {
  if (rounds === undefined || rounds.all.length === 0) return 'not played'
  if (share === null) return 'invalid'
  return share < stopBelowSuccess ? 'stopped' : share < warnBelowSuccess ? 'warning' : 'held'
}

function figureOf(evidence: RoundEvidence, metric: GrowthResult['metric']): number | null {
  switch (metric) {
    case 'rssBytes':
      return evidence.resources.rssMaxBytes
    case 'openConnections':
      return evidence.resources.openConnectionsMax
    case 'databaseQueriesPerSecond': {
      const queries = evidence.engineStats['databaseQueries'] ?? null
      return queries === null ? null : queries / ((evidence.durationMs + evidence.drainMs) / 1000)
    }
  }
}

function growthOf(cases: readonly JudgedCase[], engine: string, metric: GrowthResult['metric']): GrowthResult {
  const points: { x: number; y: number }[] = []
  for (const each of cases) {
    for (const { evidence } of roundsOf(each, engine)?.valid ?? []) {
      const y = figureOf(evidence, metric)
      if (y !== null) points.push({ x: each.view.plan.agents, y })
    }
  }
  const fit = fitLine(points)
  const shape = testLinearity(points)
  const slope = fit.status === 'FITTED' ? fit.slope : null
  const bend = shape.verdict === 'NOT_DEMONSTRATED' ? null : shape.bendPercent
  return {
    engine,
    metric,
    perAgent: significant(slope?.value ?? null),
    low: significantLow(slope?.low ?? null),
    high: significantHigh(slope?.high ?? null),
    n: points.length,
    shape: shape.verdict,
    bendPercent: significant(bend?.value ?? null),
    bendLow: significantLow(bend?.low ?? null),
    bendHigh: significantHigh(bend?.high ?? null),
    departurePercent: shape.verdict === 'NOT_DEMONSTRATED' ? null : significant(shape.departurePercent),
    reason: shape.verdict === 'NOT_DEMONSTRATED' ? shape.reason : '',
  }
}
