import { describe, expect, it } from 'vitest'
import { parseFaults } from '../../../src/configuration/recovery-request.ts'
import { faultKinds, faultNames } from '../../../src/suites/fault-kinds.ts'
import { estimateRecovery, planRecovery, type RecoverySizes } from '../../../src/suites/recovery.ts'

const sizes: RecoverySizes = {
  faults: ['crash', 'reset-all', 'pause'],
  agents: 20,
  ratePerSecond: 100,
  repeat: 2,
  beforeMs: 3000,
  faultMs: 2000,
  afterMs: 10_000,
  controlRounds: 6,
  controlMs: 1000,
  payloadBytes: 300,
  deadlineMs: 4000,
  together: false,
}
const labels = ['polling', 'elicitation']

describe('the plan of a recovery run', () => {
  it('has a case for each fault, repeated, and the control last', () => {
    const { cases, order } = planRecovery(sizes, labels, 's')
    expect(cases.map(({ name, firstRound, rounds }) => [name, firstRound, rounds])).toEqual([
      ['crash', 0, 2],
      ['reset-all', 2, 2],
      ['pause', 4, 2],
      ['control', 6, 6],
    ])
    expect(order).toHaveLength(12)
    expect(cases.at(-1)?.faults).toBeUndefined()
  })

  it('injects after the seconds that say what was before, at a drawn moment, and watches to the end of the round', () => {
    for (const seed of ['a', 'b', 'c']) {
      for (const { faults, roundDurationMs } of planRecovery(sizes, labels, seed).cases) {
        for (const { kind, atMs, forMs, untilMs } of faults ?? []) {
          expect(atMs).toBeGreaterThanOrEqual(3000)
          expect(atMs).toBeLessThanOrEqual(4000)
          expect(forMs).toBe(kind === 'reset-all' ? 0 : 2000)
          expect(untilMs - atMs - forMs).toBeGreaterThanOrEqual(10_000)
          expect(untilMs % 1000).toBe(0)
          expect(roundDurationMs).toBe(untilMs)
        }
      }
    }
    const moments = ['a', 'b', 'c'].map((seed) => planRecovery(sizes, labels, seed).cases[0]?.faults?.[0]?.atMs)
    expect(new Set(moments).size).toBe(3)
    expect(planRecovery(sizes, labels, 'a')).toEqual(planRecovery(sizes, labels, 'a'))
  })

  it('plans what is of the load: its rate, what is asked at once, who answers late and when', () => {
    const faults = ['overload-5', 'thundering-expiry', 'slow-agents', 'crash'] as const
    const { cases } = planRecovery({ ...sizes, faults, repeat: 1 }, labels, 's')
    const [overload, expiry, slow, crash] = cases
    const at = (index: number) => cases[index]?.faults?.[0]?.atMs ?? 0
    expect(overload?.phases).toEqual([
      { durationMs: at(0), agents: 20, ratePerSecond: 100 },
      { durationMs: 2000, agents: 20, ratePerSecond: 500 },
      { durationMs: (overload?.roundDurationMs ?? 0) - at(0) - 2000, agents: 20, ratePerSecond: 100 },
    ])
    // A thousand within 50 ms.
    expect(expiry?.phases?.[1]).toEqual({ durationMs: 50, agents: 20, ratePerSecond: 20_000 })
    expect(expiry?.faults?.[0]?.late).toEqual({ agents: 20, delayMs: 86_400_000, forMs: 500 })
    expect(slow?.faults?.[0]?.late).toEqual({ agents: 4, delayMs: 2000, forMs: 2000 })
    expect([slow?.phases, crash?.phases, crash?.faults?.[0]?.late]).toEqual([undefined, undefined, undefined])
  })

  it('gives a timeout cascade chains of its own, with ten of fifty agents too slow for two deadlines', () => {
    const { cases } = planRecovery({ ...sizes, faults: ['timeout-cascade-3', 'timeout-cascade-5-heeded'] }, labels, 's')
    const [blind, heeded] = cases
    expect(blind).toMatchObject({ agents: 60, ratePerSecond: 60, loadModel: 'open' })
    expect(blind?.coordination).toEqual({
      pattern: { kind: 'chain', callers: 10, links: 50, depth: 3, attempts: 3, deadlines: 'ignored' },
      instancesPerSecond: 20,
      arrivals: 'poisson',
      payloadBytes: 300,
      workMs: 0,
      deadlineMs: 4000,
    })
    expect(heeded?.coordination?.pattern).toMatchObject({ depth: 5, deadlines: 'heeded' })
    for (const { faults } of [blind, heeded].map((each) => ({ faults: each?.faults ?? [] }))) {
      const [fault] = faults
      // Beyond the deadline, and the callers themselves are not slow.
      expect(fault?.late).toEqual({ agents: 10, firstAgent: 10, delayMs: 6000, forMs: 8000 })
      expect(fault?.forMs).toBe(8000)
      // Time for chains to end before the fault.
      expect(fault?.atMs).toBeGreaterThanOrEqual(3000 + 3 * 4000)
    }
  })

  it('puts all faults into one round, one after the other, where seconds must do', () => {
    const { cases } = planRecovery({ ...sizes, together: true, repeat: 1 }, labels, 's')
    expect(cases.map(({ name, rounds }) => [name, rounds])).toEqual([
      ['faults-in-turn', 1],
      ['control', 6],
    ])
    const faults = cases[0]?.faults ?? []
    expect(faults.map(({ kind }) => kind)).toEqual(sizes.faults)
    for (const [index, fault] of faults.entries())
      expect(fault.atMs).toBeGreaterThanOrEqual(faults[index - 1]?.untilMs ?? 0)
  })

  it('takes at least its rounds, and half as long with two engines side by side', () => {
    const arms = [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }]
    const plan = planRecovery(sizes, labels, 's')
    const faulty = plan.cases.slice(0, -1).reduce((sum, each) => sum + each.rounds * each.roundDurationMs, 0)
    const alone = estimateRecovery(plan, arms, sizes).durationMs
    expect(alone).toBeGreaterThan(2 * faulty + 2 * 6000)
    expect(estimateRecovery(plan, arms, { ...sizes, together: true }).durationMs).toBeLessThan(alone - 0.9 * faulty)
  })

  it('refuses a run without a fault', () => {
    expect(() => planRecovery({ ...sizes, faults: [] }, labels, 's')).toThrow(/no fault is named/)
  })
})

describe('names of faults', () => {
  it('are all taken by "all"', () => {
    expect(parseFaults('all')).toEqual(faultNames)
    expect(parseFaults('crash, pause')).toEqual(['crash', 'pause'])
    for (const name of faultNames) expect(faultKinds[name].summary).not.toBe('')
  })

  it.each([
    ['crahs', /no fault 'crahs'/],
    ['crash,crash', /named twice/],
    ['', /no fault ''/],
    ['toString', /no fault 'toString'/],
  ])('refuse %j', (text, message) => {
    expect(() => parseFaults(text)).toThrow(message)
  })
})
