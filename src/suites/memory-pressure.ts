/**
 * The memory suite: what does each engine need for an idle agent and for an exchange in flight, what stays behind when agents leave, does
 * it grow under a load that does not, and what happens when there is less memory, or fewer descriptors, than it needs?
 *
 * Workload design. Every round has an engine process of its own, so that no round inherits another's garbage. A few agents come and go
 * before the first reading: what a process needs once, for code that runs the first time, is thereby counted to nobody. Readings
 * are taken after two major collections. Idle: agents connect in several numbers; the cost of one is the slope through all rounds, so
 * that neither the process itself nor a constant part counts. In flight: exchanges are asked at an even rate and answered so late that
 * all of them are open at the end; readings on the way see ever more of them, and the slope is what one costs, payload included. After
 * the load all agents leave, and what is more than before they came is the residue. Pressure: the same load of large payloads first
 * without a cap, which measures the need, then under caps on the heap and on the whole process that are multiples of it; then with fewer descriptors than
 * clients; then with a client that reads nothing of what it is sent; then with questions to agents that never answer. Sustained: readings over a long steady load, judged for leaks. The last case
 * is the control, a plain load, on which latency targets and the decision rest.
 *
 * Why it answers the question. What is live is counted exactly by the collector, to the byte; resident memory, which the machine has to
 * have, is given beside it. Right behaviour under pressure is to refuse, with a hint when to come back, before dying; what was
 * acknowledged must come through also when the process died and was started again on its store. The ledger sees that.
 *
 * What would fool it, and what is done. Garbage (collected before each reading). Pages that the collector keeps for later (live bytes and
 * resident bytes are told apart). Other sockets of the machine (kernel memory is only printed). Memory of the load generator (another
 * process). A cap that the young generation evades (it is made small, the same for the need and the caps). A cap below what the process
 * needs to start (then it died at the start, which is said). A leak that a short run cannot show (then the verdict says how long it takes).
 */
import type { CasePlan, MemoryCasePlan } from '../measurement/round-evidence.ts'
import { drawOrder, estimateDiskBytes, estimateMs, type TimeInputs } from './comparison-plan.ts'

/** Agents that ask steadily for so long. */
interface SteadyLoad {
  readonly agents: number
  readonly ratePerSecond: number
  readonly durationMs: number
}

export interface MemorySizes {
  /** Ascending numbers of agents. */
  readonly idleAgents: readonly number[]
  readonly idleRounds: number
  /** From the last connect or disconnect to the reading. */
  readonly settleMs: number
  readonly payloads: readonly number[]
  readonly inFlight: SteadyLoad
  readonly inFlightRounds: number
  /** Of the heap and of the whole process, as multiples of the need; without any the need is not measured either. */
  readonly caps: readonly number[]
  readonly processCaps: readonly number[]
  readonly pressure: SteadyLoad & { readonly payloadBytes: number }
  readonly descriptors: SteadyLoad | null
  readonly slowReader: SteadyLoad | null
  readonly flood: SteadyLoad | null
  readonly sustained: (SteadyLoad & { readonly readEveryMs: number }) | null
  readonly control: SteadyLoad
  readonly controlRounds: number
  readonly deadlineMs: number
  readonly payloadBytes: number
  /** Engines side by side, except in the control: seconds instead of minutes. */
  readonly together: boolean
}

export interface MemoryPlan {
  readonly cases: readonly CasePlan[]
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  readonly order: readonly (readonly string[])[]
}

/** In an idle round, a load that shows that the sessions work; the same at every number of agents. */
const proof: Omit<SteadyLoad, 'agents'> = { ratePerSecond: 20, durationMs: 400 }
const readingsInFlight = 5
const readingsOfSlowReader = 10
/** The last reading of held exchanges is taken when the last is asked, and takes a moment. */
const afterLastReadingMs = 500
/** What agents that never answer leave open must end within the round, or the ledger would wait for it. */
const floodDeadlineMs = 15_000

/** `cannot`: what is impossible on this machine, by the name of the case, or `process-cap` for all of them, with the reason. */
export function planMemory(
  sizes: MemorySizes,
  labels: readonly string[],
  seed: string,
  cannot: ReadonlyMap<string, string>,
): MemoryPlan {
  const cases: CasePlan[] = []
  const skippedCases: { name: string; reason: string }[] = []
  let firstRound = 0
  const add = (name: string, load: SteadyLoad, rounds: number, memory?: MemoryCasePlan, without?: string): void => {
    const reason = without ?? cannot.get(name)
    if (reason !== undefined) return void skippedCases.push({ name, reason })
    const { agents, ratePerSecond, durationMs: roundDurationMs } = load
    const plain = { name, agents, ratePerSecond, loadModel: 'open' as const, roundDurationMs, firstRound, rounds }
    cases.push(memory === undefined ? plain : { ...plain, memory })
    firstRound += rounds
  }
  const plain = plainCase(sizes)
  for (const agents of sizes.idleAgents) {
    add(`idle-${agents}`, { ...proof, agents }, sizes.idleRounds, plain('idle'))
  }
  for (const payloadBytes of sizes.payloads) {
    const held = heldCase('inFlight', sizes.inFlight, payloadBytes)
    add(`in-flight-${payloadBytes}-bytes`, sizes.inFlight, sizes.inFlightRounds, held)
  }
  if (sizes.caps.length + sizes.processCaps.length > 0) {
    const { pressure } = sizes
    add('heap-need', pressure, 1, heldCase('heapNeed', pressure, pressure.payloadBytes))
    for (const capped of ['heap', 'process'] as const) {
      for (const capFactor of capped === 'heap' ? sizes.caps : sizes.processCaps) {
        const memory = { ...heldCase(`${capped}Cap`, pressure, pressure.payloadBytes), readEveryMs: 0, capFactor }
        const name = `${capped}-cap-${Math.round(capFactor * 100)}-percent`
        add(name, pressure, 1, memory, cannot.get(`${capped}-cap`))
      }
    }
  }
  if (sizes.descriptors !== null) add('descriptors', sizes.descriptors, 1, plain('descriptors'))
  if (sizes.slowReader !== null) {
    const { durationMs } = sizes.slowReader
    const watched = { ...plain('slowReader'), readEveryMs: durationMs / readingsOfSlowReader }
    add('slow-reader', sizes.slowReader, 1, watched)
  }
  if (sizes.flood !== null) {
    const { durationMs } = sizes.flood
    // Two agents are asked and never answer; a delay as long as the deadline says so.
    const never = { lateAgents: 2, answerDelayMs: floodDeadlineMs, deadlineMs: floodDeadlineMs }
    add('flood', sizes.flood, 1, { ...plain('flood'), ...never, readEveryMs: durationMs / readingsInFlight })
  }
  if (sizes.sustained !== null) {
    add('sustained', sizes.sustained, 1, { ...plain('sustained'), readEveryMs: sizes.sustained.readEveryMs })
  }
  add('control', sizes.control, sizes.controlRounds)
  return { cases, skippedCases, order: drawOrder(labels, firstRound, seed) }
}

function plainCase({ payloadBytes, deadlineMs }: MemorySizes): (kind: MemoryCasePlan['kind']) => MemoryCasePlan {
  const atOnce = { lateAgents: 0, answerDelayMs: 0, readEveryMs: 0, capFactor: 0 }
  return (kind) => ({ kind, payloadBytes, deadlineMs, ...atOnce })
}

/** Every exchange is open when the last is asked, and answered well before its deadline. */
function heldCase(kind: MemoryCasePlan['kind'], load: SteadyLoad, payloadBytes: number): MemoryCasePlan {
  const { agents, durationMs } = load
  return {
    kind,
    payloadBytes,
    deadlineMs: 2 * durationMs + 15_000,
    lateAgents: agents,
    answerDelayMs: durationMs + afterLastReadingMs,
    readEveryMs: durationMs / readingsInFlight,
    capFactor: 0,
  }
}

/** An engine and two load hosts start for each round, and five readings are taken; sessions open at a rate that errs on the low side. */
const startUpMs = 1500
const sessionsPerMs = 3

/** Milliseconds the plan takes when no round is repeated, and the bytes it leaves. */
export function estimateMemory(
  { cases }: Pick<MemoryPlan, 'cases'>,
  arms: TimeInputs['arms'],
  { settleMs, together }: Pick<MemorySizes, 'settleMs' | 'together'>,
): { readonly durationMs: number; readonly diskBytes: number } {
  const timeOf = ({ agents, rounds, roundDurationMs, memory }: CasePlan): number => {
    if (memory === undefined) return estimateMs({ arms, agents, rounds, roundDurationMs, warmupMs: 0 })
    const answeredMs = Math.min(memory.answerDelayMs, memory.deadlineMs)
    const roundMs = startUpMs + agents / sessionsPerMs + roundDurationMs + answeredMs + 3 * settleMs
    const drainsMs = arms.map(({ drainGraceMs }) => drainGraceMs)
    const longestMs = roundMs + Math.max(...drainsMs)
    return rounds * (together ? longestMs : drainsMs.reduce((sum, drainMs) => sum + roundMs + drainMs, 0))
  }
  return {
    durationMs: Math.round(cases.reduce((sum, each) => sum + timeOf(each), 0)),
    diskBytes: cases.reduce((sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs), 0),
  }
}
