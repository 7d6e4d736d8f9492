/**
 * How often the rules of a plan err, and how soon they see what is wrong: one phase of it, played many times in virtual time with engines whose
 * quality is planted.
 *
 * What is played is the state machine that runs migrations, fed with counts drawn from a seed. An engine is described by the share of its deliveries
 * that miss each bar, as a multiple of what the bar allows: 1 is the boundary, where an engine is as good as bad can be. Stalls put the misses of several
 * intervals into one. Counts are binomial, so exchanges of one interval are independent unless a scenario says otherwise; the real ones are
 * less so, and the plan's rules for that (φ, several intervals) are played as they are.
 */
import type { Scenario, ScenarioResult } from '../measurement/simulation-document.ts'
import type { Random } from '../platform/random.ts'
import { clopperPearsonUpper } from '../statistics/proportion.ts'
import { boundOf, quantileOf } from '../statistics/target-expression.ts'
import type { Observation, ObservedGroup } from './observation.ts'
import type { Bar, MigrationPlan, Phase } from './plan.ts'
import { Migration } from './state-machine.ts'

export interface SimulatedLoad {
  readonly agents: number
  /** Deliveries of all agents together. */
  readonly perSecond: number
}

const alpha = 0.05
const goodShare = 0.1

/** The first phase that has agents on the new path and something to show about them. */
export function canaryPhase(plan: MigrationPlan): Phase | null {
  const isAboutCandidate = ({ target }: Bar): boolean => target.subject === 'candidate'
  return plan.phases.find(({ percentage, gates }) => percentage > 0 && gates.some(isAboutCandidate)) ?? null
}

/** `each` is awaited after every run, so that the caller may look at signals and say how far it is. */
export async function playScenario(
  plan: MigrationPlan,
  phase: Phase,
  scenario: Scenario,
  load: SimulatedLoad,
  runs: number,
  randomOf: (run: number) => Random,
  each: (done: number) => Promise<void> | null = () => null,
): Promise<ScenarioResult> {
  // One phase alone, to whose end no person is needed: what a person would do is not what is measured.
  const alone: MigrationPlan = { ...plan, phases: [{ ...phase, approval: false, requires: [] }] }
  const ends: PhaseEnd[] = []
  for (let run = 0; run < runs; run++) {
    ends.push(playOnce(alone, phase, scenario, load, randomOf(run)))
    await each(run + 1)
  }
  const count = (how: PhaseEnd['how']): number => ends.filter((end) => end.how === how).length
  const rollbacks = ends.filter((end) => end.how === 'rolledBack' && end.exchanges >= 0)
  const [promoted, rolledBack] = [count('promoted'), count('rolledBack')]
  return {
    scenario,
    runs,
    promoted,
    rolledBack,
    held: count('held'),
    promotedAtMost: clopperPearsonUpper(promoted, runs, alpha),
    rolledBackAtMost: clopperPearsonUpper(rolledBack, runs, alpha),
    medianExchangesToRollback: median(rollbacks.map(({ exchanges }) => exchanges)),
    medianMsToRollback: median(rollbacks.map(({ ms }) => ms)),
  }
}

interface PhaseEnd {
  readonly how: 'promoted' | 'rolledBack' | 'held'
  /** Deliveries of the candidate, and time, since the onset; negative before it. */
  readonly exchanges: number
  readonly ms: number
}

function playOnce(
  plan: MigrationPlan,
  phase: Phase,
  scenario: Scenario,
  load: SimulatedLoad,
  random: Random,
): PhaseEnd {
  const { intervalMs } = plan.evidence
  const migration = new Migration(plan)
  migration.take({ type: 'started', atMs: 0 })
  const onsetMs = scenario.onset * phase.soakMs
  let exchanges = 0
  // The state machine itself ends every phase; this only bounds what a defect in it could cost.
  const most = Math.ceil((phase.soakMs * plan.evidence.patience) / intervalMs) + 2
  for (let sequence = 0; sequence < most; sequence++) {
    const fromMs = sequence * intervalMs
    const bad = fromMs >= onsetMs
    const observation = observationOf(plan, phase, scenario, load, sequence, bad, random)
    if (bad) exchanges += observation.candidate.due
    const ms = fromMs + intervalMs - onsetMs
    for (const { kind } of migration.take({ type: 'observed', observation })) {
      if (kind === 'complete') return { how: 'promoted', exchanges, ms }
      if (kind === 'rollBack') return { how: 'rolledBack', exchanges: bad ? exchanges : -1, ms }
      if (kind === 'hold') return { how: 'held', exchanges, ms }
    }
  }
  return { how: 'held', exchanges, ms: most * intervalMs }
}

function observationOf(
  plan: MigrationPlan,
  phase: Phase,
  scenario: Scenario,
  load: SimulatedLoad,
  sequence: number,
  bad: boolean,
  random: Random,
): Observation {
  const { intervalMs } = plan.evidence
  const dueOf = (percentage: number): number => Math.round((load.perSecond * (percentage / 100) * intervalMs) / 1000)
  const { clustering } = scenario
  // All misses of `clustering` intervals in one of them, drawn anew each time.
  const stalled = clustering === 1 || random.below(clustering) === 0
  const factor = (own: number): number => (bad ? own : goodShare) * (stalled ? clustering : 0)
  const { gateFactor, tripFactor, errorFactor } = scenario
  const shares = sharesOf(plan, phase, factor(gateFactor), factor(tripFactor), factor(errorFactor), errorFactor < 1)
  const due = dueOf(phase.percentage)
  const agents = Math.round((load.agents * phase.percentage) / 100)
  return {
    sequence,
    fromMs: sequence * intervalMs,
    toMs: (sequence + 1) * intervalMs,
    candidate: drawGroup(agents, due, shares, random),
    baseline: drawGroup(load.agents - agents, dueOf(100 - phase.percentage), goodShares, random),
    lost: 0,
    securityViolations: 0,
    watched: true,
  }
}

interface Shares {
  readonly failed: number
  /** By bound, the largest bound first; shares grow. */
  readonly above: readonly { readonly boundMs: number; readonly share: number }[]
}

const goodShares: Shares = { failed: 0, above: [] }

/** What the bars of the candidate make of their factors: what misses a wide bound misses every narrower one too. */
function sharesOf(
  plan: MigrationPlan,
  phase: Phase,
  gateFactor: number,
  tripFactor: number,
  errorFactor: number,
  within: boolean,
): Shares {
  let allowedErrors = Infinity
  const byBound = new Map<number, number>()
  const take = (bars: readonly Bar[], factor: number): void => {
    for (const { target } of bars) {
      const { measure } = target
      if (target.subject !== 'candidate') continue
      if (measure.kind === 'errorRate') allowedErrors = Math.min(allowedErrors, boundOf(target))
      if (measure.kind !== 'latency') continue
      const share = Math.min(1, factor * (1 - quantileOf[measure.quantile]))
      byBound.set(boundOf(target), Math.max(byBound.get(boundOf(target)) ?? 0, share))
    }
  }
  take(phase.gates, gateFactor)
  take(plan.trips, tripFactor)
  take(plan.investigate, 0)
  const wanted = Number.isFinite(allowedErrors) ? errorFactor * allowedErrors : 0
  // What fails misses every bound on latency too: where errors are not what is planted, no more may fail than are to miss any of them.
  const planted = within ? [...byBound.values()].filter((share) => share > 0) : []
  const failed = Math.min(1, wanted, ...planted)
  let widest = failed
  const above = [...byBound]
    .toSorted(([one], [other]) => other - one)
    .map(([boundMs, share]) => ({ boundMs, share: (widest = Math.max(widest, share)) }))
  return { failed, above }
}

function drawGroup(agents: number, due: number, shares: Shares, random: Random): ObservedGroup {
  const failed = binomial(due, shares.failed, random)
  const counts = new Map<number, number>()
  let hits = failed
  let share = shares.failed
  for (const each of shares.above) {
    // Of what has not missed a wider bound, so many miss this one.
    hits += binomial(due - hits, share >= 1 ? 0 : (each.share - share) / (1 - share), random)
    share = Math.max(share, each.share)
    counts.set(each.boundMs, hits - failed)
  }
  return { agents, due, failed, above: (boundMs) => counts.get(boundMs) ?? 0 }
}

/** Hits of `n` trials, by the waiting times between them (Devroye 1986, X.4.3): as many draws as there are hits. */
export function binomial(n: number, p: number, random: Random): number {
  if (!(p > 0) || n <= 0) return 0
  if (p >= 1) return n
  if (p > 0.5) return n - binomial(n, 1 - p, random)
  const step = -Math.log1p(-p)
  let hits = 0
  for (let trial = Math.ceil(random.exponential() / step); trial <= n; hits++) {
    trial += Math.ceil(random.exponential() / step)
  }
  return hits
}

function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : (values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? null)
}
