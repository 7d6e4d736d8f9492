/** A memory run made of known costs: every reading follows from bytes per agent and exchange, and tests plant one thing in it. */
import type {
  CasePlan,
  FaultRecord,
  MemoryCasePlan,
  MemoryReading,
  RoundEvidence,
} from '../../../src/measurement/round-evidence.ts'
import { altered, syntheticRun } from './synthetic-run.ts'

export interface Costs {
  /** Live bytes of so many idle agents, and of those that have gone. */
  readonly idle: (agents: number) => number
  readonly left: (agents: number) => number
  /** Of so many open exchanges with such a payload. */
  readonly open: (exchanges: number, payloadBytes: number) => number
  /** Live bytes of the process `atMs` into the sustained load. */
  readonly sustained: (atMs: number) => number
}

export const plainCosts: Costs = {
  idle: (agents) => 40_000 + 4700 * agents,
  left: (agents) => 170_000 + 1100 * agents,
  open: (exchanges, payloadBytes) => exchanges * (1500 + 1.1 * payloadBytes),
  sustained: () => 500_000,
}

const levels = [100, 250, 500, 1000]
const payloads = [200, 2000, 20_000]
const perLevel = 2
const perControl = 6
const caps = [1.2, 0.8]
const baseHeap = 18_000_000
const external = 8_000_000

const names = [
  ...levels.map((agents) => ({
    name: `idle-${agents}`,
    agents,
    rounds: perLevel,
    kind: 'idle' as const,
    payloadBytes: 200,
    capFactor: 0,
  })),
  ...payloads.map((payloadBytes) => ({
    name: `in-flight-${payloadBytes}-bytes`,
    agents: 100,
    rounds: perLevel,
    kind: 'inFlight' as const,
    payloadBytes,
    capFactor: 0,
  })),
  { name: 'heap-need', agents: 100, rounds: 1, kind: 'heapNeed' as const, payloadBytes: 20_000, capFactor: 0 },
  ...caps.map((capFactor) => ({
    name: `heap-cap-${capFactor * 100}-percent`,
    agents: 100,
    rounds: 1,
    kind: 'heapCap' as const,
    payloadBytes: 20_000,
    capFactor,
  })),
  { name: 'descriptors', agents: 100, rounds: 1, kind: 'descriptors' as const, payloadBytes: 200, capFactor: 0 },
  { name: 'slow-reader', agents: 100, rounds: 1, kind: 'slowReader' as const, payloadBytes: 200, capFactor: 0 },
  { name: 'flood', agents: 100, rounds: 1, kind: 'flood' as const, payloadBytes: 200, capFactor: 0 },
  { name: 'sustained', agents: 100, rounds: 1, kind: 'sustained' as const, payloadBytes: 200, capFactor: 0 },
]

export const targets = `targets:
  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: Idle, expression: "candidate.memory.idleBytes <= 12KiB" }
  - { title: Resident, expression: "candidate.memory.idleRssBytes <= 12KiB" }
  - { title: Residue, expression: "candidate.memory.residueBytes <= 4KiB" }
  - { title: Lost, expression: "candidate.memory.lostUnderPressure <= 0" }
  - { title: Died, expression: "candidate.memory.diedWithoutShedding <= 0" }
`

function casesOf(roundDurationMs: number): CasePlan[] {
  let firstRound = 0
  const cases = names.map(({ name, agents, rounds, kind, payloadBytes, capFactor }): CasePlan => {
    const memory: MemoryCasePlan = {
      kind,
      payloadBytes,
      deadlineMs: 5000,
      lateAgents: 0,
      answerDelayMs: 0,
      readEveryMs: 0,
      capFactor,
    }
    const plan = {
      name,
      agents,
      ratePerSecond: 200,
      loadModel: 'open' as const,
      roundDurationMs,
      firstRound,
      rounds,
      memory,
    }
    firstRound += rounds
    return plan
  })
  const control = {
    name: 'control',
    agents: 100,
    ratePerSecond: 200,
    loadModel: 'open' as const,
    roundDurationMs,
    firstRound,
    rounds: perControl,
  }
  return [...cases, control]
}

/** Processes differ by some kilobytes; what counts is what is more than before. */
function readingsFor(plan: CasePlan, costs: Costs, round: number): MemoryReading[] {
  const offset = 40_000 * (round % 5)
  const noise = (index: number): number => 500 * ((round * 7 + index * 3) % 5)
  const at = (
    moment: MemoryReading['moment'],
    atMs: number,
    live: number,
    openExchanges: number,
    index = 0,
  ): MemoryReading => ({
    moment,
    atMs,
    heapUsedBytes: Math.round(baseHeap + offset + live + noise(index)),
    externalBytes: external,
    rssBytes: Math.round(130_000_000 + offset + 1.5 * live + 4 * noise(index)),
    socketBytes: 360_448,
    agents: moment === 'idle' || moment === 'during' ? plan.agents : 0,
    openExchanges,
  })
  const { idle, left, open, sustained } = costs
  const agents = idle(plan.agents)
  const payload = plan.memory?.payloadBytes ?? 0
  const steps = plan.memory?.kind === 'sustained' ? 60 : 5
  const during = Array.from({ length: steps }, (_, index) => {
    const exchanges = (index + 1) * 100
    return plan.memory?.kind === 'sustained'
      ? at('during', (index + 1) * 30_000, agents + sustained((index + 1) * 30_000), 5, index)
      : at('during', (index + 1) * 600, agents + open(exchanges, payload), exchanges, index)
  })
  return [
    at('before', -900, 0, 0),
    ...[1, 2, 3].map((index) => at('idle', -100 * (4 - index), agents, 0, index)),
    ...(plan.memory?.kind === 'idle' ? [] : during),
    at('after', 5000, left(plan.agents), 0),
  ]
}

export function capped(figures: Record<string, number>): FaultRecord {
  const all = { capBytes: 30 * 2 ** 20, needBytes: 38_000_000, ...figures }
  return {
    kind: 'heap-cap',
    injectedAtMs: 0,
    healedAtMs: null,
    untilMs: 3000,
    bit: true,
    shownBy: 'as planted',
    figures: all,
  }
}

function faultsFor({ memory }: CasePlan): FaultRecord[] {
  if (memory?.kind === 'heapCap') return [capped({})]
  if (memory?.kind === 'slowReader') {
    const figures = { fedBytes: 12_000_000, takenMessages: 600, refusedMessages: 3, cutAfterMs: 9200 }
    const record = { kind: 'slow-reader', injectedAtMs: 600, healedAtMs: 9800, untilMs: 14_000, bit: true }
    return [{ ...record, shownBy: 'as planted', figures }]
  }
  if (memory?.kind !== 'descriptors') return []
  const figures = { served: 9, refused: 0, closed: 23, silent: 0, servedAfter: 8, wantedAfter: 8 }
  return [
    {
      kind: 'descriptors',
      injectedAtMs: 600,
      healedAtMs: 2100,
      untilMs: 3000,
      bit: true,
      shownBy: 'as planted',
      figures,
    },
  ]
}

export function memoryRun(costs: Partial<Costs> = {}) {
  const cases = casesOf(3000)
  const last = cases.at(-1)
  if (last === undefined) throw new Error('a plan without cases')
  const base = syntheticRun({ rounds: last.firstRound + last.rounds, perRound: 600, targets })
  const known = { ...plainCosts, ...costs }
  const manifest = { ...base.manifest, suite: 'memory-pressure' as const, plan: { ...base.manifest.plan, cases } }
  return altered(
    { ...base, manifest },
    () => true,
    (evidence): RoundEvidence => {
      const plan = cases.find(
        ({ firstRound, rounds }) => evidence.round >= firstRound && evidence.round < firstRound + rounds,
      )
      if (plan?.memory === undefined) return evidence
      const faults = faultsFor(plan)
      const seen = { ...evidence, memory: readingsFor(plan, known, evidence.round) }
      return faults.length === 0 ? seen : { ...seen, faults }
    },
  )
}

/** The rounds of one case of the candidate, or of another engine. */
export function ofCase(name: string, engine = 'elicitation') {
  const plan = casesOf(3000).find((each) => each.name === name)
  if (plan === undefined) throw new Error(`no case ${name}`)
  return (evidence: RoundEvidence): boolean =>
    evidence.engine === engine && evidence.round >= plan.firstRound && evidence.round < plan.firstRound + plan.rounds
}
