import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distributionOf, mergeDistributions, quantile, valueAtRank } from '../../../src/statistics/distribution.ts'
import { clopperPearsonLower, clopperPearsonUpper } from '../../../src/statistics/proportion.ts'
import { quantileInterval, targetBounds } from '../../../src/statistics/quantile-interval.ts'
import {
  binomialCdf,
  inverseRegularisedBeta,
  logGamma,
  normalQuantile,
  regularisedBeta,
  studentTCdf,
  studentTQuantile,
} from '../../../src/statistics/special-functions.ts'

const shape = fc.double({ min: 0.05, max: 5000, noNaN: true })
const probability = fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true })

describe('special functions', () => {
  it('Γ(x+1) = xΓ(x)', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (x) => {
        const error = logGamma(x + 1) - logGamma(x) - Math.log(x)
        expect(Math.abs(error)).toBeLessThan(1e-12 * Math.max(1, Math.abs(logGamma(x + 1)), Math.abs(logGamma(x))))
      }),
    )
  })

  it('Iₓ(a, b) = 1 − I₁₋ₓ(b, a), and rises with x', () => {
    fc.assert(
      fc.property(probability, shape, shape, (x, a, b) => {
        const value = regularisedBeta(x, a, b)
        expect(Math.abs(value + regularisedBeta(1 - x, b, a) - 1)).toBeLessThan(1e-9)
        expect(regularisedBeta(Math.min(1, x * 1.01), a, b)).toBeGreaterThanOrEqual(value - 1e-12)
      }),
    )
  })

  it('the inverse inverts', () => {
    fc.assert(
      fc.property(probability, shape, shape, (p, a, b) => {
        const x = inverseRegularisedBeta(p, a, b)
        fc.pre(x > 1e-290 && x < 1 - 1e-9)
        expect(Math.abs(regularisedBeta(x, a, b) - p)).toBeLessThan(1e-8)
      }),
    )
  })

  it('the binomial CDF is the sum of its terms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 40 }), probability, (n, k, p) => {
        let sum = 0
        for (let i = 0; i <= Math.min(k, n); i++) {
          const choose = Math.exp(logGamma(n + 1) - logGamma(i + 1) - logGamma(n - i + 1))
          sum += choose * p ** i * (1 - p) ** (n - i)
        }
        expect(Math.abs(binomialCdf(k, n, p) - sum)).toBeLessThan(1e-9)
      }),
    )
  })

  it('quantiles of t and of the normal invert their symmetric CDFs, and t nears the normal', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (p, degrees) => {
          const t = studentTQuantile(p, degrees)
          expect(Math.abs(studentTCdf(t, degrees) - p)).toBeLessThan(1e-9)
          expect(Math.abs(studentTQuantile(1 - p, degrees) + t)).toBeLessThan(1e-8 * Math.max(1, Math.abs(t)))
          expect(Math.abs(studentTQuantile(p, 1e9) - normalQuantile(p))).toBeLessThan(1e-5)
          expect(Math.abs(t)).toBeGreaterThanOrEqual(Math.abs(normalQuantile(p)) - 1e-9)
        },
      ),
    )
  })
})

describe('intervals', () => {
  it('Clopper–Pearson holds the observed share and inverts the binomial test', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const hits = Math.round(n * share)
        const low = clopperPearsonLower(hits, n, 0.025)
        const high = clopperPearsonUpper(hits, n, 0.025)
        expect(low).toBeLessThanOrEqual(hits / n)
        expect(high).toBeGreaterThanOrEqual(hits / n)
        if (hits < n) expect(Math.abs(binomialCdf(hits, n, high) - 0.025)).toBeLessThan(1e-7)
        if (hits > 0) expect(Math.abs(1 - binomialCdf(hits - 1, n, low) - 0.025)).toBeLessThan(1e-7)
      }),
    )
  })

  const block = fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 120 })
  const rounds = fc.array(fc.array(block, { minLength: 1, maxLength: 4 }), { maxLength: 6 })

  it('quantile bounds hold the point estimate, do not depend on the order of rounds, and nest by level', () => {
    fc.assert(
      fc.property(rounds, fc.constantFrom(0.5, 0.95, 0.99, 0.999), (given, q) => {
        const samples = given.map((blocks) => {
          const distributions = blocks.map(distributionOf)
          return { whole: mergeDistributions(distributions), blocks: distributions }
        })
        const narrow = quantileInterval(samples, q, 0.9)
        const wide = quantileInterval(samples, q, 0.99)
        const verdict = targetBounds(samples, q)
        for (const { low, high, value } of [narrow, wide, verdict]) {
          if (low !== null) expect(low).toBeLessThanOrEqual(value ?? NaN)
          if (high !== null) expect(high).toBeGreaterThanOrEqual(value ?? NaN)
        }
        if (wide.low !== null) expect(wide.low).toBeLessThanOrEqual(narrow.low ?? NaN)
        if (wide.high !== null) expect(wide.high).toBeGreaterThanOrEqual(narrow.high ?? NaN)
        const turned = targetBounds(samples.toReversed(), q)
        expect({ ...turned, phi: 0 }).toEqual({ ...verdict, phi: 0 })
      }),
      { numRuns: 200 },
    )
  })

  it('merging equals pooling', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), fc.double({ min: 0, max: 1, noNaN: true }), (blocks, q) => {
        const merged = mergeDistributions(blocks.map(distributionOf))
        const pooled = distributionOf(blocks.flat())
        expect([...merged.values]).toEqual([...pooled.values])
        expect([...merged.counts]).toEqual([...pooled.counts])
        expect(quantile(merged, q)).toBe(quantile(pooled, q))
        const sorted = blocks.flat().toSorted((a, b) => a - b)
        expect(valueAtRank(merged, 3)).toBe(sorted[2] ?? null)
      }),
    )
  })
})
