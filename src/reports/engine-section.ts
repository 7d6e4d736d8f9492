/**
 * The engines side by side: latencies with their 95 % intervals, throughput, errors, delivery classes and cost,
 * with what each engine promises printed in the same table, because a faster engine that promises less is
 * another product. The last column is baseline over candidate: `30×` means thirty times faster.
 */
import type {
  ComparisonResult,
  EngineResult,
  ExchangeCounts,
  ResultsDocument,
  SeriesResult,
} from '../measurement/results-document.ts'
import {
  bytes,
  count,
  duration,
  durationInterval,
  factor,
  factorInterval,
  percent,
  perSecond,
  share,
  unknown,
} from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'

type Quantile = 'p50Ms' | 'p95Ms' | 'p99Ms' | 'p999Ms'
type Metric = ComparisonResult['metric']

const metricNames: Readonly<Record<Metric, string>> = {
  roundTrip: 'round trip',
  delivery: 'delivery',
  serviceTime: 'service time',
}

const quantiles: Readonly<Record<Metric, readonly Quantile[]>> = {
  roundTrip: ['p50Ms', 'p95Ms', 'p99Ms', 'p999Ms'],
  delivery: ['p50Ms', 'p95Ms', 'p99Ms'],
  serviceTime: ['p50Ms', 'p99Ms'],
}

const quantileNames: Readonly<Record<Quantile, string>> = { p50Ms: 'p50', p95Ms: 'p95', p99Ms: 'p99', p999Ms: 'p99.9' }

/** Classes that no exchange should be in, in the order of their gravity. */
const anomalyClasses = [
  ['duplicated', 'duplicated'],
  ['misdelivered', 'misdelivered'],
  ['phantom', 'phantom'],
  ['corrupt', 'corrupt'],
  ['unexpected', 'unexpected'],
  ['doubleTerminal', 'double terminal'],
  ['reordered', 'reordered'],
  ['late', 'late'],
  ['wireDuplicates', 'wire duplicates'],
] as const satisfies readonly (readonly [keyof ExchangeCounts, string])[]

export function engineSection(results: ResultsDocument): Section {
  const { engines } = results
  const baseline = engines.find((engine) => engine.role === 'baseline')
  const candidate = engines.findLast((engine) => engine.role === 'candidate')
  const shown = results.comparisons.filter(
    (comparison) => comparison.baseline === baseline?.label && comparison.candidate === candidate?.label,
  )
  const ratio = (metric: Metric, quantile: string): Cell => {
    const found = shown.find((comparison) => comparison.metric === metric && comparison.quantile === quantile)
    return found === undefined ? { text: '' } : ratioCell(found)
  }
  const row = (title: string, cell: (engine: EngineResult) => Cell, last: Cell = { text: '' }): Cell[] => [
    { text: title },
    ...engines.map(cell),
    last,
  ]
  const latencyRows = (Object.keys(metricNames) as Metric[]).flatMap((metric) =>
    quantiles[metric].map((quantile) => {
      const name = quantileNames[quantile]
      return row(
        `${metricNames[metric]} ${name}`,
        (engine) => quantileCell(engine[metric], quantile),
        ratio(metric, name),
      )
    }),
  )
  const others = results.comparisons.filter((comparison) => !shown.includes(comparison))
  return {
    title: 'Engines',
    table: {
      head: ['', ...engines.map((engine) => `${engine.label} (${engine.role})`), 'ratio'],
      rows: [...latencyRows, ...deliveryRows(results, row), ...costRows(row), ...semanticsRows(row)],
    },
    lines: [
      ...others.map(otherComparison),
      ...semanticsNote(engines),
      ...engines.flatMap(pollingNote),
      ...engines.flatMap(missingNote),
    ],
  }
}

type RowMaker = (title: string, cell: (engine: EngineResult) => Cell) => Cell[]

function quantileCell(series: SeriesResult, quantile: Quantile): Cell {
  const value = series[quantile]
  const interval = series.intervals[quantile]
  if (value === null) return { text: unknown }
  const detail = durationInterval(value, interval)
  return { text: duration(value, interval), detail: detail === '' ? 'no interval' : detail }
}

function ratioCell(comparison: ComparisonResult): Cell {
  if (comparison.verdict === 'NOT_DEMONSTRATED') return { text: 'not demonstrated', tone: 'doubt' }
  const interval = [comparison.low, comparison.high] as const
  const tones: Readonly<Record<string, Tone>> = { faster: 'good', slower: 'bad' }
  const bounds = factorInterval(comparison.ratio, interval)
  const detail = `${bounds} ${comparison.verdict}`.trim()
  return { text: factor(comparison.ratio, interval), detail, tone: tones[comparison.verdict] ?? 'plain' }
}

function deliveryRows(results: ResultsDocument, row: RowMaker): Cell[][] {
  return [
    row('exchanges measured', (engine) => ({ text: count(engine.roundTrip.n) })),
    row('throughput', (engine) => ({
      text: perSecond(engine.throughputPerSecond),
      detail: `of ${perSecond(engine.offeredPerSecond)} offered`,
    })),
    row('error rate', (engine) => ({
      text: share(engine.errorRate),
      tone: (engine.errorRate ?? 0) > 0 ? 'bad' : 'plain',
    })),
    row('completed', ({ exchanges }) => ({
      text: count(exchanges.completed),
      detail: `of ${count(exchanges.scheduled)}`,
    })),
    row('refused', ({ exchanges }) => tally(exchanges.refused)),
    row('timed out', ({ exchanges }) => tally(exchanges.timedOut)),
    row('lost', ({ exchanges }) => tally(exchanges.lost)),
    row('delivery classes', ({ exchanges }) => anomalyCell(exchanges)),
    row('valid rounds', (engine) => ({ text: `${count(engine.validRounds)} of ${count(results.plannedRounds)}` })),
  ]
}

function tally(value: number): Cell {
  return { text: count(value), tone: value > 0 ? 'bad' : 'plain' }
}

function anomalyCell(exchanges: ExchangeCounts): Cell {
  const found = anomalyClasses.filter(([key]) => exchanges[key] > 0)
  if (found.length === 0) return { text: 'clean' }
  const serious = found.some(([key]) => key !== 'wireDuplicates' && key !== 'late')
  return {
    text: found.map(([key, name]) => `${name} ${count(exchanges[key])}`).join(', '),
    tone: serious ? 'bad' : 'doubt',
  }
}

function costRows(row: RowMaker): Cell[][] {
  return [
    row('CPU of the engine', ({ resources }) => ({ text: percent(resources.cpuPercent) })),
    row('CPU per exchange', ({ resources }) => ({
      text: duration(resources.cpuUsPerExchange === null ? null : resources.cpuUsPerExchange / 1000),
    })),
    row('event loop delay p99', ({ resources }) => ({ text: duration(resources.eventLoopP99Ms) })),
    row('heap, most', ({ resources }) => ({ text: bytes(resources.heapMaxBytes) })),
    row('RSS, most', ({ resources }) => ({ text: bytes(resources.rssMaxBytes) })),
    row('connections, most', ({ resources }) => ({ text: count(resources.openConnectionsMax) })),
    row('commits', ({ resources }) => ({ text: count(resources.commits) })),
  ]
}

function semanticsRows(row: RowMaker): Cell[][] {
  return [
    row('promises delivery', ({ semantics }) => ({ text: semantics.delivery })),
    row('durability', ({ semantics }) => ({ text: semantics.durability })),
    row('order', ({ semantics }) => ({ text: semantics.ordering })),
    row('replay', ({ semantics }) => ({ text: semantics.replay })),
    row('expiry told by', ({ semantics }) => ({ text: semantics.expiry })),
    row('runs in', (engine) => ({ text: `${engine.host}, ${engine.transport}` })),
  ]
}

function otherComparison(comparison: ComparisonResult): Line {
  const what = `${comparison.candidate} against ${comparison.baseline}, ${metricNames[comparison.metric]} ${comparison.quantile}`
  const cell = ratioCell(comparison)
  return {
    text: `${what}: ${[cell.text, cell.detail ?? ''].join(' ').trimEnd()}.`,
    ...(cell.tone === undefined ? {} : { tone: cell.tone }),
  }
}

function semanticsNote(engines: readonly EngineResult[]): Line[] {
  const different =
    new Set(
      engines.map(({ semantics }) =>
        [semantics.delivery, semantics.durability, semantics.ordering, semantics.replay, semantics.expiry].join(),
      ),
    ).size > 1
  const declared = engines.filter((engine) => engine.semanticsBasis === 'declared')
  return [
    ...(different
      ? [
          {
            text: 'The engines promise different things; weigh the ratio with that difference.',
            tone: 'doubt' as const,
          },
        ]
      : []),
    ...declared.map((engine) => ({
      text: `What ${engine.label} promises is declared, not observed.`,
      tone: 'doubt' as const,
    })),
  ]
}

function pollingNote(engine: EngineResult): Line[] {
  if (engine.polling === undefined) return []
  const { theoreticalDelivery: theory, databaseQueries, emptyPolls, wastedPolls } = engine.polling
  return [
    {
      text:
        `${engine.label} looks every ${duration(theory.intervalMs)}: by theory one leg takes 0 to ${duration(theory.maxMs)}, ` +
        `on average ${duration(theory.meanMs)}; measured delivery p50 is ${duration(engine.delivery.p50Ms)}.`,
    },
    {
      text: `${engine.label} made ${count(databaseQueries)} database queries; ${count(emptyPolls)} looks found nothing, ${count(wastedPolls)} polls came back empty.`,
    },
  ]
}

const resourceNames: Readonly<Record<string, string>> = {
  rssMaxBytes: 'RSS',
  heapMaxBytes: 'heap',
  cpuPercent: 'CPU',
  cpuUsPerExchange: 'CPU per exchange',
  eventLoopP99Ms: 'event loop delay',
  openConnectionsMax: 'connections',
  walBytesMax: 'WAL',
  commits: 'commits',
}

function missingNote(engine: EngineResult): Line[] {
  return Object.entries(engine.resources.nullReasons).map(([key, reason]) => ({
    text: `${unknown} ${resourceNames[key] ?? key} of ${engine.label}: ${reason}.`,
  }))
}
