/** What has to hold of comparisons of two groups, whatever they measured. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/platform/random.ts'
import { automaticBlockLength, blockLength, drawBlocks } from '../../../src/statistics/block-bootstrap.ts'
import { distributionOf, mergeDistributions, quantile } from '../../../src/statistics/distribution.ts'
import { failureShares } from '../../../src/statistics/failure-shares.ts'
import { mcNemar } from '../../../src/statistics/paired-outcomes.ts'
import { quantileRatios, type PairedCell } from '../../../src/statistics/quantile-ratio.ts'

const group = fc.record({
  distribution: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 12 }).map(distributionOf),
  beyond: fc.integer({ min: 0, max: 2 }),
})
const cells = fc.array(fc.record({ candidate: group, baseline: group }), { maxLength: 30 })
const swap = ({ candidate, baseline }: PairedCell): PairedCell => ({ candidate: baseline, baseline: candidate })

describe('the ratio of a quantile', () => {
  it('is read from merged histograms, lies within its bounds, and turns over when the groups change places', () => {
    fc.assert(
      fc.property(cells, fc.constantFrom(0.5, 0.95, 0.99), (list, q) => {
        const rules = { resamples: 100, alpha: 0.2 }
        const of = (each: PairedCell[]) =>
          quantileRatios(each, [q], { ...rules, random: seededRandom('same') }).ratios[0]
        const [read, turned] = [of(list), of(list.map(swap))]
        const lost = (which: 'candidate' | 'baseline') =>
          distributionOf(list.flatMap((each) => Array.from({ length: each[which].beyond }, () => 1e12)))
        for (const which of ['candidate', 'baseline'] as const) {
          const value = quantile(mergeDistributions([...list.map((each) => each[which].distribution), lost(which)]), q)
          expect(read?.[which]).toBe(value === 1e12 ? Infinity : value)
        }
        if (read !== undefined && read.low !== null && read.high !== null)
          expect(read.low).toBeLessThanOrEqual(read.high)
        if (read !== undefined && read.ratio !== null && turned !== undefined && turned.ratio !== null) {
          expect(turned.ratio).toBeCloseTo(1 / read.ratio, 9)
          if (read.low !== null && turned.high !== null) expect(turned.high).toBeCloseTo(1 / read.low, 9)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('does not change with the unit of the histograms', () => {
    fc.assert(
      fc.property(cells, (list) => {
        const inMillis = (part: PairedCell['candidate']) => ({
          ...part,
          distribution: { ...part.distribution, values: part.distribution.values.map((value) => value * 1024) },
        })
        const other = list.map(({ candidate, baseline }) => ({
          candidate: inMillis(candidate),
          baseline: inMillis(baseline),
        }))
        const of = (each: PairedCell[]) =>
          quantileRatios(each, [0.5], { resamples: 60, random: seededRandom('unit') }).ratios[0]
        expect(of(other)?.high).toEqual(of(list)?.high)
        expect(of(other)?.spread).toEqual(of(list)?.spread)
      }),
      { numRuns: 60 },
    )
  })
})

describe('blocks', () => {
  it('draw as many intervals as there are, with lengths that fit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }),
        (series) => {
          const n = series.length
          const length = blockLength(n, [series])
          expect(automaticBlockLength(series)).toBeGreaterThanOrEqual(1)
          expect(Number.isInteger(length) && length >= 1 && length <= Math.max(1, Math.ceil(n / 2))).toBe(true)
          const weights = new Uint32Array(n)
          drawBlocks(weights, length, seededRandom('blocks'))
          expect(weights.reduce((sum, each) => sum + each, 0)).toBe(n)
        },
      ),
    )
  })
})

describe('outcomes of two groups', () => {
  it('McNemar is symmetric, and a sum of binomial terms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 25 }), fc.integer({ min: 0, max: 25 }), (one, other) => {
        const of = (onlyCandidate: number, onlyBaseline: number) =>
          mcNemar({ both: 0, onlyCandidate, onlyBaseline, neither: 0 })
        const [read, turned] = [of(one, other), of(other, one)]
        expect(read.p).toBeCloseTo(turned.p, 12)
        if (read.low !== null && turned.high !== null) expect(read.low).toBeCloseTo(1 - turned.high, 9)
        let [term, sum] = [2 ** -(one + other), 0]
        for (let heads = 0; heads <= Math.min(one, other); heads++) {
          sum += term
          term *= (one + other - heads) / (heads + 1)
        }
        expect(read.p).toBeCloseTo(Math.min(1, 2 * sum), 10)
      }),
    )
  })

  it('shares lie within their intervals, and turn over when the groups change places', () => {
    const cell = fc.nat(60).chain((n) => fc.record({ n: fc.constant(n), hits: fc.nat(n) }))
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 8 }), fc.array(cell, { maxLength: 8 }), (one, other) => {
        const [read, turned] = [failureShares(one, other), failureShares(other, one)]
        const { difference, ratio } = read
        if (difference === null) return
        expect(difference.low).toBeLessThanOrEqual(difference.value)
        expect(difference.high).toBeGreaterThanOrEqual(difference.value)
        expect(turned.difference?.low).toBeCloseTo(-difference.high, 9)
        const value = ratio?.value ?? 0
        if (ratio !== null && value > 0) {
          expect(ratio.low).toBeLessThanOrEqual(value * (1 + 1e-9))
          if (ratio.high !== null) expect(turned.ratio?.low).toBeCloseTo(1 / ratio.high, 6)
        }
      }),
    )
  })
})
