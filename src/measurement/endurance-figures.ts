/**
 * Figures of an endurance run that targets may name. Every one takes the life of the engine's process that was judged, so a target `over 72h`
 * takes 72 h of load without a restart. Ends are those of the 99 % interval of the trend, which is stricter than other
 * targets are.
 *
 * `leaks`: series that leak; MARGINAL where one is a suspect or a leak is not excluded. `leakBytesPerHour`: the largest growth of
 * heap, external, native or write-ahead log, or of the one that is named. `p50Drift`, `p99Drift`, `throughputDrift`: service at the
 * end over that at the begin, above 1 where it got worse. `steps`: jumps of service that stayed. `coverage`: intervals measured over
 * those due. `storeBytesPerHour`, `retainedBytesPerExchange` (the screen's largest), `harnessLeaks`.
 */
import { minimumPoints } from '../statistics/leak-verdict.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import { words } from './derive-figures.ts'
import type { DriftTrend, EngineEndurance, GrowthTrend, TrendResult } from './endurance-result.ts'

/** Below this share of what was due nothing is demonstrated. */
export const leastCoverage = 0.95

/** `measuredMs`: load that counts, by life. */
export function enduranceFigure(
  engine: EngineEndurance,
  measuredMs: readonly number[],
  path: string,
): FigureReading | undefined {
  const [, second = '', third] = path.split('.')
  const [series, name] = third === undefined ? [null, second] : [second, third]
  const reading = readingOf(engine, series, name)
  if (reading === undefined) return undefined
  const shortfall = coverageShortfall(engine)
  const { life, ...figure } = reading
  const measured = life === null ? {} : { measuredMs: measuredMs[life] ?? 0 }
  return shortfall === '' || figure.reason !== ''
    ? { ...figure, ...measured }
    : { ...figure, ...measured, reason: shortfall }
}

export function coverageShortfall({ coverage }: EngineEndurance): string {
  const { share, measuredIntervals, dueIntervals } = coverage
  if (share !== null && share >= leastCoverage) return ''
  return (
    `${measuredIntervals} of ${dueIntervals} intervals that were due were measured` +
    `${share === null ? '' : ` (${words(share * 100)} %)`}; ${leastCoverage * 100} % are needed`
  )
}

/** `life`: the one that the figure rests on; null where it is of the whole run. */
type OfLife = FigureReading & { readonly life: number | null }

function readingOf(engine: EngineEndurance, series: string | null, name: string): OfLife | undefined {
  const { held, store, harness, service, screen, coverage } = engine
  const ofSeries = held.filter((each) => series === null || each.series === series)
  switch (name) {
    case 'leaks':
      return leaks(ofSeries, series)
    case 'harnessLeaks':
      return leaks(harness, null)
    case 'leakBytesPerHour':
      return growth(
        ofSeries.filter(({ unit }) => unit === 'bytes'),
        series ?? 'memory',
      )
    case 'storeBytesPerHour':
      return growth(store, 'store')
    case 'p50Drift':
      return drift(service.find((each) => each.series === 'p50'))
    case 'p99Drift':
      return drift(service.find((each) => each.series === 'p99'))
    case 'throughputDrift':
      return drift(service.find((each) => each.series === 'timePerExchange'))
    case 'steps': {
      const count = service.filter(({ step }) => step !== null).length
      const reading = trendReading(service, 'service')
      return reading.reason === '' ? { ...reading, value: count, low: count, high: count } : reading
    }
    case 'retainedBytesPerExchange': {
      const { n } = screen
      const base = { n, requiredN: minimumPoints, counted: 'intervals at rest', life: null }
      const ends = (at: (each: (typeof screen.series)[number]) => number | null) => screen.series.map(at)
      const bounds = worstOf(
        ends((each) => each.bytesPerExchange),
        ends((each) => each.lowBytesPerExchange),
        ends((each) => each.highBytesPerExchange),
      )
      const few = `${n} intervals at rest after the warm-up are fewer than ${minimumPoints}`
      return { ...base, ...bounds, reason: n < minimumPoints ? few : '' }
    }
    case 'coverage': {
      const { share, dueIntervals } = coverage
      const ends = { value: share, low: share, high: share }
      return { n: dueIntervals, requiredN: 1, counted: 'intervals due', ...ends, reason: '', life: null }
    }
    default:
      return undefined
  }
}

function trendReading(trends: readonly (TrendResult & { readonly series: string })[], what: string): OfLife {
  const n = trends.length === 0 ? 0 : Math.min(...trends.map((each) => each.n))
  const lacking = trends.find(({ verdict }) => verdict === 'inconclusive')
  const reason =
    trends.length === 0
      ? `nothing was read of ${what}`
      : lacking === undefined
        ? ''
        : `${lacking.series} is inconclusive: ${lacking.reason}`
  // The shortest-lived of several is what a target over a time may rest on.
  const life = trends.reduce<TrendResult | null>(
    (least, each) => (least === null || each.horizonHours < least.horizonHours ? each : least),
    null,
  )
  const nothing = { value: null, low: null, high: null }
  return { n, requiredN: minimumPoints, counted: 'intervals at rest', ...nothing, reason, life: life?.life ?? 0 }
}

function leaks(trends: readonly GrowthTrend[], series: string | null): OfLife {
  const found = trends.filter(({ verdict }) => verdict === 'leak').length
  const open = trends.filter(({ verdict }) => verdict === 'suspect' || verdict === 'not excluded').length
  const reading = trendReading(trends, series ?? 'memory')
  // A leak that was shown is one, whatever is not known of the rest.
  if (found === 0 && reading.reason !== '') return reading
  const judged = trends.filter(({ verdict }) => verdict !== 'inconclusive')
  const n = Math.min(...judged.map((each) => each.n))
  return { ...reading, n, value: found, low: found, high: found + open, reason: '' }
}

function growth(trends: readonly GrowthTrend[], what: string): OfLife {
  return {
    ...trendReading(trends, what),
    ...worstOf(
      trends.map((each) => each.perHour),
      trends.map((each) => each.lowPerHour),
      trends.map((each) => each.highPerHour),
    ),
  }
}

/** The largest of each; what shrinks has not grown. */
function worstOf(
  values: readonly (number | null)[],
  lows: readonly (number | null)[],
  highs: readonly (number | null)[],
) {
  const known = (list: readonly (number | null)[]): number[] => list.filter((each) => each !== null)
  const most = (list: readonly number[]): number | null => (list.length === 0 ? null : Math.max(0, ...list))
  return {
    value: most(known(values)),
    low: most(known(lows)),
    // Without the bound of one there is none of all.
    high: highs.includes(null) ? null : most(known(highs)),
  }
}

function drift(trend: DriftTrend | undefined): OfLife {
  const reading = trendReading(trend === undefined ? [] : [trend], 'service')
  return { ...reading, value: trend?.ratio ?? null, low: trend?.low ?? null, high: trend?.high ?? null }
}
