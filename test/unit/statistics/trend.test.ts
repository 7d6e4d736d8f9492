/** Reference values: SciPy 1.17 (theilslopes, kendalltau, norm) and the published formulas written out in NumPy. */
import { describe, expect, it } from 'vitest'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import {
  blockMedians,
  mannKendall,
  maximumPoints,
  medianOfSorted,
  theilSen,
  type TrendPoint,
} from '../../../src/statistics/trend.ts'

function series(values: readonly (number | null)[], times?: readonly number[]): TrendPoint[] {
  return values.map((value, index) => ({ time: times?.[index] ?? index, value }))
}

function normal(random: Random): number {
  return Math.sqrt(2 * random.exponential()) * Math.cos(2 * Math.PI * random.uniform())
}

function autoregressive(n: number, phi: number, random: Random): number[] {
  const values = [normal(random)]
  while (values.length < n) values.push(phi * (values.at(-1) ?? 0) + Math.sqrt(1 - phi * phi) * normal(random))
  return values
}

const rising = [
  5, 7, 6, 8, 9, 9, 8, 11, 13, 12, 12, 14, 11, 10, 9, 12, 15, 16, 18, 17, 16, 18, 19, 21, 20, 19, 21, 22, 20, 23,
]
const wandering = [
  10, 12, 13, 15, 14, 12, 9, 7, 6, 5, 6, 8, 11, 14, 16, 17, 16, 13, 10, 9, 8, 8, 10, 13, 15, 18, 19, 18, 16, 13, 12, 11,
  10, 12, 14, 17, 19, 20, 19, 17,
]
const tied = {
  times: [0, 1, 1, 3, 7, 8, 8, 8, 20, 21, 30, 31, 33, 40, 50, 51],
  values: [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3],
}

describe('theilSen', () => {
  it('gives the slope and the interval of the reference, with ties', () => {
    const wide = theilSen(series(rising), 0.99)
    expect(wide.n).toBe(30)
    expect(wide.slope).toBeCloseTo(0.5714285714285714, 14)
    expect([wide.low, wide.high]).toEqual([0.5, 0.6521739130434783])
    const narrow = theilSen(series(rising), 0.95)
    expect([narrow.low, narrow.high]).toEqual([0.5, 0.631578947368421])
  })

  it('takes unequal and equal times; an equal pair has no slope', () => {
    const bounds = theilSen(series(tied.values, tied.times), 0.99)
    expect(bounds.slope).toBeCloseTo(0.10657596371882086, 14)
    expect(bounds.intercept).toBeCloseTo(2.9342403628117912, 12)
    expect([bounds.low, bounds.high]).toEqual([-0.02, 0.23333333333333334])
  })

  it('widens by the factor on the variance', () => {
    const plain = theilSen(series(wandering), 0.99)
    expect([plain.low, plain.high]).toEqual([0.03225806451612903, 0.32142857142857145])
    const corrected = theilSen(series(wandering), 0.99, 3.2755146846586807)
    expect([corrected.low, corrected.high]).toEqual([-0.14285714285714285, 0.5])
  })

  it('has no interval where n is too small for the level, and no slope without two times', () => {
    expect(theilSen(series([1, 3, 2, 4]), 0.99)).toEqual({ n: 4, slope: 0.75, low: null, high: null, intercept: 1.375 })
    const nothing = { slope: null, low: null, high: null, intercept: null }
    expect(theilSen([], 0.99)).toEqual({ n: 0, ...nothing })
    expect(theilSen(series([7]), 0.99)).toEqual({ n: 1, ...nothing })
    expect(theilSen(series([7, 8, 9], [2, 2, 2]), 0.99)).toEqual({ n: 3, ...nothing })
  })

  it('is not moved by a fifth of wild values', () => {
    const line = Array.from({ length: 50 }, (_, index) => 2 * index + (index % 5 === 2 ? 1e9 : 0))
    expect(theilSen(series(line), 0.99).slope).toBe(2)
  })

  it('covers the true slope about as often as it says', () => {
    const runs = 400
    const covered = (phi: number, correct: boolean): number => {
      let hits = 0
      for (let run = 0; run < runs; run++) {
        const noise = autoregressive(60, phi, seededRandom(`unit/sen/${phi}/${run}`))
        const points = series(noise.map((value, index) => value + 0.05 * index))
        const { low, high } = theilSen(points, 0.95, correct ? mannKendall(points).correction : 1)
        if ((low ?? Infinity) <= 0.05 && 0.05 <= (high ?? -Infinity)) hits++
      }
      return hits / runs
    }
    const independent = covered(0, false)
    expect(independent).toBeGreaterThan(0.92)
    expect(independent).toBeLessThan(0.985)
    expect(covered(0.6, true)).toBeGreaterThan(0.84)
    // Taking autocorrelated samples as independent must fail that, or it would show nothing.
    expect(covered(0.6, false)).toBeLessThan(0.75)
  })
})

describe('mannKendall', () => {
  it('gives the reference where no lag is significant', () => {
    const test = mannKendall(series(rising))
    expect(test).toMatchObject({ n: 30, s: 356, correction: 1, autocorrelations: [0, 0, 0] })
    expect(test.variance).toBeCloseTo(3127.3333333333335, 9)
    expect(test.z).toBeCloseTo(6.3480635545967665, 12)
    expect(test.p / 2.1804201031495904e-10).toBeCloseTo(1, 9)
  })

  it('gives the reference of Hamed and Rao where lags are significant, and leaves the others out', () => {
    const test = mannKendall(series(wandering))
    expect(test.s).toBe(264)
    expect(test.variance).toBeCloseTo(7317.333333333333, 9)
    expect(test.autocorrelations[0]).toBeCloseTo(0.8251876172607879, 12)
    expect(test.autocorrelations[1]).toBeCloseTo(0.43855534709193245, 12)
    expect(test.autocorrelations[2]).toBe(0)
    expect(test.correction).toBeCloseTo(3.2755146846586807, 12)
    expect(test.z).toBeCloseTo(1.6987894430300718, 12)
    expect(test.p).toBeCloseTo(0.08935886345534566, 12)
  })

  it('never corrects below 1: alternation buys no significance', () => {
    const test = mannKendall(series([1, 9, 2, 8, 3, 7, 2, 9, 1, 8, 3, 9, 2, 7, 1, 9]))
    expect(test.autocorrelations[0]).toBeCloseTo(-0.7177541729893778, 12)
    expect(test.correction).toBe(1)
    expect(test.z).toBeCloseTo(0.2754922764399657, 12)
  })

  it('counts ties among times and values in the variance', () => {
    const test = mannKendall(series(tied.values, tied.times))
    expect(test.s).toBe(48)
    expect(test.variance).toBeCloseTo(477.00357142857155, 9)
  })

  it('does not take samples on both sides of a gap for neighbours', () => {
    const random = seededRandom('unit/gap')
    const times: number[] = []
    const values: number[] = []
    for (let pair = 0; pair < 20; pair++) {
      const value = normal(random)
      times.push(10 * pair, 10 * pair + 1)
      values.push(value, value)
    }
    // Within a pair the two are alike, so that the mean product of lag 1 is nearly the variance.
    expect(mannKendall(series(values, times)).autocorrelations[0]).toBeCloseTo(39 / 40, 2)
    expect(mannKendall(series(values, times)).autocorrelations.slice(1)).toEqual([0, 0])
    expect(mannKendall(series(values)).autocorrelations[0]).toBeLessThan(0.8)
  })

  it('takes samples that come somewhat early or late for neighbours all the same', () => {
    const times = wandering.map((_, index) => index + (index % 3 === 0 ? 0.2 : index % 3 === 1 ? -0.15 : 0))
    const jittered = mannKendall(series(wandering, times))
    expect(jittered.s).toBe(264)
    expect(jittered.autocorrelations[0]).toBeCloseTo(0.825, 1)
    expect(jittered.autocorrelations[1]).toBeCloseTo(0.439, 1)
  })

  it('finds nothing in a constant, in one point and in none', () => {
    for (const points of [series([4, 4, 4, 4, 4]), series([4]), [], series([1, 2, 3], [5, 5, 5])]) {
      expect(mannKendall(points)).toMatchObject({ s: 0, z: 0, p: 1, correction: 1 })
    }
  })

  it('fires near its nominal rate on independent noise, and far less than the plain test under autocorrelation', () => {
    const runs = 500
    const rates = (phi: number): { corrected: number; plain: number } => {
      let corrected = 0
      let plain = 0
      for (let run = 0; run < runs; run++) {
        const test = mannKendall(series(autoregressive(72, phi, seededRandom(`unit/mk/${phi}/${run}`))))
        if (test.p <= 0.05) corrected++
        if (Math.abs(test.z) * Math.sqrt(test.correction) > 1.96) plain++
      }
      return { corrected: corrected / runs, plain: plain / runs }
    }
    const independent = rates(0)
    expect(independent.corrected).toBeGreaterThan(0.02)
    expect(independent.corrected).toBeLessThan(0.08)
    const dependent = rates(0.6)
    expect(dependent.plain).toBeGreaterThan(0.25)
    expect(dependent.corrected).toBeLessThan(dependent.plain / 2)
  })
})

describe('missing, disordered and long series', () => {
  it('a null sample is the same as none, and order does not matter', () => {
    const holes = wandering.map((value, index) => (index % 7 === 3 ? null : value))
    const present = series(holes).filter((point) => point.value !== null)
    expect(mannKendall(series(holes))).toEqual(mannKendall(present))
    expect(theilSen(series(holes).toReversed(), 0.99)).toEqual(theilSen(present, 0.99))
    expect(mannKendall(present).n).toBe(34)
  })

  it('refuses what is not a number, by name', () => {
    expect(() => theilSen(series([1, NaN, 3]), 0.99)).toThrow('time 1, value NaN')
    expect(() => mannKendall(series([1, 2], [0, Infinity]))).toThrow(RangeError)
    expect(() => blockMedians(series([1, -Infinity]), 2)).toThrow(RangeError)
  })

  it('reduces 10,000 points to 1,000 block medians and still finds the slope', () => {
    const random = seededRandom('unit/long')
    const points = series(Array.from({ length: 10_000 }, (_, index) => 0.01 * index + 20 * normal(random)))
    const bounds = theilSen(points, 0.999)
    expect(bounds.n).toBe(maximumPoints)
    expect(bounds.low).toBeLessThan(0.01)
    expect(bounds.high).toBeGreaterThan(0.01)
    expect((bounds.high ?? NaN) - (bounds.low ?? NaN)).toBeLessThan(0.002)
    expect(mannKendall(points)).toMatchObject({ n: maximumPoints })
    expect(mannKendall(points).p).toBeLessThan(1e-12)
  })

  it('block medians are of equal stretches of time, and an empty stretch leaves none', () => {
    const points = series([1, 100, 3, 5, 5, 7, null, 9], [0, 1, 2, 3, 30, 31, 32, 40])
    expect(blockMedians(points, 4)).toEqual([
      { time: 1.5, value: 4 },
      { time: 31, value: 7 },
    ])
    expect(blockMedians(series([3, 1, 2], [5, 5, 5]), 4)).toEqual([{ time: 5, value: 2 }])
    expect(blockMedians([], 4)).toEqual([])
  })

  it('the median of an even count is the mean of the middle two', () => {
    expect(medianOfSorted([1, 2, 4, 9])).toBe(3)
    expect(medianOfSorted([1, 2, 4])).toBe(2)
    expect(medianOfSorted([])).toBeNaN()
  })
})
