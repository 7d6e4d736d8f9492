/**
 * A past decision, come to again from what the journal holds: the histograms of every interval before it, what people said, and the plan.
 */
import type { DecisionExplanation } from '../measurement/migration-document.ts'
import { LighthouseError } from '../platform/errors.ts'
import type { BarReading } from './evidence.ts'
import { readMigration } from './folders.ts'
import type { JournalledInput } from './journal.ts'
import { decisionText, tripStanding } from './status.ts'

/** `line` null: the last one. Throws USAGE when no decision stands there, STORE when the journal does not hold together. */
export function explainDecision(folder: string, line: number | null): DecisionExplanation {
  const whole = readMigration(folder)
  const all = whole.decisions.map((past) => ({ line: past.line, text: decisionText(past.decision) }))
  const asked = line === null ? whole.decisions.at(-1) : whole.decisions.find((past) => past.line === line)
  if (asked === undefined) {
    throw new LighthouseError('USAGE', line === null ? 'nothing was decided yet' : `line ${line} is no decision`, {
      suggestions: all.length === 0 ? [] : [`Decisions are on the lines ${all.map((each) => each.line).join(', ')}.`],
    })
  }
  // Come to again: reading refuses a journal whose counts or decisions are others.
  const until = readMigration(folder, { recount: true, upToLine: asked.line })
  const past = until.decisions.at(-1) ?? asked
  const entered = whole.decisions.findLast((other) => other.line < asked.line && other.decision.kind === 'enter')
  const { plan } = whole
  return {
    schemaVersion: 1,
    id: whole.begun.id,
    plan: plan.name,
    planSha256: whole.begun.planSha256,
    line: past.line,
    atWallMs: past.atWallMs,
    kind: past.decision.kind,
    text: decisionText(past.decision),
    because: { line: past.because.line, text: becauseText(past.because.input) },
    phase: entered?.decision.kind === 'enter' ? entered.decision.phase : null,
    intervals: until.observations,
    histograms: until.histograms,
    gates: 'gates' in past.decision ? past.decision.gates.map(gateRecord) : [],
    trips: past.decision.kind === 'rollBack' ? past.decision.trips.map(tripStanding) : [],
    needed: {
      promote: 1 / plan.evidence.promoteAlpha,
      rollBack: 1 / plan.evidence.rollbackAlpha,
    },
    others: all,
  }
}

function gateRecord(reading: BarReading): DecisionExplanation['gates'][number] {
  const { title, expression, verdict, trials, hits, phi, logFor, logAgainst, reason } = reading
  return { title, expression, verdict, trials, hits, phi, logFor, logAgainst, reason }
}

function becauseText(input: JournalledInput): string {
  switch (input.type) {
    case 'observed': {
      const { fromMs, toMs, watched } = input.observation
      return `the interval from ${(fromMs / 1000).toFixed(1)} s to ${(toMs / 1000).toFixed(1)} s${watched ? '' : ', which nobody watched'}`
    }
    case 'checked':
      return input.healthy ? 'a health check' : `a health check that failed: ${input.reason}`
    case 'looked':
      return 'a look for what the phase requires'
    default:
      return `${input.type}, by ${input.by.actor}: ${input.by.reason}`
  }
}
