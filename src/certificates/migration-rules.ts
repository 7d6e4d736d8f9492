/**
 * The decision about a migration, by published rules (docs/certificates.md, decision rules version 1), from its facts alone. The first that
 * applies decides:
 *   1. a broken promise of delivery in any round of the account, or anything that the system counted as lost → EMERGENCY_STOP
 *   2. agents went back and no phase was entered since, or after the phase that is approved, or the
 *      certificate is of their going back                                                                    → REQUIRES_REMEDIATION
 *   3. a gate that the decision rests on is NOT_MET                                                          → REQUIRES_REMEDIATION
 *   4. the account is UNKNOWN in a round or has none, the migration is not over (an approval of a phase
 *      does not ask for that), or a gate that the decision rests on is NOT_DEMONSTRATED                      → NEEDS_FURTHER_REVIEW
 *   5. loss was measured by nobody: no account, and a system that does not count it                          → CONDITIONALLY_APPROVED
 *   6. else                                                                                                  → APPROVED
 * The 48 hours that the seeds ask of a canary are a target that is not mandatory: said every time, deciding nothing.
 */
import type { Incident } from '../measurement/migration-document.ts'
import { stopClasses } from '../statistics/decision.ts'
import type { Decision } from '../statistics/verdict.ts'
import type { Item } from './assessment.ts'
import { duration, plural } from './figures.ts'
import {
  coveredVisits,
  type GateFact,
  type MigrationFacts,
  type MigrationJudgement,
  type Visit,
} from './migration-facts.ts'
import { isLossMeasured, lossNotMeasured, notAssessed, scopeText } from './migration-scope.ts'

export interface Stop {
  readonly name: string
  readonly count: number
  readonly source: 'account' | 'system'
}

/** What no migration may show. */
export function stopsOf({ account, lost }: MigrationFacts): readonly Stop[] {
  const classes = account === null ? [] : ([...stopClasses, 'reordered'] as const)
  const counted = classes.map((name): Stop => ({ name, count: account?.total[name] ?? 0, source: 'account' }))
  return [
    ...counted,
    { name: 'lost', count: account?.lost ?? 0, source: 'account' as const },
    { name: 'lost', count: lost ?? 0, source: 'system' as const },
  ].filter(({ count }) => count > 0)
}

export interface JudgedGate extends GateFact {
  readonly visit: Visit
}

/** Gates that the decision rests on: those of phases that were left or completed, by their last attempt each. */
export function judgedGates(facts: MigrationFacts): readonly JudgedGate[] {
  if (facts.kind === 'rollback') return []
  const visits = coveredVisits(facts)
  const last = visits.filter(
    (visit) =>
      (visit.outcome === 'left' || visit.outcome === 'completed') &&
      visit === visits.findLast(({ phase }) => phase === visit.phase),
  )
  return last.flatMap((visit) => visit.gates.map((gate) => ({ ...gate, visit })))
}

export function judgeMigration(facts: MigrationFacts): MigrationJudgement {
  const { decision, reasons } = decide(facts)
  return {
    decision,
    reasons,
    conditions: conditionsOf(facts, decision),
    notAssessed: notAssessed(facts),
    scope: scopeText(facts),
  }
}

function decide(facts: MigrationFacts): { readonly decision: Decision; readonly reasons: readonly string[] } {
  const stops = stopsOf(facts)
  if (stops.length > 0) {
    const reasons = stops.map(({ name, count, source }) => `${count} ${name}, as the ${source} counts them`)
    return { decision: 'EMERGENCY_STOP', reasons }
  }
  const back = backReasons(facts)
  const gates = judgedGates(facts)
  const missed = gates.filter(({ verdict }) => verdict === 'NOT_MET').map(gateReason)
  if (back.length + missed.length > 0) return { decision: 'REQUIRES_REMEDIATION', reasons: [...back, ...missed] }
  const open = [
    ...accountReasons(facts),
    ...(facts.kind === 'canary' || facts.over ? [] : [progressReason(facts)]),
    ...gates.filter(({ verdict }) => verdict === 'NOT_DEMONSTRATED').map(gateReason),
  ]
  if (open.length > 0) return { decision: 'NEEDS_FURTHER_REVIEW', reasons: open }
  const met = `${plural(gates.length, 'gate')} of ${plural(new Set(gates.map(({ visit }) => visit.phase)).size, 'phase')} met`
  if (!isLossMeasured(facts))
    return { decision: 'CONDITIONALLY_APPROVED', reasons: [met, `loss was not measured: ${lossNotMeasured}`] }
  return { decision: 'APPROVED', reasons: [met, 'nothing was lost, as far as it was counted'] }
}

/** The last time that agents went back, if the decision has to say so: after a phase that is approved, however it went on. */
export function wentBack(facts: MigrationFacts): Incident | null {
  const { kind, incidents, sentBack } = facts
  const last = incidents.at(-1) ?? null
  if (kind === 'rollback') return last
  if (kind === 'migration') return sentBack ? last : null
  const leftAt = coveredVisits(facts)[0]?.toLine ?? 0
  return last !== null && last.line > leftAt ? last : null
}

function backReasons(facts: MigrationFacts): string[] {
  const last = wentBack(facts)
  if (last === null) return []
  const to = `${last.through.at(-1) ?? 0} %`
  return [`agents were sent back from ${last.phase} (${last.percentage} %) to ${to}`, ...last.reasons]
}

function accountReasons({ account }: MigrationFacts): string[] {
  if (account === null) return []
  if (account.rounds === 0) return ['the account holds no round']
  return account.unknown.map(
    ({ round, reasons }) =>
      `the ledger of round ${round} is UNKNOWN${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`,
  )
}

function progressReason({ status, visits, watchedAfterMs, watchAfterMs, paused }: MigrationFacts): string {
  const phase = visits.at(-1)?.phase ?? ''
  switch (status) {
    case 'completed':
      return `its trips stay armed for ${duration(watchAfterMs)} after the last phase; ${duration(watchedAfterMs)} of it were observed`
    case 'awaitingApproval':
      return `${phase} has met its gates, and nobody has approved it yet`
    case 'held':
      return `${phase} is held until somebody looks`
    case 'soaking':
    case 'rolledBack':
      return `${phase} is not over${paused ? '; it is paused' : ''}`
  }
}

function gateReason({ title, verdict, reason, visit }: JudgedGate): string {
  return `${visit.phase}, ${title} is ${verdict}: ${reason}`
}

function conditionsOf(facts: MigrationFacts, decision: Decision): readonly Item[] {
  if (decision === 'APPROVED') return []
  const items: Omit<Item, 'id'>[] = stopsOf(facts).map(({ name, count, source }) => ({
    key: source === 'account' ? `delivery:${name}` : 'counted:lost',
    state: `${count}`,
    text: `Show a migration without a delivery violation (${name}); this one has ${count}, as the ${source} counts them`,
  }))
  if (facts.account !== null && accountReasons(facts).length > 0)
    items.push({ key: 'ledger', state: 'UNKNOWN', text: 'Show a migration whose account is complete' })
  items.push(...backConditions(facts))
  for (const gate of judgedGates(facts)) {
    if (gate.verdict !== 'MET')
      items.push({
        key: `${gate.visit.phase}:${gate.expression}`,
        state: gate.verdict,
        text: `Meet ${gate.expression} in ${gate.visit.phase}`,
      })
  }
  if (facts.kind === 'migration' && !facts.over && !facts.sentBack)
    items.push({
      key: 'migration',
      state: facts.status,
      text: `Bring the migration to its end: ${progressReason(facts)}`,
    })
  if (!isLossMeasured(facts))
    items.push({
      key: 'loss',
      state: 'NOT_MEASURED',
      text: 'Measure loss: move agents under a load that keeps an account, or let the system count what was acknowledged and lost',
    })
  return items.map((item, index) => ({ id: `C${index + 1}`, ...item }))
}

function backConditions(facts: MigrationFacts): Omit<Item, 'id'>[] {
  const last = wentBack(facts)
  if (last === null) return []
  const cause = { key: 'rollback', state: 'OPEN', text: `Find and mend the cause: ${last.reasons.join('; ')}` }
  if (last.verified) return [cause]
  const text = 'Show that the old path carries the agents that went back to it'
  return [cause, { key: 'rollback:verified', state: 'NOT_SHOWN', text }]
}
