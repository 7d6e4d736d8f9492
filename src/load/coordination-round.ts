/**
 * What a finished coordination round says of its instances and of fairness, from the times that the round keeps of each exchange.
 */
import type { LedgerReport } from '../delivery/ledger.ts'
import type { CoordinationEvidence, CoordinationPattern, RoleFairness } from '../measurement/coordination-evidence.ts'
import { indexByChance, jainIndex } from '../statistics/fairness.ts'
import type { ChainPacer } from './chain-pacer.ts'
import { rolesOf, type CoordinationGraph, type Roles } from './coordination.ts'
import type { InstanceCounts } from './graph-pacer.ts'

export interface CoordinationTimes {
  /** In ns from the round's zero; NaN where it did not happen. */
  readonly sentAtNs: Float64Array
  readonly deliveredAtNs: Float64Array
  readonly resultAtNs: Float64Array
}

export function coordinationEvidence(
  pattern: CoordinationPattern,
  graph: CoordinationGraph,
  pacer: InstanceCounts | Pick<ChainPacer, keyof InstanceCounts | 'neverOffered' | 'evidence'>,
  ledger: Pick<LedgerReport, 'unsent' | 'withdrawn'>,
  times: CoordinationTimes,
): CoordinationEvidence {
  const scheduled = graph.arrivalNs.length
  const completed = pacer.completedInstances
  return {
    instances: { scheduled, completed, failed: scheduled - completed },
    withdrawals: { asked: pacer.withdrawalsAsked, withdrawn: ledger.withdrawn },
    // Of a chain, most attempts that there might have been were not needed.
    neverOffered: 'neverOffered' in pacer ? pacer.neverOffered : ledger.unsent,
    fairness: fairnessOf(rolesOf(pattern), graph, times, agentsPerPosition(pattern)),
    ...('evidence' in pacer ? { chain: pacer.evidence() } : {}),
  }
}

/**
 * Of the agents asked, how soon questions reached them; of those who ask, how soon they held the answers. From the send and not from when it
 * was due: an exchange that begins an instance waits for a timer of the load generator and one that follows from another does not.
 *
 * `perPosition`: so many agents after each other are asked at one and the same place of an instance. Places differ by more than the engine's
 * doing, since the first exchange after a pause finds processes asleep and those that follow find them awake; so times are
 * scaled to the same mean in every place, and agents are compared with those of their own.
 */
export function fairnessOf(
  { askers, asked }: Roles,
  graph: CoordinationGraph,
  times: CoordinationTimes,
  perPosition: number = asked.agents,
): RoleFairness[] {
  const { requester, recipient } = graph
  const { sentAtNs, deliveredAtNs, resultAtNs } = times
  const delivery = latencies(deliveredAtNs, sentAtNs, recipient, askers.agents, asked.agents)
  const roundTrip = latencies(resultAtNs, sentAtNs, requester, 0, askers.agents)
  return [
    roleFairness(asked, 'delivery', alikeByPosition(delivery, perPosition)),
    roleFairness(askers, 'roundTrip', roundTrip),
  ]
}

/** Elsewhere who is asked when is drawn anew for every instance. */
function agentsPerPosition(pattern: CoordinationPattern): number | undefined {
  return pattern.kind === 'pipeline' ? pattern.agentsPerStage : undefined
}

function alikeByPosition(sums: readonly Sums[], perPosition: number): Sums[] {
  const all = meanOf(sums)
  return sums.map(({ n, sum, squares }, agent) => {
    const first = agent - (agent % perPosition)
    const own = meanOf(sums.slice(first, first + perPosition))
    const by = all === null || own === null || own <= 0 ? 1 : all / own
    return { n, sum: sum * by, squares: squares * by ** 2 }
  })
}

/** Milliseconds; null without a sample. */
function meanOf(sums: readonly Sums[]): number | null {
  const n = sums.reduce((total, each) => total + each.n, 0)
  return n === 0 ? null : sums.reduce((total, each) => total + each.sum, 0) / n
}

interface Sums {
  n: number
  sum: number
  squares: number
}

/** Milliseconds, summed by agent of a role whose agents begin with number `from`. */
function latencies(
  endedAtNs: Float64Array,
  sentAtNs: Float64Array,
  agentOf: Uint32Array,
  from: number,
  agents: number,
): Sums[] {
  const sums: Sums[] = Array.from({ length: agents }, () => ({ n: 0, sum: 0, squares: 0 }))
  for (let exchange = 0; exchange < endedAtNs.length; exchange++) {
    const ms = ((endedAtNs[exchange] as number) - (sentAtNs[exchange] as number)) / 1e6
    const own = sums[(agentOf[exchange] as number) - from]
    if (own === undefined || Number.isNaN(ms)) continue
    own.n++
    own.sum += ms
    own.squares += ms * ms
  }
  return sums
}

function roleFairness(
  { role, agents }: Roles['askers'],
  measure: RoleFairness['measure'],
  sums: readonly Sums[],
): RoleFairness {
  const means = sums.flatMap(({ n, sum }) => (n === 0 ? [] : [sum / n])).sort((left, right) => left - right)
  const median =
    means.length === 0 ? null : ((means[(means.length - 1) >> 1] ?? 0) + (means[means.length >> 1] ?? 0)) / 2
  const worst = means.at(-1) ?? null
  return {
    role,
    agents,
    measure,
    served: means.length,
    exchangesPerAgent: rounded(sums.reduce((total, { n }) => total + n, 0) / agents) ?? 0,
    index: rounded(jainIndex(means)),
    indexByChance: rounded(indexByChance(sums)),
    medianMs: rounded(median),
    worstMs: rounded(worst),
    worstToMedian: median === null || worst === null || median <= 0 ? null : rounded(worst / median),
  }
}

/** Six digits, so that the last bit of a sum never changes a document. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6))
}
