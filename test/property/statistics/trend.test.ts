import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockMedians, mannKendall, theilSen, type TrendPoint } from '../../../src/statistics/trend.ts'

const point = fc.record({
  time: fc.integer({ min: 0, max: 200 }),
  value: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: -50, max: 50 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
})
const points = fc.array(point, { maxLength: 60 })

const mapped = (list: readonly TrendPoint[], change: (value: number, time: number) => number): TrendPoint[] =>
  list.map(({ time, value }) => ({ time, value: value === null ? null : change(value, time) }))

describe('trend', () => {
  it('bounds hold the slope, and nest by level and by variance', () => {
    fc.assert(
      fc.property(points, fc.double({ min: 1, max: 6, noNaN: true }), (list, factor) => {
        const narrow = theilSen(list, 0.9)
        for (const wide of [theilSen(list, 0.99), theilSen(list, 0.9, factor)]) {
          expect(wide.slope).toBe(narrow.slope)
          if (wide.low === null || wide.high === null) continue
          expect(wide.low).toBeLessThanOrEqual(narrow.low ?? NaN)
          expect(narrow.low).toBeLessThanOrEqual(narrow.slope ?? NaN)
          expect(narrow.slope).toBeLessThanOrEqual(narrow.high ?? NaN)
          expect(narrow.high).toBeLessThanOrEqual(wide.high)
        }
      }),
    )
  })

  it('S is the count over all pairs, and only the order of values matters to it', () => {
    fc.assert(
      fc.property(points, (list) => {
        const present = list.flatMap(({ time, value }) => (value === null ? [] : [{ time, value }]))
        let s = 0
        for (const a of present) {
          for (const b of present) if (a.time < b.time) s += Math.sign(b.value - a.value)
        }
        const test = mannKendall(list)
        const cubed = mannKendall(mapped(list, (value) => value ** 3))
        if (test.variance > 0) expect(test.s).toBe(s)
        expect(cubed.s).toBe(test.s)
        expect(cubed.variance).toBe(test.variance)
      }),
    )
  })

  it('stays within its ranges, and a falling series mirrors a rising one', () => {
    fc.assert(
      fc.property(points, (list) => {
        const test = mannKendall(list)
        const mirrored = mannKendall(mapped(list, (value) => -value))
        expect(test.correction).toBeGreaterThanOrEqual(1)
        expect(test.p).toBeGreaterThanOrEqual(0)
        expect(test.p).toBeLessThanOrEqual(1)
        expect(mirrored.s + test.s).toBe(0)
        expect(mirrored.p).toBeCloseTo(test.p, 12)
        expect(
          (theilSen(
            mapped(list, (value) => -value),
            0.95,
          ).slope ?? 0) + (theilSen(list, 0.95).slope ?? 0),
        ).toBe(0)
      }),
    )
  })

  it('adding a line adds its slope', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: -9, max: 9 }), (list, slope) => {
        const before = theilSen(list, 0.95).slope
        const after = theilSen(
          mapped(list, (value, time) => value + slope * time),
          0.95,
        ).slope
        fc.pre(before !== null)
        expect(after).toBeCloseTo((before ?? NaN) + slope, 9)
      }),
    )
  })

  it('the order of points does not matter where no two share a time', () => {
    fc.assert(
      fc.property(fc.uniqueArray(point, { selector: (each) => each.time, maxLength: 60 }), (list) => {
        expect(mannKendall(list.toReversed())).toEqual(mannKendall(list))
        expect(theilSen(list.toReversed(), 0.95)).toEqual(theilSen(list, 0.95))
      }),
    )
  })

  it('block medians are ascending in time, at most as many as blocks, and within the range of values', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 20 }), (list, blocks) => {
        const values = list.flatMap(({ value }) => (value === null ? [] : [value]))
        const medians = blockMedians(list, blocks)
        expect(medians.length).toBeLessThanOrEqual(blocks)
        if (values.length > 0) expect(medians.length).toBeGreaterThan(0)
        for (const [index, each] of medians.entries()) {
          expect(each.value).toBeGreaterThanOrEqual(Math.min(...values))
          expect(each.value).toBeLessThanOrEqual(Math.max(...values))
          if (index > 0) expect(each.time).toBeGreaterThan(medians[index - 1]?.time ?? NaN)
        }
      }),
    )
  })
})
