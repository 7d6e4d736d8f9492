/**
 * All phases of a migration in which there were two groups, compared from the histograms in its journal: one look, with the plan's quantile and margin.
 */
import type { ComparisonDocument, PhaseComparison } from '../measurement/comparison-document.ts'
import { LighthouseError } from '../platform/errors.ts'
import { ComparisonRecorder } from './comparison-recorder.ts'
import { comparePhase } from './comparison.ts'
import { readMigration } from './folders.ts'

/** `name`: of the phase that decides; null for the newest with two groups. Throws USAGE for a phase that the plan does not have, STORE as reading does. */
export function compareMigration(folder: string, name: string | null): ComparisonDocument {
  const phases: PhaseComparison[] = []
  const recorder = new ComparisonRecorder(
    ({ percentage }) => percentage > 0 && percentage < 100,
    (groups) => {
      if (groups.groups.intervals + groups.groups.unread === 0) return
      phases.push(comparePhase(groups, groups.plan.comparison))
    },
  )
  const replay = readMigration(folder, { onObservation: (counted) => recorder.take(counted) })
  recorder.end()
  const { plan, begun } = replay
  if (name !== null && plan.phases.every((phase) => phase.name !== name))
    throw new LighthouseError('USAGE', `the plan ${plan.name} has no phase ${name}`, {
      suggestions: [`Its phases are ${plan.phases.map((phase) => phase.name).join(', ')}.`],
    })
  const decides = phases.findLast(({ phase }) => name === null || phase === name)
  return {
    schemaVersion: 1,
    id: begun.id,
    plan: plan.name,
    planSha256: begun.planSha256,
    phase: decides?.phase ?? name,
    verdict: decides?.verdict ?? 'NOT_DEMONSTRATED',
    reason: decides?.reason ?? 'there was no interval with agents on both paths',
    phases: name === null ? phases : phases.filter(({ phase }) => phase === name),
    journal: { lines: replay.lines, sha256: replay.hash },
  }
}
