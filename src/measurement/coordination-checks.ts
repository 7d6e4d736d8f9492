/** What the evidence of a coordination round must not contradict, beside what holds for every round. */
import type { CoordinationEvidence } from './coordination-evidence.ts'

/** Sentences; `timed`: samples of the series `pattern`. A round without the evidence must not have the series either. */
export function coordinationContradictions(evidence: CoordinationEvidence | undefined, timed: number): string[] {
  if (evidence === undefined) {
    return timed === 0 ? [] : [`The histogram pattern holds ${timed} samples of a round that played no pattern.`]
  }
  const { instances, withdrawals } = evidence
  const reasons: string[] = []
  if (instances.completed + instances.failed !== instances.scheduled) {
    reasons.push(
      `Instances do not add up: ${instances.completed} completed + ${instances.failed} failed, scheduled were ${instances.scheduled}.`,
    )
  }
  if (timed !== instances.completed) {
    reasons.push(`The histogram pattern holds ${timed} samples for ${instances.completed} completed instances.`)
  }
  if (withdrawals.withdrawn > withdrawals.asked) {
    reasons.push(`${withdrawals.withdrawn} exchanges were withdrawn, which was asked for ${withdrawals.asked}.`)
  }
  return reasons
}
