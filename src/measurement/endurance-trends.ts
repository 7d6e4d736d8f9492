/**
 * Trends of an endurance run: of what is held at rest, and of how service goes. Both by the test of leak-verdict.ts, series by series within one
 * life of the engine's process. Where a run was resumed, the life with the most points speaks for the series; another speaks if it shows a
 * leak and that one does not, since a restart that hides a leak does not cure it.
 */
import { judgeLeaks, type LeakJudgement, type MemorySeries } from '../statistics/leak-verdict.ts'
import { roundQuantile } from '../statistics/paired-ratio.ts'
import { stepUp } from '../statistics/step-change.ts'
import { blockMedians } from '../statistics/trend.ts'
import { msOf, significant, significantHigh, significantLow } from './derive-figures.ts'
import type { Interval, Life } from './endurance-lives.ts'
import type { DriftTrend, GrowthTrend, TrendResult, TrendWord } from './endurance-result.ts'
import type { RestReading } from './rest-evidence.ts'

/** Growth of service times that counts as none, as a share of what they were. */
export const driftMargin = 0.1
/** Descriptors and connections that may come and go. */
const handlesFloor = 16
const hourMs = 3_600_000
const denseFrom = 216
const reducedTo = 72

export interface TrendOptions {
  readonly leastWarmUpMs: number
  readonly longestTtlMs: number
}

interface SeriesOf {
  readonly series: GrowthTrend['series']
  readonly unit: GrowthTrend['unit']
  readonly at: (rest: RestReading) => number | null
  /** Where it ends, by the last reading. */
  readonly limit?: (rest: RestReading) => number | null
}

export const heldOf: readonly SeriesOf[] = [
  {
    series: 'heap',
    unit: 'bytes',
    at: ({ engine }) => engine.heapUsedBytes,
    limit: ({ engine }) => engine.heapLimitBytes,
  },
  { series: 'external', unit: 'bytes', at: ({ engine }) => engine.externalBytes },
  { series: 'native', unit: 'bytes', at: ({ engine }) => engine.nativeBytes },
  { series: 'wal', unit: 'bytes', at: ({ walBytes }) => walBytes },
  { series: 'descriptors', unit: 'count', at: ({ engine }) => engine.descriptors },
  { series: 'connections', unit: 'count', at: ({ openConnections }) => openConnections },
]

export const storeOf: readonly SeriesOf[] = [
  {
    series: 'store',
    unit: 'bytes',
    at: ({ storeBytes }) => storeBytes,
    limit: ({ storeBytes, diskFreeBytes }) =>
      storeBytes === null || diskFreeBytes === null ? null : storeBytes + diskFreeBytes,
  },
]

export const harnessOf: readonly SeriesOf[] = [
  { series: 'loadHeap', unit: 'bytes', at: ({ load }) => load.heapUsedBytes },
  { series: 'loadExternal', unit: 'bytes', at: ({ load }) => load.externalBytes },
  { series: 'loadNative', unit: 'bytes', at: ({ load }) => load.nativeBytes },
  { series: 'mainHeap', unit: 'bytes', at: ({ main }) => main.heapUsedBytes },
  { series: 'mainExternal', unit: 'bytes', at: ({ main }) => main.externalBytes },
  { series: 'mainNative', unit: 'bytes', at: ({ main }) => main.nativeBytes },
]

/** One trend per series that was read at all; Holm spans those that are asked for together. */
export function growthTrends(
  lives: readonly Life[],
  wanted: readonly SeriesOf[],
  options: TrendOptions,
): GrowthTrend[] {
  const read = wanted.filter(({ at }) =>
    lives.some((life) => life.intervals.some(({ rest }) => rest !== null && at(rest) !== null)),
  )
  const judged = lives.map((life) => ({
    life,
    judgements: judgeLeaks(
      read.map((each) => memorySeries(each, life)),
      optionsFor(life, options),
    ),
  }))
  return read.flatMap((each, index) => {
    const chosen = choose(judged.map(({ life, judgements }) => ({ life, judgement: judgements[index] })))
    return chosen === null ? [] : [growthTrend(each, chosen)]
  })
}

function memorySeries({ series, unit, at, limit }: SeriesOf, { intervals }: Life): MemorySeries {
  const last = intervals.findLast(({ rest }) => rest !== null)?.rest
  const limitBytes = last === undefined || last === null ? null : (limit?.(last) ?? null)
  return {
    name: series,
    samples: intervals.map(({ atMs, rest }) => ({ timeMs: atMs, bytes: rest === null ? null : at(rest) })),
    ...(unit === 'count' ? { floorBytes: handlesFloor } : {}),
    ...(limitBytes === null ? {} : { limitBytes }),
  }
}

function optionsFor({ startMs }: Life, { leastWarmUpMs, longestTtlMs }: TrendOptions) {
  return { leastWarmUpMs, longestTtlMs, loadStartMs: startMs }
}

interface Chosen {
  readonly life: Life
  readonly judgement: LeakJudgement
}

function choose(all: readonly { readonly life: Life; readonly judgement: LeakJudgement | undefined }[]): Chosen | null {
  const given = all.flatMap(({ life, judgement }) => (judgement === undefined ? [] : [{ life, judgement }]))
  const longest = given.reduce<Chosen | null>(
    (best, each) => (best === null || each.judgement.samples > best.judgement.samples ? each : best),
    null,
  )
  return longest?.judgement.verdict === 'NOT_MET'
    ? longest
    : (given.find(({ judgement }) => judgement.verdict === 'NOT_MET') ?? longest)
}

function trendResult({ life, judgement }: Chosen): TrendResult {
  const { reason, warnings, n, horizonHours } = judgement
  return {
    verdict: wordOf(judgement),
    // The detectable size has a place of its own.
    reason: reason.split('; minimum detectable')[0] ?? reason,
    warnings,
    life: life.index,
    n,
    horizonHours: significant(horizonHours) ?? 0,
  }
}

export function wordOf({ verdict, conditions }: Pick<LeakJudgement, 'verdict' | 'conditions'>): TrendWord {
  if (verdict === 'NOT_DEMONSTRATED' || conditions === null) return 'inconclusive'
  if (verdict === 'MET') return 'none shown'
  if (verdict === 'NOT_MET') return 'leak'
  const held = Object.values(conditions).filter(Boolean).length
  return held === 2 ? 'suspect' : 'not excluded'
}

function growthTrend({ series, unit }: SeriesOf, chosen: Chosen): GrowthTrend {
  const { judgement } = chosen
  return {
    ...trendResult(chosen),
    series,
    unit,
    perHour: significant(judgement.slopeBytesPerHour),
    lowPerHour: significantLow(judgement.lowBytesPerHour),
    highPerHour: significantHigh(judgement.highBytesPerHour),
    detectablePerHour: significant(judgement.minimumDetectableBytesPerHour),
    baseline: significant(judgement.baselineBytes),
    allowance: significant(judgement.allowanceBytes),
    // A slope next to nothing has no such time.
    hoursToLimit: Number.isFinite(judgement.hoursToLimit) ? significant(judgement.hoursToLimit) : null,
  }
}

const serviceOf: readonly {
  readonly series: DriftTrend['series']
  readonly at: (interval: Interval) => number | null
}[] = [
  { series: 'p50', at: (interval) => quantileMs(interval, 0.5) },
  { series: 'p99', at: (interval) => quantileMs(interval, 0.99) },
  // Rises when throughput falls, so that one test asks all three.
  {
    series: 'timePerExchange',
    at: ({ valid }) =>
      valid === null || valid.evidence.counts.completed === 0
        ? null
        : valid.evidence.durationMs / valid.evidence.counts.completed,
  },
]

function quantileMs({ valid }: Interval, q: number): number | null {
  return valid === null ? null : msOf(roundQuantile(valid.series.roundTrip.whole, q))
}

export function driftTrends(lives: readonly Life[], options: TrendOptions): DriftTrend[] {
  const judged = lives.map((life) => {
    const series = serviceOf.map(({ series, at }) => ({
      name: series,
      samples: life.intervals.map((each) => ({ timeMs: each.evidence.startedAtMs, bytes: at(each) })),
      floorBytes: 0,
      allowanceShare: driftMargin,
    }))
    return { life, judgements: judgeLeaks(series, optionsFor(life, options)) }
  })
  return serviceOf.flatMap((each, index) => {
    const chosen = choose(judged.map(({ life, judgements }) => ({ life, judgement: judgements[index] })))
    return chosen === null ? [] : [driftTrend(each, chosen)]
  })
}

const driftWords: Readonly<Record<TrendWord, string>> = {
  leak: 'drift: service grows worse, significantly, beyond the margin and to the end',
  suspect: 'suspect: two of significant, beyond the margin and persistent hold',
  'not excluded': 'no drift shown, but one beyond the margin is not excluded',
  'none shown': 'no drift shown; one beyond the margin is excluded',
  inconclusive: '',
}

function driftTrend({ series, at }: (typeof serviceOf)[number], chosen: Chosen): DriftTrend {
  const { life, judgement } = chosen
  const { baselineBytes: baseline, horizonHours, warmUpMs } = judgement
  const result = trendResult(chosen)
  const ratio = (perHour: number | null): number | null =>
    perHour === null || baseline === null || baseline <= 0 ? null : Math.max(0, 1 + (perHour * horizonHours) / baseline)
  const kept = life.intervals.flatMap((each) => {
    const value = at(each)
    const sinceMs = each.evidence.startedAtMs - life.startMs
    return value === null || sinceMs < warmUpMs ? [] : [{ time: sinceMs / hourMs, value }]
  })
  const points =
    kept.length < denseFrom
      ? kept
      : blockMedians(kept, reducedTo).map(({ time, value }) => ({ time, value: value ?? NaN }))
  const step = stepUp(points, driftMargin)
  return {
    ...result,
    reason: result.verdict === 'inconclusive' ? result.reason : driftWords[result.verdict],
    series,
    baselineMs: significant(baseline),
    ratio: significant(ratio(judgement.slopeBytesPerHour)),
    low: significantLow(ratio(judgement.lowBytesPerHour)),
    high: significantHigh(ratio(judgement.highBytesPerHour)),
    step:
      step === null
        ? null
        : {
            atHours: significant(step.time) ?? 0,
            beforeMs: significant(step.before) ?? 0,
            afterMs: significant(step.after) ?? 0,
          },
  }
}

/** What the test cut from the begin of a life; the same for all of its series. */
export function warmUpOf(life: Life, { leastWarmUpMs, longestTtlMs }: TrendOptions): number {
  return Math.max(leastWarmUpMs, 0.05 * (life.endMs - life.startMs), 2 * longestTtlMs)
}
