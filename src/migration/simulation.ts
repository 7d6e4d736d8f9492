/**
 * The simulation of a plan as it is published: which engines are planted, and which goals their ends must show.
 *
 * The worst case of a promotion is one bar at its bound and all others excellent, since every gate has to be wrong for it; that of going back an engine at the bound of
 * its trip. Regressions are those of the bar that sends back: 1.5, 3 and 10 of 100 deliveries where it allows one. All is said of one phase, and of one attempt at it.
 */
import type {
  ScenarioResult,
  Scenario,
  SimulationDocument,
  SimulationGoal,
} from '../measurement/simulation-document.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'
import { planSha256, type MigrationPlan, type Phase } from './plan.ts'
import { canaryPhase, playScenario, type SimulatedLoad } from './simulate.ts'

const scenario = (name: string, factors: Partial<Scenario>): Scenario => ({
  name,
  gateFactor: 0.5,
  tripFactor: 0.1,
  errorFactor: 0.1,
  onset: 0,
  clustering: 1,
  ...factors,
})

export const good = scenario('good', {})
/** Half of what is allowed on average, all of it in one of so many intervals: a stall every half minute, and every five minutes. */
export const shortStalls = scenario('good, a stall in 3 intervals', { tripFactor: 0.5, clustering: 3 })
export const longStalls = scenario('good, a stall in 30 intervals', { tripFactor: 0.5, clustering: 30 })
/** One bar at its bound and all else excellent: the easiest way to be promoted wrongly. */
export const latencyBound = scenario('latency at its gate', { gateFactor: 1 })
export const errorBound = scenario('errors at their gate', { gateFactor: 0.2, errorFactor: 1 })
export const stalledBound = scenario('latency at its gate, with stalls', { gateFactor: 1, clustering: 3 })
export const tripBound = scenario('latency at its trip', { gateFactor: 1, tripFactor: 1 })
export const regressions = [1.5, 3, 10].map((factor) =>
  scenario(`${factor} times too many`, { gateFactor: factor, tripFactor: factor }),
)
export const late = scenario('10 times, from half-time on', { gateFactor: 10, tripFactor: 10, onset: 0.5 })
const atTheirGates = [latencyBound, errorBound, stalledBound]
export const scenarios: readonly Scenario[] = [
  good,
  shortStalls,
  longStalls,
  ...atTheirGates,
  tripBound,
  ...regressions,
  late,
]

export interface SimulationInputs {
  readonly plan: MigrationPlan
  readonly load: SimulatedLoad
  readonly runs: number
  readonly seed: string
  /** Called after each scenario. */
  readonly onScenario: (result: ScenarioResult, index: number, of: number) => void
  /** Called after each tenth of a scenario. */
  readonly onProgress: (scenario: Scenario, done: number, runs: number) => void
  /** Looked at between runs. */
  readonly signal: AbortSignal
}

/** Throws LighthouseError('USAGE') for a plan without a canary. */
export async function simulatePlan(inputs: SimulationInputs): Promise<SimulationDocument> {
  const { plan, load, runs, seed, signal } = inputs
  const phase = canaryPhase(plan)
  if (phase === null) {
    throw new LighthouseError(
      'USAGE',
      'the plan has no phase that puts agents on the new path and has gates for them',
      {
        suggestions: ['Give a phase with a percentage above 0 a gate about candidate.'],
      },
    )
  }
  const results: ScenarioResult[] = []
  for (const [index, each] of scenarios.entries()) {
    const randomOf = (run: number) => seededRandom(`${seed}/${each.name}/${run}`)
    const step = Math.max(1, Math.round(runs / 10))
    const result = await playScenario(plan, phase, each, load, runs, randomOf, async (done) => {
      if (done % step === 0 && done < runs) inputs.onProgress(each, done, runs)
      // Lets signals in.
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    })
    results.push(result)
    inputs.onScenario(result, index + 1, scenarios.length)
  }
  return {
    schemaVersion: 1,
    plan: plan.name,
    planSha256: planSha256(plan),
    phase: phase.name,
    percentage: phase.percentage,
    soakMs: phase.soakMs,
    intervalMs: plan.evidence.intervalMs,
    seed,
    runs,
    agents: load.agents,
    perSecond: load.perSecond,
    scenarios: results,
    goals: goalsOf(results, phase),
  }
}

const mostPromoted = 0.01
const mostRolledBack = 0.001
const mostExchanges = 100

function goalsOf(results: readonly ScenarioResult[], phase: Phase): SimulationGoal[] {
  const of = ({ name }: Scenario): ScenarioResult[] => results.filter((result) => result.scenario.name === name)
  const bounds = atTheirGates.flatMap(of)
  const fine = [good, shortStalls, tripBound].flatMap(of)
  const [worse] = regressions.slice(-1).flatMap(of)
  if (bounds.length === 0 || fine.length === 0 || worse === undefined) return []
  const promoted = bounds.toSorted((a, b) => b.promotedAtMost - a.promotedAtMost)[0] ?? worse
  const sentBack = fine.toSorted((a, b) => b.rolledBackAtMost - a.rolledBackAtMost)[0] ?? worse
  const exchanges = worse.medianExchangesToRollback
  return [
    {
      title: `An engine at the bound of a gate is promoted out of ${phase.name} at most once in 100`,
      found: `${promoted.scenario.name}: ${promoted.promoted} of ${promoted.runs}, at most ${percent(promoted.promotedAtMost)}`,
      shown: promoted.promotedAtMost <= mostPromoted,
    },
    {
      title: `An engine that is good, stalls now and then, or only just meets its trip, is sent back in ${phase.name} at most once in 1,000`,
      found: `${sentBack.scenario.name}: ${sentBack.rolledBack} of ${sentBack.runs}, at most ${percent(sentBack.rolledBackAtMost)}`,
      shown: sentBack.rolledBackAtMost <= mostRolledBack,
    },
    {
      title: `An engine that misses its trip ten times too often is sent back within ${mostExchanges} exchanges, in half of all cases`,
      found: exchanges === null ? 'none was sent back' : `${exchanges} exchanges`,
      shown: exchanges !== null && exchanges <= mostExchanges && worse.rolledBack * 2 > worse.runs,
    },
  ]
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(3)} %`
}
