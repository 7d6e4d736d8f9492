/**
 * The burst suite: what does a sudden rise of the load do to each engine, by how much do latencies degrade, and how long after it until
 * everything is as good as before?
 *
 * Workload design. Open loop with Poisson arrivals drawn from the seed, the same for every engine. Every round is calm first, which says
 * what "before" means, then holds the burst, then is calm again; each engine meets the whole of it in every round, and rounds of
 * the engines are interleaved in an order drawn from the seed. All agents stay connected throughout: the question is a burst of
 * messages, not of connections. Two kinds of burst: in the first, ten times as many agents ask, each at the rate of those before
 * (20 → 200 → 20 agents); in the second, the same agents ask faster, in steps up to ten times (1 → 2 → 5 → 10 → 1). The last case is
 * the control: the calm load by itself, on which latency targets and the decision rest.
 *
 * Why the steps are one case. They climb within a round, since the question is at which step latency leaves: steps of one round share
 * their "before", so they may be held against each other, and a third of the time is spent on calm. A step may inherit
 * what the step before left waiting. That is what a climbing load does, and it blames no engine wrongly: one that carried a step
 * left nothing. Recovery is asked once, from the highest step.
 *
 * Why it answers the question. Degradation is a ratio within one round, seconds apart on the same machine, and the round is the
 * replicate: its median over rounds has an interval that assumes no distribution. Latency counts from the schedule, and seconds are those
 * of the schedule, so what a burst delayed stays in the seconds that it was due in.
 *
 * What would fool it, and what is done. A generator that cannot make the burst (its audit invalidates the round). Refusals that leave only
 * the quick ones (an exchange that failed counts with its deadline). A p99 of few samples (a stretch is pooled over its seconds, and
 * without 1,000 exchanges a round gives no ratio). One good second by chance (several in a row are asked for). An aftermath that is too short
 * (an engine that was not as good again took longer than was watched, a lower bound). Code that is hot only after the first burst
 * (the warm-up is at the rate of the burst).
 */
import type { CasePlan, LoadPhase } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { drawOrder, estimateDiskBytes, estimateMs, roundsMs, type TimeInputs } from './comparison-plan.ts'

export interface BurstSizes {
  /** Connected throughout; all of them ask in a burst. */
  readonly agents: number
  /** Who asks before and after the burst of agents. */
  readonly calmAgents: number
  /** Before and after every burst, and in the control. */
  readonly ratePerSecond: number
  /** Multiples of that rate, ascending; none leaves the case out. */
  readonly steps: readonly number[]
  readonly beforeMs: number
  /** Of the burst of agents, and of each step. */
  readonly burstMs: number
  readonly afterMs: number
  /** Of each case with a burst. */
  readonly rounds: number
  readonly controlRounds: number
  readonly controlMs: number
}

export interface BurstPlanOfRun {
  readonly cases: readonly CasePlan[]
  readonly order: readonly (readonly string[])[]
}

const mostSteps = 8
const largestStep = 1000
/** Two good seconds in a row make a recovery. */
const leastAfterMs = 2000

/** Throws USAGE for agents, steps or stretches that make no burst. */
export function planBurst(sizes: BurstSizes, labels: readonly string[], seed: string): BurstPlanOfRun {
  checkSizes(sizes)
  const { agents, calmAgents, ratePerSecond, steps, beforeMs, burstMs, afterMs, rounds } = sizes
  const cases: CasePlan[] = []
  let firstRound = 0
  const add = (plan: Pick<CasePlan, 'name' | 'ratePerSecond' | 'roundDurationMs' | 'rounds' | 'phases'>): void => {
    cases.push({ ...plan, agents, loadModel: 'open', firstRound })
    firstRound += plan.rounds
  }
  const addBurst = (name: string, phases: readonly LoadPhase[]): void => {
    const highest = Math.max(...phases.map((phase) => phase.ratePerSecond))
    const roundDurationMs = phases.reduce((sum, { durationMs }) => sum + durationMs, 0)
    add({ name, ratePerSecond: highest, roundDurationMs, rounds, phases })
  }
  const few = { agents: calmAgents, ratePerSecond }
  addBurst(`agents-${calmAgents}-${agents}-${calmAgents}`, [
    { ...few, durationMs: beforeMs },
    { agents, ratePerSecond: (ratePerSecond * agents) / calmAgents, durationMs: burstMs },
    { ...few, durationMs: afterMs },
  ])
  const all = { agents, ratePerSecond }
  if (steps.length > 0) {
    addBurst(`rate-1-${steps.join('-')}-1`, [
      { ...all, durationMs: beforeMs },
      ...steps.map((times) => ({ agents, ratePerSecond: ratePerSecond * times, durationMs: burstMs })),
      { ...all, durationMs: afterMs },
    ])
  }
  add({ name: 'control', ratePerSecond, roundDurationMs: sizes.controlMs, rounds: sizes.controlRounds })
  return { cases, order: drawOrder(labels, firstRound, seed) }
}

function checkSizes({ agents, calmAgents, steps, beforeMs, burstMs, afterMs }: BurstSizes): void {
  const refuse = (what: string, todo: string): never => {
    throw new LighthouseError('USAGE', what, { suggestions: [todo] })
  }
  if (calmAgents >= agents) {
    refuse(
      `a burst from ${calmAgents} to ${agents} agents is none`,
      'Let fewer agents ask before it: --calm-agents 20 --agents 200.',
    )
  }
  const ascending = steps.every((times, index) => Number.isInteger(times) && times > (steps[index - 1] ?? 1))
  if (!ascending || steps.length > mostSteps || (steps.at(-1) ?? 0) > largestStep) {
    refuse(
      `the steps ${steps.join(',')} are not ascending multiples of the rate`,
      `Give up to ${mostSteps} whole numbers from 2 to ${largestStep}, ascending: --steps 2,5,10.`,
    )
  }
  for (const [flag, ms, leastMs] of [
    ['--before-duration', beforeMs, 1000],
    ['--burst-duration', burstMs, 1000],
    ['--after-duration', afterMs, leastAfterMs],
  ] as const) {
    if (ms >= leastMs && ms % 1000 === 0) continue
    refuse(`${flag} ${ms}ms: a round is told second by second`, `Give whole seconds, at least ${leastMs / 1000}s.`)
  }
}

/** Milliseconds the plan takes when no round is repeated, and the bytes it leaves. */
export function estimateBurst(
  { cases }: BurstPlanOfRun,
  arms: TimeInputs['arms'],
  { agents }: Pick<BurstSizes, 'agents'>,
  warmupMs: number,
): { readonly durationMs: number; readonly diskBytes: number } {
  // Engines are started once; what follows a warm-up is part of starting.
  const graceMs = warmupMs > 0 ? 0 : arms.reduce((sum, { drainGraceMs }) => sum + drainGraceMs, 0)
  const start = estimateMs({ arms, agents, rounds: 0, roundDurationMs: 0, warmupMs }) - graceMs
  const rounds = ({ rounds: count, roundDurationMs }: CasePlan): number =>
    roundsMs({ arms, agents, rounds: count, roundDurationMs, warmupMs: 0 })
  return {
    durationMs: cases.reduce((sum, each) => sum + rounds(each), start),
    diskBytes: cases.reduce((sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs), 0),
  }
}
