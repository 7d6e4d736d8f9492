/**
 * The scaling suite: how do latency, throughput, memory, connections and database work of each engine grow with the number of
 * agents, and up to how many does it hold?
 *
 * Workload design. Loads (cases) of growing numbers of agents, each with the same rate per agent, so that twice the agents are twice the
 * work. First one pair in a closed loop, one exchange after the other: what a lone agent sees, without any queue. Then the levels, open
 * loop with Poisson arrivals drawn from the seed and the same for every engine. Every level gets engines started anew, so that
 * neither heap nor log of a smaller level is charged to a larger one, with a process for each engine, since memory of
 * a thread cannot be told apart. Within a level the engines follow one another, in an order that alternates between levels:
 * side by side, two engines of 15,000 agents would share the descriptors, ports and cores that the level is about.
 *
 * At every level the knee of each engine is then sought: the highest rate at which round trip p99 stays below the engine's bound (for polling
 * three intervals, since no load makes it faster) and nothing fails. The Universal Scalability Law is fitted through the knees.
 *
 * Why it answers the question. Growth is fitted over the rounds of all levels and tested for curvature, instead of being
 * read off two points. An engine that completes less than 95 % of a level is warned about; below 90 % it is stopped, because larger
 * levels would only measure its time-outs.
 *
 * What would fool it, and what is done. A generator that is itself the limit (its audit invalidates the round, and its CPU stands beside
 * every level). A machine that runs out of sockets (levels that do not fit are SKIPPED by name before anything starts). Memory
 * that is base cost, not growth (a slope, not a quotient). Rounds too short for a slow engine (the drain follows every
 * exchange to its end). Levels that were never played read as "not played", never as zero.
 */
import { LighthouseError } from '../platform/errors.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { chooseHost, drawOrder, estimateMs, roundsMs, type TimeInputs } from './comparison-plan.ts'

export interface ScalingSizes {
  /** Agents of the levels, ascending. */
  readonly levels: readonly number[]
  readonly ratePerAgentPerSecond: number
  /** Of every level but the last, which carries the decision and has `judgedRounds`. */
  readonly rounds: number
  readonly judgedRounds: number
  readonly roundDurationMs: number
  /** Length of the closed-loop case of one pair; 0 leaves it out. */
  readonly pairDurationMs: number
  /** Probes of the search for the knee of each engine at each level, at most; 0 leaves the search out. */
  readonly probes: number
  readonly probeDurationMs: number
  /** Bound of round trip p99 that the search holds an engine to, in ms by label. */
  readonly boundsMs: Readonly<Record<string, number>>
}

export interface ScalingPlan {
  readonly cases: readonly CasePlan[]
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  /** Order of engine labels for every round of the run. */
  readonly order: readonly (readonly string[])[]
}

/** Fewer exchanges per second than this would leave the smallest levels without samples. */
const leastRatePerSecond = 20
const pairExchanges = 100
/** A p99 of fewer samples in a probe of seconds would be its maximum. */
const leastProbeRate = 100

/** Throws USAGE for levels that are not ascending even numbers, ENVIRONMENT when not even the first fits the machine. */
export function planScaling(
  sizes: ScalingSizes,
  labels: readonly string[],
  seed: string,
  descriptorLimit: number | null,
): ScalingPlan {
  checkLevels(sizes.levels)
  const skippedCases: { name: string; reason: string }[] = []
  const fitting = sizes.levels.filter((agents, index) => {
    try {
      chooseHost('process', agents, 1, descriptorLimit)
      return true
    } catch (error) {
      if (!(error instanceof LighthouseError) || index === 0) throw error
      skippedCases.push({ name: `${agents} agents`, reason: error.message })
      return false
    }
  })
  const cases: CasePlan[] = []
  let firstRound = 0
  const add = (plan: Omit<CasePlan, 'firstRound'>): void => {
    cases.push({ ...plan, firstRound })
    firstRound += plan.rounds
  }
  if (sizes.pairDurationMs > 0) {
    const ratePerSecond = pairExchanges / (sizes.pairDurationMs / 1000)
    const roundDurationMs = sizes.pairDurationMs
    add({ name: 'one-pair-sequential', agents: 2, ratePerSecond, loadModel: 'closed', roundDurationMs, rounds: 1 })
  }
  for (const [index, agents] of fitting.entries()) {
    add({
      name: `agents-${agents}`,
      agents,
      ratePerSecond: Math.max(leastRatePerSecond, agents * sizes.ratePerAgentPerSecond),
      loadModel: 'open',
      roundDurationMs: sizes.roundDurationMs,
      rounds: index === fitting.length - 1 ? sizes.judgedRounds : sizes.rounds,
    })
  }
  // Searches follow in round numbers, not in time: a knee is sought on the hosts of its level, right after its rounds.
  for (const agents of sizes.probes > 0 ? fitting : []) {
    add({
      name: `knee-${agents}`,
      agents,
      ratePerSecond: Math.max(leastProbeRate, agents * sizes.ratePerAgentPerSecond),
      loadModel: 'open',
      roundDurationMs: sizes.probeDurationMs,
      rounds: sizes.probes,
      searchBoundsMs: sizes.boundsMs,
    })
  }
  const perCase = drawOrder(labels, cases.length, seed)
  const order = cases.flatMap(({ rounds }, index) => Array.from({ length: rounds }, () => perCase[index] ?? []))
  return { cases, skippedCases, order }
}

function checkLevels(levels: readonly number[]): void {
  const ascending = levels.every((agents, index) => agents > (levels[index - 1] ?? 0))
  if (
    levels.length > 0 &&
    levels.length <= 50 &&
    ascending &&
    levels.every((agents) => agents >= 2 && agents % 2 === 0)
  )
    return
  throw new LighthouseError(
    'USAGE',
    `the levels ${levels.join(',') || '(none)'} are not ascending even numbers of agents`,
    {
      suggestions: ['Give 1 to 50 even numbers in ascending order, such as --agents-list 10,50,100.'],
    },
  )
}

/** Milliseconds the plan takes when no round is repeated. `arms`: what follows a round of each engine. */
export function estimateScalingMs(
  { cases }: ScalingPlan,
  arms: TimeInputs['arms'],
  warmupMs: number,
  { coolDownMs, staggerMs }: { readonly coolDownMs: number; readonly staggerMs: number },
): number {
  const loads = cases.filter(({ searchBoundsMs }) => searchBoundsMs === undefined)
  const ofCase = (each: CasePlan): number => {
    const { agents, rounds, roundDurationMs } = each
    const times = { arms, agents, rounds, roundDurationMs, warmupMs }
    // A search goes on with the hosts of its level.
    return each.searchBoundsMs === undefined ? estimateMs(times) + arms.length * staggerMs : roundsMs(times)
  }
  return cases.reduce((sum, each) => sum + ofCase(each), coolDownMs * Math.max(0, loads.length - 1))
}
