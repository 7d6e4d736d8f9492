/**
 * What is known of a migration, as plain data from its journal and, where a load kept one, its account: what rules judge, renderers print
 * and expectations measure. Nothing here reads a journal, so none of them knows how one is written.
 */
import type { ExchangeCounts } from '../measurement/results-document.ts'
import type { Incident, StepRecord } from '../measurement/migration-document.ts'
import type { Decision } from '../statistics/verdict.ts'
import type { Item } from './assessment.ts'
import type { MigrationKind } from './format.ts'

export interface GateFact {
  readonly title: string
  readonly expression: string
  readonly verdict: 'MET' | 'NOT_MET' | 'NOT_DEMONSTRATED'
  readonly trials: number
  readonly hits: number
  /** As the journal has it; null where no decision rests on it yet. */
  readonly phi: number | null
  /** ln of the evidence that the bar holds; null where none is needed, or as above. */
  readonly logFor: number | null
  readonly reason: string
}

export interface TripFact {
  readonly title: string
  readonly expression: string
  readonly fired: boolean
  readonly trials: number
  readonly hits: number
}

export type VisitOutcome =
  /** The next phase was entered. */
  | 'left'
  /** It had been held, and was begun again. */
  | 'begun-anew'
  | 'sent-back'
  | 'completed'
  | 'present'

/** One attempt at one phase. */
export interface Visit {
  readonly phase: string
  readonly percentage: number
  readonly attempt: number
  readonly outcome: VisitOutcome
  /** Of the journal: the decisions that began and ended it. */
  readonly fromLine: number
  readonly toLine: number | null
  readonly soakMs: number
  /** Covered by watched intervals in which something was delivered. */
  readonly observedMs: number
  /** Covered by any interval that counts. */
  readonly coveredMs: number
  /** Of these, what nobody watched. */
  readonly unwatchedMs: number
  /** Most on the new path at once, and most on both. */
  readonly agents: number
  readonly allAgents: number
  /** On the new path. */
  readonly due: number
  readonly failed: number
  readonly oldDue: number
  readonly oldFailed: number
  readonly gates: readonly GateFact[]
  readonly trips: readonly TripFact[]
  readonly findings: readonly { readonly title: string; readonly found: boolean; readonly reason: string }[]
}

export interface AccountFacts {
  readonly agents: number
  readonly ratePerSecond: number
  readonly payloadBytes: number
  readonly deadlineMs: number
  readonly seed: string
  readonly planted: { readonly fromPercentage: number; readonly stallMs: number } | null
  readonly rounds: number
  /** Of load, all rounds together. */
  readonly coveredMs: number
  readonly unknown: readonly { readonly round: number; readonly reasons: readonly string[] }[]
  readonly total: ExchangeCounts
  /** In rounds whose ledger is complete, so that what is missing is not merely late. */
  readonly lost: number
}

export interface PersonsWord {
  readonly atWallMs: number
  readonly what: string
  readonly actor: string
  readonly reason: string
}

export interface MigrationFacts {
  readonly kind: MigrationKind
  /** That is approved; null for other kinds. */
  readonly phase: string | null
  readonly id: string
  readonly plan: string
  readonly planSource: string
  readonly planSha256: string
  readonly planPhases: readonly { readonly name: string; readonly percentage: number }[]
  readonly watchAfterMs: number
  readonly system: { readonly kind: string; readonly address: string }
  readonly lighthouse: string
  /** As somebody named it when it began. */
  readonly commit: string | null
  readonly beganWallMs: number
  readonly endedWallMs: number
  readonly status: 'soaking' | 'awaitingApproval' | 'held' | 'completed' | 'rolledBack'
  /** The last phase is over, and the time in which trips stay armed after it. */
  readonly over: boolean
  readonly paused: boolean
  /** Agents went back, and no phase was entered since. */
  readonly sentBack: boolean
  readonly watchedAfterMs: number
  readonly visits: readonly Visit[]
  readonly incidents: readonly Incident[]
  readonly failedSteps: readonly StepRecord[]
  readonly people: readonly PersonsWord[]
  readonly investigated: readonly string[]
  readonly holds: number
  readonly failedChecks: number
  /** Times at which a process took it up. */
  readonly taken: number
  /** Between one process and the next. */
  readonly unwatchedMs: number
  /** Null when the system does not count it. */
  readonly lost: number | null
  readonly securityViolations: number
  readonly account: AccountFacts | null
  readonly journal: {
    readonly lines: number
    readonly sha256: string
    readonly decisions: number
    readonly intervals: number
    /** Counted again. */
    readonly histograms: number
    /** Groups with deliveries and no histogram: counts that the system gave. */
    readonly withoutHistogram: number
  }
}

export interface MigrationJudgement {
  readonly decision: Decision
  readonly reasons: readonly string[]
  readonly conditions: readonly Item[]
  readonly notAssessed: readonly { readonly what: string; readonly command: string }[]
  readonly scope: string
}

export interface MigrationMeaning {
  readonly migration: MigrationFacts
  /** By the rules, from the facts alone. */
  readonly judged: MigrationJudgement
}

/** What the certificate's decision rests on. */
export function coveredVisits({ kind, phase, visits }: MigrationFacts): readonly Visit[] {
  if (kind === 'canary') {
    const judged = approvedVisit(visits, phase)
    return judged === undefined ? [] : [judged]
  }
  if (kind === 'rollback') return visits.filter(({ outcome }) => outcome === 'sent-back').slice(-1)
  return visits
}

/** The last time that the phase (any with agents on the new path, for null) was left for another one with all its gates met. */
export function approvedVisit(visits: readonly Visit[], phase: string | null): Visit | undefined {
  return visits.findLast(
    ({ phase: name, percentage, outcome, gates }) =>
      (phase === null || name === phase) &&
      percentage > 0 &&
      outcome === 'left' &&
      gates.every(({ verdict }) => verdict === 'MET'),
  )
}

/**
 * The canary that the seeds speak of: the phase that is approved, or else the first one with agents on the new path, by the last attempt that
 * led on, if one did.
 */
export function canaryVisit(facts: MigrationFacts): Visit | undefined {
  if (facts.kind === 'canary') return coveredVisits(facts)[0]
  const first = facts.planPhases.find(({ percentage }) => percentage > 0)?.name
  const attempts = facts.visits.filter(({ phase }) => phase === first)
  return attempts.findLast(({ outcome }) => outcome === 'left' || outcome === 'completed') ?? attempts.at(-1)
}

/** Of intervals that ended while nobody watched; they can send agents back, and promote nobody. */
export function unwatchedIntervalsMs({ visits }: MigrationFacts): number {
  return visits.reduce((sum, visit) => sum + visit.unwatchedMs, 0)
}

/** Watched or not: what the journal saw of all phases. */
export function seenMs({ visits }: MigrationFacts): number {
  return visits.reduce((sum, visit) => sum + visit.coveredMs, 0)
}

export const canaryMs = 48 * 3_600_000

export interface MigrationScope {
  /** Most on the new path at once. */
  readonly agents: number
  readonly deliveries: number
  /** On the new path, in the phase with the largest share. */
  readonly deliveriesPerSecond: number
  /** Two deliveries each; never more than the load offered, where its rate is known. */
  readonly exchangesPerSecond: number
  readonly observedMs: number
}

export function migrationScope(facts: MigrationFacts): MigrationScope {
  const visits = coveredVisits(facts)
  const largest = Math.max(0, ...visits.map(({ percentage }) => percentage))
  const widest = visits.filter(({ percentage, coveredMs }) => percentage === largest && coveredMs > 0)
  const sum = (of: (visit: Visit) => number, list = visits): number => list.reduce((total, each) => total + of(each), 0)
  const seconds = sum(({ coveredMs }) => coveredMs, widest) / 1000
  const perSecond = seconds === 0 ? 0 : sum(({ due }) => due, widest) / seconds
  return {
    agents: Math.max(0, ...visits.map(({ agents }) => agents)),
    deliveries: sum(({ due }) => due),
    deliveriesPerSecond: perSecond,
    exchangesPerSecond: Math.min(perSecond / 2, facts.account?.ratePerSecond ?? Infinity),
    observedMs: sum(({ observedMs }) => observedMs),
  }
}
