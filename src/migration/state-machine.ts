/**
 * The migration as a state machine without I/O: what happened goes in, what is to be done comes out.
 *
 * It is deterministic, so a journal of what went in brings it back to where it was. Its time is that of observations, so no other clock can disagree with it; whoever
 * watches gives it one an interval, and beside it the outcome of a health check. Trips are looked at with every observation, in whatever state: while somebody
 * is asked for approval, while paused, and after the last phase. Only promotion waits; going back never does.
 */
import { GateEvidence, type BarReading } from './evidence.ts'
import { groupOfPhase, isCredible, type Observation } from './observation.ts'
import type { Bar, MigrationPlan, Phase, Switches } from './plan.ts'
import { shareOf, TripEvidence, type TripReading } from './trip-evidence.ts'

export type Status =
  /** A phase goes on until its gates are met. */
  | 'soaking'
  /** Gates are met; a person has to say yes. */
  | 'awaitingApproval'
  /** Gates were not met in the time that the plan grants; a person has to look. */
  | 'held'
  /** The last phase has met its gates. */
  | 'completed'
  | 'rolledBack'

export const rollbackModes = ['full', 'stepped', 'canary'] as const
/** `full`: everybody at once; `stepped`: by the shares of the phases before; `canary`: all but the first phase's share. */
export type RollbackMode = (typeof rollbackModes)[number]

/** Whether something that a phase requires is there. */
export interface Finding {
  readonly title: string
  readonly found: boolean
  readonly reason: string
}

export type Input =
  | { readonly type: 'started'; readonly atMs: number }
  | { readonly type: 'observed'; readonly observation: Observation }
  /** A health check, once an interval. */
  | { readonly type: 'checked'; readonly healthy: boolean }
  /** Somebody looked for all that the present phase requires. */
  | { readonly type: 'looked'; readonly findings: readonly Finding[] }
  | { readonly type: 'approved' }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  | { readonly type: 'rollbackAsked'; readonly reason: string; readonly mode: RollbackMode }

export type Decision =
  | {
      readonly kind: 'enter'
      readonly phase: string
      readonly percentage: number
      readonly switches: Switches
      /** Of the phase or attempt that is left. */
      readonly gates: readonly BarReading[]
    }
  | { readonly kind: 'awaitApproval'; readonly phase: string; readonly gates: readonly BarReading[] }
  /** Gates that were met are met no longer, so nobody is asked any more. */
  | { readonly kind: 'withdrawQuestion'; readonly phase: string; readonly gates: readonly BarReading[] }
  | { readonly kind: 'hold'; readonly phase: string; readonly gates: readonly BarReading[] }
  | { readonly kind: 'investigate'; readonly reasons: readonly string[] }
  | {
      readonly kind: 'rollBack'
      readonly mode: RollbackMode
      readonly reasons: readonly string[]
      /** Shares to go back to, one after the other; the last one stays. */
      readonly through: readonly number[]
      readonly trips: readonly TripReading[]
    }
  | { readonly kind: 'complete'; readonly gates: readonly BarReading[] }

function shownNotToHold({ title, expression }: Bar): string {
  return title === expression ? `${expression} is shown not to hold` : `${title}: ${expression} is shown not to hold`
}

export interface PhaseProgress {
  /** From 1. */
  readonly attempt: number
  readonly elapsedMs: number
  /** Of these, covered by observations that count. */
  readonly observedMs: number
  readonly lostSoFar: number
}

export class Migration {
  readonly plan: MigrationPlan
  private current: Status = 'soaking'
  private phaseIndex = -1
  private isPaused = false
  /** Attempts at each phase; each has its own part of the errors that the plan allows. */
  private readonly attempts: number[]
  private enteredMs = 0
  private observedMs = 0
  private completedMs = 0
  private lastSequence = -1
  private lastToMs = 0
  private lastCounted = false
  private gates: GateEvidence[] = []
  private trips: TripEvidence[] = []
  private investigations: TripEvidence[] = []
  private readonly told = new Set<string>()
  private unhealthy = 0
  private lost = 0
  private violations = 0
  private findings: readonly Finding[] = []

  constructor(plan: MigrationPlan) {
    this.plan = plan
    this.attempts = plan.phases.map(() => 0)
  }

  get status(): Status {
    return this.current
  }

  get paused(): boolean {
    return this.isPaused
  }

  /** Null before the start and after going back. */
  get phase(): Phase | null {
    return this.current === 'rolledBack' ? null : (this.plan.phases[this.phaseIndex] ?? null)
  }

  /** Of agents, as it was last decided. */
  get percentage(): number {
    return this.phase?.percentage ?? 0
  }

  gateReadings(): BarReading[] {
    return this.gates.map((gate) => gate.read())
  }

  tripReadings(): TripReading[] {
    return this.trips.map((trip) => trip.read())
  }

  /** What was last found of what the present phase requires. */
  get lastFindings(): readonly Finding[] {
    return this.findings
  }

  /** Of the present phase, in ms of observations. */
  get progress(): PhaseProgress {
    const { enteredMs, observedMs, lastToMs } = this
    const attempt = this.attempts[this.phaseIndex] ?? 0
    return { attempt, elapsedMs: Math.max(0, lastToMs - enteredMs), observedMs, lostSoFar: this.lost }
  }

  /** Where the last credible observation ended. */
  get observedToMs(): number {
    return this.lastToMs
  }

  /** Whether the last observation was one of the phase that counts for its gates. */
  get countedLast(): boolean {
    return this.lastCounted
  }

  /** Whether the last phase is over, and the time in which trips stay armed after it. */
  get isOver(): boolean {
    return this.current === 'completed' && this.lastToMs - this.completedMs >= this.plan.watchAfterMs
  }

  /** What is to be done now, in order. What makes no sense in the present state changes nothing. */
  take(input: Input): Decision[] {
    if (this.current === 'rolledBack') return []
    if (input.type === 'started') return this.phaseIndex === -1 ? this.start(input.atMs) : []
    if (this.phaseIndex === -1) return []
    switch (input.type) {
      case 'observed':
        return this.observe(input.observation)
      case 'checked':
        return this.check(input.healthy)
      case 'looked':
        this.findings = input.findings
        return []
      case 'approved':
        return this.current === 'awaitingApproval' && !this.isPaused ? this.promote(this.lastToMs) : []
      case 'paused':
        this.isPaused = true
        return []
      case 'resumed':
        return this.resume()
      case 'rollbackAsked':
        return this.rollBack([input.reason], input.mode)
    }
  }

  private start(atMs: number): Decision[] {
    this.lastToMs = atMs
    return this.enter(0, atMs)
  }

  private enter(index: number, atMs: number): Decision[] {
    const phase = this.plan.phases[index]
    const gates = this.gateReadings()
    if (phase === undefined) {
      this.current = 'completed'
      this.completedMs = atMs
      return [{ kind: 'complete', gates }]
    }
    this.begin(index, atMs)
    this.current = 'soaking'
    const { name, percentage, switches } = phase
    return [{ kind: 'enter', phase: name, percentage, switches, gates }]
  }

  /** Evidence begins anew. */
  private begin(index: number, atMs: number): void {
    const { evidence, trips, investigate, phases } = this.plan
    const attempt = (this.attempts[index] ?? 0) + 1
    this.attempts[index] = attempt
    this.phaseIndex = index
    this.enteredMs = atMs
    this.observedMs = 0
    this.findings = []
    const promoteAlpha = shareOf(evidence.promoteAlpha, attempt)
    const rollbackAlpha = shareOf(evidence.rollbackAlpha, attempt)
    this.gates = (phases[index]?.gates ?? []).map((bar) => new GateEvidence(bar, evidence, promoteAlpha))
    // Trips share the error that the plan allows a phase.
    this.trips = trips.map((bar) => new TripEvidence(bar, evidence, rollbackAlpha / trips.length, atMs))
    this.investigations = investigate.map(
      (bar) => new TripEvidence(bar, evidence, promoteAlpha / investigate.length, atMs),
    )
    this.told.clear()
  }

  private observe(observation: Observation): Decision[] {
    this.lastCounted = false
    if (!isCredible(observation, this.lastSequence, this.lastToMs, this.plan.evidence.intervalMs)) return []
    this.lastSequence = observation.sequence
    this.lastToMs = observation.toMs
    // The share of the phase takes a moment to come about: until then some of who is assigned the new path is still on the old one.
    const isFirst = this.phaseIndex === 0 && this.attempts[0] === 1
    const inPhase = isFirst || observation.fromMs >= this.enteredMs + this.plan.evidence.settleMs
    if (inPhase) for (const each of [...this.trips, ...this.investigations]) each.add(observation)
    this.lastCounted = inPhase && observation.watched
    if (this.lastCounted) {
      if (groupOfPhase(this.plan.phases[this.phaseIndex], observation).due > 0)
        this.observedMs += observation.toMs - observation.fromMs
      for (const gate of this.gates) gate.add(observation)
    }
    const reasons = this.tripped(observation)
    if (reasons.length > 0) return this.rollBack(reasons, this.plan.rollback)
    const decisions = this.investigated()
    if (!inPhase || (this.current !== 'soaking' && this.current !== 'awaitingApproval')) return decisions
    return [...decisions, ...this.judgePhase(observation.toMs)]
  }

  /** Why to go back, from counts and from evidence. */
  private tripped(observation: Observation): string[] {
    const { counted } = this.plan
    this.lost += observation.lost ?? 0
    this.violations += observation.securityViolations
    const reasons: string[] = []
    if (this.lost >= counted.lost) reasons.push(`${this.lost} acknowledged and lost`)
    if (this.violations >= counted.securityViolations) reasons.push(`${this.violations} security violations`)
    for (const trip of this.trips) {
      if (trip.fires()) reasons.push(shownNotToHold(trip.bar))
    }
    return reasons
  }

  private check(healthy: boolean): Decision[] {
    this.unhealthy = healthy ? 0 : this.unhealthy + 1
    if (this.unhealthy < this.plan.counted.failedHealthChecks) return []
    return this.rollBack([`${this.unhealthy} health checks failed in a row`], this.plan.rollback)
  }

  /** Each once a phase. */
  private investigated(): Decision[] {
    const reasons = this.investigations
      .filter((each) => !this.told.has(each.bar.expression) && each.fires())
      .map(({ bar }) => {
        this.told.add(bar.expression)
        return shownNotToHold(bar)
      })
    return reasons.length === 0 ? [] : [{ kind: 'investigate', reasons }]
  }

  private judgePhase(nowMs: number): Decision[] {
    const phase = this.plan.phases[this.phaseIndex]
    if (phase === undefined) return []
    const { coverage, patience } = this.plan.evidence
    const elapsedMs = nowMs - this.enteredMs
    if (elapsedMs < phase.soakMs) return []
    const shown =
      this.observedMs >= phase.soakMs * coverage && this.gates.every((gate) => gate.isMet()) && this.hasFound(phase)
    if (this.current === 'awaitingApproval') {
      if (shown) return []
      this.current = 'soaking'
      return [{ kind: 'withdrawQuestion', phase: phase.name, gates: this.gateReadings() }]
    }
    if (this.isPaused) return []
    if (shown && !phase.approval) return this.promote(nowMs)
    if (shown) {
      this.current = 'awaitingApproval'
      return [{ kind: 'awaitApproval', phase: phase.name, gates: this.gateReadings() }]
    }
    if (elapsedMs < phase.soakMs * patience) return []
    this.current = 'held'
    return [{ kind: 'hold', phase: phase.name, gates: this.gateReadings() }]
  }

  private hasFound({ requires }: Phase): boolean {
    return requires.every(({ title }) => this.findings.some((each) => each.title === title && each.found))
  }

  private promote(atMs: number): Decision[] {
    return this.enter(this.phaseIndex + 1, atMs)
  }

  /** A phase that was held begins anew: its evidence did not suffice, and more of the same would not be another. */
  private resume(): Decision[] {
    this.isPaused = false
    return this.current === 'held' ? this.enter(this.phaseIndex, this.lastToMs) : []
  }

  private rollBack(reasons: readonly string[], mode: RollbackMode): Decision[] {
    const { percentage } = this
    const { phases } = this.plan
    const trips = this.tripReadings()
    const canary = phases.findIndex((phase) => phase.percentage > 0)
    const kept = phases[canary]?.percentage ?? 0
    if (mode === 'canary') {
      // There is nothing to go back from.
      if (percentage <= kept) return []
      // Who stays is watched on, and goes no further until somebody has looked.
      this.begin(canary, this.lastToMs)
      this.current = 'held'
      return [{ kind: 'rollBack', mode, reasons, through: [kept], trips }]
    }
    this.current = 'rolledBack'
    const before = phases.map((phase) => phase.percentage).filter((share) => share > 0 && share < percentage)
    const steps = mode === 'stepped' ? Array.from(new Set(before)).toReversed() : []
    return [{ kind: 'rollBack', mode, reasons, through: [...steps, 0], trips }]
  }
}
