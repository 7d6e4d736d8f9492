/**
 * From the plan of a round to what it consists of: the schedule or graph of its exchanges, what the ledger expects of them, and the
 * pacer that sends them.
 */
import type { ExpectedExchanges } from '../delivery/ledger.ts'
import { answerBody, type BodyPool } from './bodies.ts'
import { ChainPacer } from './chain-pacer.ts'
import { ClosedLoop } from './closed-loop.ts'
import { buildCoordination, type CoordinationGraph } from './coordination.ts'
import type { InstanceCounts, InstanceSender } from './graph-pacer.ts'
import { Injector } from './injector.ts'
import { InstancePacer } from './instance-pacer.ts'
import type { RoundPlan } from './round-plan.ts'
import { buildSchedule, type Schedule } from './schedule.ts'
import type { Pacer } from './sender.ts'
import type { Timing } from './timing.ts'

export interface PlannedRound {
  readonly schedule: Schedule
  /** The schedule again, where exchanges follow from each other. */
  readonly graph: CoordinationGraph | null
}

export function planRound(plan: RoundPlan, bodies: number): PlannedRound {
  const { coordination, workload, seed, durationMs, phases } = plan
  if (coordination === undefined) {
    return { schedule: buildSchedule(workload, seed, durationMs, bodies, phases), graph: null }
  }
  const graph = buildCoordination(coordination, seed, durationMs, bodies)
  return { schedule: graph, graph }
}

export function expectedOf({ schedule, graph }: PlannedRound, pool: BodyPool): ExpectedExchanges {
  const { count, agents, requester, recipient, bodyIndex, action } = schedule
  return {
    count,
    agents,
    requester,
    recipient,
    ...(graph === null ? {} : { pairs: graph.pairs }),
    question: (exchange) => pool.questions[bodyIndex[exchange] as number] as string,
    answer: (exchange) => answerBody(pool, bodyIndex[exchange] as number, action[exchange] as number),
    outcome: (exchange) => 1 + (action[exchange] as number),
  }
}

/** The second in which each exchange is filed: that of its schedule, or of the arrival of its instance. */
export function filedAtNs({ graph }: PlannedRound, countedFromNs: Float64Array): Float64Array {
  if (graph === null) return countedFromNs
  const { arrivalNs, instanceOf, stageOf } = graph
  return Float64Array.from(stageOf, (stage) => arrivalNs[instanceOf[stage] as number] as number)
}

/** `instances` is the same pacer where it plays a coordination pattern, and so is `chain` where that is one. */
export interface RoundPacer {
  readonly pacer: Pacer
  readonly instances: InstanceCounts | null
  readonly chain: ChainPacer | null
}

export function pacerOf(
  plan: RoundPlan,
  { schedule, graph }: PlannedRound,
  timing: Timing,
  giveUpNs: number,
  sender: InstanceSender,
): RoundPacer {
  const { pacing } = plan
  if (graph !== null && plan.coordination !== undefined) {
    const { instancesPerSecond, pattern } = plan.coordination
    const parts = { timing, graph, instancesPerSecond, pacing, giveUpNs, sender }
    if (graph.chain === null || pattern.kind !== 'chain') {
      const instances = new InstancePacer(parts)
      return { pacer: instances, instances, chain: null }
    }
    const heedsDeadlines = pattern.deadlines === 'heeded'
    const deadlineNs = plan.workload.deadlineMs * 1e6
    const chain = new ChainPacer({ ...parts, tree: graph.chain, deadlineNs, heedsDeadlines })
    return { pacer: chain, instances: chain, chain }
  }
  if (plan.loadModel === 'closed') {
    return { pacer: new ClosedLoop({ timing, schedule, giveUpNs, sender }), instances: null, chain: null }
  }
  const { scheduledAtNs } = schedule
  const ratePerSecond = highestRate(plan)
  return { pacer: new Injector({ timing, scheduledAtNs, ratePerSecond, pacing, sender }), instances: null, chain: null }
}

function highestRate({ phases, workload }: RoundPlan): number {
  return phases === undefined ? workload.ratePerSecond : Math.max(...phases.map((phase) => phase.ratePerSecond))
}
