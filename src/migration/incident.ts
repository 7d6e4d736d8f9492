/** Each time that agents went back, from the journal: why, what was done, how long it took, and what was seen before it. */
import type { Incident } from '../measurement/migration-document.ts'
import type { JournalledObservation } from './journal.ts'
import type { PastDecision, Replay } from './replay.ts'
import type { RollBack } from './rollback.ts'
import { stepsOf, tripStanding } from './status.ts'

export function incidentsOf(replay: Replay): Incident[] {
  return replay.decisions.flatMap((past) =>
    past.decision.kind === 'rollBack' ? [incidentOf({ ...past, decision: past.decision }, replay)] : [],
  )
}

function incidentOf(past: PastDecision & { readonly decision: RollBack }, replay: Replay): Incident {
  const { line, atMs, atWallMs, decision, because, before } = past
  const { begun, plan, lost, hash } = replay
  const steps = stepsOf(replay, line)
  const verified = steps.find(({ step }) => step === 'verified')
  const drained = steps.filter(({ step, ok }) => step === 'drained' && ok)
  const moved = drained.length === decision.through.length ? drained.at(-1) : undefined
  const entered = replay.decisions.findLast((other) => other.line < line && other.decision.kind === 'enter')
  const left = entered?.decision.kind === 'enter' ? entered.decision : null
  return {
    id: begun.id,
    plan: plan.name,
    planSha256: begun.planSha256,
    system: begun.system,
    line,
    mode: decision.mode,
    reasons: decision.reasons,
    askedBy:
      because.input.type === 'rollbackAsked'
        ? { actor: because.input.by.actor, reason: because.input.by.reason }
        : null,
    decidedAtWallMs: atWallMs,
    phase: left?.phase ?? '',
    percentage: left?.percentage ?? 0,
    through: decision.through,
    trips: decision.trips.map(tripStanding),
    steps,
    movedMs: moved === undefined ? null : moved.atMs - atMs,
    verifiedMs: verified === undefined || !verified.ok ? null : verified.atMs - atMs,
    verified: verified?.ok === true,
    lost,
    before: before.map(({ fromMs, toMs, candidate }: JournalledObservation) => {
      const { due, failed, above } = candidate
      return { fromMs, toMs, due, failed, above }
    }),
    journalSha256: hash,
  }
}
