/** E-processes: their mean under the null, Ville's bound under every look, and how soon they see what is there. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/platform/random.ts'
import { EProcess } from '../../../src/statistics/e-process.ts'
import { clopperPearsonLower } from '../../../src/statistics/proportion.ts'

/** The trial after which a process has reached `alpha`, looked at after each; null within `most`. */
function stops(process: EProcess, p: number, alpha: number, most: number, seed: string): number | null {
  const random = seededRandom(seed)
  for (let trial = 1; trial <= most; trial++) {
    const hit = random.uniform() < p ? 1 : 0
    process.add(hit, 1)
    if (process.reaches(alpha)) return trial
  }
  return null
}

describe('under its null', () => {
  it('has mean 1 after any number of trials, at the boundary', () => {
    for (const side of ['above', 'below'] as const) {
      for (const n of [1, 2, 5, 20, 60]) {
        // Summed over the binomial distribution itself, not over samples.
        let mean = 0
        let weight = 0.95 ** n
        for (let hits = 0; hits <= n; hits++) {
          const process = new EProcess(0.05, side)
          process.add(hits, n)
          mean += weight * Math.exp(process.logValue())
          weight *= ((n - hits) / (hits + 1)) * (0.05 / 0.95)
        }
        expect(mean).toBeCloseTo(1, 9)
      }
    }
  })

  it('has a smaller mean on the far side of the boundary', () => {
    for (const [side, p] of [
      ['above', 0.03],
      ['below', 0.08],
    ] as const) {
      const n = 40
      let mean = 0
      let weight = (1 - p) ** n
      for (let hits = 0; hits <= n; hits++) {
        const process = new EProcess(0.05, side)
        process.add(hits, n)
        mean += weight * Math.exp(process.logValue())
        weight *= ((n - hits) / (hits + 1)) * (p / (1 - p))
      }
      expect(mean).toBeLessThan(1)
    }
  })

  const runs = 600
  const wrongRuns = (isWrong: (run: number) => boolean): number =>
    Array.from({ length: runs }, (_, run) => run).filter(isWrong).length

  it.each(['above', 'below'] as const)('is %s its boundary by mistake no more often than said, at any look', (side) => {
    const wrong = wrongRuns((run) => stops(new EProcess(0.1, side), 0.1, 0.1, 600, `${side}-${run}`) !== null)
    expect(clopperPearsonLower(wrong, runs, 0.01)).toBeLessThan(0.1)
  })

  it('is what a test made for one look is not', () => {
    const wrong = wrongRuns((run) => {
      const random = seededRandom(`above-${run}`)
      let hits = 0
      for (let trial = 1; trial <= 600; trial++) {
        if (random.uniform() < 0.1) hits++
        if (clopperPearsonLower(hits, trial, 0.1) > 0.1) return true
      }
      return false
    })
    expect(clopperPearsonLower(wrong, runs, 0.01)).toBeGreaterThan(0.2)
  })
})

describe('evidence', () => {
  it.each([
    [0.1, 100],
    [0.03, 1200],
  ])('of an exceedance of %d where 0.01 is allowed comes within %d trials in half of all cases', (p, within) => {
    const trials = Array.from({ length: 101 }, (_, run) =>
      stops(new EProcess(0.01, 'above'), p, 0.001, 20_000, `${p}-${run}`),
    )
    const sorted = trials.map((trial) => trial ?? Infinity).toSorted((a, b) => a - b)
    expect(sorted[50]).toBeLessThanOrEqual(within)
  })

  it('comes after the fewest trials when all are hits, and does not overflow after millions', () => {
    const process = new EProcess(0.01, 'above')
    process.add(2, 2)
    expect(process.reaches(0.001)).toBe(true)
    process.add(5e6, 5e6)
    expect(process.logValue()).toBeGreaterThan(1e7)
    const other = new EProcess(0.01, 'below')
    other.add(5e6, 5e6)
    expect(other.logValue()).toBeLessThan(-1e5)
    expect(other.reaches(0.01)).toBe(false)
  })

  it('is the same whether trials come one by one or together', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (trials) => {
        const [one, all] = [new EProcess(0.02, 'below'), new EProcess(0.02, 'below')]
        for (const hit of trials) one.add(hit ? 1 : 0, 1)
        all.add(trials.filter((hit) => hit).length, trials.length)
        expect(one.logValue()).toBeCloseTo(all.logValue(), 9)
      }),
    )
  })
})

describe('a forecast', () => {
  it('is the number of trials after which expected counts reach the bar', () => {
    const process = new EProcess(0.01, 'below')
    process.add(3, 1000)
    const needed = process.trialsNeeded(0.005, 0.01, 1e8) ?? NaN
    const reached = (more: number): boolean => {
      const later = new EProcess(0.01, 'below')
      later.add(3 + 0.005 * more, 1000 + more)
      return later.reaches(0.01)
    }
    expect([reached(needed - 1), reached(needed)]).toEqual([false, true])
    process.add(0, 1e6)
    expect(process.trialsNeeded(0.005, 0.01, 1e8)).toBe(0)
  })

  it('is never where the rate is on the wrong side', () => {
    expect(new EProcess(0.01, 'below').trialsNeeded(0.02, 0.01, 1e9)).toBeNull()
    expect(new EProcess(0.01, 'above').trialsNeeded(0.005, 0.001, 1e9)).toBeNull()
  })
})

it('refuses counts that cannot be', () => {
  const process = new EProcess(0.01, 'above')
  for (const [hits, trials] of [
    [2, 1],
    [-1, 5],
    [NaN, 5],
  ] as const)
    expect(() => process.add(hits, trials)).toThrow(/hits of/)
  expect(() => new EProcess(0, 'above')).toThrow(/between 0 and 0.9/)
  expect(() => new EProcess(0.95, 'above')).toThrow(/between 0 and 0.9/)
})
