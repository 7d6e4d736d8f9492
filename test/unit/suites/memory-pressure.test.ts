/** The plan of a memory run: which cases, in which order, with what asked of each; and what its records say of a death. */
import { describe, expect, it } from 'vitest'
import { estimateMemory, planMemory, type MemorySizes } from '../../../src/suites/memory-pressure.ts'
import { deathRecord, capRecord, messageOf } from '../../../src/suites/memory-strains.ts'

const sizes: MemorySizes = {
  idleAgents: [100, 500],
  idleRounds: 3,
  settleMs: 1000,
  payloads: [200, 20_000],
  inFlight: { agents: 50, ratePerSecond: 200, durationMs: 4000 },
  inFlightRounds: 2,
  caps: [1.5, 0.8],
  processCaps: [1.2],
  pressure: { agents: 20, ratePerSecond: 600, durationMs: 3000, payloadBytes: 20_000 },
  descriptors: { agents: 100, ratePerSecond: 100, durationMs: 8000 },
  slowReader: { agents: 50, ratePerSecond: 200, durationMs: 15_000 },
  flood: { agents: 10, ratePerSecond: 1000, durationMs: 20_000 },
  sustained: { agents: 50, ratePerSecond: 500, durationMs: 60_000, readEveryMs: 5000 },
  control: { agents: 50, ratePerSecond: 200, durationMs: 3000 },
  controlRounds: 6,
  deadlineMs: 5000,
  payloadBytes: 300,
  together: false,
}
const labels = ['polling', 'elicitation']
const nothing = new Map<string, string>()

describe('the plan of a memory run', () => {
  it('goes from what agents cost to what pressure does, numbers rounds through, and ends with the control', () => {
    const { cases, order, skippedCases } = planMemory(sizes, labels, 's', nothing)
    expect(cases.map(({ name, firstRound, rounds, memory }) => [name, firstRound, rounds, memory?.kind])).toEqual([
      ['idle-100', 0, 3, 'idle'],
      ['idle-500', 3, 3, 'idle'],
      ['in-flight-200-bytes', 6, 2, 'inFlight'],
      ['in-flight-20000-bytes', 8, 2, 'inFlight'],
      ['heap-need', 10, 1, 'heapNeed'],
      ['heap-cap-150-percent', 11, 1, 'heapCap'],
      ['heap-cap-80-percent', 12, 1, 'heapCap'],
      ['process-cap-120-percent', 13, 1, 'processCap'],
      ['descriptors', 14, 1, 'descriptors'],
      ['slow-reader', 15, 1, 'slowReader'],
      ['flood', 16, 1, 'flood'],
      ['sustained', 17, 1, 'sustained'],
      ['control', 18, 6, undefined],
    ])
    expect(skippedCases).toEqual([])
    expect(order).toHaveLength(24)
    expect(order.map((each) => each.toSorted())).toEqual(order.map(() => labels.toSorted()))
    expect(planMemory(sizes, labels, 's', nothing).order).toEqual(order)
  })

  it('puts the same load on every number of agents, so that what is left of it counts to no agent', () => {
    const loads = planMemory(sizes, labels, 's', nothing)
      .cases.filter(({ memory }) => memory?.kind === 'idle')
      .map(({ ratePerSecond, roundDurationMs }) => [ratePerSecond, roundDurationMs])
    expect(new Set(loads.map(String)).size).toBe(1)
  })

  it('holds every exchange until the last was asked and read, and answers before the deadline', () => {
    const held = planMemory(sizes, labels, 's', nothing).cases.filter(({ memory }) => memory?.lateAgents !== 0)
    const answered = held.filter(({ memory }) => memory !== undefined && memory.kind !== 'flood')
    expect(answered.length).toBeGreaterThan(3)
    for (const { memory, roundDurationMs, agents } of answered) {
      expect(memory?.lateAgents).toBe(agents)
      expect(memory?.answerDelayMs).toBeGreaterThan(roundDurationMs)
      expect(memory?.deadlineMs).toBeGreaterThan(2 * roundDurationMs)
    }
  })

  it('caps the very load whose need was measured, without readings that would collect garbage for it', () => {
    const { cases } = planMemory(sizes, labels, 's', nothing)
    const need = cases.find(({ memory }) => memory?.kind === 'heapNeed')
    const capped = cases.filter(({ memory }) => memory?.kind === 'heapCap')
    for (const each of capped) {
      const { name: _name, firstRound: _first, memory, ...load } = each
      expect(need).toMatchObject(load)
      expect(memory).toMatchObject({ payloadBytes: 20_000, answerDelayMs: need?.memory?.answerDelayMs, readEveryMs: 0 })
    }
    expect(capped.map(({ memory }) => memory?.capFactor)).toEqual([1.5, 0.8])
    expect(
      planMemory({ ...sizes, caps: [], processCaps: [] }, labels, 's', nothing).cases.map(({ name }) => name),
    ).not.toContain('heap-need')
  })

  it('floods two agents with more questions than an inbox holds, within the deadline of the first', () => {
    const flood = planMemory(sizes, labels, 's', nothing).cases.find(({ name }) => name === 'flood')
    const perAgent = (flood?.ratePerSecond ?? 0) / (flood?.agents ?? 1)
    expect(flood?.memory?.lateAgents).toBe(2)
    expect(flood?.memory?.answerDelayMs).toBe(flood?.memory?.deadlineMs)
    expect((perAgent * (flood?.memory?.deadlineMs ?? 0)) / 1000).toBeGreaterThan(1.2 * 1024)
    expect(flood?.roundDurationMs).toBeGreaterThanOrEqual(flood?.memory?.deadlineMs ?? Infinity)
  })

  it('skips by name what the machine cannot do, and numbers the rest through', () => {
    const { cases, skippedCases } = planMemory(
      sizes,
      labels,
      's',
      new Map([['descriptors', 'there is no prlimit here']]),
    )
    expect(skippedCases).toEqual([{ name: 'descriptors', reason: 'there is no prlimit here' }])
    expect(cases.find(({ name }) => name === 'flood')?.firstRound).toBe(15)
    expect(cases.at(-1)?.name).toBe('control')
  })

  it('leaves out every cap on the process where none can be made, by name', () => {
    const { skippedCases } = planMemory(sizes, labels, 's', new Map([['process-cap', 'no memory cgroup']]))
    expect(skippedCases).toEqual([{ name: 'process-cap-120-percent', reason: 'no memory cgroup' }])
  })

  it('is estimated to take longer in turn than side by side', () => {
    const plan = planMemory(sizes, labels, 's', nothing)
    const arms = [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }]
    const inTurn = estimateMemory(plan, arms, sizes)
    const sideBySide = estimateMemory(plan, arms, { ...sizes, together: true })
    expect(inTurn.durationMs).toBeGreaterThan(1.5 * sideBySide.durationMs)
    expect(inTurn.diskBytes).toBe(sideBySide.diskBytes)
  })
})

describe('the record of a round under a cap', () => {
  const cap = { of: 'heap', capBytes: 30e6, needBytes: 40e6, startFailure: null } as const
  const death = { atMs: 1500, upAtMs: 2300, restartMs: 800, reason: '' }

  it('says that the process lived, that it died and came back, that it stayed away, or that it never started', () => {
    expect(capRecord(cap, null, 3000, null)).toMatchObject({
      healedAtMs: null,
      figures: { capBytes: 30e6, needBytes: 40e6 },
    })
    expect(capRecord(cap, death, 3000, null)).toMatchObject({
      healedAtMs: 2300,
      figures: { diedAtMs: 1500, restartMs: 800 },
    })
    const gone = capRecord(cap, { ...death, upAtMs: null, reason: 'no port' }, 3000, null)
    expect(gone).toMatchObject({ healedAtMs: null, shownBy: 'the process died and did not start again: no port' })
    expect(gone.figures).not.toHaveProperty('restartMs')
    expect(capRecord({ ...cap, startFailure: 'SIGABRT' }, null, 3000, null).figures['diedAtStart']).toBe(1)
    expect(capRecord({ ...cap, of: 'process' }, death, 3000, 1)).toMatchObject({
      kind: 'process-cap',
      figures: { diedAtMs: 1500, kernelKills: 1 },
    })
    expect(deathRecord(death, 3000)).toMatchObject({ kind: 'death', injectedAtMs: 1500, healedAtMs: 2300 })
  })

  it('keeps what V8 prints on its way out of a message', () => {
    const text = 'engine polling ended: SIGABRT: <--- Last few GCs --->\nre[1108:0xf80f000] 990 ms: Mark-Compact'
    expect(messageOf(new Error(text))).toBe('engine polling ended: SIGABRT:')
    expect(messageOf(`a\n b${'x'.repeat(1000)}`)).toHaveLength(300)
  })
})
