/**
 * Whether memory leaks: a verdict on the target "growth over the measured horizon stays within the allowance", from
 * series of bytes after collection. Trend by `trend.ts`, never by significance alone: Mann–Kendall by itself calls many
 * leaks where there are none (Machida et al., ISSREW 2013).
 *
 * 1. Warm-up: max(10 min, 5 % of the run, 2 × the longest TTL) is cut, since a cache with a TTL rises until its
 *    window is full. 216 samples or more become 72 block medians. Fewer than 30 points, or 10 in a half, are too few.
 * 2. Three conditions. *Significant*: Hamed–Rao Mann–Kendall, upward, two-sided α = 1 %, Holm over the series tested.
 *    *Material*: the lower end of the slope's 99 % interval (ranks, widened by the same correction) × horizon exceeds
 *    the allowance max(2 × 1.4826·MAD of the residuals, 5 % of the baseline, 5 MB). *Persistent*: the slope of the
 *    second half is positive and at least half that of the first.
 * 3. The words are those of every target (verdict.ts), so that a leak enters a decision without translation and "not
 *    shown" never reads as "shown not to be". All three conditions: NOT_MET, a leak. Two: MARGINAL, a suspect. Fewer:
 *    MET if the upper end × horizon and the rise from the first to the last tenth both stay within the allowance, so
 *    that a larger leak is excluded, else MARGINAL. Too few points: NOT_DEMONSTRATED.
 *
 * Measured on 1,000 seeded AR(1) series per cell without a leak, n = 30, 72, 120 and φ = 0, 0.3, 0.6, 0.9, the noise so
 * large that only the 2σ allowance guards. Nominal is 0.5 % upward. Hamed–Rao by itself fires in 0.1–0.4 % (φ = 0),
 * 2–5 % (0.6) and 7–14 % (0.9). NOT_MET: none of 6,000 up to φ = 0.3, at most 0.2 % at 0.6; at 0.9 it is 0.8–0.9 %
 * from n = 72 up and 2.3 % at n = 30. Above nominal is thus noise that remembers a tenth of the run or more (432 samples
 * of φ = 0.99: 3 %); `warnings` accompany two thirds of these false leaks, not all. With noise of 1 MB on 60 MB, where
 * 5 MB guard: none of 12,000. A leak as large as the allowance is called MET in at most 5 %; one of the minimum
 * detectable size is NOT_MET in 86–100 % up to φ = 0.6 and in 74–92 % at 0.9.
 * The interval of nominal 99 % holds the slope in 99 % at φ = 0, 90–97 % at 0.6 and 75–85 % at 0.9.
 *
 * What no series of this length can tell: a cache that fills until the end of the run from a leak (declare its TTL),
 * and a leak that begins in the last third from a step (MARGINAL, by the rise).
 */
import { normalQuantile } from './special-functions.ts'
import { blockMedians, mannKendall, medianOfSorted, theilSen, type SlopeBounds, type TrendPoint } from './trend.ts'
import type { TargetVerdict } from './verdict.ts'

export interface MemorySample {
  /** Any origin, the same for all series. */
  readonly timeMs: number
  /** Null where a sample was due and is missing. */
  readonly bytes: number | null
}

export interface MemorySeries {
  readonly name: string
  /** Taken at quiescent checkpoints after a major collection; in any order, with any spacing. */
  readonly samples: readonly MemorySample[]
  /** Growth that is never called a leak; 5 MB unless given. */
  readonly floorBytes?: number
  /** Share of the baseline that may be grown by; 0.05 unless given. */
  readonly allowanceShare?: number
  /** Where memory ends (heap cap, disk), for `hoursToLimit`. */
  readonly limitBytes?: number
}

export interface LeakOptions {
  /** Of all that the system keeps for a time (nonces, deduplication, sessions, audit ring); 0 when nothing expires. */
  readonly longestTtlMs: number
  /** The least warm-up; 10 min unless given, as for a run that is shorter than that. */
  readonly leastWarmUpMs?: number
  /** When load began; the earliest sample of all series unless given. */
  readonly loadStartMs?: number
  /** For `bytesPerOperation`. */
  readonly operationsPerHour?: number
}

/** Figures are null where the points left after the warm-up do not give them: none, or all at one time. */
export interface LeakJudgement {
  readonly name: string
  readonly verdict: TargetVerdict
  /** What was found, in words; always ends with the minimum detectable leak. */
  readonly reason: string
  /** Doubts about the figures, one sentence each. */
  readonly warnings: readonly string[]
  /** What was cut after the start of load. */
  readonly warmUpMs: number
  /** Samples left after the cut. */
  readonly samples: number
  /** Points tested: these samples, or medians of blocks of them. */
  readonly n: number
  /** From the first to the last point tested. */
  readonly horizonHours: number
  readonly slopeBytesPerHour: number | null
  /** Ends of the two-sided interval of the slope, nominally 99 %. */
  readonly lowBytesPerHour: number | null
  readonly highBytesPerHour: number | null
  /** Two-sided p of the trend, adjusted by Holm for the series tested; null when too few points. */
  readonly pHolm: number | null
  /** Hamed and Rao's factor on the variance of the test. */
  readonly correction: number
  /** Median of the first tenth of the points. */
  readonly baselineBytes: number | null
  /** 1.4826 × the median absolute residual: the standard deviation of the noise, were it normal. */
  readonly noiseBytes: number | null
  /** Growth over the horizon that counts as none. */
  readonly allowanceBytes: number | null
  /** The three conditions; null when too few points. */
  readonly conditions: {
    readonly significant: boolean
    readonly material: boolean
    readonly persistent: boolean
  } | null
  /**
   * The steady leak that a series of this length and noise would show (NOT_MET) in about nine of ten runs:
   * max(6 × noise, allowance + (z₀.₉₉₅ + z₀.₉₅)·e, 2·√10·z₀.₉₅·e) ÷ horizon, e the standard error of the growth read
   * from the interval. The third term is what persistence takes. Given below the minimum n too, as what this noise
   * would allow.
   */
  readonly minimumDetectableBytesPerHour: number | null
  /** Slope ÷ operations; null without their number. */
  readonly bytesPerOperation: number | null
  /** At the point estimate of the slope, from the last point; null without a limit or a positive slope. */
  readonly hoursToLimit: number | null
}

export const significance = 0.01
export const minimumPoints = 30
const minimumHalfPoints = 10
const fewEffectivePoints = 20
const usualWarmUpMs = 600_000
const usualShare = 0.05
const reducedPoints = 72
const samplesPerBlock = 3
const hourMs = 3_600_000

/**
 * One judgement per series, in their order; Holm spans those with enough points. Throws RangeError on a time, size
 * or option that is not finite, or a negative TTL.
 */
export function judgeLeaks(series: readonly MemorySeries[], options: LeakOptions): LeakJudgement[] {
  const { longestTtlMs, leastWarmUpMs = usualWarmUpMs, loadStartMs, operationsPerHour } = options
  if (!(longestTtlMs >= 0 && longestTtlMs < Infinity)) throw new RangeError(`longestTtlMs is ${longestTtlMs}`)
  if (!(leastWarmUpMs >= 0 && leastWarmUpMs < Infinity)) throw new RangeError(`leastWarmUpMs is ${leastWarmUpMs}`)
  if (loadStartMs !== undefined && !Number.isFinite(loadStartMs)) throw new RangeError(`loadStartMs is ${loadStartMs}`)
  let startMs = loadStartMs ?? Infinity
  let endMs = -Infinity
  for (const { timeMs } of series.flatMap((each) => each.samples)) {
    if (!Number.isFinite(timeMs)) throw new RangeError(`the time of a sample is ${timeMs}`)
    if (loadStartMs === undefined) startMs = Math.min(startMs, timeMs)
    endMs = Math.max(endMs, timeMs)
  }
  const warmUpMs = Math.max(leastWarmUpMs, 0.05 * (endMs - startMs), 2 * longestTtlMs)
  const examined = series.map((each) => examine(each, startMs, warmUpMs))
  const adjusted = holm(examined.map((each) => (each.shortage === null ? each.p : null)))
  return examined.map((each, index) => judge(each, adjusted[index] ?? null, warmUpMs, operationsPerHour))
}

function amount(bytes: number): string {
  const size = Math.abs(bytes)
  if (size >= 1e6) return `${(bytes / 1e6).toFixed(2)} MB`
  return size >= 1e3 ? `${(bytes / 1e3).toFixed(2)} kB` : `${bytes.toFixed(0)} B`
}

/** Holm's step-down p values; null entries are not tests. */
function holm(list: readonly (number | null)[]): (number | null)[] {
  const order = [...list.keys()].filter((index) => list[index] !== null)
  order.sort((a, b) => (list[a] ?? 1) - (list[b] ?? 1))
  const adjusted: (number | null)[] = list.map(() => null)
  let running = 0
  for (const [step, index] of order.entries()) {
    running = Math.max(running, Math.min(1, (order.length - step) * (list[index] ?? 1)))
    adjusted[index] = running
  }
  return adjusted
}

interface Examined {
  readonly series: MemorySeries
  readonly samples: number
  /** Times in hours from the start of load, ascending; no value missing. */
  readonly points: readonly { readonly time: number; readonly value: number }[]
  readonly horizonHours: number
  /** Why nothing can be said; null when it can. */
  readonly shortage: string | null
  readonly rises: boolean
  readonly p: number
  readonly correction: number
  readonly trend: SlopeBounds
  readonly persistent: boolean
}

function examine(series: MemorySeries, startMs: number, warmUpMs: number): Examined {
  const kept: TrendPoint[] = []
  for (const { timeMs, bytes } of series.samples) {
    if (bytes !== null && timeMs >= startMs + warmUpMs) kept.push({ time: (timeMs - startMs) / hourMs, value: bytes })
  }
  const dense = kept.length >= reducedPoints * samplesPerBlock
  const points = (dense ? blockMedians(kept, reducedPoints) : kept)
    .map(({ time, value }) => ({ time, value: value ?? NaN }))
    .sort((a, b) => a.time - b.time)
  const test = mannKendall(points)
  const start = points[0]?.time ?? 0
  const horizonHours = (points.at(-1)?.time ?? 0) - start
  const middle = start + horizonHours / 2
  const firstHalf = points.filter((point) => point.time < middle)
  const secondHalf = points.filter((point) => point.time >= middle)
  const first = theilSen(firstHalf, 1 - significance).slope
  const second = theilSen(secondHalf, 1 - significance).slope
  const ofHalves = Math.min(firstHalf.length, secondHalf.length)
  let shortage: string | null = null
  if (points.length < minimumPoints) {
    const what = dense ? 'blocks with samples' : 'samples'
    shortage = `${points.length} ${what} after a warm-up of ${minutes(warmUpMs)} are fewer than ${minimumPoints}`
  } else if (ofHalves < minimumHalfPoints) {
    shortage = `one half of the time holds ${ofHalves} points, fewer than ${minimumHalfPoints}`
  }
  return {
    series,
    samples: kept.length,
    points,
    horizonHours,
    shortage,
    rises: test.s > 0,
    p: test.p,
    correction: test.correction,
    trend: theilSen(points, 1 - significance, test.correction),
    persistent: second !== null && second > 0 && second >= 0.5 * (first ?? Infinity),
  }
}

function minutes(ms: number): string {
  return `${Math.round(ms / 6000) / 10} min`
}

function judge(each: Examined, pHolm: number | null, warmUpMs: number, operationsPerHour?: number): LeakJudgement {
  const { series, points, trend, horizonHours, shortage } = each
  const { slope, low, high, intercept } = trend
  const tenth = Math.max(3, Math.ceil(points.length / 10))
  const baseline = medianBytes(points.slice(0, tenth))
  const rise = medianBytes(points.slice(-tenth)) - baseline
  const fitted = (time: number): number => (intercept ?? NaN) + (slope ?? NaN) * time
  const noise = 1.4826 * median(points.map(({ time, value }) => Math.abs(value - fitted(time))))
  const allowance = Math.max(2 * noise, (series.allowanceShare ?? usualShare) * baseline, series.floorBytes ?? 5e6)
  const conditions =
    shortage !== null
      ? null
      : {
          significant: each.rises && pHolm !== null && pHolm <= significance,
          material: low !== null && low * horizonHours > allowance,
          persistent: each.persistent,
        }
  const excluded = high !== null && high * horizonHours <= allowance && rise <= allowance
  const { verdict, finding } = wordsOf(conditions, excluded, shortage ?? '')
  const detectable = finiteOrNull(minimumDetectable(trend, horizonHours, noise, allowance))
  const detectableWords = detectable === null ? 'unknown, too few samples' : `${amount(detectable)}/h`
  const { limitBytes } = series
  return {
    name: series.name,
    verdict,
    reason: `${finding}; minimum detectable leak ${detectableWords}`,
    warnings: conditions === null ? [] : warningsOf(points.length / each.correction),
    warmUpMs,
    samples: each.samples,
    n: points.length,
    horizonHours,
    slopeBytesPerHour: slope,
    lowBytesPerHour: low,
    highBytesPerHour: high,
    pHolm,
    correction: each.correction,
    baselineBytes: finiteOrNull(baseline),
    noiseBytes: finiteOrNull(noise),
    allowanceBytes: finiteOrNull(allowance),
    conditions,
    minimumDetectableBytesPerHour: detectable,
    bytesPerOperation:
      slope === null || operationsPerHour === undefined ? null : finiteOrNull(slope / operationsPerHour),
    hoursToLimit:
      limitBytes === undefined || slope === null || slope <= 0
        ? null
        : Math.max(0, limitBytes - fitted(points.at(-1)?.time ?? NaN)) / slope,
  }
}

/** Where noise has a memory of a tenth of the run or more, its wandering looks like growth. */
function warningsOf(effectivePoints: number): string[] {
  if (effectivePoints >= fewEffectivePoints) return []
  const worth = effectivePoints.toFixed(0)
  return [`autocorrelation leaves the points the worth of ${worth} independent ones; measure longer to be sure`]
}

function wordsOf(
  conditions: LeakJudgement['conditions'],
  excluded: boolean,
  shortage: string,
): { verdict: TargetVerdict; finding: string } {
  if (conditions === null) return { verdict: 'NOT_DEMONSTRATED', finding: shortage }
  const { significant, material, persistent } = conditions
  const held = [
    significant ? 'significant' : 'not significant',
    material ? 'beyond the allowance' : 'not shown to exceed the allowance',
    persistent ? 'persistent' : 'not persistent',
  ].join(', ')
  const count = Number(significant) + Number(material) + Number(persistent)
  if (count === 3) return { verdict: 'NOT_MET', finding: `leak: growth is ${held}` }
  if (count === 2) return { verdict: 'MARGINAL', finding: `suspect: growth is ${held}` }
  return excluded
    ? { verdict: 'MET', finding: 'no leak shown; growth beyond the allowance is excluded' }
    : { verdict: 'MARGINAL', finding: `no leak shown, but growth beyond the allowance is not excluded: it is ${held}` }
}

/** In bytes per hour; NaN or infinite where the interval or the horizon is missing. */
function minimumDetectable(trend: SlopeBounds, horizonHours: number, noise: number, allowance: number): number {
  const { low, high } = trend
  const level = normalQuantile(1 - significance / 2)
  const power = normalQuantile(0.95)
  const error = (((high ?? NaN) - (low ?? NaN)) / 2 / level) * horizonHours
  // Slopes of the halves have 2√2 the error of the whole; second − ½·first, expected ½ of the growth, has √10 of it.
  const persistence = 2 * Math.sqrt(10) * power * error
  return Math.max(6 * noise, allowance + (level + power) * error, persistence) / horizonHours
}

function median(values: readonly number[]): number {
  return medianOfSorted(values.toSorted((a, b) => a - b))
}

function medianBytes(points: Examined['points']): number {
  return median(points.map((each) => each.value))
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
