/**
 * The simulation of a plan as it is published: which engines are planted, and which goals their ends must show.
 *
 * An engine at the very bound of every bar is the worst case of both errors at once: it may not be promoted, and it may not be sent back. Regressions are those
 * of the bar that sends back: 1.5, 3 and 10 of 100 deliveries where it allows one.
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
export const boundary = scenario('at the bound', { gateFactor: 1, tripFactor: 1, errorFactor: 1 })
export const stalls = scenario('good, with stalls', { tripFactor: 0.5, clustering: 3 })
export const regressions = [1.5, 3, 10].map((factor) =>
  scenario(`${factor} times too many`, { gateFactor: factor, tripFactor: factor }),
)
export const late = scenario('10 times, from half-time on', { gateFactor: 10, tripFactor: 10, onset: 0.5 })
export const scenarios: readonly Scenario[] = [good, stalls, boundary, ...regressions, late]

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
  const of = (name: string): ScenarioResult | undefined => results.find((result) => result.scenario.name === name)
  const worst = of(boundary.name)
  const fine = of(good.name)
  const worse = of(regressions.at(-1)?.name ?? '')
  if (worst === undefined || fine === undefined || worse === undefined) return []
  const rolledBackAtMost = Math.max(fine.rolledBackAtMost, worst.rolledBackAtMost)
  const exchanges = worse.medianExchangesToRollback
  return [
    {
      title: `An engine at the bound of its gates is promoted out of ${phase.name} at most once in 100`,
      found: `${worst.promoted} of ${worst.runs}, at most ${percent(worst.promotedAtMost)}`,
      shown: worst.promotedAtMost <= mostPromoted,
    },
    {
      title: `An engine that meets its trips, if only just, is sent back in ${phase.name} at most once in 1,000`,
      found: `${fine.rolledBack} of ${fine.runs} good ones and ${worst.rolledBack} of ${worst.runs} at the bound, at most ${percent(rolledBackAtMost)}`,
      shown: rolledBackAtMost <= mostRolledBack,
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
