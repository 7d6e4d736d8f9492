import { describe, expect, it } from 'vitest'
import { estimateScalingMs, planScaling, type ScalingSizes } from '../../../src/suites/scaling.ts'

const sizes: ScalingSizes = {
  levels: [10, 100, 15_000],
  ratePerAgentPerSecond: 0.5,
  rounds: 2,
  judgedRounds: 6,
  roundDurationMs: 5000,
  pairDurationMs: 10_000,
  probes: 0,
  probeDurationMs: 2000,
  boundsMs: { polling: 3000, elicitation: 300 },
}
const labels = ['polling', 'elicitation']

describe('the plan of a scaling run', () => {
  it('puts one sequential pair before the levels, numbers rounds through, and gives the last level the most', () => {
    const { cases, order, skippedCases } = planScaling(sizes, labels, 's', 65_536)
    expect(
      cases.map(({ name, loadModel, ratePerSecond, firstRound, rounds }) => [
        name,
        loadModel,
        ratePerSecond,
        firstRound,
        rounds,
      ]),
    ).toEqual([
      ['one-pair-sequential', 'closed', 10, 0, 1],
      ['agents-10', 'open', 20, 1, 2],
      ['agents-100', 'open', 50, 3, 2],
      ['agents-15000', 'open', 7500, 5, 6],
    ])
    expect(skippedCases).toEqual([])
    expect(order).toHaveLength(11)
    expect(order.map((each) => each.toSorted())).toEqual(Array.from({ length: 11 }, () => labels.toSorted()))
    // One order per level, and the next level has the reverse or a draw of its own.
    expect(order[1]).toEqual(order[2])
    expect(planScaling(sizes, labels, 's', 65_536).order).toEqual(order)
  })

  it('adds a search for every level behind all rounds', () => {
    const { cases, order } = planScaling({ ...sizes, probes: 5 }, labels, 's', null)
    const searches = cases.filter(({ searchBoundsMs }) => searchBoundsMs !== undefined)
    expect(
      searches.map(({ name, ratePerSecond, firstRound, rounds }) => [name, ratePerSecond, firstRound, rounds]),
    ).toEqual([
      ['knee-10', 100, 11, 5],
      ['knee-100', 100, 16, 5],
      ['knee-15000', 7500, 21, 5],
    ])
    expect(order).toHaveLength(26)
  })

  it('names the levels that do not fit the machine', () => {
    const { cases, skippedCases } = planScaling(sizes, labels, 's', 4096)
    expect(cases.map(({ name }) => name)).toEqual(['one-pair-sequential', 'agents-10', 'agents-100'])
    expect(cases.at(-1)?.rounds).toBe(6)
    expect(skippedCases).toEqual([{ name: '15000 agents', reason: expect.stringMatching(/the limit is 4096/) }])
    expect(() => planScaling({ ...sizes, levels: [10_000] }, labels, 's', 1024)).toThrow(/file descriptors/)
  })

  it.each([[[]], [[10, 10]], [[100, 10]], [[9]], [[0]]])('refuses the levels %j', (levels) => {
    expect(() => planScaling({ ...sizes, levels }, labels, 's', null)).toThrow(/ascending even numbers/)
  })

  it('takes at least its rounds and drains', () => {
    const plan = planScaling(sizes, labels, 's', null)
    const rounds = 10_000 + 10 * 5000
    const arms = [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }]
    const withoutSearch = estimateScalingMs(plan, arms, 0, { coolDownMs: 0, staggerMs: 0 })
    expect(withoutSearch).toBeGreaterThan(2 * rounds + 11 * 3000)
    // Probes run on the hosts of their level; rests stand between levels, of which the pair is one.
    const searched = planScaling({ ...sizes, probes: 5 }, labels, 's', null)
    expect(estimateScalingMs(searched, arms, 0, { coolDownMs: 1000, staggerMs: 0 }) - withoutSearch).toBe(
      3 * 5 * (2 * (2000 + 150) + 3000) + 3 * 1000,
    )
    // Every engine of every level starts its agents anew.
    expect(estimateScalingMs(plan, arms, 0, { coolDownMs: 0, staggerMs: 10_000 }) - withoutSearch).toBe(4 * 2 * 10_000)
  })
})
