/**
 * What is published of one engine: sums and pooled quantiles over its valid rounds. Quantiles come from merged
 * histograms, never from averages; resources are the largest reading of any round; a sum that misses a round is null
 * with its reason. Latencies in ms, stages in µs, rates per second.
 */
import { mergeDistributions, maximum, quantile, type Distribution } from '../statistics/distribution.ts'
import { quantileInterval, type RoundSample } from '../statistics/quantile-interval.ts'
import { quantileOf } from '../statistics/target-expression.ts'
import { highMs, lowMs, msOf, significant } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { stageNames, type EngineResult, type ExchangeCounts, type Interval } from './results-document.ts'
import type { SeriesResult, StageName, StageResult } from './results-document.ts'
import type { EngineArm, RoundEvidence } from './round-evidence.ts'

const countNames = [
  'scheduled',
  'completed',
  'refused',
  'timedOut',
  'lost',
  'duplicated',
  'wireDuplicates',
  'phantom',
  'misdelivered',
  'reordered',
  'doubleTerminal',
  'corrupt',
  'late',
  'unexpected',
] as const satisfies readonly (keyof ExchangeCounts)[]

export function engineResult(rounds: ArmRounds, role: 'baseline' | 'candidate'): EngineResult {
  const { arm, valid } = rounds
  const evidence = valid.map((round) => round.evidence)
  const exchanges = sumCounts(evidence)
  const seconds = evidence.reduce((sum, each) => sum + each.durationMs, 0) / 1000
  const stages = stageResults(rounds)
  const polling = pollingResult(arm, evidence)
  const errors = exchanges.refused + exchanges.timedOut + exchanges.lost
  return {
    label: arm.label,
    name: arm.name,
    options: arm.options,
    role,
    host: arm.host,
    transport: arm.transport,
    semantics: arm.semantics,
    semanticsBasis: arm.semanticsBasis,
    validRounds: valid.length,
    exchanges,
    delivery: seriesResult(valid.map((round) => round.series.delivery)),
    roundTrip: seriesResult(valid.map((round) => round.series.roundTrip)),
    serviceTime: seriesResult(valid.map((round) => round.series.serviceTime)),
    throughputPerSecond: seconds > 0 ? significant(exchanges.completed / seconds) : null,
    offeredPerSecond: seconds > 0 ? (significant(exchanges.scheduled / seconds) ?? 0) : 0,
    errorRate: exchanges.scheduled > 0 ? significant(errors / exchanges.scheduled) : null,
    ...(stages === null ? {} : { stages }),
    ...(polling === null ? {} : { polling }),
    resources: resources(evidence, exchanges.scheduled),
  }
}

function sumCounts(evidence: readonly RoundEvidence[]): ExchangeCounts {
  const sums = Object.fromEntries(
    countNames.map((name) => [name, evidence.reduce((sum, each) => sum + each.counts[name], 0)]),
  )
  return sums as Record<(typeof countNames)[number], number>
}

export function seriesResult(rounds: readonly RoundSample[]): SeriesResult {
  const pooled = mergeDistributions(rounds.map((round) => round.whole))
  const interval = (q: number): Interval => {
    const { low, high } = quantileInterval(rounds, q)
    return [lowMs(low), highMs(high)]
  }
  return {
    n: pooled.n,
    p50Ms: msOf(quantile(pooled, quantileOf.p50)),
    p95Ms: msOf(quantile(pooled, quantileOf.p95)),
    p99Ms: msOf(quantile(pooled, quantileOf.p99)),
    p999Ms: msOf(quantile(pooled, quantileOf.p999)),
    maxMs: msOf(maximum(pooled)),
    intervals: {
      p50Ms: interval(quantileOf.p50),
      p95Ms: interval(quantileOf.p95),
      p99Ms: interval(quantileOf.p99),
      p999Ms: interval(quantileOf.p999),
    },
  }
}

function stageResults({ valid }: ArmRounds): Record<StageName, StageResult> | null {
  const pooled = (name: string): Distribution =>
    mergeDistributions(valid.flatMap((round) => round.stages.get(name)?.whole ?? []))
  const results = Object.fromEntries(
    stageNames.map((name) => {
      const distribution = pooled(name)
      // Nanoseconds: the same division by 1000 gives microseconds with three decimals.
      return [
        name,
        { n: distribution.n, p50Us: msOf(quantile(distribution, 0.5)), p99Us: msOf(quantile(distribution, 0.99)) },
      ]
    }),
  ) as Record<StageName, StageResult>
  return stageNames.every((name) => results[name].n === 0) ? null : results
}

/** Interval of a polling arm in ms, as its option says; the engine's own default is 1 s. */
export function pollingIntervalMs(arm: EngineArm): number | null {
  const text = arm.options['interval']
  if (text === undefined) return 1000
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text)
  return match === null
    ? null
    : Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[(match[2] ?? 'ms') as 'ms' | 's' | 'm']
}

/** Absent for other engines, and when the engine's own counters were not observed. */
function pollingResult(
  arm: EngineArm,
  evidence: readonly RoundEvidence[],
): NonNullable<EngineResult['polling']> | null {
  const intervalMs = pollingIntervalMs(arm)
  const counter = (name: string): number | null => sumOf(evidence.map((each) => each.engineStats[name]))
  const databaseQueries = counter('databaseQueries')
  const emptyPolls = counter('emptyPolls')
  const pollTimeouts = counter('pollTimeouts')
  const heldConnections = largest(evidence.map((each) => each.engineStats['heldConnections'] ?? null))
  const wastedPolls = sumOf(evidence.map((each) => each.client['wastedPolls']))
  if (arm.name !== 'polling' || intervalMs === null) return null
  if (databaseQueries === null || emptyPolls === null || pollTimeouts === null) return null
  if (heldConnections === null || wastedPolls === null) return null
  const theoreticalDelivery = { intervalMs, meanMs: intervalMs / 2, maxMs: intervalMs }
  return { databaseQueries, emptyPolls, heldConnections, pollTimeouts, wastedPolls, theoreticalDelivery }
}

function resources(evidence: readonly RoundEvidence[], scheduled: number): EngineResult['resources'] {
  const nullReasons: Record<string, string> = {}
  for (const each of evidence) {
    for (const [key, reason] of Object.entries(each.resources.nullReasons)) nullReasons[key] ??= reason
  }
  const cpuUs = sumOf(evidence.map((each) => each.resources.cpuUs))
  const elapsedMs = evidence.reduce((sum, each) => sum + each.durationMs + each.drainMs, 0)
  const commits = sumOf(evidence.map((each) => each.engineStats['commits']))
  const figures = {
    rssMaxBytes: largest(evidence.map((each) => each.resources.rssMaxBytes)),
    heapMaxBytes: largest(evidence.map((each) => each.resources.heapMaxBytes)),
    cpuPercent: cpuUs === null || elapsedMs <= 0 ? null : significant(cpuUs / (elapsedMs * 10)),
    cpuUsPerExchange: cpuUs === null || scheduled === 0 ? null : significant(cpuUs / scheduled),
    eventLoopP99Ms: significant(largest(evidence.map((each) => each.resources.eventLoopP99Ms))),
    openConnectionsMax: largest(evidence.map((each) => each.resources.openConnectionsMax)),
    walBytesMax: largest(evidence.map((each) => each.resources.walBytesMax)),
    commits,
  }
  const cpuReason = nullReasons['cpuUs'] ?? 'not observed in every valid round'
  delete nullReasons['cpuUs']
  const reasons: Record<string, string> = {}
  for (const [key, figure] of Object.entries(figures)) {
    if (figure !== null) continue
    const fallback = key.startsWith('cpu') ? cpuReason : 'not observed in every valid round'
    reasons[key] = evidence.length === 0 ? 'no valid round' : (nullReasons[key] ?? fallback)
  }
  return { ...figures, nullReasons: reasons }
}

/** Null without rounds, or when a round lacks the figure: a sum over the others would pass for the whole. */
export function sumOf(figures: readonly (number | null | undefined)[]): number | null {
  if (figures.length === 0) return null
  let sum = 0
  for (const figure of figures) {
    if (figure === null || figure === undefined || !(figure >= 0)) return null
    sum += figure
  }
  return sum
}

function largest(figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null)
  return known.length === 0 ? null : Math.max(...known)
}
