/** Jain's index against values worked out by hand, its bounds, and what chance makes of even agents. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/platform/random.ts'
import { indexByChance, jainIndex, type SampleSums } from '../../../src/statistics/fairness.ts'

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
