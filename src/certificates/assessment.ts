/**
 * Status, conditions, recommendations and the go/no-go line, all by published rules (docs/certificates.md,
 * decision rules version 1) from the results alone. The decision itself is taken where the results are derived;
 * this file only words it. Every condition and recommendation has an id and a key: the key names the fact it
 * hangs on, so that a later certificate can say what became of it.
 */
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { Decision } from '../statistics/verdict.ts'
import { candidateViolations, provenanceDoubt } from './assessment-risks.ts'
import { candidateOf, figure, plural, targetMeasured, validRoundsOf } from './figures.ts'
import type { RunCertificateKind } from './format.ts'

export interface Item {
  /** C1 … for conditions, R1 … for recommendations. */
  readonly id: string
  /** A target's expression, or `delivery:CLASS`, `ledger`, `rounds`, `provenance`, `claim:ID`, `stage:NAME`, `question:…`. */
  readonly key: string
  /** What held when the item was written. */
  readonly state: string
  readonly text: string
}

export type Status = Decision | 'RECOMMEND' | 'DO_NOT_RECOMMEND'

/**
 * A readiness certificate bears the decision. An analysis recommends when the decision lets the candidate through
 * and it was shown faster than the baseline at the median round trip; everything else is DO_NOT_RECOMMEND.
 */
export function statusOf(kind: RunCertificateKind, results: ResultsDocument): Status {
  if (kind === 'readiness') return results.decision
  const passed = results.decision === 'APPROVED' || results.decision === 'CONDITIONALLY_APPROVED'
  return passed && shownFaster(results) ? 'RECOMMEND' : 'DO_NOT_RECOMMEND'
}

export function shownFaster(results: ResultsDocument): boolean {
  const candidate = candidateOf(results)?.label
  const rows = results.comparisons.filter(
    (row) => row.candidate === candidate && row.metric === 'roundTrip' && row.quantile === 'p50',
  )
  return rows.length > 0 && rows.every((row) => row.verdict === 'faster')
}

const recommendationLines: Readonly<Record<Decision, string>> = {
  APPROVED: 'GO within the scope stated above; nothing is said beyond it',
  CONDITIONALLY_APPROVED: 'CONDITIONAL GO within the scope stated above, with the conditions below fulfilled first',
  REQUIRES_REMEDIATION: 'NO-GO until the targets that were not met are met in a new run',
  EMERGENCY_STOP: 'NO-GO; stop any rollout in progress, messages were not delivered as declared',
  NEEDS_FURTHER_REVIEW: 'NO-GO for now; the measurement does not carry a decision either way',
}

export function goNoGo(decision: Decision): string {
  return recommendationLines[decision]
}

const rationales: Readonly<Record<Decision, string>> = {
  APPROVED: 'Every mandatory target was met, and every exchange was accounted for',
  CONDITIONALLY_APPROVED:
    'No mandatory target was missed, but not every one was met with certainty, or an optional one was missed',
  REQUIRES_REMEDIATION: 'At least one mandatory target was not met',
  EMERGENCY_STOP: 'The candidate broke the delivery it declares',
  NEEDS_FURTHER_REVIEW: 'The measurement is invalid or does not suffice for a decision',
}

export function rationale(decision: Decision): string {
  return rationales[decision]
}

/** The conditions of the results first, with their ids; then what else stands between the decision and APPROVED. */
export function conditionsOf(results: ResultsDocument): readonly Item[] {
  const items: Item[] = results.conditions.map(({ id, text }) => {
    const target = results.targets.find(({ expression }) => text.includes(expression))
    return { id, key: target?.expression ?? `text:${text}`, state: target?.verdict ?? 'OPEN', text }
  })
  const known = new Set(items.map(({ key }) => key))
  const used = new Set(items.map(({ id }) => id))
  for (const item of blockers(results)) {
    if (known.has(item.key)) continue
    let number = items.length + 1
    while (used.has(`C${number}`)) number += 1
    used.add(`C${number}`)
    items.push({ ...item, id: `C${number}` })
  }
  return items
}

function blockers(results: ResultsDocument): readonly Omit<Item, 'id'>[] {
  if (results.decision === 'APPROVED') return []
  const delivery = candidateViolations(results).map(({ name, count }) => ({
    key: `delivery:${name}`,
    state: `${count}`,
    text: `Show a run without a delivery violation (${name}); this one has ${count}`,
  }))
  const targets = results.targets
    .filter(({ verdict, mandatory }) => verdict === 'NOT_MET' || (mandatory && verdict !== 'MET'))
    .map((target) => ({
      key: target.expression,
      state: target.verdict,
      text:
        target.verdict === 'NOT_DEMONSTRATED'
          ? `Demonstrate ${target.expression} (${target.required})`
          : `Meet ${target.expression}; measured ${targetMeasured(target)}`,
    }))
  const ledger =
    results.ledger.state === 'COMPLETE'
      ? []
      : [{ key: 'ledger', state: 'UNKNOWN', text: 'Show a run whose delivery ledger is complete' }]
  return [...delivery, ...ledger, ...roundBlockers(results), ...targets]
}

function roundBlockers(results: ResultsDocument): Omit<Item, 'id'>[] {
  const valid = validRoundsOf(results)
  if (results.decision !== 'NEEDS_FURTHER_REVIEW' || valid >= results.plannedRounds) return []
  return [
    {
      key: 'rounds',
      state: `${valid}`,
      text: `Complete the planned ${plural(results.plannedRounds, 'round')} with valid measurements; ${valid} were valid`,
    },
  ]
}

/** For an analysis: what to do next, in the order of weight. */
export function recommendationsOf(results: ResultsDocument): readonly Item[] {
  const items: Omit<Item, 'id'>[] = [...blockers(results)]
  const stage = slowestStage(results)
  if (stage !== null) {
    items.push({
      key: `stage:${stage.name}`,
      state: figure(stage.p99Us),
      text: `Optimise the stage ${stage.name} first: its P99 of ${figure(stage.p99Us)} µs is the largest of all stages (n=${stage.n})`,
    })
  }
  for (const claim of results.claims) {
    if (claim.verdict === 'REFUTED') {
      items.push({
        key: `claim:${claim.id}`,
        state: 'REFUTED',
        text: `Withdraw or correct the claim ${claim.id}: ${claim.reason}`,
      })
    } else if (claim.verdict === 'NOT_SHOWN') {
      items.push({ key: `claim:${claim.id}`, state: 'NOT_SHOWN', text: `Test the claim ${claim.id}: ${claim.reason}` })
    }
  }
  const doubt = provenanceDoubt(results)
  if (doubt !== null) {
    items.push({ key: 'provenance', state: 'OPEN', text: `Repeat the run from a clean commit: ${doubt}` })
  }
  for (const { what, command } of results.notAssessed) {
    items.push({ key: `question:${what}`, state: 'OPEN', text: `Answer it with ${command}` })
  }
  return items.map((item, index) => ({ id: `R${index + 1}`, ...item }))
}

export interface SlowStage {
  readonly name: string
  readonly p99Us: number
  readonly n: number
}

/** The stage of the candidate with the largest P99, `total` aside; null where stages were not measured. */
export function slowestStage(results: ResultsDocument): SlowStage | null {
  const stages = candidateOf(results)?.stages
  if (stages === undefined) return null
  let slowest: SlowStage | null = null
  for (const [name, { p99Us, n }] of Object.entries(stages)) {
    if (name === 'total' || p99Us === null || n === 0) continue
    if (slowest === null || p99Us > slowest.p99Us) slowest = { name, p99Us, n }
  }
  return slowest
}
