/**
 * The coordination suite: how long does a whole pattern of cooperation take on each engine, not only its exchanges, does every
 * instance come to its end, and are agents of one role served alike?
 *
 * Workload design. Agents of a fleet work together in patterns: fan-out and gather, pipelines, reviews with changes asked for,
 * broadcasts that need a quorum, a pool of experts, and one agent whom everybody asks (src/load/coordination.ts has each step). A case
 * is one pattern. Its instances arrive open loop, Poisson from the seed and the same for every engine, and so are the agents
 * that take part and how they answer; the time of an instance counts from its arrival to the moment its last needed answer is held.
 * Within an instance exchanges follow from each other: each is due when the answer is held that released it.
 * Recipients answer at once, since thinking would be added to both engines alike and hide the difference; only in a quorum and in a
 * review they work a while (`workMs`), the same for every engine, because nobody withdraws what was answered at once.
 *
 * Why it answers the question. What an engine adds to one exchange, a pattern multiplies: a pipeline sums its stages, a gather waits
 * for the slowest of many, a quorum for the middle one. Medians of exchanges say little of that. Every case gets engines started anew,
 * with the agents of that pattern alone; within a case rounds of the engines are interleaved in an order drawn from the seed.
 *
 * What would fool it, and what is done. Coordinated omission: a closed chain of exchanges hides waiting from the latency of each
 * exchange, so the decision looks at instances, which are open loop; the latency of exchanges within them is published as that of
 * causally released ones. Instances that fail and leave the latencies (they are counted; only completed ones are timed).
 * Withdrawals that hide losses (the ledger counts as withdrawn only what the engine told to be). Chance that looks unfair (the
 * index of fairness stands beside the one that an even engine would show with as few samples). Limits of engines per agent, which a
 * hot spot meets first (refusals are failures and are named).
 *
 * The last case carries the decision: fan-out, where the tail of every exchange shows, unless another is named last; in a full run
 * the expert pool, the largest load.
 */
import { agentsOf, exchangesPerInstance, maximumStages } from '../load/coordination.ts'
import type { NamedCoordination } from '../load/coordination-file.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { chooseHost, drawOrder, estimateDiskBytes, estimateMs, roundsMs, type TimeInputs } from './comparison-plan.ts'

export interface CoordinationSizes {
  /** In the order of play; the last carries the decision. */
  readonly patterns: readonly NamedCoordination[]
  /** Of every case but the last. */
  readonly rounds: number
  readonly judgedRounds: number
  readonly roundDurationMs: number
}

export interface CoordinationOutlinePlan {
  readonly cases: readonly CasePlan[]
  /** By the name of the case; a note where the host is not the one asked for. */
  readonly hosts: Readonly<Record<string, { readonly host: 'thread' | 'process'; readonly note: string | null }>>
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  /** Order of engine labels for every round of the run. */
  readonly order: readonly (readonly string[])[]
}

/** Throws USAGE for no pattern or two of one name, ENVIRONMENT when the last does not fit the machine. */
export function planCoordination(
  sizes: CoordinationSizes,
  labels: readonly string[],
  seed: string,
  machine: {
    readonly host: 'thread' | 'process'
    readonly startedArms: number
    readonly descriptorLimit: number | null
  },
): CoordinationOutlinePlan {
  checkNames(sizes.patterns.map(({ name }) => name))
  const cases: CasePlan[] = []
  const hosts: Record<string, { host: 'thread' | 'process'; note: string | null }> = {}
  const skippedCases: { name: string; reason: string }[] = []
  let firstRound = 0
  for (const [index, { name, plan }] of sizes.patterns.entries()) {
    const isLast = index === sizes.patterns.length - 1
    const agents = agentsOf(plan.pattern)
    try {
      hosts[name] = chooseHost(machine.host, agents, machine.startedArms, machine.descriptorLimit)
    } catch (error) {
      // The decision is not moved to another load because this one does not fit.
      if (!(error instanceof LighthouseError) || isLast) throw error
      skippedCases.push({ name, reason: error.message })
      continue
    }
    const rounds = isLast ? sizes.judgedRounds : sizes.rounds
    cases.push({
      name,
      agents,
      ratePerSecond: plan.instancesPerSecond * exchangesPerInstance(plan.pattern),
      loadModel: 'open',
      roundDurationMs: sizes.roundDurationMs,
      firstRound,
      rounds,
      coordination: plan,
    })
    firstRound += rounds
  }
  return { cases, hosts, skippedCases, order: drawOrder(labels, firstRound, seed) }
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0) {
    throw new LighthouseError('USAGE', 'no pattern is named', {
      suggestions: ['Name one or more: --patterns pipeline,fan-out.'],
    })
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new LighthouseError('USAGE', `the pattern ${twice} is named twice`, {
    suggestions: ['Name each once; the last carries the decision.'],
  })
}

/**
 * Milliseconds the plan takes when no round is repeated, and the bytes it leaves. Instances in flight at the end of a round are followed
 * to their end; a stage takes half of what an engine is given at most, and the last one is waited for longest.
 */
export function estimateCoordination(
  { cases }: Pick<CoordinationOutlinePlan, 'cases'>,
  arms: TimeInputs['arms'],
  warmupMs: number,
): { readonly durationMs: number; readonly diskBytes: number } {
  const graceMs = arms.reduce((sum, arm) => sum + arm.drainGraceMs, 0)
  const ofCase = ({ agents, rounds, roundDurationMs, coordination }: CasePlan): number => {
    const stages = coordination === undefined ? 1 : maximumStages(coordination.pattern)
    const startMs = estimateMs({ arms, agents, rounds: 0, roundDurationMs, warmupMs }) - (warmupMs === 0 ? graceMs : 0)
    const kind = coordination?.pattern.kind
    // Where questions are withdrawn, a round waits for what is still on its way.
    const settleMs = kind === 'quorum' || kind === 'review' ? rounds * graceMs : 0
    const playMs = roundsMs({ arms, agents, rounds, roundDurationMs, warmupMs }) + settleMs
    return startMs + playMs + (rounds * (stages - 1) * graceMs) / 2
  }
  return {
    durationMs: cases.reduce((sum, each) => sum + ofCase(each), 0),
    diskBytes: cases.reduce((sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs), 0),
  }
}
