/** Blocks and the ratios drawn from them, against what can be worked out by hand or by merging every resample. */
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/platform/random.ts'
import { automaticBlockLength, blockLength, drawBlocks } from '../../../src/statistics/block-bootstrap.ts'
import { distributionOf, mergeDistributions, quantile } from '../../../src/statistics/distribution.ts'
import { quantileRatios, type GroupCell, type PairedCell } from '../../../src/statistics/quantile-ratio.ts'
import { normalQuantile } from '../../../src/statistics/special-functions.ts'

const group = (samples: readonly number[], beyond = 0): GroupCell => ({ distribution: distributionOf(samples), beyond })

/** Intervals whose levels remember those before them. */
function dependentSeries(n: number, rho: number, seed: string): number[] {
  const random = seededRandom(seed)
  const normal = (): number => normalQuantile(Math.max(1e-9, random.uniform()))
  let level = normal()
  return Array.from({ length: n }, () => (level = rho * level + Math.sqrt(1 - rho * rho) * normal()))
}

describe('the length of a block', () => {
  it('follows the dependence: 6^⅓·(ρ/(1 − ρ²))^⅔·n^⅓ in a first-order series', () => {
    const lengths = Array.from({ length: 40 }, (_, run) =>
      automaticBlockLength(dependentSeries(2000, 0.6, `ar/${run}`)),
    )
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
    const known = (6 * 2000 * (0.6 / (1 - 0.36)) ** 2) ** (1 / 3)
    expect(mean / known).toBeGreaterThan(0.85)
    expect(mean / known).toBeLessThan(1.15)
  })

  it('is half as long again as the third root where nothing depends on anything, or cannot be seen to', () => {
    expect(blockLength(64, [])).toBe(6)
    expect(blockLength(64, [Array.from({ length: 64 }, () => 7)])).toBe(6)
    expect(blockLength(1, [])).toBe(1)
    expect(blockLength(3, [])).toBe(2)
  })

  it('is never longer than 3·√n and half of n', () => {
    const trend = Array.from({ length: 400 }, (_, index) => index)
    expect(blockLength(400, [trend])).toBeGreaterThan(50)
    expect(blockLength(400, [trend])).toBeLessThanOrEqual(60)
    expect(blockLength(20, [trend.slice(0, 20)])).toBeLessThanOrEqual(10)
  })
})

describe('a resample', () => {
  it('is as long as the series, made of runs on a circle', () => {
    const weights = new Uint32Array(10)
    drawBlocks(weights, 10, seededRandom('whole'))
    expect(Array.from(weights)).toEqual(Array.from({ length: 10 }, () => 1))
    const fixed = { uniform: () => 0, exponential: () => 0, below: () => 8 }
    drawBlocks(weights, 4, fixed)
    // Three blocks from 8 on, the last one cut to two.
    expect(Array.from(weights)).toEqual([2, 2, 0, 0, 0, 0, 0, 0, 3, 3])
  })

  it('holds each interval as often as any other', () => {
    const [weights, sums] = [new Uint32Array(7), new Float64Array(7)]
    const random = seededRandom('each')
    for (let draw = 0; draw < 7000; draw++) {
      drawBlocks(weights, 3, random)
      for (const [index, weight] of weights.entries()) sums[index] = (sums[index] ?? 0) + weight
    }
    for (const sum of sums) expect(Math.abs(sum / 7000 - 1)).toBeLessThan(0.06)
  })
})

describe('the ratio of a quantile', () => {
  const random = seededRandom('cells')
  const cells: PairedCell[] = Array.from({ length: 12 }, (_, index) => ({
    candidate: group(
      Array.from({ length: 5 + random.below(20) }, () => 10 + random.below(90)),
      index === 3 ? 1 : 0,
    ),
    baseline: group(Array.from({ length: 5 + random.below(20) }, () => 10 + random.below(60))),
  }))

  it('is that of merged histograms, and its spread that of resamples that were merged one by one', () => {
    const resamples = 1000
    const { ratios } = quantileRatios(cells, [0.5, 0.9], { random: seededRandom('same'), resamples, block: 3 })
    const draws = seededRandom('same')
    const weights = new Uint32Array(cells.length)
    const merged = (which: 'candidate' | 'baseline', q: number, times: (index: number) => number): number => {
      const list = cells.flatMap((cell, index) => Array.from({ length: times(index) }, () => cell[which]))
      const lost = list.flatMap(({ beyond }) => Array.from({ length: beyond }, () => 1e9))
      return quantile(mergeDistributions([...list.map((each) => each.distribution), distributionOf(lost)]), q) ?? NaN
    }
    const drawn = Array.from({ length: resamples }, () => {
      drawBlocks(weights, 3, draws)
      const times = (index: number): number => weights[index] ?? 0
      return [0.5, 0.9].map((q) => merged('candidate', q, times) / merged('baseline', q, times))
    })
    for (const [index, q] of [0.5, 0.9].entries()) {
      const read = ratios[index] ?? expect.fail('one for each')
      expect([read.candidate, read.baseline]).toEqual([merged('candidate', q, () => 1), merged('baseline', q, () => 1)])
      const factors = drawn.map((each) => Math.max(each[index] ?? 0, 1 / (each[index] ?? 0))).toSorted((a, b) => a - b)
      expect(read.spread).toBe(factors[Math.ceil(0.95 * resamples) - 1])
      const sorted = drawn.map((each) => each[index] ?? NaN).toSorted((a, b) => a - b)
      // Four blocks: 5 % of a normal become the 0.3 % that Student's t with three degrees asks for, so about rank 3 of 1,000.
      expect(sorted.slice(0, 5)).toContain(read.low)
      expect(sorted.slice(-5)).toContain(read.high)
    }
  })

  it('has no spread when every resample is the whole circle', () => {
    const { ratios } = quantileRatios(cells, [0.9], { random, block: 12, alpha: 0.3 })
    expect(ratios[0]?.low).toBe(ratios[0]?.ratio)
    expect(ratios[0]?.high).toBe(ratios[0]?.ratio)
  })

  it('takes what never arrived as longer than everything, and says nothing of two that never did', () => {
    const late = (candidate: number, baseline: number) =>
      quantileRatios(
        Array.from({ length: 60 }, () => ({ candidate: group([1, 2], candidate), baseline: group([1, 2], baseline) })),
        [0.5, 0.9],
        { random: seededRandom('late') },
      ).ratios
    expect(late(1, 0)).toMatchObject([
      { candidate: 2, baseline: 1, ratio: 2 },
      { candidate: Infinity, ratio: Infinity, low: Infinity },
    ])
    expect(late(0, 1)[1]).toMatchObject({ ratio: 0, high: 0 })
    expect(late(1, 1)[1]).toMatchObject({ ratio: null, low: null, high: null })
  })

  it('has no value without a delivery', () => {
    const none = { candidate: group([]), baseline: group([5]) }
    expect(quantileRatios([none], [0.5], { random }).ratios).toMatchObject([
      { candidate: null, baseline: 5, ratio: null, low: null, high: null, spread: null },
    ])
    expect(quantileRatios([], [0.5], { random }).ratios).toMatchObject([{ candidate: null, ratio: null, high: null }])
  })
})

describe('bounds of the ratio of P99 over intervals that remember', () => {
  const [intervals, runs, truth] = [80, 160, 1.1]
  const simulated = Array.from({ length: runs }, (_, run) => {
    const [own, other, common] = ['a', 'b', 'c'].map((name) => dependentSeries(intervals, 0.7, `${name}/${run}`))
    const draws = seededRandom(`draws/${run}`)
    const latency = (level: number, factor: number): number =>
      Math.ceil(factor * 1e5 * Math.exp(0.3 * level + 0.5 * normalQuantile(Math.max(1e-9, draws.uniform()))))
    return Array.from({ length: intervals }, (_, at): PairedCell => {
      const samples = (level: number | undefined, factor: number): number[] =>
        Array.from({ length: 60 }, () => latency((level ?? 0) + (common?.[at] ?? 0), factor))
      return { candidate: group(samples(own?.[at], truth)), baseline: group(samples(other?.[at], 1)) }
    })
  })
  const held = (block?: number): { high: number; low: number; ends: number } => {
    const bounds = simulated.map((cells, run) => {
      const rules = {
        random: seededRandom(`resamples/${run}`),
        resamples: 400,
        ...(block === undefined ? {} : { block }),
      }
      return quantileRatios(cells, [0.99], rules).ratios[0] ?? expect.fail('there is one')
    })
    const share = (holds: (each: (typeof bounds)[number]) => boolean): number => bounds.filter(holds).length / runs
    return {
      high: share(({ high }) => (high ?? Infinity) >= truth),
      low: share(({ low }) => (low ?? 0) <= truth),
      ends: share(({ low, high }) => low !== null && high !== null),
    }
  }

  it('hold in about 95 of 100 runs each', () => {
    const { high, low, ends } = held()
    expect(high).toBeGreaterThanOrEqual(0.9)
    expect(low).toBeGreaterThanOrEqual(0.9)
    // Without this, bounds without ends would pass.
    expect(ends).toBeGreaterThan(0.8)
  })

  it('hold too seldom when intervals are drawn one by one', () => {
    const { high, low } = held(1)
    expect((high + low) / 2).toBeLessThan(0.88)
  })
})
