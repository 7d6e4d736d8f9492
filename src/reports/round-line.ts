/** One line per finished round, for progress. */
import type { RoundEvidence } from '../measurement/round-evidence.ts'
import { count } from './numbers.ts'

export function roundLine(evidence: RoundEvidence): string {
  const { counts, audit } = evidence
  const failed = counts.refused + counts.timedOut + counts.lost
  const verdict = audit.valid ? 'valid' : `INVALID: ${audit.reasons.join('; ')}`
  return `round ${evidence.round + 1}, ${evidence.engine}: ${count(counts.completed)} of ${count(counts.scheduled)} completed, ${count(failed)} failed, ${verdict}`
}
