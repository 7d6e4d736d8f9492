import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  highMs,
  lowMs,
  msOf,
  significant,
  significantHigh,
  significantLow,
  words,
} from '../../../src/measurement/derive-figures.ts'

describe('figures', () => {
  it('give microseconds as ms with three decimals, bounds outwards', () => {
    expect([msOf(1234), lowMs(1234), highMs(1234)]).toEqual([1.234, 1.234, 1.234])
    expect([msOf(1234.4), lowMs(1234.4), highMs(1234.4)]).toEqual([1.234, 1.234, 1.235])
    expect([msOf(1234.6), lowMs(1234.6), highMs(1234.6)]).toEqual([1.235, 1.234, 1.235])
    expect([msOf(null), lowMs(null), highMs(null), significant(null), significantLow(null)]).toEqual(
      Array(5).fill(null),
    )
  })

  it('keep six digits, bounds outwards', () => {
    expect([significant(1.2345649), significantLow(1.2345649), significantHigh(1.2345649)]).toEqual([
      1.23456, 1.23456, 1.23457,
    ])
    expect([significantLow(1.2345651), significantHigh(1.2345651)]).toEqual([1.23456, 1.23457])
    expect([significantLow(0), significantHigh(30)]).toEqual([0, 30])
  })

  it('never round a bound inwards', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), (value) => {
        expect(significantLow(value) as number).toBeLessThanOrEqual(value * (1 + 1e-11))
        expect(significantHigh(value) as number).toBeGreaterThanOrEqual(value * (1 - 1e-11))
        expect(Math.abs((significantLow(value) as number) - value)).toBeLessThanOrEqual(value * 2e-5)
        expect(Math.abs((significantHigh(value) as number) - value)).toBeLessThanOrEqual(value * 2e-5)
      }),
    )
  })

  it('are four digits in a sentence', () => {
    expect([words(1234.567), words(0.00012345), words(null), words(0)]).toEqual(['1235', '0.0001234', 'unknown', '0'])
  })
})
