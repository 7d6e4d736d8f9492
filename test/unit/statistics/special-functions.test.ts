/** Reference values were computed with 40 digits (mpmath 1.3) and cut to 17. */
import { describe, expect, it } from 'vitest'
import {
  binomialCdf,
  fUpperTail,
  inverseRegularisedBeta,
  logGamma,
  normalQuantile,
  regularisedBeta,
  studentTCdf,
  studentTQuantile,
} from '../../../src/statistics/special-functions.ts'

function near(actual: number, expected: number, relative = 1e-12): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.max(Math.abs(expected), 1e-12))
}

describe('logGamma', () => {
  it.each([
    [0.00001, 11.512919692895826],
    [0.5, 0.57236494292470009],
    [1.5, -0.12078223763524522],
    [3.7, 1.4280723266653879],
    [15.99, 27.871864475940012],
    [16, 27.899271383840892],
    [123.456, 469.60554712992947],
    [1e6, 12815504.569147612],
    [1e10, 220258509288.81058],
  ])('of %d', (x, expected) => near(logGamma(x), expected, 1e-14))

  it('is NaN where the function is not defined here', () => {
    expect(logGamma(0)).toBeNaN()
    expect(logGamma(-1)).toBeNaN()
    expect(logGamma(NaN)).toBeNaN()
  })
})

describe('regularisedBeta', () => {
  it.each([
    [0.5, 10, 10, 0.5],
    [0.01, 0.5, 0.5, 0.063768560858519848],
    [0.3, 2, 5, 0.579825],
    [0.001, 1, 2995, 0.95003829660264362],
    [0.99, 9880, 121, 0.97788551216253901],
    [0.0105, 100, 9900, 0.70095748678534616],
    [0.999999, 5000, 3, 0.99999997923216521],
  ])('at %d with %d, %d', (x, a, b, expected) => near(regularisedBeta(x, a, b), expected, 1e-11))

  it('refuses what is outside its domain', () => {
    for (const [x, a, b] of [
      [-0.1, 1, 1],
      [1.1, 1, 1],
      [0.5, 0, 1],
      [0.5, 1, -1],
      [NaN, 1, 1],
    ] as const) {
      expect(regularisedBeta(x, a, b)).toBeNaN()
      expect(inverseRegularisedBeta(x, a, b)).toBeNaN()
    }
  })

  it('is inverted to one known point: the exact upper limit without an event, 1 − 0.05^(1/299)', () => {
    near(inverseRegularisedBeta(0.95, 1, 299), 1 - 0.05 ** (1 / 299), 1e-12)
    near(inverseRegularisedBeta(0.025, 3, 5), 0.098988278442507865)
  })
})

describe('binomialCdf', () => {
  it('agrees with exact fractions', () => {
    near(binomialCdf(1, 10, 0.5), 11 / 1024)
    near(binomialCdf(2, 9, 0.5), 46 / 512)
    expect(binomialCdf(-1, 10, 0.5)).toBe(0)
    expect(binomialCdf(10, 10, 0.5)).toBe(1)
  })

  it('keeps its digits for a hundred million trials', () => {
    // The median of Bin(n, p) lies within ln 2 of np, so the CDF at np is within O(1/√n) of one half.
    expect(Math.abs(binomialCdf(99_000_000, 1e8, 0.99) - 0.5)).toBeLessThan(5e-4)
  })
})

describe('studentTQuantile', () => {
  it.each([
    [0.975, 1, 12.706204736174705],
    [0.975, 2, 4.3026527297494639],
    [0.975, 5, 2.5705818356363155],
    [0.975, 9, 2.2621571627982055],
    [0.95, 2, 2.9199855803537257],
    [0.95, 9, 1.8331129326562372],
    [0.995, 29, 2.7563859036706055],
    [0.6, 3, 0.27667066233268991],
    [0.975, 1000, 1.9623390808264085],
  ])('%d with %d degrees', (p, degrees, expected) => {
    near(studentTQuantile(p, degrees), expected, 1e-11)
    near(studentTQuantile(1 - p, degrees), -expected, 1e-11)
    near(studentTCdf(expected, degrees), p, 1e-11)
    near(studentTCdf(-expected, degrees), 1 - p, 1e-11)
  })
})

describe('fUpperTail', () => {
  it.each([
    [4.96, 1, 10, 0.05008765056646819],
    [0.5, 3, 7, 0.69403638756881372],
    [1, 5, 5, 0.5],
    [30, 2, 4, 0.00390625],
    [200, 1, 100, 1.3512423796021731e-25],
    [1e-6, 2, 9, 0.99999900000061111],
    [3.7, 12, 250, 3.7811121623277016e-5],
  ])('of %d with %d and %d degrees', (f, numerator, denominator, expected) =>
    near(fUpperTail(f, numerator, denominator), expected, 1e-11),
  )

  it('is the two-sided tail of t where one degree is above the line, and answers its edges', () => {
    near(fUpperTail(2.5705818356363155 ** 2, 1, 5), 0.05, 1e-11)
    expect(fUpperTail(0, 1, 5)).toBe(1)
    expect(fUpperTail(-1, 1, 5)).toBe(1)
    expect(fUpperTail(Infinity, 1, 5)).toBe(0)
    expect(fUpperTail(1, 0, 5)).toBeNaN()
    expect(fUpperTail(NaN, 1, 5)).toBeNaN()
  })
})

describe('normalQuantile', () => {
  it.each([
    [1e-10, -6.3613409024040562],
    [0.001, -3.0902323061678135],
    [0.0749, -1.4402382675279636],
    [0.2, -0.84162123357291421],
    [0.5, 0],
    [0.6, 0.2533471031357998],
    [0.95, 1.6448536269514727],
    [0.975, 1.9599639845400542],
    [0.9999, 3.7190164854556806],
  ])('of %d', (p, expected) => near(normalQuantile(p), expected, 1e-12))

  it('has no value at 0 and 1', () => {
    expect(normalQuantile(0)).toBeNaN()
    expect(normalQuantile(1)).toBeNaN()
  })
})
