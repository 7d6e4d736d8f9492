/**
 * What observations say against a bar: whether it is shown not to hold, over a phase as a whole and over its present window.
 *
 * The worst intervals are left out, since one stall is no regression; what is left has to speak against the bar by itself (evidence.ts has the rest).
 */
import { EProcess } from '../statistics/e-process.ts'
import { allowedShare, groupOf, hitsOf } from './evidence.ts'
import type { Observation } from './observation.ts'
import type { Bar, EvidenceRules } from './plan.ts'

/** What a trip has seen, and whether that is enough for it to act. */
export interface TripReading {
  readonly title: string
  readonly expression: string
  readonly fires: boolean
  readonly phase: TripCounts
  readonly window: TripCounts
}

export interface TripCounts {
  readonly trials: number
  readonly hits: number
  /** ln of the evidence that the bar does not hold, from what is left without the worst intervals. */
  readonly logAgainst: number
}

/** Evidence that a bar does not hold, over the phase and over the present window. */
export class TripEvidence {
  readonly bar: Bar
  private readonly rules: EvidenceRules
  private readonly alpha: number
  private readonly phase: Scope
  private window: Scope
  private windows = 1
  private windowEndsMs: number

  /** `alpha` is this trip's own share of the plan's. */
  constructor(bar: Bar, rules: EvidenceRules, alpha: number, fromMs: number) {
    this.bar = bar
    this.rules = rules
    this.alpha = alpha
    this.phase = new Scope(allowedShare(bar), rules.minimumIntervals)
    this.window = new Scope(allowedShare(bar), rules.minimumIntervals)
    this.windowEndsMs = fromMs + rules.windowMs
  }

  add(observation: Observation): void {
    const group = groupOf(this.bar, observation)
    const hits = hitsOf(this.bar, group)
    if (observation.fromMs >= this.windowEndsMs) {
      this.window = new Scope(allowedShare(this.bar), this.rules.minimumIntervals)
      this.windows++
      this.windowEndsMs = observation.fromMs + this.rules.windowMs
    }
    this.phase.add(hits, group.due)
    this.window.add(hits, group.due)
  }

  read(): TripReading {
    const { title, expression } = this.bar
    return { title, expression, fires: this.fires(), phase: this.phase.read(), window: this.window.read() }
  }

  /** Half of the error is for the phase as a whole, half for all its windows together, however many: Σ 6/(π²k²) = 1. */
  fires(): boolean {
    const half = this.alpha / 2
    return this.phase.reaches(half) || this.window.reaches(shareOf(half, this.windows))
  }
}

/** The part of `alpha` that the `k`-th of endlessly many tries has, k from 1: 6/(π²k²), which add up to 1. */
export function shareOf(alpha: number, k: number): number {
  return (alpha * 6) / (Math.PI * k) ** 2
}

/** Counts of several intervals, of which the worst are left out: what is left has to speak against the bar by itself. */
class Scope {
  trials = 0
  hits = 0
  private readonly process: EProcess
  private readonly leftOut: number
  /** The intervals with the most hits beyond what is allowed, the worst first. */
  private worst: { readonly hits: number; readonly trials: number }[] = []

  constructor(p0: number, minimumIntervals: number) {
    this.process = new EProcess(p0, 'above')
    this.leftOut = minimumIntervals - 1
  }

  add(hits: number, trials: number): void {
    this.hits += hits
    this.trials += trials
    const beyond = (each: { hits: number; trials: number }): number => each.hits - this.process.p0 * each.trials
    const last = this.worst.at(-1)
    if (
      this.leftOut === 0 ||
      (this.worst.length === this.leftOut && last !== undefined && beyond(last) >= beyond({ hits, trials }))
    )
      return
    this.worst = [...this.worst, { hits, trials }].toSorted((a, b) => beyond(b) - beyond(a)).slice(0, this.leftOut)
  }

  private left(): { readonly hits: number; readonly trials: number } {
    let { hits, trials } = this
    for (const each of this.worst) {
      hits -= each.hits
      trials -= each.trials
    }
    return { hits, trials }
  }

  read(): TripCounts {
    const { hits, trials } = this.left()
    return { trials: this.trials, hits: this.hits, logAgainst: this.process.logAt(hits, trials) }
  }

  reaches(alpha: number): boolean {
    // Leaving out the worst leaves no more hits than there are, so what is few enough with them is so without.
    if (this.hits <= this.process.p0 * this.trials) return false
    const { hits, trials } = this.left()
    return this.process.reachesAt(alpha, hits, trials)
  }
}
