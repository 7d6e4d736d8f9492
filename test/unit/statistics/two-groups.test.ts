/** McNemar, failure shares and non-inferiority. Figures were worked out apart: by sums of binomial terms and bisection. */
import { describe, expect, it } from 'vitest'
import { failureShares } from '../../../src/statistics/failure-shares.ts'
import { judgeNonInferiority, type ComparedData } from '../../../src/statistics/non-inferiority.ts'
import { mcNemar } from '../../../src/statistics/paired-outcomes.ts'

describe('McNemar', () => {
  it.each([
    [10, 2, 0.03857421875, 0.5158622513, 0.9791374745],
    [5, 5, 1, 0.1870860284, 0.8129139716],
    [0, 6, 0.03125, 0, 0.4592581264],
    [3, 12, 0.03515625, 0.0433120051, 0.4808911338],
  ])('of %d against %d', (onlyCandidate, onlyBaseline, p, low, high) => {
    const read = mcNemar({ both: 7, onlyCandidate, onlyBaseline, neither: 900 })
    expect(read.p).toBeCloseTo(p, 10)
    expect(read.share).toBe(onlyCandidate / (onlyCandidate + onlyBaseline))
    expect(read.low).toBeCloseTo(low, 8)
    expect(read.high).toBeCloseTo(high, 8)
  })

  it('says nothing of cases in which both did alike', () => {
    expect(mcNemar({ both: 12, onlyCandidate: 0, onlyBaseline: 0, neither: 5 })).toMatchObject({
      p: 1,
      share: null,
      low: null,
    })
  })
})

describe('failure shares', () => {
  const of = (hits: number, n: number) => [{ hits, n }]

  it.each([
    [56, 70, 48, 80, [0.0438868782, 0.3441710232], [0.8905334599, 2.0030931669]],
    [9, 10, 3, 10, [0.1067869299, 0.8528065142], [0.7486844502, 17.2280031269]],
    [3, 400, 1, 380, [-0.0084747161, 0.0193579229], [0.2288362164, 149.6174836611]],
  ])('of %d in %d against %d in %d', (hits, n, otherHits, otherN, difference, ratio) => {
    const read = failureShares(of(hits, n), of(otherHits, otherN))
    expect(read.phi).toBe(1)
    expect(read.difference?.value).toBeCloseTo(hits / n - otherHits / otherN, 12)
    expect([read.difference?.low, read.difference?.high]).toEqual(
      difference.map((each): unknown => expect.closeTo(each, 8)),
    )
    expect(read.ratio?.value).toBeCloseTo(hits / n / (otherHits / otherN), 10)
    expect([read.ratio?.low, read.ratio?.high]).toEqual(ratio.map((each): unknown => expect.closeTo(each, 6)))
  })

  it('have an interval where nothing failed, and no ratio', () => {
    const read = failureShares(of(0, 100), of(0, 50))
    expect(read.difference).toEqual({
      value: 0,
      low: expect.closeTo(-0.0711217365, 8),
      high: expect.closeTo(0.0362166926, 8),
    })
    expect(read.ratio).toBeNull()
    expect(failureShares(of(3, 100), of(0, 100)).ratio).toMatchObject({ value: null, high: null })
    expect(failureShares(of(0, 0), of(1, 5))).toMatchObject({
      candidate: null,
      baseline: 0.2,
      difference: null,
      ratio: null,
    })
  })

  it('that come together are worth less than single ones', () => {
    const alone = Array.from({ length: 20 }, () => ({ hits: 1, n: 100 }))
    const together = Array.from({ length: 20 }, (_, index) => ({ hits: index === 0 ? 20 : 0, n: 100 }))
    const width = (cells: typeof alone): number => {
      const { difference } = failureShares(cells, alone)
      return (difference?.high ?? NaN) - (difference?.low ?? NaN)
    }
    expect(failureShares(together, alone).phi).toBeGreaterThan(10)
    expect(width(together)).toBeGreaterThan(2 * width(alone))
  })
})

describe('non-inferiority', () => {
  const of = (ratio: number | null, low: number | null, high: number | null, other: Partial<ComparedData> = {}) =>
    judgeNonInferiority(
      {
        ratio: { q: 0.99, candidate: 1, baseline: 1, ratio, low, high, spread: 1.05 },
        intervals: 200,
        due: 20_000,
        block: 9,
        ...other,
      },
      1.1,
    )

  it('needs the whole one-sided interval below the margin', () => {
    expect(of(1, 0.95, 1.05)).toMatchObject({ verdict: 'NON_INFERIOR', moreIntervals: 0 })
    expect(of(1, 0.9, 1.1)).toMatchObject({ verdict: 'NOT_DEMONSTRATED' })
    expect(of(1.3, 1.1, 1.5)).toMatchObject({ verdict: 'INFERIOR' })
    expect(of(1.3, 1.09, 1.5)).toMatchObject({ verdict: 'NOT_DEMONSTRATED', moreIntervals: null })
    // Significant and better is not the question; significant and within the margin is enough.
    expect(of(1.05, 1.01, 1.09).verdict).toBe('NON_INFERIOR')
  })

  it('says how many more intervals a bound needs that is too wide by half', () => {
    // ln 1.21 is twice ln 1.1, so four times as many.
    expect(of(1, 0.8, 1.21).moreIntervals).toBe(600)
  })

  it.each([
    ['no interval', { intervals: 0 }, /no interval/, 50],
    ['few intervals', { intervals: 20, block: 2, due: 2000 }, /20 intervals are too few/, 30],
    ['long blocks', { block: 40 }, /alike over 40/, 120],
    ['few deliveries', { due: 500 }, /500 deliveries/, 200],
  ])('is not demonstrated with %s, however good the figures', (_what, data, reason, moreIntervals) => {
    expect(of(0.5, 0.4, 0.6, data)).toEqual({
      verdict: 'NOT_DEMONSTRATED',
      reason: expect.stringMatching(reason) as string,
      moreIntervals,
    })
  })

  it('never rests on a bound that is not there', () => {
    expect(of(0.5, 0.4, null).verdict).toBe('NOT_DEMONSTRATED')
    expect(of(null, null, null).verdict).toBe('NOT_DEMONSTRATED')
    expect(of(Infinity, Infinity, Infinity).verdict).toBe('INFERIOR')
    expect(of(1, 0.9, Infinity)).toMatchObject({ verdict: 'NOT_DEMONSTRATED', moreIntervals: null })
  })
})
