/**
 * Walks through a journal from the bytes of a package: every line is bound to the one before, every decision is come to again, the counts of
 * every interval are taken from its histograms again, and beside that is noted what each attempt at each phase saw.
 *
 * Figures that logarithms went into are taken from the journal's own decisions, which have just been found to be the ones that follow: so two
 * machines whose logarithms differ in the last digit print the same.
 */
import { decodeBudget, type DecodeBudget } from '../measurement/histogram-codec.ts'
import type { JournalledGroup, JournalledObservation, JournalLine } from '../migration/journal.ts'
import { groupOf, hitsOf, type BarReading } from '../migration/evidence.ts'
import { groupOfPhase } from '../migration/observation.ts'
import type { Phase } from '../migration/plan.ts'
import { observationOf, Replay } from '../migration/replay.ts'
import type { Decision } from '../migration/state-machine.ts'
import type { TripReading } from '../migration/trip-evidence.ts'
import type { GateFact, TripFact, Visit, VisitOutcome } from './migration-facts.ts'

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
type OpenVisit = Writable<Visit> & { readonly enteredMs: number; readonly isFirst: boolean }

/** Each histogram is dropped once it is counted, so only the work is bounded and not what is kept. */
const unfolded: DecodeBudget = { inflatedBytes: 4 * 2 ** 30, buckets: 2 ** 32 }

export class JournalWalk {
  readonly replay: Replay
  readonly visits: Visit[] = []
  readonly investigated: string[] = []
  holds = 0
  failedChecks = 0
  securityViolations = 0
  withoutHistogram = 0
  latestWallMs = 0
  completedMs: number | null = null
  /** Of enter and rollBack, the last one. */
  sentBack = false
  private current: OpenVisit | null = null

  constructor(name: string) {
    this.replay = new Replay(name, { recount: true, budget: { ...decodeBudget(), ...unfolded } })
  }

  take(line: JournalLine): void {
    const { entry } = line
    const beforeMs = this.replay.isEmpty ? 0 : this.replay.migration.observedToMs
    this.replay.take(line)
    this.latestWallMs = Math.max(this.latestWallMs, this.replay.atWallMs)
    if (entry.kind === 'decision') this.takeDecision(line.line, entry.decision as unknown as Decision)
    if (entry.kind !== 'input') return
    const { input } = entry
    if (input.type === 'checked' && !input.healthy) this.failedChecks++
    if (input.type === 'looked' && this.current !== null) this.current.findings = input.findings
    if (input.type !== 'observed') return
    const { observation } = input
    this.securityViolations += observation.securityViolations
    this.withoutHistogram += [observation.candidate, observation.baseline].filter(lacksHistogram).length
    // The state machine goes on by what it believes, and by nothing else.
    if (this.replay.migration.observedToMs !== beforeMs && this.current !== null) this.add(this.current, observation)
  }

  /** Of all attempts, the present one with what its gates show so far. */
  finish(): readonly Visit[] {
    const { current } = this
    if (current !== null && current.outcome === 'present') {
      current.gates = this.replay.migration
        .gateReadings()
        .map((reading) => ({ ...gateFact(reading), phi: null, logFor: null }))
    }
    return this.visits
  }

  private takeDecision(line: number, decision: Decision): void {
    switch (decision.kind) {
      case 'enter':
        this.sentBack = false
        this.end(line, decision.phase === this.current?.phase ? 'begun-anew' : 'left', decision.gates)
        return this.begin(line, decision.phase)
      case 'complete':
        this.completedMs = this.replay.migration.observedToMs
        // Its trips stay armed and go on counting, so it stays the present one.
        if (this.current !== null) {
          this.current.outcome = 'completed'
          this.current.gates = decision.gates.map(gateFact)
          this.current.toLine = line
        }
        return
      case 'rollBack':
        this.sentBack = true
        if (this.current !== null) this.current.trips = decision.trips.map(tripFact)
        this.end(line, 'sent-back', null)
        if (decision.mode === 'canary')
          this.begin(line, this.replay.plan.phases.find(({ percentage }) => percentage > 0)?.name ?? '')
        return
      case 'hold':
        this.holds++
        return
      case 'investigate':
        this.investigated.push(...decision.reasons)
        return
      case 'awaitApproval':
      case 'withdrawQuestion':
        return
    }
  }

  private begin(line: number, name: string): void {
    const { plan, migration } = this.replay
    const phase = plan.phases.find((each) => each.name === name)
    if (phase === undefined) return
    this.current = {
      ...emptyVisit(phase),
      attempt: this.visits.filter((visit) => visit.phase === name).length + 1,
      fromLine: line,
      enteredMs: migration.observedToMs,
      isFirst: this.visits.length === 0,
      trips: plan.trips.map(({ title, expression }) => ({ title, expression, fired: false, trials: 0, hits: 0 })),
    }
    this.visits.push(this.current)
  }

  private end(line: number, outcome: VisitOutcome, gates: readonly BarReading[] | null): void {
    if (this.current === null) return
    this.current.outcome = outcome
    this.current.toLine = line
    if (gates !== null) this.current.gates = gates.map(gateFact)
    this.current = null
  }

  private add(visit: OpenVisit, journalled: JournalledObservation): void {
    const { plan } = this.replay
    const observation = observationOf(journalled)
    const { fromMs, toMs, watched, candidate, baseline } = observation
    const lengthMs = toMs - fromMs
    visit.coveredMs += lengthMs
    if (!watched) visit.unwatchedMs += lengthMs
    // As the state machine counts: until agents have settled, deliveries are of another share too.
    const inPhase = visit.isFirst || fromMs >= visit.enteredMs + plan.evidence.settleMs
    if (inPhase && watched && groupOfPhase(visit, observation).due > 0) visit.observedMs += lengthMs
    visit.agents = Math.max(visit.agents, candidate.agents)
    visit.allAgents = Math.max(visit.allAgents, candidate.agents + baseline.agents)
    visit.due += candidate.due
    visit.failed += candidate.failed
    visit.oldDue += baseline.due
    visit.oldFailed += baseline.failed
    if (!inPhase) return
    visit.trips = visit.trips.map((trip, index): TripFact => {
      const bar = plan.trips[index]
      if (bar === undefined) return trip
      const group = groupOf(bar, observation)
      return { ...trip, trials: trip.trials + group.due, hits: trip.hits + hitsOf(bar, group) }
    })
  }
}

function emptyVisit({ name, percentage, soakMs }: Phase): Omit<Visit, 'attempt' | 'fromLine' | 'trips'> {
  const times = { soakMs, observedMs: 0, coveredMs: 0, unwatchedMs: 0 }
  const counts = { agents: 0, allAgents: 0, due: 0, failed: 0, oldDue: 0, oldFailed: 0 }
  return { phase: name, percentage, outcome: 'present', toLine: null, ...times, ...counts, gates: [], findings: [] }
}

function gateFact({ title, expression, verdict, trials, hits, phi, logFor, reason }: BarReading): GateFact {
  return { title, expression, verdict, trials, hits, phi, logFor, reason }
}

function tripFact({ title, expression, fires, phase: { trials, hits } }: TripReading): TripFact {
  return { title, expression, fired: fires, trials, hits }
}

function lacksHistogram({ histogram, due, failed }: JournalledGroup): boolean {
  return histogram === null && due > failed
}
