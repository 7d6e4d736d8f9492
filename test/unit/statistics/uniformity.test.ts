/** The upper tail of χ² against tables and closed forms, and the test of even groups. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chiSquaredUpperTail, uniformityOf } from '../../../src/statistics/uniformity.ts'

describe('the upper tail of χ²', () => {
  it.each([
    // Critical values as statistical tables print them.
    [3.841_459, 1, 0.05],
    [6.634_897, 1, 0.01],
    [11.070_498, 5, 0.05],
    [30.143_527, 19, 0.05],
    [36.190_869, 19, 0.01],
    [10.117_013, 19, 0.95],
    [124.342_113, 100, 0.05],
  ])('of %d with %d degrees is %d', (x, degrees, p) => {
    expect(chiSquaredUpperTail(x, degrees)).toBeCloseTo(p, 6)
  })

  it('is e^(−x/2) with two degrees, and with four e^(−x/2)(1 + x/2)', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 200, noNaN: true }), (x) => {
        expect(chiSquaredUpperTail(x, 2)).toBeCloseTo(Math.exp(-x / 2), 12)
        expect(chiSquaredUpperTail(x, 4)).toBeCloseTo(Math.exp(-x / 2) * (1 + x / 2), 12)
      }),
    )
  })

  it('has its ends and refuses what is no χ²', () => {
    expect([chiSquaredUpperTail(0, 3), chiSquaredUpperTail(1e6, 3)]).toEqual([1, 0])
    expect([chiSquaredUpperTail(-1, 3), chiSquaredUpperTail(1, 0), chiSquaredUpperTail(NaN, 1)]).toEqual([
      NaN,
      NaN,
      NaN,
    ])
  })
})

describe('even groups', () => {
  it('gives the statistic of Pearson', () => {
    // (4² + 2² + 2²) / 20 = 1.2 with two degrees: e^(−0.6).
    expect(uniformityOf([24, 18, 18])).toMatchObject({ degrees: 2, statistic: 1.2 })
    expect(uniformityOf([24, 18, 18])?.p).toBeCloseTo(Math.exp(-0.6), 12)
  })

  it('says nothing with less than five expected a group, or one group', () => {
    expect([uniformityOf([4, 5]), uniformityOf([100]), uniformityOf([])]).toEqual([null, null, null])
  })
})
