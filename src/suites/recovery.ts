/**
 * The recovery suite: what happens to each engine when it breaks, how long until somebody notices, until it serves again, until it is as
 * good as before, and what was lost on the way?
 *
 * Workload design. Open loop with Poisson arrivals drawn from the seed, the same for every engine, at a rate that both carry with ease:
 * the question is what a fault does, not what load does. Every case is one fault (in a smoke run, one after the other in one
 * round, with the engines side by side): first seconds without it, which say what "as good as before" means; then the fault, at a moment drawn from the seed
 * within a second; then the healing and the aftermath, with the load going on throughout, since clients in life do not wait
 * either. Each round has an engine of its own, in its own process, with a fresh store that its restarts find again. Network
 * faults act in a proxy between clients and engine, those of the load and the agents in the load itself, all others on the process. A timeout
 * cascade has a load of its own: chains of agents that have to ask before they can answer, a fifth of them too slow. The last case is the control: the same load without
 * any fault, on which latency targets and the decision rest.
 *
 * Why it answers the question. Latency counts from the schedule, so what a fault delayed is in the figures of the seconds in which it
 * was due, and what failed is in the counts. Recovery is a curve: first success, backlog drained and full throughput are told apart.
 *
 * What would fool it, and what is done. A fault that reached nobody (each has to show that it bit, or its case does not count). A
 * generator that stumbles (its audit invalidates the round). A clean second by chance (several in a row are asked for). Losses that
 * show late (the ledger closes after a drain, and both ends of every exchange belong to one process that no fault touches).
 * Watching too briefly (an engine that was not back is "not recovered", with the time it was watched as lower bound; metastable
 * needs a minute and five times the fault).
 */
import { agentsOf, exchangesPerInstance, maximumStages } from '../load/coordination.ts'
import type { CasePlan, FaultPlan, LoadPhase } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'
import { drawOrder, estimateDiskBytes, estimateMs, type TimeInputs } from './comparison-plan.ts'
import { faultKind, type FaultName } from './fault-kinds.ts'

export interface RecoverySizes {
  readonly faults: readonly FaultName[]
  readonly agents: number
  readonly ratePerSecond: number
  /** Rounds of each fault, and so the number of times it is injected into each engine. */
  readonly repeat: number
  readonly beforeMs: number
  readonly faultMs: number
  readonly afterMs: number
  readonly controlRounds: number
  readonly controlMs: number
  readonly payloadBytes: number
  /** Of each exchange. */
  readonly deadlineMs: number
  /** All faults in one round, one after the other, and the engines side by side: seconds instead of minutes. */
  readonly together: boolean
}

export interface RecoveryPlan {
  readonly cases: readonly CasePlan[]
  readonly order: readonly (readonly string[])[]
}

/** A fault does not begin with a second of the schedule, or all would meet the same phase of timers. */
const injectionJitterMs = 1000
const closeInjectionJitterMs = 500

/** Throws USAGE for no fault at all. */
export function planRecovery(sizes: RecoverySizes, labels: readonly string[], seed: string): RecoveryPlan {
  const { faults, agents, ratePerSecond, repeat } = sizes
  if (faults.length === 0) {
    throw new LighthouseError('USAGE', 'no fault is named', {
      suggestions: ['Name one or more: --faults crash,pause.'],
    })
  }
  const random = seededRandom(`${seed}/recovery/faults`)
  const cases: CasePlan[] = []
  let firstRound = 0
  const add = (
    plan: Omit<CasePlan, 'firstRound' | 'agents' | 'ratePerSecond' | 'loadModel'> & Partial<CasePlan>,
  ): void => {
    cases.push({ agents, ratePerSecond, ...plan, loadModel: 'open', firstRound })
    firstRound += plan.rounds
  }
  const groups = sizes.together ? [faults] : faults.map((name) => [name])
  for (const group of groups) {
    const faults = timelineOf(group, sizes, () => random.uniform())
    const roundDurationMs = faults.at(-1)?.untilMs ?? 0
    const phases = phasesOf(faults, sizes, roundDurationMs)
    const name = group.length === 1 ? (group[0] ?? '') : 'faults-in-turn'
    const load = phases === null ? chainsOf(group, sizes) : { phases }
    add({ name, roundDurationMs, rounds: repeat, faults, ...load })
  }
  add({ name: 'control', roundDurationMs: sizes.controlMs, rounds: sizes.controlRounds })
  const perRound = drawOrder(labels, firstRound, seed)
  return { cases, order: perRound }
}

function timelineOf(group: readonly FaultName[], sizes: RecoverySizes, uniform: () => number): FaultPlan[] {
  const plans: FaultPlan[] = []
  let freeMs = sizes.beforeMs
  for (const kind of group) {
    const { instant = false, chain } = faultKind(kind) ?? {}
    const jitterMs = sizes.together ? closeInjectionJitterMs : injectionJitterMs
    // Chains whose callers are done before the fault say what they take without it, and a caller may wait for all its attempts.
    const calmMs = chain === undefined ? 0 : chainAttempts * sizes.deadlineMs
    const atMs = freeMs + calmMs + Math.round(uniform() * jitterMs)
    // A cascade is made of deadlines that pass, so it takes two of them.
    const heldMs = chain === undefined ? sizes.faultMs : Math.max(sizes.faultMs, 2 * sizes.deadlineMs)
    const forMs = instant ? 0 : heldMs
    const afterMs = instant && sizes.together ? sizes.afterMs / 2 : sizes.afterMs
    const untilMs = Math.ceil((atMs + forMs + afterMs) / 1000) * 1000
    plans.push({ kind, atMs, forMs, untilMs, ...lateOf(kind, sizes, forMs) })
    freeMs = untilMs
  }
  return plans
}

/** Beyond the deadline, and not so far that nobody lives to see it. */
const tooLateFactor = 1.5

function lateOf(kind: FaultName, { agents, deadlineMs }: RecoverySizes, forMs: number): Pick<FaultPlan, 'late'> {
  const { late, chain } = faultKind(kind) ?? {}
  if (late === undefined) return {}
  const delayMs = late.delayMs ?? tooLateFactor * deadlineMs
  const held = { delayMs, forMs: late.forMs ?? forMs }
  if (chain === undefined) return { late: { agents: Math.max(2, Math.round(agents * late.share)), ...held } }
  return { late: { agents: Math.round(chainLinks * late.share), firstAgent: chainCallers, ...held } }
}

/** The timeout-cascade test of the analysis certificate: ten slow agents among fifty, and those who ask them. */
const chainCallers = 10
const chainLinks = 50
const chainsPerSecond = 20
/** As many as is good practice at most (Site Reliability Engineering, chapter 21). */
const chainAttempts = 3

/** The load of a case whose agents play chains, in place of that of all others. */
function chainsOf([name]: readonly FaultName[], { payloadBytes, deadlineMs }: RecoverySizes): Partial<CasePlan> {
  const chain = name === undefined ? undefined : faultKind(name)?.chain
  if (chain === undefined) return {}
  const pattern = {
    kind: 'chain',
    callers: chainCallers,
    links: chainLinks,
    depth: chain.depth,
    attempts: chainAttempts,
    deadlines: chain.deadlines,
  } as const
  const coordination = {
    pattern,
    instancesPerSecond: chainsPerSecond,
    arrivals: 'poisson',
    payloadBytes,
    workMs: 0,
    deadlineMs,
  } as const
  return { agents: agentsOf(pattern), ratePerSecond: chainsPerSecond * exchangesPerInstance(pattern), coordination }
}

/** In this time all that is asked at once is due: short for a deadline, long enough to be sent. */
const atOnceWithinMs = 50

/** Null when no fault is one of the load. */
function phasesOf(faults: readonly FaultPlan[], sizes: RecoverySizes, roundDurationMs: number): LoadPhase[] | null {
  const { agents, ratePerSecond } = sizes
  const phases: LoadPhase[] = []
  let fromMs = 0
  const until = (toMs: number, factor: number): void => {
    if (toMs > fromMs) phases.push({ durationMs: toMs - fromMs, agents, ratePerSecond: ratePerSecond * factor })
    fromMs = toMs
  }
  for (const { kind, atMs, forMs } of faults) {
    const { loadFactor, atOnce } = faultKind(kind) ?? {}
    if (loadFactor !== undefined) {
      until(atMs, 1)
      until(atMs + forMs, loadFactor)
    } else if (atOnce !== undefined) {
      until(atMs, 1)
      until(atMs + atOnceWithinMs, atOnce / (atOnceWithinMs / 1000) / ratePerSecond)
    }
  }
  if (phases.length === 0) return null
  until(roundDurationMs, 1)
  return phases
}

/** Milliseconds the plan takes when no round is repeated, and the bytes it leaves. */
export function estimateRecovery(
  { cases }: RecoveryPlan,
  arms: TimeInputs['arms'],
  { agents, together }: Pick<RecoverySizes, 'agents' | 'together'>,
): { readonly durationMs: number; readonly diskBytes: number } {
  // Chains that have begun are followed to their end, which is seldom the last that they may come to.
  const tailMs = ({ coordination }: CasePlan): number =>
    coordination === undefined ? 0 : (maximumStages(coordination.pattern) * coordination.deadlineMs) / 3
  const withStart = (each: CasePlan): number =>
    each.rounds *
    (estimateMs({ arms, agents, rounds: 1, roundDurationMs: each.roundDurationMs, warmupMs: 0 }) +
      arms.length * tailMs(each))
  const control = (each: CasePlan): number =>
    estimateMs({ arms, agents, rounds: each.rounds, roundDurationMs: each.roundDurationMs, warmupMs: 0 })
  return {
    // Engines are started anew for every round with a fault, and once for the control.
    durationMs: cases.reduce(
      (sum, each) => sum + (each.faults === undefined ? control(each) : withStart(each) / (together ? arms.length : 1)),
      0,
    ),
    diskBytes: cases.reduce((sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs), 0),
  }
}
