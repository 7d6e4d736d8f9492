/**
 * Decides, before anything starts, what a comparison will do: the arms and their roles, the order of engines in
 * every round (drawn from the seed), which host can hold that many sockets, and how long it all takes.
 * Pure: the descriptor limit and the seed come in, a plan or a usage error comes out.
 */
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom, shuffled } from '../platform/random.ts'

export interface ArmSpec {
  /** Unique in the run. */
  readonly label: string
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  /** Given for an engine that runs elsewhere. */
  readonly url?: string
}

export interface PlannedArm extends ArmSpec {
  readonly role: 'baseline' | 'candidate'
}

/** Gives the last arm the candidate's role. Throws USAGE for fewer than `least` arms or more than eight. */
export function planArms(specs: readonly ArmSpec[], least = 2): PlannedArm[] {
  if (specs.length < least || specs.length > 8) {
    throw new LighthouseError('USAGE', `a run takes ${least} to 8 engines, ${specs.length} given`, {
      suggestions: ['Name the baseline first and the candidate last: --engines polling,elicitation.'],
    })
  }
  return specs.map((spec, index) => ({ ...spec, role: index === specs.length - 1 ? 'candidate' : 'baseline' }))
}

/** Order of labels per round. Each order and its reverse alternate, so that drift within a round cancels in pairs. */
export function drawOrder(labels: readonly string[], rounds: number, seed: string): string[][] {
  const random = seededRandom(`${seed}/order`)
  const order: string[][] = []
  for (let round = 0; round < rounds; round++) {
    const previous = order[round - 1]
    order.push(round % 2 === 1 && previous !== undefined ? previous.toReversed() : shuffled(labels, random))
  }
  return order
}

/** Sockets that one agent needs on either side, and what a process needs beside them. */
const descriptorsPerAgent = { websocket: 1, http: 1, sse: 1 } as const
export const sharedPoolDescriptors = 512
export const descriptorReserve = 400

/** Descriptors that a run with so many agents needs: `inProcess` with threads, for all arms, `inChild` in each child of a process host. */
export function descriptorNeeds(agents: number, startedArms: number): { inProcess: number; inChild: number } {
  const perArm = agents * descriptorsPerAgent.websocket + sharedPoolDescriptors
  return { inProcess: 2 * perArm * startedArms + descriptorReserve, inChild: perArm + descriptorReserve }
}

/** The most agents that `chooseHost` lets each host hold; 0 where not even their pools fit. */
export function agentCapacity(descriptorLimit: number, startedArms: number): { thread: number; process: number } {
  const agents = (ofArm: number): number =>
    Math.max(0, Math.floor((ofArm - sharedPoolDescriptors) / descriptorsPerAgent.websocket))
  const left = descriptorLimit - descriptorReserve
  return { thread: agents(left / (2 * startedArms)), process: agents(left) }
}

export interface HostChoice {
  readonly host: 'thread' | 'process'
  /** Set where the choice differs from what was asked for, to be said to the user. */
  readonly note: string | null
}

/**
 * A thread host keeps both ends of every socket of every arm in this process; a process host keeps one end of
 * one arm in each child. Throws ENVIRONMENT when even that does not fit the descriptor limit.
 */
export function chooseHost(
  asked: 'thread' | 'process',
  agents: number,
  startedArms: number,
  descriptorLimit: number | null,
): HostChoice {
  if (descriptorLimit === null) return { host: asked, note: null }
  const { inProcess, inChild } = descriptorNeeds(agents, startedArms)
  if (asked === 'thread' && inProcess <= descriptorLimit) return { host: 'thread', note: null }
  if (inChild > descriptorLimit) {
    throw new LighthouseError(
      'ENVIRONMENT',
      `${agents} agents need about ${inChild} file descriptors in one process, the limit is ${descriptorLimit}`,
      {
        suggestions: [
          `Raise the limit (ulimit -n ${inChild}) or use fewer agents (--agents ${Math.max(2, agentCapacity(descriptorLimit, startedArms).process)}).`,
        ],
      },
    )
  }
  if (asked === 'process') return { host: 'process', note: null }
  return {
    host: 'process',
    note: `host process instead of thread: ${agents} agents need ${inProcess} descriptors in one process, the limit is ${descriptorLimit}`,
  }
}

export interface TimeInputs {
  readonly arms: readonly { readonly drainGraceMs: number }[]
  readonly agents: number
  readonly rounds: number
  readonly roundDurationMs: number
  readonly warmupMs: number
}

/** Connects below what was measured on two cores (4,500 sessions/s), so that the estimate errs on the long side. */
const connectsPerSecond = 3_000
const startUpMs = 1_500

/** Milliseconds a run takes when no round has to be repeated and exchanges end within the grace of their engine. */
export function estimateMs(inputs: TimeInputs): number {
  const perArm = inputs.arms.reduce(
    (sum, arm) => sum + startUpMs + (inputs.agents / connectsPerSecond) * 1000 + inputs.warmupMs + arm.drainGraceMs,
    0,
  )
  return Math.round(perArm) + roundsMs(inputs)
}

/** The same without starting engines and connecting agents. */
export function roundsMs({ arms, rounds, roundDurationMs }: TimeInputs): number {
  return rounds * arms.reduce((sum, arm) => sum + roundDurationMs + arm.drainGraceMs + 150, 0)
}

/** An encoded block of three digits takes up to about 4 kB in the log; four series per second, engine and round. */
const diskBytesPerBlock = 16_000

/** Bytes that rounds leave in the run directory. */
export function estimateDiskBytes(arms: number, rounds: number, roundDurationMs: number): number {
  return arms * rounds * Math.ceil(roundDurationMs / 1000) * diskBytesPerBlock
}
