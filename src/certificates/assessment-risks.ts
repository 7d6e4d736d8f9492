/**
 * Risks and their levels by published rules (docs/certificates.md, decision rules version 1). Nobody rates by
 * hand: each risk follows from one fact of the results, in a fixed order, HIGH first.
 *
 * HIGH: a delivery violation of the candidate, lost exchanges, a mandatory target NOT_MET, an UNKNOWN ledger.
 * MEDIUM: a mandatory target MARGINAL or NOT_DEMONSTRATED, an optional one NOT_MET, more than a fifth of the
 * planned rounds missing, code that git cannot name, a claim REFUTED.
 * LOW: an optional target MARGINAL or NOT_DEMONSTRATED, declared semantics, questions not assessed.
 */
import type { EngineResult, ResultsDocument, TargetResult } from '../measurement/results-document.ts'
import { stopClasses } from '../statistics/decision.ts'
import { code, prose } from './escape.ts'
import { bounded, candidateOf, plural, targetMeasured, validRoundsOf } from './figures.ts'

export type RiskLevel = 'HIGH' | 'MEDIUM' | 'LOW'

export interface Risk {
  readonly level: RiskLevel
  readonly title: string
  readonly details: readonly string[]
}

export interface Violation {
  readonly name: string
  readonly count: number
}

/**
 * Non-zero classes of one engine; `reordered` only where it declares an order, `lost` only where the drain finished,
 * so that what is missing is not merely late.
 */
export function violationsOf(engine: EngineResult, ledger: ResultsDocument['ledger']): readonly Violation[] {
  const ordered = engine.semantics.ordering === 'none' ? [] : (['reordered'] as const)
  const missing = ledger.state === 'COMPLETE' ? (['lost'] as const) : []
  return [...stopClasses, ...ordered, ...missing]
    .map((name) => ({ name, count: engine.exchanges[name] }))
    .filter(({ count }) => count > 0)
}

/** Of the candidate. A stop by a round that does not count has no class in the totals; it is named all the same. */
export function candidateViolations(results: ResultsDocument): readonly Violation[] {
  const candidate = candidateOf(results)
  const found = candidate === undefined ? [] : violationsOf(candidate, results.ledger)
  if (found.length > 0 || results.decision !== 'EMERGENCY_STOP') return found
  return [{ name: 'in a round that does not count', count: results.decisionReasons.length }]
}

/** What a reader could not rely on about the code under test, or null. */
export function provenanceDoubt({ environment }: Pick<ResultsDocument, 'environment'>): string | null {
  return codeDoubt(environment)
}

export function codeDoubt({ commit, dirty }: Pick<ResultsDocument['environment'], 'commit' | 'dirty'>): string | null {
  if (commit.value === null) return `the commit under test is not known (${commit.reason ?? 'no reason given'})`
  if (dirty.value === true) return `the working tree differed from commit ${commit.value}`
  if (dirty.value === null)
    return `it is not known whether the working tree was clean (${dirty.reason ?? 'no reason given'})`
  return null
}

export function findRisks(results: ResultsDocument): readonly Risk[] {
  const all = [...deliveryRisks(results), ...targetRisks(results), ...measurementRisks(results)]
  const levels: readonly RiskLevel[] = ['HIGH', 'MEDIUM', 'LOW']
  return levels.flatMap((level) => all.filter((risk) => risk.level === level))
}

export function overallLevel(risks: readonly Risk[]): RiskLevel {
  return risks[0]?.level ?? 'LOW'
}

function deliveryRisks(results: ResultsDocument): Risk[] {
  const risks: Risk[] = []
  const candidate = candidateOf(results)
  for (const { name, count } of candidateViolations(results)) {
    risks.push({
      level: 'HIGH',
      title: `Delivery Violation, ${name}: ${count} beside ${plural(candidate?.exchanges.scheduled ?? 0, 'scheduled exchange')}`,
      details: ['The rules allow none in any round; see the ledger under FINDINGS'],
    })
  }
  if (results.ledger.state === 'UNKNOWN') {
    risks.push({
      level: 'HIGH',
      title: 'Delivery Ledger Incomplete',
      details: results.ledger.reasons.slice(0, 10).map(prose),
    })
  }
  if (candidate?.semanticsBasis === 'declared') {
    risks.push({
      level: 'LOW',
      title: `Semantics of ${code(candidate.label)} Declared, Not Observed`,
      details: ['The engine was not started by this run; what it promises is taken from its description'],
    })
  }
  return risks
}

function targetRisks(results: ResultsDocument): Risk[] {
  return results.targets.flatMap((target) => {
    const level = targetRiskLevel(target)
    if (level === null) return []
    return [
      {
        level,
        title: `${prose(target.title)}: ${target.verdict}`,
        details: [
          `Required ${code(target.expression)}, measured ${targetMeasured(target)}`,
          ...(target.reason === '' ? [] : [prose(target.reason)]),
        ],
      },
    ]
  })
}

function targetRiskLevel({ verdict, mandatory }: TargetResult): RiskLevel | null {
  switch (verdict) {
    case 'MET':
      return null
    case 'NOT_MET':
      return mandatory ? 'HIGH' : 'MEDIUM'
    case 'MARGINAL':
    case 'NOT_DEMONSTRATED':
      return mandatory ? 'MEDIUM' : 'LOW'
  }
}

function measurementRisks(results: ResultsDocument): Risk[] {
  const risks: Risk[] = []
  const valid = validRoundsOf(results)
  if (valid < 0.8 * results.plannedRounds) {
    risks.push({
      level: 'MEDIUM',
      title: 'Rounds Missing',
      details: [`${valid} valid rounds of ${results.plannedRounds} planned`],
    })
  }
  const doubt = provenanceDoubt(results)
  if (doubt !== null) risks.push({ level: 'MEDIUM', title: 'Code Under Test Not Pinned', details: [prose(doubt)] })
  for (const claim of results.claims.filter(({ verdict }) => verdict === 'REFUTED')) {
    risks.push({
      level: 'MEDIUM',
      title: `Claim ${code(claim.id)} Refuted`,
      details: [
        `${prose(claim.statement.replace(/\.$/, ''))}. Measured ${bounded(claim.value, [claim.low, claim.high], '')}. ${prose(claim.reason)}`,
      ],
    })
  }
  if (results.notAssessed.length > 0) {
    risks.push({
      level: 'LOW',
      title: `${plural(results.notAssessed.length, 'Question')} Not Assessed`,
      details: ['See NOT ASSESSED; nothing is concluded about them'],
    })
  }
  return risks
}
