/** A coordination run made of what a test plants; everything that is not planted goes well. */
import type {
  CoordinationEvidence,
  CoordinationPlan,
  RoleFairness,
} from '../../../src/measurement/coordination-evidence.ts'
import type { DerivationInput, RoundInput } from '../../../src/measurement/derive.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { plainTargets, syntheticRun } from './synthetic-run.ts'

export const rounds = 6
export const perRound = 200

export interface Planted {
  readonly engine?: string
  readonly case?: string
  /** Completion times of a round in µs; 4 ms for all by default. */
  readonly timesUs?: (round: number) => number[]
  readonly coordination?: (evidence: CoordinationEvidence, round: number) => CoordinationEvidence
  readonly change?: (evidence: RoundEvidence) => RoundEvidence
}

const quorum: CoordinationPlan = {
  pattern: { kind: 'quorum', broadcasters: 10, members: 40, audience: 5, quorum: 3 },
  instancesPerSecond: 50,
  arrivals: 'poisson',
  payloadBytes: 300,
  workMs: 0,
  deadlineMs: 5000,
}
const fanOut: CoordinationPlan = {
  ...quorum,
  pattern: { kind: 'fan-out', orchestrators: 10, workers: 40, fanOut: 4 },
}

/** A role that every engine serves alike. */
export function role(
  name: string,
  measure: RoleFairness['measure'],
  agents: number,
  exchangesPerAgent: number,
): RoleFairness {
  return {
    role: name,
    agents,
    measure,
    served: agents,
    exchangesPerAgent,
    index: 0.98,
    indexByChance: 0.97,
    medianMs: 2,
    worstMs: 3,
    worstToMedian: 1.5,
  }
}

function played(base: RoundInput, name: string, planted: Planted): RoundInput {
  const { evidence } = base
  const own = evidence.engine === (planted.engine ?? 'elicitation') && name === (planted.case ?? name)
  const times = (own ? planted.timesUs?.(evidence.round % rounds) : undefined) ?? Array<number>(perRound).fill(4000)
  const clean: CoordinationEvidence = {
    instances: { scheduled: perRound, completed: times.length, failed: perRound - times.length },
    withdrawals: { asked: 0, withdrawn: 0 },
    neverOffered: 0,
    fairness: [role('member', 'delivery', 40, 25), role('broadcaster', 'roundTrip', 10, 100)],
  }
  const coordination = own ? (planted.coordination?.(clean, evidence.round % rounds) ?? clean) : clean
  const histograms = new Map(base.histograms)
  const third = Math.ceil(times.length / 3)
  histograms.set(
    'pattern',
    [0, 1, 2].map((block) => distributionOf(times.slice(block * third, (block + 1) * third))),
  )
  const changed: RoundEvidence = { ...evidence, coordination }
  return { evidence: own && planted.change !== undefined ? planted.change(changed) : changed, histograms }
}

/** Six rounds of a quorum, then six of a fan-out, on both engines; what is not planted goes well. */
export function coordinationRun(planted: Planted = {}, targets = plainTargets): DerivationInput {
  const base = syntheticRun({ rounds: 2 * rounds, perRound: 600, agents: 50, targets })
  const { roundDurationMs } = base.manifest.plan
  const caseOf = (name: string, coordination: CoordinationPlan, exchanges: number, firstRound: number): CasePlan => ({
    name,
    agents: 50,
    ratePerSecond: coordination.instancesPerSecond * exchanges,
    loadModel: 'open',
    roundDurationMs,
    firstRound,
    rounds,
    coordination,
  })
  const cases = [caseOf('quorum', quorum, 5, 0), caseOf('fan-out', fanOut, 4, rounds)]
  return {
    ...base,
    manifest: {
      ...base.manifest,
      suite: 'coordination',
      plan: { ...base.manifest.plan, minimumRounds: 6, cases, pattern: 'fan-out' },
    },
    rounds: base.rounds.map((each) => played(each, each.evidence.round < rounds ? 'quorum' : 'fan-out', planted)),
  }
}
