/**
 * What an analysis certificate adds: the TECHNICAL ASSESSMENT, which says of each expected bottleneck and of each
 * expected improvement whether the run confirms it, and the numbered RECOMMENDATIONS. A statement is CONFIRMED or
 * NOT CONFIRMED by a stated rule; nothing is argued from design.
 */
import type { EngineResult, ResultsDocument } from '../measurement/results-document.ts'
import { overallLevel, type Risk } from './assessment-risks.ts'
import { recommendationsOf, slowestStage } from './assessment.ts'
import { code, prose } from './escape.ts'
import { bounded, candidateOf, figure, plural, share } from './figures.ts'
import { itemLine } from './previous.ts'
import { limited } from './render-findings.ts'

interface Statement {
  readonly confirmed: boolean
  readonly text: string
}

export function renderTechnicalAssessment(results: ResultsDocument, risks: readonly Risk[]): string[] {
  return [
    '## TECHNICAL ASSESSMENT',
    '',
    '### Performance Bottleneck Analysis',
    ...statements(results.engines.filter(({ role }) => role === 'baseline').flatMap(bottlenecks)),
    '',
    '### Improvement Potential Validation',
    ...statements(improvements(results)),
    '',
    '### Risk Analysis',
    `**${overallLevel(risks)} RISK**: ${plural(risks.length, 'risk')} by the published rules`,
    ...limited(risks.map((risk) => `${risk.level}: ${risk.title}`)).map((line) => `- ${line}`),
    '',
  ]
}

function statements(found: readonly Statement[]): string[] {
  if (found.length === 0) return ['**NOT CONFIRMED**: the run holds nothing to judge by']
  return found.map(
    ({ confirmed, text }, index) => `${index + 1}. **${confirmed ? 'CONFIRMED' : 'NOT CONFIRMED'}**: ${text}`,
  )
}

/** Of the baseline: the sleep, and the polls that found nothing. */
function bottlenecks(engine: EngineResult): Statement[] {
  const label = code(engine.label)
  const found: Statement[] = []
  const { polling, delivery } = engine
  if (polling !== undefined) {
    const { intervalMs, meanMs } = polling.theoreticalDelivery
    const [low] = delivery.intervals.p50Ms
    found.push({
      confirmed: low !== null && low >= meanMs / 2,
      text:
        `**Latency**: delivery by ${label} has P50 ${bounded(delivery.p50Ms, delivery.intervals.p50Ms, 'ms')}, n=${delivery.n}; ` +
        `sleeping ${figure(intervalMs)} ms between checks alone costs ${figure(meanMs)} ms on average (confirmed when the lower bound is at least half of that)`,
    })
    const polls = polling.emptyPolls + engine.exchanges.completed * 2
    found.push({
      confirmed: polling.emptyPolls > engine.exchanges.completed * 2,
      text:
        `**Efficiency**: ${polling.emptyPolls} empty polls beside ${engine.exchanges.completed * 2} legs delivered by ${label} ` +
        `(${share(polling.emptyPolls, polls)}; confirmed when empty polls outnumber delivered legs)`,
    })
    found.push({
      confirmed: polling.databaseQueries > engine.exchanges.scheduled * 4,
      text:
        `**Database Load**: ${polling.databaseQueries} queries for ${engine.exchanges.scheduled} exchanges of ${label} ` +
        '(confirmed when there is more than one query per frame, four frames to an exchange)',
    })
  }
  return found
}

function improvements(results: ResultsDocument): Statement[] {
  const candidate = candidateOf(results)
  if (candidate === undefined) return []
  const found: Statement[] = results.comparisons
    .filter((row) => row.candidate === candidate.label)
    .map((row) => ({
      confirmed: row.verdict === 'faster',
      text:
        `**${row.metric} ${row.quantile.toUpperCase()}**: ${code(row.candidate)} against ${code(row.baseline)}, ` +
        `ratio ${bounded(row.ratio, [row.low, row.high], '')}, ${plural(row.rounds, 'paired round')}, verdict ${row.verdict}`,
    }))
  const slowest = slowestStage(results)
  const total = candidate.stages?.total
  if (slowest !== null && total !== undefined) {
    found.push({
      confirmed: total.p99Us !== null && slowest.p99Us < total.p99Us,
      text:
        `**Stages**: the slowest stage of ${code(candidate.label)} is ${prose(slowest.name)}, P99 ${figure(slowest.p99Us)} µs (n=${slowest.n}), ` +
        `within a total of ${figure(total.p99Us)} µs (n=${total.n}); confirmed when the parts lie within the whole`,
    })
  }
  return found
}

export function renderRecommendations(results: ResultsDocument): string[] {
  const items = recommendationsOf(results)
  return [
    '## PERFORMANCE ENGINEERING RECOMMENDATIONS',
    '',
    ...(items.length === 0
      ? ['None by the published rules.']
      : items.map((item, index) => itemLine(index + 1, item, prose(item.text)))),
    '',
  ]
}
