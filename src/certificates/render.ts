/**
 * Renders the body of a certificate, version 1: a pure function of the results, the run's manifest and a few fixed
 * inputs. The verifier renders again and compares bytes, so everything here is deterministic, no clock, locale or
 * environment is read, and free text is escaped where it stands. What changes a single byte of the output is a new
 * renderer version; the old one stays.
 */
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import { findRisks, overallLevel, provenanceDoubt, type Risk } from './assessment-risks.ts'
import { conditionsOf, goNoGo, rationale, statusOf } from './assessment.ts'
import { fenceOpen } from './certificate-text.ts'
import { code, field, prose } from './escape.ts'
import type { ManifestEntry } from './evidence-manifest.ts'
import { cross, duration, figure, plural, tick, warning } from './figures.ts'
import { decisionRulesVersion, packageNames, rendererVersion, type RunCertificateKind } from './format.ts'
import { readableTime } from './issue-time.ts'
import { itemLine, reviewPrevious, type PreviousCertificate } from './previous.ts'
import { renderRecommendations, renderTechnicalAssessment } from './render-analysis.ts'
import { limited, renderFindings, renderTargets } from './render-findings.ts'
import type { RunMeaning } from './subject.ts'
import { checkTextRules } from './text-rules.ts'

/** What stands in every certificate, whatever it is about. */
export interface FrameInputs {
  readonly id: string
  readonly component: string
  readonly agent: string
  /** As `formatIssueTime` writes it. */
  readonly issuedAt: string
  readonly fingerprint: string
  readonly manifestSha256: string
  readonly evidence: readonly ManifestEntry[]
}

export interface CertificateInputs extends FrameInputs {
  readonly kind: RunCertificateKind
  readonly run: RunManifest
  readonly results: ResultsDocument
  readonly previous: PreviousCertificate | null
}

const titles: Readonly<Record<RunCertificateKind, string>> = {
  readiness: 'PERFORMANCE READINESS ASSESSMENT CERTIFICATE',
  analysis: 'COMPREHENSIVE PERFORMANCE ANALYSIS CERTIFICATE',
}

export function renderBody(inputs: CertificateInputs): string {
  const { kind, results } = inputs
  const risks = findRisks(results)
  const lines = [
    ...renderHead(titles[kind], inputs),
    ...reviewScope(inputs),
    '## FINDINGS',
    '',
    ...renderFindings(results),
    ...renderTargets(results),
    ...renderRisks(risks),
    ...renderPrevious(inputs),
    ...(kind === 'analysis' ? renderTechnicalAssessment(results, risks) : []),
    ...renderDecision(inputs, risks),
    ...renderNotAssessed(results),
    ...renderEvidence(inputs),
    ...(kind === 'analysis' ? renderRecommendations(results) : []),
    ...renderSignature(inputs),
  ]
  return closedBody(lines)
}

/** Everything that is signed inside the file: it ends in the line that opens the signature's code block. */
export function closedBody(lines: readonly string[]): string {
  const body = `${lines.join('\n')}\n${fenceOpen}`
  checkTextRules(body, 'the rendered certificate')
  return body
}

export function renderHead(title: string, inputs: FrameInputs): string[] {
  return [
    `# ${title}`,
    '',
    `**Component**: ${field(inputs.component)}`,
    `**Agent**: ${field(inputs.agent)}`,
    `**Date**: ${readableTime(inputs.issuedAt)}`,
    `**Certificate ID**: ${inputs.id}`,
    '',
  ]
}

function reviewScope(inputs: CertificateInputs): string[] {
  return ['## REVIEW SCOPE', ...scopeLines(inputs), codeUnderTest(provenanceDoubt(inputs.results), inputs.results), '']
}

/** What one run covered, and by which bars it was judged. */
export function scopeLines({ run, results }: RunMeaning): string[] {
  const { plan } = run
  return [
    `- Decision scope: ${prose(results.scope)}`,
    `- Suite ${code(results.suite)}, profile ${code(results.profile)}, run ${code(results.runId)}, seed ${code(results.seed)}`,
    `- Engines: ${results.engines.map(({ label, role }) => `${code(label)} (${role})`).join(' against ')}`,
    `- Load: ${plural(plan.agents, 'agent')}, ${figure(plan.ratePerSecond)} exchanges/s, pattern ${code(plan.pattern)}, payload ${plan.payloadBytes} bytes, ` +
      `${plan.loadModel} loop${plan.loadModel === 'closed' ? ' (not coordinated-omission safe)' : ''}`,
    `- Plan: ${plural(plan.rounds, 'round')} of ${duration(plan.roundDurationMs)} per engine, interleaved, warm-up ${duration(plan.warmupMs)}, deadline ${duration(plan.deadlineMs)}`,
    `- Targets: ${prose(run.targets.source)}, SHA-256 ${code(run.targets.sha256)}, fixed in run.json`,
    `- Claims: ${prose(run.claims.source)}, SHA-256 ${code(run.claims.sha256)}`,
  ]
}

export function codeUnderTest(doubt: string | null, { environment }: Pick<ResultsDocument, 'environment'>): string {
  return doubt === null
    ? `- Code under test: commit ${code(environment.commit.value ?? '')} ${tick}`
    : `- Code under test: ${warning} ${prose(doubt)}`
}

export function renderRisks(risks: readonly Risk[]): string[] {
  return [
    '### CRITICAL PERFORMANCE RISKS IDENTIFIED',
    '',
    ...(risks.length === 0 ? ['None by the published rules.', ''] : []),
    ...risks.flatMap((risk, index) => [
      `${index + 1}. **${risk.level} RISK**: ${risk.title}`,
      ...limited(risk.details).map((detail) => `   - ${detail}`),
      '',
    ]),
  ]
}

function renderPrevious({ previous, results }: CertificateInputs): string[] {
  if (previous === null) return []
  const marks = { CLOSED: tick, OPEN: warning, WORSE: cross } as const
  const reviews = reviewPrevious(previous, results)
  return [
    '### PREVIOUS CERTIFICATE',
    '',
    `- **Certificate ID**: ${previous.id} of ${previous.date}, status ${code(previous.status)}, signed by ${code(previous.fingerprint)}`,
    ...reviews.map(
      ({ item, outcome, evidence }) =>
        `- ${marks[outcome]} **${outcome}** ${item.id} ${item.key} (was ${item.state}): ${prose(evidence)}`,
    ),
    ...(reviews.length === 0 ? ['- It had neither conditions nor recommendations'] : []),
    '',
  ]
}

function renderDecision({ kind, results }: CertificateInputs, risks: readonly Risk[]): string[] {
  const conditions = conditionsOf(results)
  const counts = (['HIGH', 'MEDIUM', 'LOW'] as const).map(
    (level) => `${risks.filter((risk) => risk.level === level).length} ${level}`,
  )
  return [
    '## DECISION/OUTCOME',
    `**Status**: ${statusOf(kind, results)}`,
    ...(kind === 'analysis' ? [`**Readiness Decision**: ${results.decision}`] : []),
    `**Scope**: ${prose(results.scope)}`,
    `**Rationale**: ${rationale(results.decision)}`,
    ...limited(results.decisionReasons).map((reason) => `- ${prose(reason)}`),
    '',
    kind === 'analysis' ? '**Conditions**:' : '**Conditions for Full Approval**:',
    ...(conditions.length === 0
      ? ['None.']
      : conditions.map((item, index) => itemLine(index + 1, item, prose(item.text)))),
    '',
    `**Risk Level**: ${overallLevel(risks)} - ${counts.join(', ')} by the published rules`,
    '',
    `**Go/No-Go Recommendation**: ${goNoGo(results.decision)}`,
    '',
  ]
}

function renderNotAssessed(results: ResultsDocument): string[] {
  return [
    '## NOT ASSESSED',
    ...(results.notAssessed.length === 0 ? ['Nothing was declared out of reach of this run.'] : []),
    ...limited(results.notAssessed.map(({ what, command }) => `${prose(what)}: ${code(command)}`)).map(
      (line) => `- ${line}`,
    ),
    '',
  ]
}

const recomputed = 'figures above are recomputed from the histograms by every verifier.'

export function renderEvidence({ evidence, id }: FrameInputs, says = recomputed): string[] {
  return [
    '## EVIDENCE',
    `Listed in ${code(packageNames(id).manifest)}; ${says}`,
    '',
    ...evidence.slice(0, 1000).map(({ path, sha256 }) => `- ${code(path)} SHA-256 ${code(sha256)}`),
    ...(evidence.length > 1000 ? [`- ${evidence.length - 1000} more in the manifest`] : []),
    '',
  ]
}

export function renderSignature({ agent, issuedAt, manifestSha256, fingerprint }: FrameInputs): string[] {
  return [
    '## SIGNATURE',
    `Agent: ${field(agent)}`,
    `Timestamp: ${readableTime(issuedAt)}`,
    `Certificate Hash: ${manifestSha256}`,
    `Key Fingerprint: ${fingerprint}`,
    `Rendered by: renderer ${rendererVersion}, decision rules ${decisionRulesVersion}`,
    '',
  ]
}
