import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agentCapacity, chooseHost, drawOrder, estimateMs, planArms } from '../../../src/suites/comparison-plan.ts'

const arm = (label: string): { label: string; name: string; options: Record<string, string> } => ({
  label,
  name: label,
  options: {},
})

describe('the arms of a comparison', () => {
  it('makes the last engine the candidate', () => {
    expect(planArms([arm('a'), arm('b'), arm('c')]).map(({ role }) => role)).toEqual([
      'baseline',
      'baseline',
      'candidate',
    ])
  })

  it.each([[[]], [[arm('a')]], [Array.from({ length: 9 }, (_, index) => arm(`e${index}`))]])('refuses %j', (specs) => {
    expect(() => planArms(specs)).toThrow(/2 to 8 engines/)
  })
})

describe('the order of engines in the rounds', () => {
  it('plays every engine once per round and balances each pair of rounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 1, max: 30 }),
        fc.string(),
        (engines, rounds, seed) => {
          const labels = Array.from({ length: engines }, (_, index) => `e${index}`)
          const order = drawOrder(labels, rounds, seed)
          expect(order).toHaveLength(rounds)
          for (const [round, played] of order.entries()) {
            expect(played.toSorted()).toEqual(labels.toSorted())
            if (round % 2 === 1) expect(played).toEqual(order[round - 1]?.toReversed())
          }
          expect(drawOrder(labels, rounds, seed)).toEqual(order)
        },
      ),
    )
  })

  it('depends on the seed', () => {
    const orders = new Set(
      Array.from({ length: 20 }, (_, seed) => JSON.stringify(drawOrder(['a', 'b', 'c'], 6, `${seed}`))),
    )
    expect(orders.size).toBeGreaterThan(5)
  })
})

describe('the choice of host', () => {
  it('keeps the thread while all sockets fit in one process', () => {
    expect(chooseHost('thread', 100, 2, 20_000)).toEqual({ host: 'thread', note: null })
  })

  it('moves to processes, and says so, when they do not', () => {
    const choice = chooseHost('thread', 15_000, 2, 20_000)
    expect(choice.host).toBe('process')
    expect(choice.note).toContain('15000 agents')
  })

  it('refuses before starting what no process could hold', () => {
    expect(() => chooseHost('process', 25_000, 1, 20_000)).toThrow(/file descriptors/)
  })

  it('holds as many agents as its capacity says, and not one more', () => {
    const host = (agents: number, arms: number, limit: number): string => {
      try {
        return chooseHost('thread', agents, arms, limit).host
      } catch {
        return 'none'
      }
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 1, max: 8 }), (limit, arms) => {
        const { thread, process } = agentCapacity(limit, arms)
        if (thread > 0) expect(host(thread, arms, limit)).toBe('thread')
        expect(host(thread + 1, arms, limit)).not.toBe('thread')
        if (process > 0) expect(host(process, arms, limit)).not.toBe('none')
        expect(host(process + 1, arms, limit)).toBe('none')
      }),
    )
  })

  it('takes what was asked for where the limit is unknown', () => {
    expect(chooseHost('thread', 50_000, 2, null)).toEqual({ host: 'thread', note: null })
  })
})

it('estimates a standard run at less than two minutes and grows with every round', () => {
  const inputs = {
    arms: [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }],
    agents: 100,
    rounds: 10,
    roundDurationMs: 3000,
    warmupMs: 500,
  }
  expect(estimateMs(inputs)).toBeLessThan(120_000)
  expect(estimateMs({ ...inputs, rounds: 11 })).toBeGreaterThan(estimateMs(inputs) + 6000)
})
