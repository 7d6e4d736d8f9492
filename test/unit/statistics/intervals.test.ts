import { describe, expect, it } from 'vitest'
import {
  bucketLowerEdge,
  countAbove,
  distributionOf,
  maximum,
  mergeDistributions,
  quantile,
} from '../../../src/statistics/distribution.ts'
import {
  clopperPearsonLower,
  clopperPearsonUpper,
  dispersion,
  largestDispersion,
  proportionBounds,
  trialsToShow,
} from '../../../src/statistics/proportion.ts'
import {
  dispersionAt,
  exceedancesAllowed,
  lowerRankOf,
  minimumSamples,
  quantileInterval,
  targetBounds,
  type RoundSample,
} from '../../../src/statistics/quantile-interval.ts'

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const sample = (...blocks: number[][]): RoundSample => {
  const distributions = blocks.map(distributionOf)
  return { whole: mergeDistributions(distributions), blocks: distributions }
}

describe('distributions', () => {
  it('reads quantiles at rank ⌈q·n⌉, without the error of binary fractions', () => {
    const d = distributionOf(range(1, 100))
    expect(quantile(d, 0.5)).toBe(50)
    expect(quantile(d, 0.99)).toBe(99)
    expect(quantile(d, 0.07)).toBe(7) // 0.07 × 100 is 7.000000000000001
    expect(quantile(d, 0.999)).toBe(100)
    expect(quantile(d, 0)).toBe(1)
    expect(quantile(distributionOf([]), 0.5)).toBeNull()
  })

  it('counts above a bound strictly, and merges by addition', () => {
    const d = mergeDistributions([distributionOf([1, 2, 2]), distributionOf([2, 5]), distributionOf([])])
    expect([...d.values]).toEqual([1, 2, 5])
    expect([...d.counts]).toEqual([1, 3, 1])
    expect(countAbove(d, 2)).toBe(1)
    expect(countAbove(d, 1.9)).toBe(4)
    expect(maximum(d)).toBe(5)
    expect(maximum(distributionOf([]))).toBeNull()
  })

  it('refuses an edge that is not a number instead of merging for ever', () => {
    const broken = { n: 1, values: Float64Array.of(NaN), counts: Float64Array.of(1) }
    expect(() => mergeDistributions([broken, distributionOf([1])])).toThrow(RangeError)
  })

  it('knows the lower edge of a 3-digit bucket', () => {
    expect(bucketLowerEdge(2047)).toBe(2047)
    expect(bucketLowerEdge(2049)).toBe(2048) // buckets are 2 wide from 2048
    expect(bucketLowerEdge(300_031)).toBe(299_776) // and 256 wide from 262,144
  })
})

describe('proportions', () => {
  it('gives the published Clopper–Pearson limits of 10 in 100', () => {
    expect(clopperPearsonLower(10, 100, 0.025)).toBeCloseTo(0.049_004_69, 8)
    expect(clopperPearsonUpper(10, 100, 0.025)).toBeCloseTo(0.176_222_6, 7)
    expect(clopperPearsonLower(0, 100, 0.025)).toBe(0)
    expect(clopperPearsonUpper(100, 100, 0.025)).toBe(1)
    expect(clopperPearsonUpper(0, 0, 0.05)).toBeNaN()
  })

  it('needs 2,995 trials to show 0.1 % without an error', () => {
    expect(trialsToShow(0.001, 0.05)).toBe(2995)
    expect(clopperPearsonUpper(0, 2995, 0.05)).toBeLessThan(0.001)
    expect(clopperPearsonUpper(0, 2994, 0.05)).toBeGreaterThan(0.001)
  })

  it('sees clustering: the same hits in one cell weigh less than spread out', () => {
    const spread = range(1, 10).map(() => ({ hits: 2, n: 100 }))
    const clustered = range(1, 10).map((cell) => ({ hits: cell === 1 ? 20 : 0, n: 100 }))
    expect(dispersion(spread)).toBe(0)
    expect(dispersion(clustered)).toBeCloseTo(20 / 0.98, 6) // (18² + 9·2²)/(2·0.98)/9 = 360/17.64
    expect(largestDispersion(spread)).toBe(1)
    const tight = proportionBounds(spread, 0.05)
    const wide = proportionBounds(clustered, 0.05)
    expect(wide.value).toBe(tight.value)
    expect(wide.high as number).toBeGreaterThan(tight.high as number)
    expect(wide.low as number).toBeLessThan(tight.low as number)
  })

  it('says nothing of no trials', () => {
    expect(proportionBounds([], 0.05)).toMatchObject({ n: 0, value: null, low: null, high: null })
    expect(
      dispersion([
        { hits: 0, n: 10 },
        { hits: 0, n: 10 },
      ]),
    ).toBeNull()
  })
})

describe('ranks of a quantile', () => {
  it('are 9,880 and 9,920 for the p99 of 10,000 at 95 % two-sided', () => {
    expect(lowerRankOf(10_000, 0.99, 1, 0.025)).toBe(9880)
    expect(10_000 - (exceedancesAllowed(10_000, 0.99, 1, 0.025) as number)).toBe(9920)
  })

  it.each([
    [0.95, 59, 72],
    [0.99, 299, 368],
    [0.999, 2995, 3688],
  ])('of %d exist from %d (one-sided) and %d (two-sided) samples', (q, oneSided, twoSided) => {
    expect(minimumSamples(q, 0.05)).toBe(oneSided)
    expect(minimumSamples(q, 0.025)).toBe(twoSided)
    expect(exceedancesAllowed(oneSided, q, 1, 0.05)).toBe(0)
    expect(exceedancesAllowed(oneSided - 1, q, 1, 0.05)).toBeNull()
    expect(exceedancesAllowed(twoSided, q, 1, 0.025)).toBe(0)
    expect(exceedancesAllowed(twoSided - 1, q, 1, 0.025)).toBeNull()
  })

  it('move outwards with φ', () => {
    expect(lowerRankOf(10_000, 0.99, 4, 0.025)).toBeLessThan(9880)
    expect(exceedancesAllowed(10_000, 0.99, 4, 0.025)).toBeLessThan(80)
    expect(exceedancesAllowed(1000, 0.99, 4, 0.05)).toBeNull() // 250 effective samples
  })
})

describe('quantileInterval and targetBounds', () => {
  const even = range(1, 10).map(() => sample(...range(1, 3).map(() => range(1, 200))))

  it('holds the quantile between its bounds', () => {
    const { n, value, low, high, phi } = quantileInterval(even, 0.99)
    expect(n).toBe(6000)
    expect(value).toBe(198)
    expect(phi).toBe(1)
    expect(low as number).toBeLessThanOrEqual(198)
    expect(high as number).toBeGreaterThanOrEqual(198)
  })

  it('gives no bound below the minimum n, and none without data', () => {
    expect(targetBounds([sample(range(1, 298))], 0.99)).toMatchObject({ n: 298, low: null, high: null })
    expect(targetBounds([sample(range(1, 299))], 0.99).high).not.toBeNull()
    expect(quantileInterval([sample(range(1, 367))], 0.99)).toMatchObject({ low: null, high: null })
    expect(targetBounds([], 0.5)).toMatchObject({ n: 0, value: null, low: null, high: null })
  })

  it('widens when exceedances cluster in one second', () => {
    const block = (slow: boolean): number[] => range(1, 200).map((i) => (slow && i > 140 ? 1000 + i : i))
    const clustered = range(1, 10).map((r) => sample(block(r === 1), block(false), block(false)))
    const spreadBlock = (index: number): number[] => range(1, 200).map((i) => (i <= 2 ? 1140 + index * 2 + i : i))
    const spread = range(1, 10).map((r) => sample(...range(1, 3).map((b) => spreadBlock((r - 1) * 3 + b - 1))))
    const a = quantileInterval(clustered, 0.99)
    const b = quantileInterval(spread, 0.99)
    expect(a.n).toBe(b.n)
    expect(a.phi).toBeGreaterThan(10)
    expect(a.phi).toBeGreaterThan(b.phi)
    expect(a.low as number).toBeLessThan(b.low as number)
  })

  it('widens when rounds differ, by t over the rounds', () => {
    const shifted = range(1, 10).map((r) => sample(range(1, 600).map((i) => i + r * 1000)))
    const { value, low, high } = quantileInterval(shifted, 0.5)
    const spreadOfRounds = 3027.65 // standard deviation of 1000 … 10000
    expect((high as number) - (value as number)).toBeGreaterThanOrEqual(2.262 * (spreadOfRounds / Math.sqrt(10)) - 1)
    expect((value as number) - (low as number)).toBeGreaterThanOrEqual(2.262 * (spreadOfRounds / Math.sqrt(10)) - 1)
  })

  it('takes the t bound where few rounds make it the wider one', () => {
    const shifted = [0, 60, 120].map((shift) => sample(range(1, 600).map((each) => each + shift)))
    const { value, low, high } = quantileInterval(shifted, 0.5)
    const margin = 4.302_65 * (60 / Math.sqrt(3)) // t with 2 degrees
    expect(high as number).toBeCloseTo((value as number) + margin, 1)
    expect(low as number).toBeCloseTo((value as number) - margin, 1)
  })

  it('takes the lower edge of the bucket that a lower bound falls in', () => {
    const samples = [...Array<number>(490).fill(299_775), ...Array<number>(510).fill(300_031)]
    const { value, low, high } = targetBounds([sample(samples)], 0.5)
    expect({ value, low, high }).toEqual({ value: 300_031, low: 299_520, high: 300_031 })
  })

  it('does not let the maximum stand for an upper bound when nothing lies above it', () => {
    // 900 samples, the p99 allows 3 above at φ = 1; one cluster makes φ large, so even none above is too many.
    const calm = range(1, 300).map((i) => 1000 + i)
    const rounds = [sample([...calm.slice(0, 285), ...range(1, 15).map((i) => 20_000 + i)]), sample(calm), sample(calm)]
    const { high } = targetBounds(rounds, 0.99)
    expect(high as number).toBeGreaterThanOrEqual(4 * 20_015)
    expect(quantileInterval(rounds, 0.99).high).toBeNull()
  })

  it('assumes φ = 10 where nothing exceeds the bound', () => {
    const constant = [sample(range(1, 100).map(() => 5)), sample(range(1, 100).map(() => 5))]
    expect(dispersionAt(constant, 5)).toBe(10)
    expect(dispersionAt([sample([1, 2, 3])], 2)).toBe(1)
  })
})
