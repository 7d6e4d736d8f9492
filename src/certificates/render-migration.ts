/**
 * Renders the body of a migration's certificate, version 1, by the rules of render.ts: what was watched, phase by phase, then findings, bars
 * and risks, and the decision by migration-rules.ts. The three forms differ in their title, in what they rest on and in what they lead to.
 */
import type { Decision } from '../statistics/verdict.ts'
import { overallLevel, type Risk } from './assessment-risks.ts'
import { code, prose } from './escape.ts'
import { cross, duration, figure, plural, tick, warning } from './figures.ts'
import { journalEvidence, migrationTitles, type MigrationKind } from './format.ts'
import { formatIssueTime, readableTime } from './issue-time.ts'
import type { MigrationFacts, MigrationMeaning, Visit, VisitOutcome } from './migration-facts.ts'
import { migrationRisks } from './migration-risks.ts'
import { itemLine } from './previous.ts'
import { closedBody, renderEvidence, renderHead, renderRisks, renderSignature, type FrameInputs } from './render.ts'
import { limitedBy } from './render-findings.ts'
import { renderMigrationFindings } from './render-migration-findings.ts'
import { renderMigrationTargets } from './render-migration-targets.ts'

/** Lists that are longer end in how many more there are, and where. */
const limited = limitedBy(journalEvidence)

export function renderMigrationBody(inputs: FrameInputs, meaning: MigrationMeaning): string {
  const { migration } = meaning
  const risks = migrationRisks(migration)
  return closedBody([
    ...renderHead(migrationTitles[migration.kind], inputs),
    ...reviewScope(meaning),
    ...phasesInOrder(migration),
    '## FINDINGS',
    '',
    ...renderMigrationFindings(migration, limited),
    ...renderMigrationTargets(migration),
    ...renderRisks(risks),
    ...renderDecision(meaning, risks),
    ...renderNotAssessed(meaning),
    ...renderEvidence(inputs, evidenceSays),
    ...renderSignature(inputs),
  ])
}

const evidenceSays =
  'decisions and counts above are come to again by every verifier, counts from the histograms wherever the journal holds them.'

/** To the second; journals hold milliseconds. */
function wallTime(ms: number): string {
  return readableTime(formatIssueTime(ms))
}

function reviewScope({ migration, judged }: MigrationMeaning): string[] {
  const { id, plan, planSource, planSha256, planPhases, system, journal, commit, lighthouse } = migration
  const shares = planPhases.map(({ name, percentage }) => `${code(name)} ${figure(percentage)} %`).join(', ')
  return [
    '## REVIEW SCOPE',
    `- Decision scope: ${prose(judged.scope)}`,
    `- Migration ${code(id)}, ${wallTime(migration.beganWallMs)} to ${wallTime(migration.endedWallMs)}, ${statusWords(migration)}`,
    `- System: ${code(system.kind)} at ${code(system.address)}`,
    `- Plan: ${code(plan)} (${prose(planSource)}), SHA-256 ${code(planSha256)}, fixed in the journal's first line`,
    `- Phases of the plan: ${shares}`,
    `- Load: ${loadWords(migration)}`,
    `- Journal: ${plural(journal.lines, 'line')}, ${plural(journal.intervals, 'interval')}, ${plural(journal.decisions, 'decision')}, last hash ${code(journal.sha256)}, written by Lighthouse ${prose(lighthouse)}`,
    commit === null
      ? `- Code under test: ${warning} no commit was named when the migration began`
      : `- Code under test: commit ${code(commit)}, declared and not observed ${warning}`,
    '',
  ]
}

function statusWords({ status, over, paused, phase }: MigrationFacts): string {
  const words = {
    soaking: 'a phase goes on',
    awaitingApproval: 'somebody is asked for approval',
    held: 'held until somebody looks',
    completed: over ? 'completed' : 'the last phase is over, its trips are still armed',
    rolledBack: 'rolled back',
  } as const
  return `${words[status]}${paused ? ', paused' : ''}${phase === null ? '' : `; approved is the phase ${code(phase)}`}`
}

function loadWords({ account }: MigrationFacts): string {
  if (account === null) return 'what the system carried; no account of a load lies beside the journal'
  const { agents, ratePerSecond, payloadBytes, deadlineMs, seed, planted } = account
  const fault =
    planted === null
      ? ''
      : `; ${warning} planted on purpose: from ${figure(planted.fromPercentage)} % on the bridge was stalled for ${duration(planted.stallMs)} at a time, half of the time`
  return `${plural(agents, 'agent')}, ${figure(ratePerSecond)} exchanges/s, payload ${payloadBytes} bytes, deadline ${duration(deadlineMs)}, seed ${code(seed)}${fault}`
}

const outcomes: Readonly<Record<VisitOutcome, string>> = {
  left: `left for the next phase ${tick}`,
  'begun-anew': `begun anew ${warning}`,
  'sent-back': `sent back ${cross}`,
  completed: `met its gates, the last phase ${tick}`,
  present: `not over ${warning}`,
}

function phasesInOrder({ visits }: MigrationFacts): string[] {
  return ['### PHASES IN THE ORDER OF PLAY', '', ...limited(visits.map(visitLine)), '']
}

function visitLine(visit: Visit, index: number): string {
  const { phase, percentage, attempt, outcome, fromLine, toLine, soakMs, observedMs, agents, due, failed } = visit
  const lines = toLine === null ? `from line ${fromLine}` : `lines ${fromLine} to ${toLine}`
  const found = visit.findings.map(
    ({ title, found: isThere, reason }) =>
      `required ${prose(title)}: ${isThere ? `found ${tick}` : `not found ${cross}`} (${prose(reason)})`,
  )
  return [
    `${index + 1}. **${phase}** (${figure(percentage)} %${attempt === 1 ? '' : `, attempt ${attempt}`}): ${outcomes[outcome]}`,
    `${duration(observedMs)} observed of a soak of ${duration(soakMs)}`,
    ...(visit.unwatchedMs > 0 ? [`${duration(visit.unwatchedMs)} of intervals that nobody watched`] : []),
    `at most ${plural(agents, 'agent')} of ${visit.allAgents} on the new path`,
    `${plural(due, 'delivery', 'deliveries')} on it, ${failed} failed`,
    `${plural(visit.oldDue, 'delivery', 'deliveries')} on the old path, ${visit.oldFailed} failed`,
    ...found,
    `${lines} of the journal`,
  ].join('; ')
}

const rationales: Readonly<Record<Decision, string>> = {
  APPROVED: 'Every gate that this rests on was met, and nothing was lost',
  CONDITIONALLY_APPROVED: 'Every gate that this rests on was met, but nobody measured whether anything was lost',
  REQUIRES_REMEDIATION: 'Agents were sent back, or a gate was shown not to hold',
  EMERGENCY_STOP: 'Messages were not delivered as declared while agents were moved',
  NEEDS_FURTHER_REVIEW: 'What was seen does not suffice for a decision, or the migration is not over',
}

const advice: Readonly<Record<Decision, Readonly<Record<MigrationKind, string>>>> = {
  APPROVED: {
    migration: 'GO: the new path carries the agents within the scope stated above; nothing is said beyond it',
    canary: 'GO for the next phase within the scope stated above; nothing is said beyond it',
    rollback: 'NO-GO',
  },
  CONDITIONALLY_APPROVED: {
    migration: 'CONDITIONAL GO within the scope stated above, with the conditions above fulfilled first',
    canary: 'CONDITIONAL GO for the next phase, with the conditions above fulfilled first',
    rollback: 'NO-GO',
  },
  REQUIRES_REMEDIATION: sameFor('NO-GO until the cause is known and mended, and a new migration shows it'),
  EMERGENCY_STOP: sameFor('NO-GO; stop any rollout in progress, messages were not delivered as declared'),
  NEEDS_FURTHER_REVIEW: sameFor('NO-GO for now; what was seen does not carry a decision either way'),
}

function sameFor(text: string): Readonly<Record<MigrationKind, string>> {
  return { migration: text, canary: text, rollback: text }
}

function renderDecision({ migration, judged }: MigrationMeaning, risks: readonly Risk[]): string[] {
  const { decision, scope, reasons, conditions } = judged
  const counts = (['HIGH', 'MEDIUM', 'LOW'] as const).map(
    (level) => `${risks.filter((risk) => risk.level === level).length} ${level}`,
  )
  return [
    '## DECISION/OUTCOME',
    `**Status**: ${decision}`,
    `**Scope**: ${prose(scope)}`,
    `**Rationale**: ${rationales[decision]}`,
    ...limited(reasons.map(prose)).map((reason) => `- ${reason}`),
    '',
    migration.kind === 'rollback' ? '**Conditions for Another Attempt**:' : '**Conditions for Full Approval**:',
    ...(conditions.length === 0
      ? ['None.']
      : limited(conditions.map((item, index) => itemLine(index + 1, item, prose(item.text))))),
    '',
    `**Risk Level**: ${overallLevel(risks)} - ${counts.join(', ')} by the published rules`,
    '',
    `**Go/No-Go Recommendation**: ${advice[decision][migration.kind]}`,
    '',
  ]
}

function renderNotAssessed({ judged }: MigrationMeaning): string[] {
  const lines = judged.notAssessed.map(({ what, command }) => `${prose(what)}: ${code(command)}`)
  return [
    '## NOT ASSESSED',
    ...(lines.length === 0
      ? ['Nothing was declared out of reach of this migration.']
      : limited(lines).map((line) => `- ${line}`)),
    '',
  ]
}
