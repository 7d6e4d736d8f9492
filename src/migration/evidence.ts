/**
 * What observations say about one bar: whether it is shown to hold, shown not to, or neither.
 *
 * A bar on a quantile is one on a share: P99 < 300 ms says that fewer than 1 in 100 take longer, and what never arrived took longer than any
 * bound. Both directions are judged by e-processes (statistics/e-process.ts), since a migration looks after every interval and stops when it
 * likes. For a gate, intervals that scatter more than independent exchanges would make its evidence worth less by φ; a trip takes
 * no such discount, but wants hits in several intervals, since one stall is no regression.
 */
import { EProcess, type Side } from '../statistics/e-process.ts'
import { boundOf, durationOf, quantileOf } from '../statistics/target-expression.ts'
import type { Observation, ObservedGroup } from './observation.ts'
import type { Bar, EvidenceRules } from './plan.ts'

export type BarVerdict = 'MET' | 'NOT_MET' | 'NOT_DEMONSTRATED'

export interface BarReading {
  readonly bar: Bar
  readonly verdict: BarVerdict
  readonly trials: number
  readonly hits: number
  /** Dispersion between intervals by which counts were divided. */
  readonly phi: number
  /** ln of the evidence that the bar holds, and that it does not; null where no evidence is needed. */
  readonly logFor: number | null
  readonly logAgainst: number | null
  /** Further time until the bar would be met as things go, in ms; null when not foreseeable. */
  readonly forecastMs: number | null
  readonly reason: string
}

/** Beyond it a forecast says nothing. */
const farthestTrials = 1e12

function groupOf(bar: Bar, observation: Observation): ObservedGroup {
  return bar.target.subject === 'baseline' ? observation.baseline : observation.candidate
}

/** The share that a bar allows. */
export function allowedShare(bar: Bar): number {
  const { measure } = bar.target
  return measure.kind === 'latency' ? 1 - quantileOf[measure.quantile] : boundOf(bar.target)
}

function hitsOf(bar: Bar, group: ObservedGroup): number {
  const { measure } = bar.target
  return measure.kind === 'latency'
    ? Math.min(group.due, group.failed + group.above(boundOf(bar.target)))
    : group.failed
}

/** Dispersion of hits between intervals, from running sums (proportion.ts has it from cells). */
class Dispersion {
  private intervals = 0
  private trials = 0
  private hits = 0
  private squares = 0

  add(hits: number, trials: number): void {
    if (trials === 0) return
    this.intervals++
    this.trials += trials
    this.hits += hits
    this.squares += (hits * hits) / trials
  }

  /** Never below 1. */
  phi(): number {
    const p = this.hits / this.trials
    if (this.intervals < 2 || !(p > 0 && p < 1)) return 1
    // Σ(s − np)²/n = Σ s²/n − p Σ s.
    const chiSquare = (this.squares - p * this.hits) / (p * (1 - p))
    return Math.max(1, chiSquare / (this.intervals - 1))
  }
}

export class GateEvidence {
  readonly bar: Bar
  private readonly rules: EvidenceRules
  private readonly dispersion = new Dispersion()
  private coveredMs = 0
  private trials = 0
  private hits = 0
  private fewestAgents = Infinity

  constructor(bar: Bar, rules: EvidenceRules) {
    this.bar = bar
    this.rules = rules
  }

  add(observation: Observation): void {
    const group = groupOf(this.bar, observation)
    this.coveredMs += observation.toMs - observation.fromMs
    this.fewestAgents = Math.min(this.fewestAgents, group.agents)
    if (this.bar.target.measure.kind === 'agents') return
    const hits = hitsOf(this.bar, group)
    this.trials += group.due
    this.hits += hits
    this.dispersion.add(hits, group.due)
  }

  private missingMs(): number {
    return Math.max(0, (durationOf(this.bar.target) ?? 0) - this.coveredMs)
  }

  /** As `read` has it, without what is only to be shown. */
  isMet(): boolean {
    if (this.missingMs() > 0) return false
    if (this.bar.target.measure.kind === 'agents') return this.readAgents(0).verdict === 'MET'
    return this.evidence('below', this.dispersion.phi()).reaches(this.rules.promoteAlpha)
  }

  private evidence(side: Side, phi: number): EProcess {
    const process = new EProcess(allowedShare(this.bar), side)
    process.add(this.hits / phi, this.trials / phi)
    return process
  }

  read(): BarReading {
    const missingMs = this.missingMs()
    return this.bar.target.measure.kind === 'agents' ? this.readAgents(missingMs) : this.readShare(missingMs)
  }

  private readAgents(missingMs: number): BarReading {
    const { bar, fewestAgents } = this
    const seen = Number.isFinite(fewestAgents)
    const met = seen && fewestAgents >= boundOf(bar.target)
    const reason = seen ? `${fewestAgents} agents at the fewest` : 'nothing was observed yet'
    const verdict = !seen || missingMs > 0 ? 'NOT_DEMONSTRATED' : met ? 'MET' : 'NOT_MET'
    const none = { logFor: null, logAgainst: null, phi: 1 }
    return { bar, verdict, trials: 0, hits: 0, ...none, forecastMs: met ? missingMs : null, reason }
  }

  private readShare(missingMs: number): BarReading {
    const { bar, trials, hits } = this
    const phi = this.dispersion.phi()
    const [below, above] = [this.evidence('below', phi), this.evidence('above', phi)]
    const shown = below.reaches(this.rules.promoteAlpha)
    const refuted = above.reaches(this.rules.promoteAlpha)
    const forecastMs = this.forecast(below, phi, missingMs)
    const verdict = refuted ? 'NOT_MET' : shown && missingMs === 0 ? 'MET' : 'NOT_DEMONSTRATED'
    const counts = { trials, hits, phi, logFor: below.logValue(), logAgainst: above.logValue() }
    return { bar, verdict, ...counts, forecastMs, reason: reasonOf(shown, refuted, missingMs, trials) }
  }

  /** As many trials a second as so far, and as many hits among them, with half a hit more so that none is not never. */
  private forecast(below: EProcess, phi: number, missingMs: number): number | null {
    if (this.trials === 0 || this.coveredMs === 0) return null
    const rate = (this.hits + 0.5) / (this.trials + 1)
    const needed = below.trialsNeeded(rate, this.rules.promoteAlpha, farthestTrials)
    if (needed === null) return null
    return Math.max(missingMs, (needed * phi * this.coveredMs) / this.trials)
  }
}

function reasonOf(shown: boolean, refuted: boolean, missingMs: number, trials: number): string {
  if (trials === 0) return 'nothing was due yet'
  if (refuted) return 'the evidence is against it'
  if (missingMs > 0) return `${Math.ceil(missingMs / 1000)} s of its time are not observed yet`
  return shown ? 'the evidence is for it' : 'the evidence does not suffice yet'
}

/** Evidence that a bar does not hold, over the phase and over the present window. */
export class TripEvidence {
  readonly bar: Bar
  private readonly rules: EvidenceRules
  private readonly alpha: number
  private phase: Scope
  private window: Scope
  private windows = 1
  private windowEndsMs: number

  /** `alpha` is this trip's own share of the plan's. */
  constructor(bar: Bar, rules: EvidenceRules, alpha: number, fromMs: number) {
    this.bar = bar
    this.rules = rules
    this.alpha = alpha
    this.phase = new Scope(allowedShare(bar))
    this.window = new Scope(allowedShare(bar))
    this.windowEndsMs = fromMs + rules.windowMs
  }

  add(observation: Observation): void {
    const group = groupOf(this.bar, observation)
    const hits = hitsOf(this.bar, group)
    if (observation.fromMs >= this.windowEndsMs) {
      this.window = new Scope(allowedShare(this.bar))
      this.windows++
      this.windowEndsMs = observation.fromMs + this.rules.windowMs
    }
    this.phase.add(hits, group.due)
    this.window.add(hits, group.due)
  }

  /** Half of the error is for the phase as a whole, half for all its windows together, however many: Σ 6/(π²k²) = 1. */
  fires(): boolean {
    const half = this.alpha / 2
    const ofWindow = (half * 6) / (Math.PI * this.windows) ** 2
    return (
      this.phase.reaches(half, this.rules.minimumIntervals) ||
      this.window.reaches(ofWindow, this.rules.minimumIntervals)
    )
  }

  read(): BarReading {
    const { process } = this.phase
    const verdict = this.fires() ? 'NOT_MET' : 'NOT_DEMONSTRATED'
    const reason = verdict === 'NOT_MET' ? 'the evidence is against it' : 'nothing speaks against it enough to act'
    const counts = { trials: process.trials, hits: process.hits, phi: 1 }
    const logAgainst = Math.max(process.logValue(), this.window.process.logValue())
    return { bar: this.bar, verdict, ...counts, logFor: null, logAgainst, forecastMs: null, reason }
  }
}

class Scope {
  readonly process: EProcess
  private intervalsWithHits = 0

  constructor(p0: number) {
    this.process = new EProcess(p0, 'above')
  }

  add(hits: number, trials: number): void {
    this.process.add(hits, trials)
    if (hits > 0) this.intervalsWithHits++
  }

  reaches(alpha: number, minimumIntervals: number): boolean {
    return this.intervalsWithHits >= minimumIntervals && this.process.reaches(alpha)
  }
}
