import { describe, expect, it } from 'vitest'
import { backlogGrows } from '../../../src/statistics/backlog.ts'
import { distributionOf, mergeDistributions } from '../../../src/statistics/distribution.ts'
import { judgeBounds, judgeThroughput, satisfies, type ThroughputData } from '../../../src/statistics/judgement.ts'
import type { RoundSample } from '../../../src/statistics/quantile-interval.ts'

describe('judgeBounds', () => {
  const verdict = (low: number | null, high: number | null, n = 1000, value: number | null = 200) =>
    judgeBounds({ n, value, low, high }, '<', 300, 299).verdict

  it('says MET and NOT_MET only of bounds wholly inside or outside', () => {
    expect(verdict(150, 299)).toBe('MET')
    expect(verdict(150, 300)).toBe('MARGINAL')
    expect(verdict(299, 400)).toBe('MARGINAL')
    expect(verdict(300, 400)).toBe('NOT_MET')
    expect(judgeBounds({ n: 1000, value: 300, low: 300, high: 300 }, '<=', 300, 299).verdict).toBe('MET')
  })

  it('never passes without data, below the minimum n, without a bound, or with NaN', () => {
    expect(verdict(null, null, 0, null)).toBe('NOT_DEMONSTRATED')
    expect(verdict(1, 2, 298)).toBe('NOT_DEMONSTRATED')
    expect(verdict(1, null)).toBe('MARGINAL')
    expect(verdict(null, null)).toBe('MARGINAL')
    expect(verdict(1, NaN)).toBe('NOT_DEMONSTRATED')
    expect(verdict(1, 2, NaN)).toBe('NOT_DEMONSTRATED')
    expect(verdict(1, 2, 1000, NaN)).toBe('NOT_DEMONSTRATED')
    expect(judgeBounds({ n: 9, value: 1, low: 1, high: 1 }, '<', NaN, 5).verdict).toBe('NOT_DEMONSTRATED')
    expect(judgeBounds({ n: 9, value: NaN, low: NaN, high: NaN }, '>=', 5, 5).verdict).toBe('NOT_DEMONSTRATED')
  })

  it('turns round where more is better', () => {
    const of = (low: number, high: number) => judgeBounds({ n: 10, value: 31, low, high }, '>=', 30, 6).verdict
    expect(of(30, 40)).toBe('MET')
    expect(of(29, 40)).toBe('MARGINAL')
    expect(of(20, 29)).toBe('NOT_MET')
  })

  it('names what a verdict needs and why it was not reached', () => {
    const judged = judgeBounds({ n: 10, value: 1, low: null, high: null }, '<', 300, 299)
    expect(judged.required).toBe('n >= 299')
    expect(judged.reason).toContain('at least 299')
  })

  it('compares strictly where the target does', () => {
    expect([satisfies(1, '<', 1), satisfies(1, '<=', 1), satisfies(1, '>', 1), satisfies(1, '>=', 1)]).toEqual([
      false,
      true,
      false,
      true,
    ])
    expect(satisfies(NaN, '<', 1) || satisfies(NaN, '>=', 1)).toBe(false)
  })
})

describe('judgeThroughput', () => {
  const data = (completed: number, change: Partial<ThroughputData> = {}): ThroughputData => ({
    rounds: Array.from({ length: 10 }, () => ({ hits: completed, n: 3000 })),
    seconds: 30,
    offeredPerSecond: 1000,
    backlogGrows: false,
    ...change,
  })
  const verdict = (given: ThroughputData, bound = 1000) => judgeThroughput(given, '>=', bound).verdict

  it('is MET at a rate offered at exactly the target when everything completes', () => {
    expect(verdict(data(3000))).toBe('MET')
  })

  it('is NOT_MET when too little completes or the backlog grows, MARGINAL between', () => {
    expect(verdict(data(2900))).toBe('NOT_MET')
    expect(verdict(data(3000, { backlogGrows: true }))).toBe('NOT_MET')
    expect(verdict(data(2997))).toBe('MARGINAL')
  })

  it('is NOT_DEMONSTRATED when the rate was not offered, or not scheduled, or nothing was seen', () => {
    expect(verdict(data(3000), 1001)).toBe('NOT_DEMONSTRATED')
    expect(verdict(data(3000, { seconds: 33 }))).toBe('NOT_DEMONSTRATED')
    expect(verdict(data(3000, { backlogGrows: null }))).toBe('NOT_DEMONSTRATED')
    expect(verdict(data(3000, { rounds: [] }))).toBe('NOT_DEMONSTRATED')
    expect(verdict(data(3000, { rounds: [{ hits: 2994, n: 2994 }], seconds: 2.994 }))).toBe('NOT_DEMONSTRATED')
  })
})

describe('backlogGrows', () => {
  const rounds = (medianOfBlock: (block: number) => number): RoundSample[] =>
    Array.from({ length: 6 }, () => {
      const blocks = Array.from({ length: 4 }, (_, block) =>
        distributionOf(Array.from({ length: 200 }, (_each, index) => medianOfBlock(block) - 100 + index)),
      )
      return { whole: mergeDistributions(blocks), blocks }
    })

  it('sees a median that rises by more than 1 % of the time between the halves', () => {
    expect(
      backlogGrows(
        rounds(() => 2000),
        4e6,
      ),
    ).toBe(false)
    expect(
      backlogGrows(
        rounds((block) => 2000 + block * 3000),
        4e6,
      ),
    ).toBe(false) // 6 ms in 2 s
    expect(
      backlogGrows(
        rounds((block) => 2000 + block * 50_000),
        4e6,
      ),
    ).toBe(true) // 100 ms in 2 s
    expect(
      backlogGrows(
        rounds((block) => 400_000 - block * 50_000),
        4e6,
      ),
    ).toBe(false)
  })

  it('does not take noise for growth: the bounds of both medians must lie apart', () => {
    const noisy = (shift: number): RoundSample[] => {
      const blocks = [0, shift].map((each) =>
        distributionOf(Array.from({ length: 40 }, (_, index) => index * 50_000 + each)),
      )
      return [{ whole: mergeDistributions(blocks), blocks }]
    }
    expect(backlogGrows(noisy(60_000), 4e6)).toBe(false) // 3 % of 2 s, within the noise
    expect(backlogGrows(noisy(1_500_000), 4e6)).toBe(true)
  })

  it('cannot see it within one block', () => {
    const whole = distributionOf([1, 2, 3])
    expect(backlogGrows([{ whole, blocks: [whole] }], 1e6)).toBeNull()
    expect(backlogGrows([], 1e6)).toBeNull()
  })
})
