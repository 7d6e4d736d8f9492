/**
 * The FINDINGS of a certificate: numbered assessments with their rating, then engines, stages and claims as
 * tables. Ratings follow published rules from the results; every figure stands with its interval and its n.
 */
import type { EngineResult, ResultsDocument } from '../measurement/results-document.ts'
import { stopClasses } from '../statistics/decision.ts'
import { candidateViolations, provenanceDoubt } from './assessment-risks.ts'
import { shownFaster } from './assessment.ts'
import { cell, code, codeTable, prose } from './escape.ts'
import {
  bounded,
  candidateOf,
  cross,
  figure,
  plural,
  share,
  targetAssessment,
  targetMeasured,
  tick,
  warning,
  validRoundsOf,
  withUnit,
  type Mark,
} from './figures.ts'
import { engineSection, stageSection } from './render-engines.ts'

/** Rows of one list that are printed; the rest is counted and stays in results.json. */
const listed = 50

interface Finding {
  readonly title: string
  readonly rating: string
  readonly mark: Mark
  readonly lines: readonly string[]
}

export function renderFindings(results: ResultsDocument): string[] {
  const findings = [
    deliveryFinding(results),
    measurementFinding(results),
    targetsFinding(results),
    comparisonFinding(results),
    claimsFinding(results),
    provenanceFinding(results),
  ]
  return [
    '### IMPLEMENTATION ASSESSMENT SUMMARY',
    '',
    ...findings.flatMap((finding, index) => [
      `#### ${index + 1}. ${finding.title}: ${finding.rating} ${finding.mark}`,
      ...limited(finding.lines).map((line) => `- ${line}`),
      '',
    ]),
    ...engineSection(results),
    ...stageSection(results),
    ...claimSection(results),
  ]
}

/** Cuts lists, and says where the rest stands. */
export function limitedBy(file: string): (lines: readonly string[]) => readonly string[] {
  return (lines) =>
    lines.length <= listed ? lines : [...lines.slice(0, listed), `${lines.length - listed} more are in ${file}`]
}

export const limited = limitedBy('results.json')

function deliveryFinding(results: ResultsDocument): Finding {
  const candidate = candidateOf(results)
  const violations = candidateViolations(results)
  const complete = results.ledger.state === 'COMPLETE' && candidate !== undefined && candidate.exchanges.scheduled > 0
  const lines = results.engines.map(
    (engine) =>
      `**${code(engine.label)}** (${engine.role}), ${plural(engine.validRounds, 'valid round')}: ${ledgerLine(engine)}`,
  )
  const reasons = results.ledger.reasons.map((reason) => `**Ledger**: ${prose(reason)}`)
  if (violations.length > 0) {
    const stops = violations.map(({ name, count }) => `**Violation**: ${count} ${name}`)
    return finding('Message Delivery', 'VIOLATED', cross, [...lines, ...stops, ...reasons])
  }
  if (!complete) return finding('Message Delivery', 'NOT DEMONSTRATED', warning, [...lines, ...reasons])
  return finding('Message Delivery', 'FULLY COMPLIANT', tick, [...lines, ...reasons])
}

function ledgerLine({ exchanges }: EngineResult): string {
  const { scheduled, completed, refused, timedOut, lost, wireDuplicates, late, reordered } = exchanges
  const classes = [...stopClasses.map((name) => `${name} ${exchanges[name]}`), `reordered ${reordered}`].join(', ')
  return (
    `${scheduled} scheduled = ${completed} completed + ${refused} refused + ${timedOut} timed out + ${lost} lost; ` +
    `${classes}; late ${late}, duplicates on the wire ${wireDuplicates}`
  )
}

function measurementFinding(results: ResultsDocument): Finding {
  const { generator } = results
  const lines = [
    ...results.engines.map(
      (engine) =>
        `**${code(engine.label)}**: ${plural(engine.validRounds, 'valid round')} of ${results.plannedRounds} planned`,
    ),
    `**Load Generator**: achieved ${generator.achievedRatio === null ? 'share not known' : `${figure(100 * generator.achievedRatio)} %`} of the offered rate, ` +
      `send lateness P99 ${withUnit(generator.latenessP99Ms, 'ms')}, ` +
      `event loop P99 ${withUnit(generator.eventLoopP99Ms, 'ms')}, CPU ${withUnit(generator.cpuPercent, '%')}`,
    ...generator.reasons.map((reason) => `**Generator Doubt**: ${prose(reason)}`),
    ...results.invalidRounds.map(
      ({ round, engine, reasons }) =>
        `**Invalid Round ${round + 1}** of ${code(engine)}, not counted: ${prose(reasons.join(' '))}`,
    ),
  ]
  const enough = validRoundsOf(results) >= results.plannedRounds
  if (!generator.valid) return finding('Measurement Validity', 'INVALID', cross, lines)
  if (!enough) return finding('Measurement Validity', 'ROUNDS MISSING', warning, lines)
  return finding('Measurement Validity', 'VALID', tick, lines)
}

function targetsFinding(results: ResultsDocument): Finding {
  const mandatory = results.targets.filter((target) => target.mandatory)
  const met = mandatory.filter(({ verdict }) => verdict === 'MET').length
  const optional = results.targets.filter((target) => !target.mandatory)
  const lines = [
    `**Mandatory**: ${share(met, mandatory.length)} met`,
    `**Optional**: ${share(optional.filter(({ verdict }) => verdict === 'MET').length, optional.length)} met`,
    ...results.targets
      .filter(({ verdict }) => verdict !== 'MET')
      .map(
        (target) =>
          `**${prose(target.title)}**: ${target.verdict}, ${targetMeasured(target)}${target.reason === '' ? '' : `; ${prose(target.reason)}`}`,
      ),
  ]
  if (results.targets.some(({ verdict }) => verdict === 'NOT_MET'))
    return finding('Performance Targets', 'NOT MET', cross, lines)
  if (results.targets.length === 0) return finding('Performance Targets', 'NONE DECLARED', warning, lines)
  if (results.targets.every(({ verdict }) => verdict === 'NOT_DEMONSTRATED')) {
    return finding('Performance Targets', 'NOT DEMONSTRATED', warning, lines)
  }
  if (results.targets.some(({ verdict }) => verdict !== 'MET'))
    return finding('Performance Targets', 'PARTIALLY MET', warning, lines)
  return finding('Performance Targets', 'MET', tick, lines)
}

function comparisonFinding(results: ResultsDocument): Finding {
  const lines = results.comparisons.map(
    ({ baseline, candidate, metric, quantile, ratio, low, high, rounds, verdict }) => {
      const times = ratio === null ? unknownRatio : `${bounded(ratio, [low, high], '')} times`
      return `**${metric} ${quantile.toUpperCase()}**: ${code(baseline)} over ${code(candidate)} ${times}, ${plural(rounds, 'paired round')}, verdict ${verdict}`
    },
  )
  const candidate = candidateOf(results)?.label
  const slower = results.comparisons.some(
    (row) => row.candidate === candidate && row.metric === 'roundTrip' && row.verdict === 'slower',
  )
  if (slower) return finding('Comparison with the Baseline', 'SLOWER', cross, lines)
  if (results.comparisons.every(({ verdict }) => verdict === 'NOT_DEMONSTRATED')) {
    return finding('Comparison with the Baseline', 'NOT DEMONSTRATED', warning, lines)
  }
  if (!shownFaster(results)) return finding('Comparison with the Baseline', 'NO DIFFERENCE SHOWN', warning, lines)
  return finding('Comparison with the Baseline', 'FASTER', tick, lines)
}

const unknownRatio = 'ratio not known'

function claimsFinding(results: ResultsDocument): Finding {
  const count = (verdict: string): number => results.claims.filter((claim) => claim.verdict === verdict).length
  const lines = [
    `**Claims**: ${count('SHOWN')} shown, ${count('REFUTED')} refuted, ${count('NOT_SHOWN')} not shown, of ${results.claims.length}`,
  ]
  if (count('REFUTED') > 0) return finding('Claims under Test', 'REFUTED IN PART', cross, lines)
  if (results.claims.length > 0 && count('SHOWN') === 0)
    return finding('Claims under Test', 'NOT SHOWN', warning, lines)
  if (count('NOT_SHOWN') > 0) return finding('Claims under Test', 'SHOWN IN PART', warning, lines)
  if (results.claims.length === 0) return finding('Claims under Test', 'NONE GIVEN', warning, lines)
  return finding('Claims under Test', 'SHOWN', tick, lines)
}

function provenanceFinding(results: ResultsDocument): Finding {
  const { environment } = results
  const doubt = provenanceDoubt(results)
  const lines = [
    `**Commit**: ${environment.commit.value === null ? 'not known' : code(environment.commit.value)}`,
    ...(doubt === null ? [] : [`**Doubt**: ${prose(doubt)}`]),
    `**Lock File SHA-256**: ${environment.lockfileSha256.value === null ? 'not known' : code(environment.lockfileSha256.value)}`,
    `**Machine**: ${prose(environment.cpuModel)}, ${plural(environment.logicalCpus, 'logical CPU')}, ` +
      `${figure(environment.memoryBytes / 2 ** 30)} GiB, ${prose(environment.platform)} ${prose(environment.kernel)}, Node ${prose(environment.nodeVersion)}`,
    `**Disturbance**: steal ${withUnit(environment.stealPercent.value, '%')}, foreign CPU ${withUnit(environment.foreignCpuPercent.value, '%')}`,
  ]
  return doubt === null
    ? finding('Code under Test', 'PINNED', tick, lines)
    : finding('Code under Test', 'NOT PINNED', warning, lines)
}

function finding(title: string, rating: string, mark: Mark, lines: readonly string[]): Finding {
  return { title, rating, mark, lines }
}

function claimSection(results: ResultsDocument): string[] {
  if (results.claims.length === 0) return []
  const marks = { SHOWN: tick, REFUTED: cross, NOT_SHOWN: warning } as const
  return [
    '### PERFORMANCE CLAIM VALIDATION',
    '',
    ...limited(
      results.claims.map(
        ({ id, source, statement, verdict, value, low, high, reason }) =>
          `${marks[verdict]} **${verdict}** ${code(id)} (${prose(source)}): ${prose(statement.replace(/\.$/, ''))}. ${value === null ? '' : `Measured ${bounded(value, [low, high], '')}. `}${prose(reason)}`,
      ),
    ).map((line) => `- ${line}`),
    '',
  ]
}

/** The table of the seeds' certificates: one row per target, in the order declared. */
export function renderTargets(results: ResultsDocument): string[] {
  return [
    '### PERFORMANCE TARGETS VALIDATION',
    '',
    ...codeTable([
      ['Metric', 'Requirement', 'Measured [95 % interval], n', 'Assessment'],
      ...results.targets.map((target) => [
        cell(target.title),
        cell(target.expression),
        targetMeasured(target),
        targetAssessment(target),
      ]),
    ]),
    '',
  ]
}
