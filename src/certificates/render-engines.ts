/**
 * The tables of a certificate that say what was measured of each engine: its semantics first, because figures of
 * engines that promise different things compare only with that difference in view, then latencies and stages.
 */
import type { EngineResult, ResultsDocument, SeriesResult } from '../measurement/results-document.ts'
import { cell, code, codeTable, prose } from './escape.ts'
import { bounded, figure, plural, warning, withUnit } from './figures.ts'

export function engineSection(results: ResultsDocument): string[] {
  const series = (engine: EngineResult, name: string, result: SeriesResult): string[] => [
    cell(engine.label),
    name,
    bounded(result.p50Ms, result.intervals.p50Ms, ''),
    bounded(result.p95Ms, result.intervals.p95Ms, ''),
    bounded(result.p99Ms, result.intervals.p99Ms, ''),
    bounded(result.p999Ms, result.intervals.p999Ms, ''),
    `n=${result.n}`,
  ]
  return [
    '### ENGINES',
    '',
    ...results.engines.flatMap(semanticsLines),
    '',
    'Milliseconds with 95 % intervals; delivery and round trip count from the scheduled time, service from the send:',
    '',
    ...codeTable([
      ['Engine', 'Series', 'P50', 'P95', 'P99', 'P99.9', 'Samples'],
      ...results.engines.flatMap((engine) => [
        series(engine, 'delivery', engine.delivery),
        series(engine, 'roundTrip', engine.roundTrip),
        series(engine, 'serviceTime', engine.serviceTime),
      ]),
    ]),
    '',
  ]
}

function semanticsLines(engine: EngineResult): string[] {
  const { semantics, resources, exchanges } = engine
  const options = Object.entries(engine.options).map(([name, value]) => `${name}=${value}`)
  const basis = engine.semanticsBasis === 'declared' ? `${warning} declared, not observed` : 'started by this run'
  const polling = engine.polling
  const semanticsLine =
    `- **${code(engine.label)}** (${engine.role}, ${engine.host}, ${engine.transport}): ${semantics.delivery}, durability ${semantics.durability}, ` +
    `ordering ${semantics.ordering}, replay ${semantics.replay}, expiry by the ${semantics.expiry}; ${basis}${options.length === 0 ? '' : `; options ${code(options.join(' '))}`}`
  if (engine.validRounds === 0) return [semanticsLine, '  - No valid round: nothing is reported of it']
  return [
    semanticsLine,
    `  - **Throughput**: ${withUnit(engine.throughputPerSecond, 'exchanges/s')} completed of ${figure(engine.offeredPerSecond)} offered, ` +
      `error rate ${engine.errorRate === null ? 'not known' : `${figure(100 * engine.errorRate)} %`} (n=${exchanges.scheduled}, ${plural(engine.validRounds, 'round')})`,
    `  - **Resources**, maxima over ${plural(engine.validRounds, 'round')}: RSS ${mebibytes(engine, 'rssMaxBytes')}, heap ${mebibytes(engine, 'heapMaxBytes')}, ` +
      `CPU ${withUnit(resources.cpuPercent, '%')}, ${withUnit(resources.cpuUsPerExchange, 'µs')} per exchange, connections ${figure(resources.openConnectionsMax)}`,
    ...(polling === undefined
      ? []
      : [
          `  - **Polling**: ${polling.databaseQueries} database queries, ${polling.emptyPolls} empty polls, ${polling.pollTimeouts} timeouts; ` +
            `in theory an interval of ${figure(polling.theoreticalDelivery.intervalMs)} ms delays one leg by ${figure(polling.theoreticalDelivery.meanMs)} ms on average`,
        ]),
  ]
}

function mebibytes({ resources }: EngineResult, name: 'rssMaxBytes' | 'heapMaxBytes'): string {
  const bytes = resources[name]
  if (bytes !== null) return `${figure(Math.round((bytes / 2 ** 20) * 10) / 10)} MiB`
  const reason = resources.nullReasons[name]
  return reason === undefined ? 'not known' : `not known (${prose(reason)})`
}

export function stageSection(results: ResultsDocument): string[] {
  const rows = results.engines.flatMap((engine) =>
    Object.entries(engine.stages ?? {}).map(([name, stage]) => [
      cell(engine.label),
      cell(name),
      figure(stage.p50Us),
      figure(stage.p99Us),
      `n=${stage.n}`,
    ]),
  )
  if (rows.length === 0) return []
  return [
    '### STAGE LATENCIES',
    '',
    'Microseconds inside the engine, pooled over valid rounds; point estimates without intervals:',
    '',
    ...codeTable([['Engine', 'Stage', 'P50', 'P99', 'Samples'], ...rows]),
    '',
  ]
}
