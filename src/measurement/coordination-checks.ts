/** What the evidence of a coordination round must not contradict, beside what holds for every round. */
import type { CoordinationEvidence } from './coordination-evidence.ts'

/** Sentences; `timed`: samples of the series `pattern`; `asked`: exchanges of the round. A round without the evidence must not have the series either. */
export function coordinationContradictions(
  evidence: CoordinationEvidence | undefined,
  timed: number,
  asked: number,
): string[] {
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
  return [...reasons, ...chainContradictions(evidence, asked)]
}

/** The counts by second are of the same chains, and every question of theirs is in the account of the round. */
function chainContradictions({ chain, instances }: CoordinationEvidence, asked: number): string[] {
  if (chain === undefined) return []
  const sum = (series: readonly number[]): number => series.reduce((total, each) => total + each, 0)
  const reasons: string[] = []
  const told = (what: string, series: readonly number[], expected: number): void => {
    if (sum(series) === expected) return
    reasons.push(`Chains do not add up: ${sum(series)} ${what} by second, ${expected} in the round.`)
  }
  told('began', chain.begun, instances.scheduled)
  told('completed', chain.completed, instances.completed)
  told('questions', chain.asked, asked)
  if (chain.completed.some((count, second) => count > (chain.begun[second] ?? 0))) {
    reasons.push('More chains of a second completed than began in it.')
  }
  if (chain.askedInVain.some((count, second) => count > (chain.asked[second] ?? 0))) {
    reasons.push('More questions of chains were asked in vain than were asked.')
  }
  return reasons
}
