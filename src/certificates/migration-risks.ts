/**
 * Risks of a migration and their levels, by published rules (docs/certificates.md, decision rules version 1): each follows from one fact, in a
 * fixed order, HIGH first.
 */
import type { Risk, RiskLevel } from './assessment-risks.ts'
import { code, prose } from './escape.ts'
import { duration, plural } from './figures.ts'
import { canaryMs, canaryVisit, unwatchedIntervalsMs, type MigrationFacts } from './migration-facts.ts'
import { judgedGates, stopsOf } from './migration-rules.ts'
import { isLossMeasured } from './migration-scope.ts'

export function migrationRisks(facts: MigrationFacts): readonly Risk[] {
  const all = [
    ...deliveryRisks(facts),
    ...incidentRisks(facts),
    ...gateRisks(facts),
    ...watchRisks(facts),
    ...sourceRisks(facts),
  ]
  const levels: readonly RiskLevel[] = ['HIGH', 'MEDIUM', 'LOW']
  return levels.flatMap((level) => all.filter((risk) => risk.level === level))
}

function deliveryRisks(facts: MigrationFacts): Risk[] {
  const { account, securityViolations } = facts
  const risks = stopsOf(facts).map(({ name, count, source }): Risk => ({
    level: 'HIGH',
    title: `Delivery Violation, ${name}: ${count}, as the ${source} counts them`,
    details: ['The rules allow none; see the account under FINDINGS'],
  }))
  if (account !== null && (account.unknown.length > 0 || account.rounds === 0))
    risks.push({
      level: 'HIGH',
      title: 'Account Incomplete',
      details:
        account.rounds === 0
          ? ['It holds no round']
          : account.unknown.map(({ round, reasons }) => `Round ${round}: ${prose(reasons.join('; '))}`),
    })
  if (securityViolations > 0)
    risks.push({
      level: 'HIGH',
      title: `Security Violations: ${securityViolations}`,
      details: ['No honest client causes one'],
    })
  if (!isLossMeasured(facts))
    risks.push({
      level: 'MEDIUM',
      title: 'Loss Not Measured',
      details: ['No account lies beside the journal, and the system does not count what was acknowledged and lost'],
    })
  return risks
}

function incidentRisks({ incidents, failedSteps }: MigrationFacts): Risk[] {
  const risks = incidents.map(({ phase, percentage, through, reasons, verified, line }): Risk => ({
    level: 'HIGH',
    title: `Agents Sent Back from ${code(phase)}, ${percentage} % to ${through.at(-1) ?? 0} %`,
    details: [
      ...reasons.map(prose),
      ...(verified ? [] : ['The old path was not seen to carry them']),
      `Line ${line} of the journal`,
    ],
  }))
  if (failedSteps.length > 0)
    risks.push({
      level: 'MEDIUM',
      title: `${plural(failedSteps.length, 'Step')} Not as It Should Be`,
      details: failedSteps.map(({ line, step, detail }) => `Line ${line}, ${prose(step)}: ${prose(detail)}`),
    })
  return risks
}

function gateRisks(facts: MigrationFacts): Risk[] {
  const risks = judgedGates(facts)
    .filter(({ verdict }) => verdict !== 'MET')
    .map(({ visit, title, expression, verdict, reason }): Risk => ({
      level: verdict === 'NOT_MET' ? 'HIGH' : 'MEDIUM',
      title: `${code(visit.phase)}, ${prose(title)}: ${verdict}`,
      details: [`Required ${code(expression)}`, prose(reason)],
    }))
  const canary = canaryVisit(facts)
  if (canary !== undefined && canary.observedMs < canaryMs)
    risks.push({
      level: 'MEDIUM',
      title: 'Canary Shorter than 48 h',
      details: [`${code(canary.phase)} was observed for ${duration(canary.observedMs)}; 48 h are NOT_DEMONSTRATED`],
    })
  if (facts.holds > 0)
    risks.push({
      level: 'MEDIUM',
      title: 'Phases Held',
      details: [`${plural(facts.holds, 'time')} gates were not met in the time that the plan grants`],
    })
  if (facts.investigated.length > 0)
    risks.push({ level: 'MEDIUM', title: 'Bars Exceeded That Only Tell', details: facts.investigated.map(prose) })
  return risks
}

function watchRisks(facts: MigrationFacts): Risk[] {
  const { unwatchedMs, taken, failedChecks } = facts
  const risks: Risk[] = []
  const intervalsMs = unwatchedIntervalsMs(facts)
  if (intervalsMs > 0)
    risks.push({
      level: 'LOW',
      title: 'Intervals Unwatched',
      details: [`${duration(intervalsMs)} that ended while nobody watched, and promoted nobody`],
    })
  if (unwatchedMs > 0)
    risks.push({
      level: 'MEDIUM',
      title: 'Time Unwatched',
      details: [
        `${duration(unwatchedMs)} between ${plural(taken, 'process', 'processes')}, in which no trip was armed`,
      ],
    })
  if (failedChecks > 0)
    risks.push({ level: 'MEDIUM', title: `${plural(failedChecks, 'Health Check')} Failed`, details: [] })
  return risks
}

function sourceRisks({ account, commit, journal }: MigrationFacts): Risk[] {
  const risks: Risk[] = []
  if (account !== null && account.planted !== null)
    risks.push({
      level: 'MEDIUM',
      title: 'Fault Planted on Purpose',
      details: [
        `From ${account.planted.fromPercentage} % of agents on, deliveries of the new path were stalled by ${duration(account.planted.stallMs)}`,
      ],
    })
  if (commit === null)
    risks.push({
      level: 'MEDIUM',
      title: 'Code under Test Not Pinned',
      details: ['No commit was named when the migration began'],
    })
  else
    risks.push({
      level: 'LOW',
      title: 'Commit Declared, Not Observed',
      details: ['Whoever began the migration named it; the system that was moved was not asked'],
    })
  if (journal.withoutHistogram > 0)
    risks.push({
      level: 'LOW',
      title: 'Counts without Histograms',
      details: [
        `${plural(journal.withoutHistogram, 'group')} of agents in intervals that the system counted by itself`,
      ],
    })
  return risks
}
