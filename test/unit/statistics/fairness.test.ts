/** Jain's index against values worked out by hand, its bounds, and what chance makes of even agents. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import { indexBeyondChance, indexByChance, jainIndex, type SampleSums } from '../../../src/statistics/fairness.ts'

describe("Jain's index", () => {
  it('is that of the report: 1 for equal shares, k/n when k of n have all', () => {
    expect(jainIndex([3, 3, 3])).toBe(1)
    expect(jainIndex([1, 0, 0, 0])).toBe(0.25)
    expect(jainIndex([5, 5, 0, 0, 0])).toBeCloseTo(0.4, 12)
    // (1 + 2 + 3)² / (3 · 14)
    expect(jainIndex([1, 2, 3])).toBeCloseTo(36 / 42, 12)
    expect(jainIndex([])).toBeNull()
    expect(jainIndex([0, 0])).toBeNull()
  })

  it('lies between 1/n and 1, whatever the unit and the order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1 }), (values) => {
        const index = jainIndex(values) ?? NaN
        expect(index).toBeGreaterThanOrEqual(1 / values.length - 1e-9)
        expect(index).toBeLessThanOrEqual(1 + 1e-9)
        expect(jainIndex(values.toReversed().map((value) => value * 1000))).toBeCloseTo(index, 9)
      }),
    )
  })
})

function sumsOf(samples: readonly number[]): SampleSums {
  return {
    n: samples.length,
    sum: samples.reduce((sum, each) => sum + each, 0),
    squares: samples.reduce((sum, each) => sum + each * each, 0),
  }
}

describe('the index by chance', () => {
  it('is 1 / (1 + CV² / m) for m samples per agent', () => {
    // All samples: mean 2, variance 1, CV² 0.25.
    const agents = [sumsOf([1, 3]), sumsOf([1, 3]), sumsOf([])]
    expect(indexByChance(agents)).toBeCloseTo(1 / (1 + 0.25 / 2), 12)
    expect(indexByChance([sumsOf([]), sumsOf([])])).toBeNull()
  })

  it('is what even agents with exponential latencies show in fact', () => {
    const random = seededRandom('fairness')
    const even = Array.from({ length: 400 }, () => sumsOf(Array.from({ length: 10 }, () => random.exponential())))
    const measured = jainIndex(even.map(({ sum, n }) => sum / n)) ?? NaN
    expect(Math.abs(measured - (indexByChance(even) ?? NaN))).toBeLessThan(0.02)
    expect(Math.abs(measured - 1 / 1.1)).toBeLessThan(0.02)
    const uneven = even.map((sums, agent) => (agent % 2 === 0 ? sums : sumsOf([30, 30, 30])))
    expect(jainIndex(uneven.map(({ sum, n }) => sum / n)) ?? NaN).toBeLessThan((indexByChance(uneven) ?? NaN) - 0.1)
  })
})

describe('the index beyond chance', () => {
  it('is the index itself when every mean is exact, and 1 where chance explains all', () => {
    // With endless samples chance is nothing: c·m is the variance of all samples, here that between agents alone.
    expect(indexBeyondChance(0.5, 1 / (1 + 1 / 1e9), 1e9, 1000)).toBeCloseTo(0.5, 6)
    expect(indexBeyondChance(0.9, 0.86, 20, 40)).toBe(1)
  })

  it('cannot be told from one sample an agent, from one agent, or from none', () => {
    expect([
      indexBeyondChance(0.5, 0.6, 1, 5),
      indexBeyondChance(0.5, 0.6, 5, 1),
      indexBeyondChance(0, 0.6, 5, 5),
      indexBeyondChance(0.5, 0, 5, 5),
    ]).toEqual([null, null, null, null])
  })

  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
  const estimates = (means: readonly number[], samples: number, tail: number, random: Random): number[] =>
    Array.from({ length: 400 }, () => {
      const agents = means.map((mean) =>
        sumsOf(Array.from({ length: samples }, () => mean * random.exponential() ** tail)),
      )
      const index = jainIndex(agents.map(({ sum, n }) => sum / n)) ?? NaN
      return indexBeyondChance(index, indexByChance(agents) ?? NaN, samples, means.length) ?? NaN
    })

  it('finds agents even that are, with a dozen samples of long tails each', () => {
    const even = Array.from({ length: 40 }, () => 1)
    expect(median(estimates(even, 12, 2, seededRandom('beyond chance')))).toBeGreaterThan(0.97)
  })

  it.each([
    [40, 4],
    [4, 2.5],
    [10, 3],
    [2, 2],
  ])('finds %d agents, a quarter or one of them %d times as slow, as uneven as they are', (count, slower) => {
    const slow = Math.max(1, count / 4)
    const means = Array.from({ length: count }, (_, agent) => (agent < slow ? slower : 1))
    const truth = 1 / (jainIndex(means) ?? NaN) - 1
    // On average over many rounds; the median of few agents lies a little nearer to 1, since the estimate is skew.
    const found = estimates(means, 25, 1, seededRandom(`uneven ${count}`)).map((index) => 1 / index - 1)
    const mean = found.reduce((sum, each) => sum + each, 0) / found.length
    expect(Math.abs(mean - truth)).toBeLessThan(0.1 * truth)
  })
})
