/**
 * Where a migration stands, for people and for programs, from its journal.
 */
import type { DecisionRecord, MigrationStatus, StepRecord, TripStanding } from '../measurement/migration-document.ts'
import type { PastDecision, Replay } from './replay.ts'
import type { Decision } from './state-machine.ts'
import type { TripReading } from './trip-evidence.ts'

export function statusOf(
  replay: Replay,
  about: { readonly folder: string; readonly carriedOn: boolean; readonly waitingRequests: number },
): MigrationStatus {
  const { begun, plan, migration, taken } = replay
  const { phase } = migration
  const { attempt, elapsedMs, observedMs } = migration.progress
  const isJudged = phase !== null && migration.status !== 'completed'
  return {
    schemaVersion: 1,
    id: begun.id,
    folder: about.folder,
    plan: plan.name,
    planSha256: begun.planSha256,
    system: begun.system,
    status: migration.status,
    paused: migration.paused,
    phase:
      phase === null
        ? null
        : {
            name: phase.name,
            index: plan.phases.indexOf(phase) + 1,
            of: plan.phases.length,
            attempt,
            soakMs: phase.soakMs,
            elapsedMs,
            observedMs,
          },
    percentage: percentageOf(replay),
    gates: isJudged
      ? migration.gateReadings().map(({ title, expression, verdict, trials, hits, forecastMs, reason }) => {
          return { title, expression, verdict, trials, hits, forecastMs, reason }
        })
      : [],
    trips: migration.status === 'rolledBack' ? [] : migration.tripReadings().map(tripStanding),
    requires: isJudged
      ? phase.requires.map(
          ({ title }) =>
            migration.lastFindings.find((finding) => finding.title === title) ?? {
              title,
              found: false,
              reason: 'looked for when the soak is over',
            },
        )
      : [],
    decisions: replay.decisions.map((past) => recordOf(past, replay)),
    carriedOn: about.carriedOn,
    waitingRequests: about.waitingRequests,
    startedAtWallMs: begun.atWallMs,
    lastAtWallMs: replay.atWallMs,
    observations: replay.observations,
    unwatchedMs: replay.unwatchedMs,
    taken: taken.length,
    lost: replay.lost,
    journal: { lines: replay.lines, sha256: replay.hash },
  }
}

/** The share that was last brought about. */
function percentageOf(replay: Replay): number {
  const done = replay.steps.findLast(({ step }) => step.ok && (step.step === 'directed' || step.step === 'shifted'))
  return done?.step.percentage ?? 0
}

function recordOf({ line, atMs, atWallMs, decision }: PastDecision, replay: Replay): DecisionRecord {
  return { line, atMs, atWallMs, kind: decision.kind, text: decisionText(decision), steps: stepsOf(replay, line) }
}

/** What was done about the decision on a line. */
export function stepsOf(replay: Replay, decisionLine: number): StepRecord[] {
  return replay.steps
    .filter(({ step }) => step.of === decisionLine)
    .map(({ line, step: { atMs, atWallMs, step, ok, percentage, detail } }) => {
      return { line, atMs, atWallMs, step, ok, percentage, detail }
    })
}

export function tripStanding({ title, expression, fires, phase, window }: TripReading): TripStanding {
  const counts = { trials: phase.trials, hits: phase.hits }
  return { title, expression, fires, ...counts, windowTrials: window.trials, windowHits: window.hits }
}

/** One sentence. */
export function decisionText(decision: Decision): string {
  switch (decision.kind) {
    case 'enter':
      return `enter ${decision.phase}: ${decision.percentage} % of agents on the new path`
    case 'awaitApproval':
      return `${decision.phase} has met its gates; somebody has to approve`
    case 'withdrawQuestion':
      return `${decision.phase} meets its gates no longer; the question is withdrawn`
    case 'hold':
      return `${decision.phase} did not meet its gates in the time that is granted; it is held until somebody looks`
    case 'investigate':
      return `look into it: ${decision.reasons.join('; ')}`
    case 'rollBack':
      return `roll back (${decision.mode}), to ${decision.through.map((share) => `${share} %`).join(', then ')}: ${decision.reasons.join('; ')}`
    case 'complete':
      return 'the last phase has met its gates'
  }
}
