/**
 * The open-loop schedule of one round, computed before the round starts: when each exchange is due, who
 * asks whom, which body is sent and how the recipient answers.
 *
 * Method: Poisson arrivals (independent exponential gaps) or evenly spaced ones with a seeded phase. Each
 * aspect draws from a stream of its own, named by the round's seed, so that every engine of a round gets
 * the same schedule and a change of one aspect leaves the others as they were. Offsets are whole
 * nanoseconds from the start of the round. In each pattern a requester has exactly one recipient, so that
 * the ordering of a (producer, recipient) pair can be followed with one counter per requester.
 */
import { answerActions, type AnswerAction } from '../engines/engine.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom, type Random } from '../platform/random.ts'
import type { LoadPhase } from '../measurement/round-evidence.ts'
import type { Pattern, Workload } from './round-plan.ts'

/** Bounds the memory of a round: 20 M exchanges take about 1.2 GB of typed arrays. */
export const maximumExchanges = 20_000_000

export interface Schedule {
  readonly count: number
  readonly agents: number
  readonly durationNs: number
  /** Offsets from the start of the round, ascending, in [0, durationNs). */
  readonly scheduledAtNs: Float64Array
  readonly requester: Uint32Array
  readonly recipient: Uint32Array
  /** Index into the body pool. */
  readonly bodyIndex: Uint16Array
  /** Index into `answerActions`. */
  readonly action: Uint8Array
}

export type ScheduleInput = Pick<Workload, 'agents' | 'ratePerSecond' | 'pattern' | 'arrivals' | 'answers'>

/**
 * Throws LighthouseError('USAGE') for a workload that no schedule can be drawn from. `bodies` ≤ 65,536. Phases, where given, fill the
 * round: each draws its arrivals from a stream of its own, and only its agents ask.
 */
export function buildSchedule(
  workload: ScheduleInput,
  seed: string,
  durationMs: number,
  bodies: number,
  phases?: readonly LoadPhase[],
): Schedule {
  if (phases !== undefined) checkPhases(workload, phases, durationMs)
  const stretches = phases ?? [{ durationMs, agents: workload.agents, ratePerSecond: workload.ratePerSecond }]
  checkInput(workload, stretches)
  const who = seededRandom(`${seed}/schedule/requesters`)
  const { scheduledAtNs, askers } = arrivalsOf(workload, stretches, seed, who)
  const count = scheduledAtNs.length
  const recipient = new Uint32Array(count)
  const bodyIndex = new Uint16Array(count)
  const action = new Uint8Array(count)
  const what = seededRandom(`${seed}/schedule/bodies`)
  const how = seededRandom(`${seed}/schedule/answers`)
  const { accept, decline } = workload.answers
  for (let exchange = 0; exchange < count; exchange++) {
    recipient[exchange] = recipientOf(workload.pattern, askers[exchange] as number, workload.agents)
    bodyIndex[exchange] = what.below(bodies)
    const draw = how.uniform()
    action[exchange] = draw < accept ? 0 : draw < accept + decline ? 1 : 2
  }
  return {
    count,
    agents: workload.agents,
    durationNs: durationMs * 1e6,
    scheduledAtNs,
    requester: askers,
    recipient,
    bodyIndex,
    action,
  }
}

/** Offsets from the start of the round, ascending, and who asks at each. */
function arrivalsOf(
  workload: ScheduleInput,
  phases: readonly LoadPhase[],
  seed: string,
  who: Random,
): { scheduledAtNs: Float64Array; askers: Uint32Array } {
  const parts: { readonly offsets: Float64Array; readonly fromNs: number; readonly agents: number }[] = []
  let fromNs = 0
  for (const [index, phase] of phases.entries()) {
    const random = seededRandom(`${seed}/schedule/arrivals${index === 0 ? '' : `/${index}`}`)
    const durationNs = phase.durationMs * 1e6
    const offsets = drawArrivals(workload.arrivals, phase.ratePerSecond, durationNs, random)
    parts.push({ offsets, fromNs, agents: phase.agents })
    fromNs += durationNs
  }
  const count = parts.reduce((sum, { offsets }) => sum + offsets.length, 0)
  const scheduledAtNs = new Float64Array(count)
  const askers = new Uint32Array(count)
  let next = 0
  for (const part of parts) {
    for (const offset of part.offsets) {
      scheduledAtNs[next] = part.fromNs + offset
      askers[next++] = who.below(part.agents)
    }
  }
  return { scheduledAtNs, askers }
}

/** `pairs`: 2i ↔ 2i+1, both directions. `ring`: i → i+1, the last to the first. */
export function recipientOf(pattern: Pattern, requester: number, agents: number): number {
  if (pattern === 'pairs') return requester ^ 1
  return requester + 1 === agents ? 0 : requester + 1
}

export function actionName(index: number): AnswerAction {
  return answerActions[index] ?? 'cancel'
}

/** Offsets in [0, durationNs), ascending, whole nanoseconds. */
export function drawArrivals(
  arrivals: Workload['arrivals'],
  ratePerSecond: number,
  durationNs: number,
  random: Random,
): Float64Array {
  return (arrivals === 'poisson' ? poissonArrivals : evenArrivals)(ratePerSecond, durationNs, random)
}

function poissonArrivals(ratePerSecond: number, durationNs: number, random: Random): Float64Array {
  const meanGapNs = 1e9 / ratePerSecond
  const expected = durationNs / meanGapNs
  // Six standard deviations of head room make growth rare; it stays possible.
  let offsets = new Float64Array(Math.ceil(expected + 6 * Math.sqrt(expected)) + 16)
  let count = 0
  for (let atNs = random.exponential() * meanGapNs; atNs < durationNs; atNs += random.exponential() * meanGapNs) {
    if (count === offsets.length) {
      const grown = new Float64Array(offsets.length * 2)
      grown.set(offsets)
      offsets = grown
    }
    offsets[count++] = Math.floor(atNs)
  }
  return offsets.slice(0, count)
}

function evenArrivals(ratePerSecond: number, durationNs: number, random: Random): Float64Array {
  const gapNs = 1e9 / ratePerSecond
  const phaseNs = random.uniform() * gapNs
  const count = Math.max(0, Math.ceil((durationNs - phaseNs) / gapNs))
  const offsets = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    offsets[index] = Math.min(Math.floor(phaseNs + index * gapNs), durationNs - 1)
  }
  return offsets
}

function checkPhases(workload: ScheduleInput, phases: readonly LoadPhase[], durationMs: number): void {
  const together = phases.reduce((sum, phase) => sum + phase.durationMs, 0)
  if (Math.abs(together - durationMs) > 1e-6) {
    fail(`its phases last ${together} ms, the round ${durationMs} ms`, 'Give phases that fill the round.')
  }
  for (const { agents } of phases) {
    if (!Number.isInteger(agents) || agents < 1 || agents > workload.agents) {
      fail(`a phase of ${agents} agents is not part of ${workload.agents}`, 'Let 1 agent or more ask in each phase.')
    }
  }
}

function checkInput(workload: ScheduleInput, phases: readonly LoadPhase[]): void {
  const { agents, pattern, answers } = workload
  if (!Number.isInteger(agents) || agents < 2)
    fail(`${agents} agents cannot exchange messages`, 'Use 2 agents or more.')
  if (pattern === 'pairs' && agents % 2 !== 0) {
    fail(
      `pattern "pairs" needs an even number of agents, not ${agents}`,
      `Use ${agents + 1} agents, or pattern "ring".`,
    )
  }
  for (const { ratePerSecond, durationMs } of phases) {
    if (!(ratePerSecond > 0) || !Number.isFinite(ratePerSecond)) {
      fail(`a rate of ${ratePerSecond} exchanges/s is not a positive number`, 'Use a rate above 0.')
    }
    if (!(durationMs > 0) || !Number.isFinite(durationMs)) {
      fail(`a duration of ${durationMs} ms is not a positive number`, 'Use a duration above 0.')
    }
  }
  const exchanges = phases.reduce((sum, phase) => sum + (phase.ratePerSecond * phase.durationMs) / 1000, 0)
  if (exchanges > maximumExchanges) {
    fail(
      `${Math.round(exchanges)} exchanges in one round are more than the ${maximumExchanges} that a round may hold`,
      'Use shorter rounds, and more of them.',
    )
  }
  const shares = [answers.accept, answers.decline, answers.cancel]
  const sum = shares.reduce((total, share) => total + share, 0)
  if (shares.some((share) => !(share >= 0)) || Math.abs(sum - 1) > 1e-9) {
    fail(
      `the answer shares ${shares.join(' + ')} do not sum to 1`,
      'Give shares of accept, decline and cancel that sum to 1.',
    )
  }
}

function fail(message: string, suggestion: string): never {
  throw new LighthouseError('USAGE', `workload: ${message}`, { suggestions: [suggestion] })
}
