import { describe, expect, it } from 'vitest'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { medianBounds, ratioVerdict, ratiosOf, roundQuantile } from '../../../src/statistics/paired-ratio.ts'

describe('medianBounds', () => {
  it('takes ranks 2 and 9 of 10 rounds, and the extremes of 6', () => {
    const ten = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5]
    expect(medianBounds(ten, 0.025)).toEqual({ ratio: 5.5, low: 2, high: 9, rounds: 10 })
    expect(medianBounds([6, 5, 4, 3, 2, 1], 0.025)).toEqual({ ratio: 3.5, low: 1, high: 6, rounds: 6 })
    expect(medianBounds([1, 2, 3, 4, 5, 6, 7], 0.025)).toMatchObject({ ratio: 4, low: 1, high: 7 })
  })

  it('has no interval below 6 rounds, and no ratio without rounds', () => {
    expect(medianBounds([1, 2, 3, 4, 5], 0.05)).toEqual({ ratio: 3, low: null, high: null, rounds: 5 })
    expect(medianBounds([], 0.025)).toEqual({ ratio: null, low: null, high: null, rounds: 0 })
    expect(medianBounds([1, 2, 3, 4, 5, NaN], 0.025).ratio).toBeNull()
    expect(medianBounds([1, 2, 3, 4, 5, Infinity], 0.025).ratio).toBeNull()
  })
})

describe('ratiosOf', () => {
  const many = (value: number, n: number) => distributionOf(Array.from({ length: n }, () => value))

  it('needs n ≥ 10/(1−q) in both engines of a round', () => {
    expect(roundQuantile(many(3, 20), 0.5)).toBe(3)
    expect(roundQuantile(many(3, 19), 0.5)).toBeNull()
    expect(roundQuantile(many(3, 1000), 0.99)).toBe(3)
    expect(roundQuantile(many(3, 999), 0.99)).toBeNull()
    expect(
      ratiosOf(
        [
          [many(90, 20), many(3, 20)],
          [many(90, 20), many(3, 19)],
        ],
        0.5,
      ),
    ).toEqual([30])
  })

  it('never divides by zero', () => {
    expect(ratiosOf([[many(90, 20), many(0, 20)]], 0.5)).toEqual([])
  })
})

describe('ratioVerdict', () => {
  const of = (ratio: number | null, low: number | null, high: number | null) =>
    ratioVerdict({ ratio, low, high, rounds: 10 })

  it('needs significance and an effect beyond the margin', () => {
    expect(of(2, 1.5, 3)).toBe('faster')
    expect(of(0.5, 0.4, 0.6)).toBe('slower')
    expect(of(1.04, 1.01, 1.06)).toBe('~') // significant but within the margin
    expect(of(1.5, 0.9, 2)).toBe('~') // large but not significant
    expect(of(0.97, 0.95, 0.99)).toBe('~')
    expect(of(1.5, null, null)).toBe('NOT_DEMONSTRATED')
    expect(of(null, null, null)).toBe('NOT_DEMONSTRATED')
  })
})
