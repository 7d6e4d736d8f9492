/**
 * What the signed statement says of a migration for machines: scope, gates and trips in the field names of the eval-result proposal, and what
 * the journal's chain ends in. The verifier builds it anew from the evidence and compares.
 */
import { coveredVisits, migrationScope, type GateFact, type MigrationMeaning } from './migration-facts.ts'
import type { Json } from './strict-json.ts'

export function migrationPredicate(
  meaning: MigrationMeaning,
  manifestSha256: string,
): { readonly [key: string]: Json } {
  const { migration, judged } = meaning
  const { id, plan, planSha256, status, commit, account, lost, incidents, journal, unwatchedMs } = migration
  return {
    scope: { text: judged.scope, ...migrationScope(migration) },
    migration: { id, plan, planSha256, status, over: migration.over, commit, lost, unwatchedMs },
    engines: ['old path', 'new path'],
    evidence: { manifestSha256, journalSha256: journal.sha256, planSha256 },
    account: account === null ? null : { rounds: account.rounds, unknown: account.unknown.length, ...account.total },
    phases: coveredVisits(migration).map((visit) => ({
      phase: visit.phase,
      percentage: visit.percentage,
      outcome: visit.outcome,
      observedMs: visit.observedMs,
      agents: visit.agents,
      targets: visit.gates.map(targetFields),
      trips: visit.trips.map(({ expression, fired, trials, hits }) => ({ expression, fired, trials, hits })),
    })),
    incidents: incidents.map(({ line, mode, phase, reasons, through, verified, movedMs, verifiedMs }) => ({
      ...{ line, mode, phase, reasons: [...reasons], through: [...through], verified, movedMs, verifiedMs },
    })),
  }
}

function targetFields({ expression, verdict, trials, hits }: GateFact): Json {
  const match = /^(\S+)\s*(<=|>=|<|>)\s*(.+)$/.exec(expression)
  return {
    metric: match?.[1] ?? expression,
    comparator: match?.[2] ?? '',
    threshold: match?.[3] ?? '',
    passed: verdict === 'MET',
    sampleSize: trials,
    missed: hits,
    verdict,
  }
}
