/**
 * What observations say about one bar: whether it is shown to hold, shown not to, or neither.
 *
 * A bar on a quantile is one on a share: P99 < 300 ms says that fewer than 1 in 100 take longer, and what never arrived took longer than any
 * bound. Both directions are judged by e-processes (statistics/e-process.ts), since a migration looks after every interval and stops when it
 * likes. Exchanges that miss a bar come together, of which an e-process over single exchanges knows nothing: for a gate, counts are divided by the largest
 * dispersion φ seen between blocks of several lengths; for a trip (trip-evidence.ts), the worst intervals are left out. Both are approximate.
 */
import { EProcess } from '../statistics/e-process.ts'
import { boundOf, durationOf, quantileOf } from '../statistics/target-expression.ts'
import type { Observation, ObservedGroup } from './observation.ts'
import type { Bar, EvidenceRules } from './plan.ts'

export type BarVerdict = 'MET' | 'NOT_MET' | 'NOT_DEMONSTRATED'

export interface BarReading {
  readonly title: string
  readonly expression: string
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

export function groupOf(bar: Bar, observation: Observation): ObservedGroup {
  return bar.target.subject === 'baseline' ? observation.baseline : observation.candidate
}

/** The share that a bar allows. */
export function allowedShare(bar: Bar): number {
  const { measure } = bar.target
  return measure.kind === 'latency' ? 1 - quantileOf[measure.quantile] : boundOf(bar.target)
}

export function hitsOf(bar: Bar, group: ObservedGroup): number {
  const { measure } = bar.target
  return measure.kind === 'latency'
    ? Math.min(group.due, group.failed + group.above(boundOf(bar.target)))
    : group.failed
}

/** Dispersion of hits between blocks of one length, from running sums (proportion.ts has it from cells). */
class Dispersion {
  private readonly blockMs: number
  private blocks = 0
  private trials = 0
  private hits = 0
  private squares = 0
  private endsMs = -Infinity
  private blockTrials = 0
  private blockHits = 0

  constructor(blockMs: number) {
    this.blockMs = blockMs
  }

  add(hits: number, trials: number, fromMs: number): void {
    if (fromMs >= this.endsMs) {
      this.closeBlock()
      this.endsMs = fromMs + this.blockMs
    }
    this.blockHits += hits
    this.blockTrials += trials
  }

  private closeBlock(): void {
    if (this.blockTrials > 0) {
      this.blocks++
      this.trials += this.blockTrials
      this.hits += this.blockHits
      this.squares += this.blockHits ** 2 / this.blockTrials
    }
    this.blockHits = 0
    this.blockTrials = 0
  }

  /** Of whole blocks; never below 1. */
  phi(): number {
    const p = this.hits / this.trials
    if (this.blocks < 2 || !(p > 0 && p < 1)) return 1
    // Σ(s − np)²/n = Σ s²/n − p Σ s.
    const chiSquare = (this.squares - p * this.hits) / (p * (1 - p))
    return Math.max(1, chiSquare / (this.blocks - 1))
  }
}

/**
 * Lengths of blocks, as multiples of the interval: an interval alone sees only what is shorter than itself, and no dispersion larger
 * than the trials in it. The longest is an hour of intervals of ten seconds.
 */
const blockIntervals = [1, 30, 180, 360]

export class GateEvidence {
  readonly bar: Bar
  private readonly alpha: number
  /** Null for a number of agents. */
  private readonly below: EProcess | null
  private readonly above: EProcess | null
  private readonly dispersions: readonly Dispersion[]
  private largestPhi = 1
  private coveredMs = 0
  private trials = 0
  private hits = 0
  /** Of the time that the bar names, or of the last interval. */
  private heads: { readonly toMs: number; readonly agents: number }[] = []

  /** `alpha`: error of a promotion by this attempt at the phase. */
  constructor(bar: Bar, rules: EvidenceRules, alpha: number) {
    this.bar = bar
    this.alpha = alpha
    const isShare = bar.target.measure.kind !== 'agents'
    this.below = isShare ? new EProcess(allowedShare(bar), 'below') : null
    this.above = isShare ? new EProcess(allowedShare(bar), 'above') : null
    this.dispersions = blockIntervals.map((count) => new Dispersion(count * rules.intervalMs))
  }

  add(observation: Observation): void {
    const group = groupOf(this.bar, observation)
    if (this.bar.target.measure.kind === 'agents') return this.addHeads(group, observation)
    // Time in which nothing came to an end shows nothing.
    if (group.due === 0) return
    this.coveredMs += observation.toMs - observation.fromMs
    const hits = hitsOf(this.bar, group)
    this.trials += group.due
    this.hits += hits
    for (const each of this.dispersions) {
      each.add(hits, group.due, observation.fromMs)
      // What was once seen to come together is not believed to have stopped.
      this.largestPhi = Math.max(this.largestPhi, each.phi())
    }
  }

  private addHeads({ agents }: ObservedGroup, { fromMs, toMs }: Observation): void {
    this.coveredMs += toMs - fromMs
    const sinceMs = toMs - (durationOf(this.bar.target) ?? 0)
    this.heads = [...this.heads.filter((each) => each.toMs > sinceMs && sinceMs < fromMs), { toMs, agents }]
  }

  private missingMs(): number {
    return Math.max(0, (durationOf(this.bar.target) ?? 0) - this.coveredMs)
  }

  /** As `read` has it, without what is only to be shown. */
  isMet(): boolean {
    if (this.missingMs() > 0) return false
    if (this.bar.target.measure.kind === 'agents') return this.readAgents(0).verdict === 'MET'
    const [hits, trials] = [this.hits / this.largestPhi, this.trials / this.largestPhi]
    return this.below?.reachesAt(this.alpha, hits, trials) === true
  }

  /** Counts divided by what they are worth. */
  private evidence(process: EProcess | null): { log: number; reaches: boolean } {
    const [hits, trials] = [this.hits / this.largestPhi, this.trials / this.largestPhi]
    if (process === null) return { log: 0, reaches: false }
    return { log: process.logAt(hits, trials), reaches: process.reachesAt(this.alpha, hits, trials) }
  }

  read(): BarReading {
    const missingMs = this.missingMs()
    return this.bar.target.measure.kind === 'agents' ? this.readAgents(missingMs) : this.readShare(missingMs)
  }

  private readAgents(missingMs: number): BarReading {
    const { bar, heads } = this
    const fewest = Math.min(...heads.map(({ agents }) => agents))
    const bound = boundOf(bar.target)
    const met = heads.length > 0 && (bar.target.comparator === '>' ? fewest > bound : fewest >= bound)
    const reason = heads.length > 0 ? `${fewest} agents` : 'nothing was observed yet'
    const verdict = heads.length === 0 || missingMs > 0 ? 'NOT_DEMONSTRATED' : met ? 'MET' : 'NOT_MET'
    const none = { logFor: null, logAgainst: null, phi: 1 }
    const { title, expression } = bar
    return { title, expression, verdict, trials: 0, hits: 0, ...none, forecastMs: met ? missingMs : null, reason }
  }

  private readShare(missingMs: number): BarReading {
    const { bar, trials, hits, largestPhi: phi } = this
    const [below, above] = [this.evidence(this.below), this.evidence(this.above)]
    const forecastMs = this.forecast(phi, missingMs)
    const verdict = above.reaches ? 'NOT_MET' : below.reaches && missingMs === 0 ? 'MET' : 'NOT_DEMONSTRATED'
    const counts = { trials, hits, phi, logFor: below.log, logAgainst: above.log }
    const { title, expression } = bar
    return {
      title,
      expression,
      verdict,
      ...counts,
      forecastMs,
      reason: reasonOf(below.reaches, above.reaches, missingMs, trials),
    }
  }

  /** As many trials a second as so far, and as many hits among them, with half a hit more so that none is not never. */
  private forecast(phi: number, missingMs: number): number | null {
    if (this.trials === 0 || this.coveredMs === 0) return null
    const rate = (this.hits + 0.5) / (this.trials + 1)
    const below = new EProcess(allowedShare(this.bar), 'below')
    below.add(this.hits / phi, this.trials / phi)
    const needed = below.trialsNeeded(rate, this.alpha, farthestTrials)
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
