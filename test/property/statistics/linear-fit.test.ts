import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitLine, testLinearity } from '../../../src/statistics/linear-fit.ts'

const near = (actual: number | null, expected: number, tolerance: number): void =>
  expect(Math.abs((actual ?? NaN) - expected)).toBeLessThanOrEqual(tolerance)

const coordinate = fc.integer({ min: -1000, max: 1000 })
const points = fc.array(fc.record({ x: fc.integer({ min: -20, max: 20 }), y: coordinate }), { maxLength: 30 })

describe('fitLine', () => {
  it('recovers any planted line, whatever the weights', () => {
    const weighted = fc.record({ x: coordinate, weight: fc.double({ min: 0.01, max: 100, noNaN: true }) })
    fc.assert(
      fc.property(
        fc.array(weighted, { minLength: 3, maxLength: 30 }),
        coordinate,
        coordinate,
        (given, slope, start) => {
          const fit = fitLine(given.map(({ x, weight }) => ({ x, y: start + slope * x, weight })))
          fc.pre(fit.status === 'FITTED')
          near(fit.slope.value, slope, 1e-5)
          near(fit.intercept.value, start, 1e-3)
        },
      ),
    )
  })

  it('moves with shifts and units of both axes, and does not depend on the order of points', () => {
    fc.assert(
      fc.property(points, coordinate, coordinate, fc.constantFrom(0.001, -3, 1000), (given, right, up, unit) => {
        const fit = fitLine(given)
        const moved = fitLine(given.map(({ x, y }) => ({ x: x + right, y: unit * (y + up) })).toReversed())
        expect(moved.status).toBe(fit.status)
        if (fit.status !== 'FITTED' || moved.status !== 'FITTED') return
        near(moved.slope.value / unit, fit.slope.value, 1e-7)
        near((moved.residualSd ?? 0) / Math.abs(unit), fit.residualSd ?? 0, 1e-6)
        if (fit.slope.low !== null) {
          near((unit > 0 ? (moved.slope.low ?? NaN) : (moved.slope.high ?? NaN)) / unit, fit.slope.low, 1e-5)
        }
      }),
    )
  })

  it('a weight of 2 draws the line that a doubled point draws', () => {
    fc.assert(
      fc.property(points, fc.nat(29), (given, at) => {
        const chosen = given[at]
        fc.pre(chosen !== undefined)
        const heavy = fitLine(given.map((point, index) => ({ ...point, weight: index === at ? 2 : 1 })))
        const doubled = fitLine([...given, chosen])
        expect(heavy.status).toBe(doubled.status)
        if (heavy.status !== 'FITTED' || doubled.status !== 'FITTED') return
        near(heavy.slope.value, doubled.slope.value, 1e-8)
        near(heavy.intercept.value, doubled.intercept.value, 1e-6)
      }),
    )
  })
})

describe('any numbers at all', () => {
  const wild = fc.record(
    { x: fc.double(), y: fc.double(), weight: fc.double({ min: 0 }) },
    { requiredKeys: ['x', 'y'] },
  )
  const anything = fc.oneof(fc.array(wild, { maxLength: 12 }), points)

  it('give finite figures in order, or a reason, never a throw', () => {
    fc.assert(
      fc.property(anything, (given) => {
        const fit = fitLine(given)
        if (fit.status === 'NOT_DEMONSTRATED') expect(fit.reason.length).toBeGreaterThan(10)
        else {
          for (const { value, low, high } of [fit.slope, fit.intercept]) {
            expect(Number.isFinite(value)).toBe(true)
            expect(low ?? value).toBeLessThanOrEqual(value)
            expect(high ?? value).toBeGreaterThanOrEqual(value)
          }
          if (fit.rSquared !== null) expect(fit.rSquared >= 0 && fit.rSquared <= 1).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are called curved only with significance and an effect', () => {
    fc.assert(
      fc.property(anything, fc.double({ min: 0, max: 50, noNaN: true }), (given, gate) => {
        const shape = testLinearity(given, gate)
        if (shape.verdict === 'NOT_DEMONSTRATED') expect(shape.reason.length).toBeGreaterThan(10)
        else {
          expect(shape.p >= 0 && shape.p <= 1).toBe(true)
          expect(Number.isFinite(shape.bendPercent.value)).toBe(true)
          expect(shape.distinctX).toBeGreaterThanOrEqual(4)
          const effect = Math.max(Math.abs(shape.bendPercent.value), shape.departurePercent)
          if (shape.verdict === 'curved') {
            expect(shape.p).toBeLessThan(0.05)
            expect(effect).toBeGreaterThanOrEqual(gate)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
