/** Planted steps are found where they are; noise, slopes that end below the margin and blips that pass are none. */
import { describe, expect, it } from 'vitest'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import { stepUp, type SeriesPoint } from '../../../src/statistics/step-change.ts'

function normal(random: Random): number {
  return Math.sqrt(2 * random.exponential()) * Math.cos(2 * Math.PI * random.uniform())
}

function series(seed: string, extra: (index: number) => number, n = 72, sigma = 2): SeriesPoint[] {
  const random = seededRandom(`unit/step/${seed}`)
  return Array.from({ length: n }, (_, index) => ({
    time: index,
    value: 100 + sigma * normal(random) + extra(index),
  }))
}

describe('a step', () => {
  it('late in the run is found, with its place and both levels', () => {
    const step = stepUp(
      series('late', (index) => (index >= 50 ? 20 : 0)),
      0.1,
    )
    expect(step?.time).toBeGreaterThanOrEqual(48)
    expect(step?.time).toBeLessThanOrEqual(50)
    expect(step?.before).toBeGreaterThan(98)
    expect(step?.before).toBeLessThan(102)
    expect(step?.after).toBeGreaterThan(118)
    expect(step?.after).toBeLessThan(122)
  })

  it('of 4 σ is found in nine of ten series, and none is called in those without', () => {
    const rate = (size: number): number => {
      let found = 0
      for (let run = 0; run < 100; run++)
        if (
          stepUp(
            series(`rate/${run}`, (index) => (index >= 50 ? size : 0)),
            0,
          ) !== null
        )
          found++
      return found
    }
    expect(rate(8)).toBeGreaterThanOrEqual(90)
    expect(rate(0)).toBeLessThanOrEqual(2)
  })

  it('smaller than the margin is none, however plain', () => {
    const plain = series('plain', (index) => (index >= 50 ? 8 : 0), 72, 0.1)
    expect(stepUp(plain, 0.1)).toBeNull()
    expect(stepUp(plain, 0.05)).not.toBeNull()
  })

  it('that passes again is none, nor is one wild value', () => {
    expect(
      stepUp(
        series('blip', (index) => (index >= 40 && index < 50 ? 40 : 0)),
        0.1,
      ),
    ).toBeNull()
    expect(
      stepUp(
        series('wild', (index) => (index === 60 ? 5000 : 0)),
        0.1,
      ),
    ).toBeNull()
  })

  it('is found in a series without any noise, and a constant one has none', () => {
    expect(
      stepUp(
        series('quiet', (index) => (index >= 50 ? 15 : 0), 72, 0),
        0.1,
      ),
    ).toEqual({ time: 50, before: 100, after: 115 })
    expect(
      stepUp(
        series('constant', () => 0, 72, 0),
        0.1,
      ),
    ).toBeNull()
  })

  it('is not looked for in fewer than 30 points', () => {
    expect(
      stepUp(
        series('few', (index) => (index >= 15 ? 50 : 0), 29),
        0.1,
      ),
    ).toBeNull()
  })
})
