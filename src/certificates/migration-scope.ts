/**
 * How far a decision about a migration reaches: its scope, which is printed wherever the decision is, and what was not assessed.
 */
import { duration, figure, plural } from './figures.ts'
import {
  canaryMs,
  canaryVisit,
  coveredVisits,
  migrationScope,
  seenMs,
  unwatchedIntervalsMs,
  type MigrationFacts,
} from './migration-facts.ts'

export const lossNotMeasured = 'no account lies beside the journal, and the system does not count it'

export function isLossMeasured({ account, lost }: MigrationFacts): boolean {
  return account !== null || lost !== null
}

/** Each with the command that would show it. */
export function notAssessed(facts: MigrationFacts): { what: string; command: string }[] {
  const { id, kind, account, unwatchedMs, commit, journal, visits, planPhases } = facts
  const lines: { what: string; command: string }[] = []
  const canary = canaryVisit(facts)
  if (canary !== undefined && canary.observedMs < canaryMs) {
    const seen = `it was observed for ${duration(canary.observedMs)}`
    lines.push({
      what: `Whether ${canary.phase} holds its bars for 48 h: ${seen}, so 48 h are NOT_DEMONSTRATED`,
      command: 'lighthouse migrate plan runsheet',
    })
  }
  if (!isLossMeasured(facts))
    lines.push({ what: `Whether anything was lost: ${lossNotMeasured}`, command: `lighthouse migrate status ${id}` })
  if (account !== null && account.coveredMs < seenMs(facts))
    lines.push({
      what: `Loss outside the rounds of the account: they cover ${duration(account.coveredMs)} of load, and the journal saw ${duration(seenMs(facts))}`,
      command: `lighthouse migrate status ${id}`,
    })
  if (unwatchedIntervalsMs(facts) > 0)
    lines.push({
      what: `${duration(unwatchedIntervalsMs(facts))} of intervals that ended while nobody watched, which promote nobody`,
      command: `lighthouse migrate status ${id}`,
    })
  if (unwatchedMs > 0)
    lines.push({
      what: `${duration(unwatchedMs)} in which no process watched and no trip was armed`,
      command: `lighthouse migrate status ${id}`,
    })
  if (journal.withoutHistogram > 0)
    lines.push({
      what: `Latencies of ${plural(journal.withoutHistogram, 'group')} of agents in intervals without a histogram: their counts are the system's word`,
      command: `lighthouse migrate explain ${id}`,
    })
  const entered = new Set(visits.map(({ phase }) => phase))
  const ahead = planPhases.filter(({ name }) => !entered.has(name)).map(({ name }) => name)
  if (ahead.length > 0)
    lines.push({
      what: `Phases that were not entered: ${ahead.join(', ')}`,
      command: `lighthouse migrate status ${id}`,
    })
  if (kind === 'canary' && !facts.over && !facts.sentBack)
    lines.push({ what: 'What comes after the phase that is approved', command: `lighthouse migrate watch ${id}` })
  if (commit === null)
    lines.push({ what: 'Which code was moved: no commit was named', command: 'lighthouse migrate start --commit' })
  return lines
}

/** Always printed beside the decision. */
export function scopeText(facts: MigrationFacts): string {
  const { kind, phase, plan, planPhases, visits, account, lost } = facts
  const { agents, deliveries, deliveriesPerSecond, observedMs } = migrationScope(facts)
  const canary = canaryVisit(facts)
  const covered = coveredVisits(facts)
  const share = Math.max(0, ...covered.map(({ percentage }) => percentage))
  const where =
    kind === 'canary'
      ? `phase ${phase ?? ''} of plan ${plan}`
      : `plan ${plan}, ${kind === 'rollback' ? `phase ${covered.at(-1)?.phase ?? ''}` : `${new Set(visits.map((each) => each.phase)).size} of ${plural(planPhases.length, 'phase')}`}`
  const shown = canary !== undefined && canary.observedMs < canaryMs
  return [
    `${where}, up to ${figure(share)} % of agents: at most ${plural(agents, 'agent')} on the new path, ${plural(deliveries, 'delivery', 'deliveries')} on it`,
    `${figure(deliveriesPerSecond)} a second at its largest share, ${duration(observedMs)} observed`,
    ...(shown ? [`${canary.phase} for ${duration(canary.observedMs)} (48 h NOT_DEMONSTRATED)`] : []),
    account === null
      ? lost === null
        ? 'loss not measured'
        : 'loss as the system counts it'
      : `${plural(account.total.scheduled, 'exchange')} accounted for in ${duration(account.coveredMs)} of load`,
  ].join(', ')
}
