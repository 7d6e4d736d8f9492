/**
 * What an engine keeps per exchange: the settled heap, external and native bytes against the exchanges served so far. Leaks grow per
 * operation, so a fast run sees in minutes what a slow one shows in hours; what grows with time, or begins late, it does not see.
 * Therefore a screen, and labelled as one, never the word on hours that were not measured.
 *
 * Theil–Sen slope with its 99 % interval, Mann–Kendall as in trend.ts, Holm over the three series. `retains`: upward at
 * α = 1 %, and the lower end × the exchanges exceeds twice the noise. There is no floor of megabytes here: small
 * losses per operation are what it is for.
 */
import { minimumPoints, significance } from '../statistics/leak-verdict.ts'
import { mannKendall, medianOfSorted, theilSen, type TrendPoint } from '../statistics/trend.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import { durationWords } from './derive-targets.ts'
import type { Interval, Life } from './endurance-lives.ts'
import type { ScreenedSeries, ScreenResult } from './endurance-result.ts'
import type { ProcessReading } from './process-reading.ts'

const fullHours = 72
const hourMs = 3_600_000

const screened: readonly {
  readonly series: ScreenedSeries['series']
  readonly at: (engine: ProcessReading) => number
}[] = [
  { series: 'heap', at: (engine) => engine.heapUsedBytes },
  { series: 'external', at: (engine) => engine.externalBytes },
  { series: 'native', at: (engine) => engine.nativeBytes },
]

/** Of the life with the most readings after its warm-up. */
export function screenOf(lives: readonly Life[], warmUpOf: (life: Life) => number): ScreenResult {
  const kept = lives.map((life) => settledIntervals(life, warmUpOf(life)))
  const intervals = kept.reduce<Interval[]>((best, each) => (each.length > best.length ? each : best), [])
  const first = intervals[0]
  const last = intervals.at(-1)
  const exchanges = first === undefined || last === undefined ? 0 : last.exchangesSoFar - first.exchangesSoFar
  const elapsedMs = first === undefined || last === undefined ? 0 : last.atMs - first.atMs
  const judged = screened.map(({ series, at }) => {
    const points = intervals.map(({ exchangesSoFar, rest }) => ({
      time: exchangesSoFar,
      value: rest === null ? null : at(rest.engine),
    }))
    return { series, points, test: mannKendall(points) }
  })
  const adjusted = holm(judged.map(({ test }) => test.p))
  return {
    label: labelOf(exchanges, elapsedMs),
    exchanges,
    n: intervals.length,
    series: judged.map(({ series, points, test }, index) => {
      const { slope, low, high } = theilSen(points, 1 - significance, test.correction)
      const noise = noiseOf(points, slope)
      const rises = test.s > 0 && (adjusted[index] ?? 1) <= significance
      const beyondNoise = low !== null && low * exchanges > 2 * noise
      const verdict = rises && beyondNoise ? 'retains' : 'none shown'
      return {
        series,
        verdict: intervals.length < minimumPoints ? 'inconclusive' : verdict,
        bytesPerExchange: significant(slope),
        lowBytesPerExchange: significantLow(low),
        highBytesPerExchange: significantHigh(high),
      }
    }),
    allocatedBytesPerExchange: allocatedOf(intervals),
  }
}

function settledIntervals({ intervals, startMs }: Life, warmUpMs: number): Interval[] {
  return intervals.filter(({ rest, atMs }) => rest !== null && atMs >= startMs + warmUpMs)
}

function labelOf(exchanges: number, elapsedMs: number): string {
  const over = `over ${exchanges} exchanges in ${durationWords(Math.round(elapsedMs / 1000) * 1000)}`
  return elapsedMs >= fullHours * hourMs ? `a screen ${over}` : `a screen ${over}, not ${fullHours} h`
}

function holm(list: readonly number[]): number[] {
  const order = [...list.keys()].sort((a, b) => (list[a] ?? 1) - (list[b] ?? 1))
  const adjusted = list.map(() => 1)
  let running = 0
  for (const [step, index] of order.entries()) {
    running = Math.max(running, Math.min(1, (order.length - step) * (list[index] ?? 1)))
    adjusted[index] = running
  }
  return adjusted
}

/** 1.4826 × the median absolute distance from the line. */
function noiseOf(points: readonly TrendPoint[], slope: number | null): number {
  if (slope === null) return 0
  const heights = points.flatMap(({ time, value }) => (value === null ? [] : [value - slope * time]))
  const middle = median(heights)
  return 1.4826 * median(heights.map((each) => Math.abs(each - middle)))
}

function median(values: readonly number[]): number {
  return medianOfSorted(values.toSorted((a, b) => a - b))
}

function allocatedOf(intervals: readonly Interval[]): number | null {
  const rates = intervals.flatMap((each, index) => {
    const before = intervals[index - 1]
    const now = each.rest?.engine.allocatedBytes
    const then = before?.rest?.engine.allocatedBytes
    const exchanges = before === undefined ? 0 : each.exchangesSoFar - before.exchangesSoFar
    if (now === undefined || now === null || then === undefined || then === null || exchanges <= 0) return []
    return [(now - then) / exchanges]
  })
  return rates.length === 0 ? null : significant(median(rates))
}
