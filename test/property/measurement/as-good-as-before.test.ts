/** The first of several good seconds in a row, against a search that tries every begin. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstRun, windowsFor } from '../../../src/measurement/as-good-as-before.ts'

describe('the first run of good seconds', () => {
  it('is the earliest begin from which all of it is good and lies before the end', () => {
    const seconds = fc.array(fc.boolean(), { maxLength: 40 })
    const small = fc.integer({ min: 0, max: 45 })
    const found = { none: 0, some: 0 }
    fc.assert(
      fc.property(seconds, small, small, fc.integer({ min: 1, max: 12 }), (good, from, end, length) => {
        const begins = Array.from({ length: 60 }, (_, second) => second).filter(
          (begin) =>
            begin >= from &&
            begin + length <= end &&
            Array.from({ length }, (_, index) => good[begin + index] === true).every(Boolean),
        )
        found[begins.length === 0 ? 'none' : 'some']++
        expect(firstRun(from, end, length, (second) => good[second] === true)).toBe(begins[0] ?? null)
      }),
      { numRuns: 2000 },
    )
    expect(Math.min(found.none, found.some)).toBeGreaterThan(20)
  })

  it('is asked of ten seconds where the aftermath holds twice as many, of two otherwise', () => {
    expect([2000, 7000, 19_999, 20_000, 60_000].map(windowsFor)).toEqual([2, 2, 2, 10, 10])
  })
})
