/**
 * The migration as a state machine without I/O: what happened goes in, what is to be done comes out.
 *
 * It is deterministic, so a journal of what went in brings it back to where it was. Its time is that of observations, so no other clock can disagree with it; whoever
 * watches gives it one an interval, with `healthy: false` when the system says nothing. Trips are looked at with every observation, in whatever state: while somebody
 * is asked for approval, while paused, and after the last phase. Only promotion waits; going back never does.
 */
import { GateEvidence, shareOf, TripEvidence, type BarReading } from './evidence.ts'
import { groupOfPhase, isCredible, type Observation } from './observation.ts'
import type { MigrationPlan, Phase } from './plan.ts'

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

export type Input =
  | { readonly type: 'started'; readonly atMs: number }
  | { readonly type: 'observed'; readonly observation: Observation }
  | { readonly type: 'approved' }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  | { readonly type: 'rollbackAsked'; readonly reason: string }

export type Decision =
  | { readonly kind: 'enter'; readonly phase: string; readonly percentage: number }
  | { readonly kind: 'awaitApproval'; readonly phase: string; readonly gates: readonly BarReading[] }
  /** Gates that were met are met no longer, so nobody is asked any more. */
  | { readonly kind: 'withdrawQuestion'; readonly phase: string; readonly gates: readonly BarReading[] }
  | { readonly kind: 'hold'; readonly phase: string; readonly gates: readonly BarReading[] }
  | { readonly kind: 'investigate'; readonly reasons: readonly string[] }
  | { readonly kind: 'rollBack'; readonly reasons: readonly string[] }
  | { readonly kind: 'complete' }

export class Migration {
  readonly plan: MigrationPlan
  private current: Status = 'soaking'
  private phaseIndex = -1
  private isPaused = false
  /** Attempts at the present phase; each has its own part of the errors that the plan allows. */
  private attempt = 1
  private enteredMs = 0
  private observedMs = 0
  private lastSequence = -1
  private lastToMs = 0
  private gates: GateEvidence[] = []
  private trips: TripEvidence[] = []
  private investigations: TripEvidence[] = []
  private readonly told = new Set<string>()
  private unhealthy = 0
  private lost = 0
  private violations = 0

  constructor(plan: MigrationPlan) {
    this.plan = plan
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

  /** What is to be done now, in order. What makes no sense in the present state changes nothing. */
  take(input: Input): Decision[] {
    if (this.current === 'rolledBack') return []
    if (input.type === 'started') return this.phaseIndex === -1 ? this.start(input.atMs) : []
    if (this.phaseIndex === -1) return []
    switch (input.type) {
      case 'observed':
        return this.observe(input.observation)
      case 'approved':
        return this.current === 'awaitingApproval' && !this.isPaused ? this.promote(this.lastToMs) : []
      case 'paused':
        this.isPaused = true
        return []
      case 'resumed':
        return this.resume()
      case 'rollbackAsked':
        return this.rollBack([input.reason])
    }
  }

  private start(atMs: number): Decision[] {
    this.lastToMs = atMs
    return this.enter(0, atMs)
  }

  private enter(index: number, atMs: number): Decision[] {
    this.attempt = index === this.phaseIndex ? this.attempt + 1 : 1
    const phase = this.plan.phases[index]
    if (phase === undefined) {
      this.current = 'completed'
      return [{ kind: 'complete' }]
    }
    const { evidence, trips, investigate } = this.plan
    this.current = 'soaking'
    this.phaseIndex = index
    this.enteredMs = atMs
    this.observedMs = 0
    const promoteAlpha = shareOf(evidence.promoteAlpha, this.attempt)
    const rollbackAlpha = shareOf(evidence.rollbackAlpha, this.attempt)
    this.gates = phase.gates.map((bar) => new GateEvidence(bar, evidence, promoteAlpha))
    // Trips share the error that the plan allows a phase.
    this.trips = trips.map((bar) => new TripEvidence(bar, evidence, rollbackAlpha / trips.length, atMs))
    this.investigations = investigate.map(
      (bar) => new TripEvidence(bar, evidence, promoteAlpha / investigate.length, atMs),
    )
    this.told.clear()
    return [{ kind: 'enter', phase: phase.name, percentage: phase.percentage }]
  }

  private observe(observation: Observation): Decision[] {
    if (!isCredible(observation, this.lastSequence, this.lastToMs, this.plan.evidence.intervalMs)) return []
    this.lastSequence = observation.sequence
    this.lastToMs = observation.toMs
    for (const each of [...this.trips, ...this.investigations]) each.add(observation)
    // The share of the phase takes an interval to come about; what began before is of another.
    const inPhase = observation.fromMs >= this.enteredMs + this.plan.evidence.intervalMs || this.phaseIndex === 0
    if (inPhase) {
      if (groupOfPhase(this.plan.phases[this.phaseIndex], observation).due > 0)
        this.observedMs += observation.toMs - observation.fromMs
      for (const gate of this.gates) gate.add(observation)
    }
    const reasons = this.tripped(observation)
    if (reasons.length > 0) return this.rollBack(reasons)
    const decisions = this.investigated()
    if (!inPhase || (this.current !== 'soaking' && this.current !== 'awaitingApproval')) return decisions
    return [...decisions, ...this.judgePhase(observation.toMs)]
  }

  /** Why to go back, from counts and from evidence. */
  private tripped(observation: Observation): string[] {
    const { counted } = this.plan
    this.lost += observation.lost
    this.violations += observation.securityViolations
    this.unhealthy = observation.healthy ? 0 : this.unhealthy + 1
    const reasons: string[] = []
    if (this.lost >= counted.lost) reasons.push(`${this.lost} acknowledged and lost`)
    if (this.violations >= counted.securityViolations) reasons.push(`${this.violations} security violations`)
    if (this.unhealthy >= counted.failedHealthChecks) reasons.push(`${this.unhealthy} health checks failed in a row`)
    for (const trip of this.trips) {
      if (trip.fires()) reasons.push(`${trip.bar.title}: shown not to hold (${trip.bar.expression})`)
    }
    return reasons
  }

  /** Each once a phase. */
  private investigated(): Decision[] {
    const reasons = this.investigations
      .filter((each) => !this.told.has(each.bar.expression) && each.fires())
      .map(({ bar }) => {
        this.told.add(bar.expression)
        return `${bar.title}: shown not to hold (${bar.expression})`
      })
    return reasons.length === 0 ? [] : [{ kind: 'investigate', reasons }]
  }

  private judgePhase(nowMs: number): Decision[] {
    const phase = this.plan.phases[this.phaseIndex]
    if (phase === undefined) return []
    const { coverage, patience } = this.plan.evidence
    const elapsedMs = nowMs - this.enteredMs
    if (elapsedMs < phase.soakMs) return []
    const shown = this.observedMs >= phase.soakMs * coverage && this.gates.every((gate) => gate.isMet())
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

  private promote(atMs: number): Decision[] {
    return this.enter(this.phaseIndex + 1, atMs)
  }

  /** A phase that was held begins anew: its evidence did not suffice, and more of the same would not be another. */
  private resume(): Decision[] {
    this.isPaused = false
    return this.current === 'held' ? this.enter(this.phaseIndex, this.lastToMs) : []
  }

  private rollBack(reasons: readonly string[]): Decision[] {
    this.current = 'rolledBack'
    return [{ kind: 'rollBack', reasons }]
  }
}
