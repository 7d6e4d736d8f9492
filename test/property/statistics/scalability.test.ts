import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitScalability, type ScalabilityPoint } from '../../../src/statistics/scalability.ts'

const design = fc
  .uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 6, maxLength: 12 })
  .map((list) => list.toSorted((a, b) => a - b))
const share = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }))

function law(lambda: number, sigma: number, kappa: number, n: number): number {
  return (lambda * n) / (1 + sigma * (n - 1) + kappa * n * (n - 1))
}

function squares(points: readonly ScalabilityPoint[], lambda: number, sigma: number, kappa: number): number {
  return points.reduce(
    (sum, { concurrency, throughput }) => sum + (throughput - law(lambda, sigma, kappa, concurrency)) ** 2,
    0,
  )
}

describe('fitScalability', () => {
  it('recovers what any planted law predicts', () => {
    fc.assert(
      fc.property(design, share, share, fc.constantFrom(0.001, 1, 5000), (concurrencies, sigma, square, lambda) => {
        const kappa = square ** 4
        const given = concurrencies.map((n) => ({ concurrency: n, throughput: law(lambda, sigma, kappa, n) }))
        const fit = fitScalability(given)
        if (fit.status !== 'FITTED') throw new Error(fit.reason)
        const top = Math.max(...given.map(({ throughput }) => throughput))
        for (const { concurrency, throughput } of given) {
          expect(Math.abs((fit.predict(concurrency) ?? NaN) - throughput)).toBeLessThan(1e-6 * top)
        }
        if (kappa === 0) expect(fit.peak).toBeNull()
        expect(fit.sigma.low).toBeLessThanOrEqual(sigma + 1e-9)
        expect(fit.sigma.high).toBeGreaterThanOrEqual(sigma - 1e-9)
      }),
      { numRuns: 100 },
    )
  })

  it('no point of a grid over the bounds fits points that scatter by half better than the fit', () => {
    const errors = fc.array(fc.double({ min: 0.5, max: 1.5, noNaN: true }), { minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(design, share, share, errors, (concurrencies, sigma, square, list) => {
        const given = concurrencies.map((concurrency, index) => ({
          concurrency,
          throughput: law(1000, sigma, square ** 4, concurrency) * (list[index] ?? 1),
        }))
        const fit = fitScalability(given)
        if (fit.status !== 'FITTED') throw new Error(fit.reason)
        const best = squares(given, fit.lambda.value, fit.sigma.value, fit.kappa.value)
        const steps = [0, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 1]
        for (const s of steps) {
          for (const k of steps) {
            let product = 0
            let norm = 0
            for (const { concurrency, throughput } of given) {
              const unit = law(1, s, k, concurrency)
              product += unit * throughput
              norm += unit * unit
            }
            expect(best).toBeLessThanOrEqual(squares(given, product / norm, s, k) * (1 + 1e-9))
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('keeps every figure within its bounds and its interval, or gives a reason, never a throw', () => {
    const wild = fc.record({
      concurrency: fc.oneof(fc.double(), fc.double({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 64 })),
      throughput: fc.oneof(fc.double(), fc.double({ min: 0, max: 1e100 }), fc.integer({ min: 0, max: 1000 })),
    })
    const tame = fc.record({
      concurrency: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.double({ min: 1, max: 1e9, noNaN: true })),
      throughput: fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.double({ min: 0, max: 1e100, noNaN: true })),
    })
    fc.assert(
      fc.property(fc.oneof(fc.array(wild, { maxLength: 9 }), fc.array(tame, { maxLength: 14 })), (given) => {
        const fit = fitScalability(given)
        if (fit.status === 'NOT_DEMONSTRATED') {
          expect(fit.reason.length).toBeGreaterThan(10)
          return
        }
        for (const { value, low, high } of [fit.lambda, fit.sigma, fit.kappa]) {
          expect(Number.isFinite(value)).toBe(true)
          expect(low).toBeLessThanOrEqual(value)
          expect(high).toBeGreaterThanOrEqual(value)
        }
        expect(fit.lambda.value).toBeGreaterThan(0)
        for (const { low, high } of [fit.sigma, fit.kappa]) {
          expect(low).toBeGreaterThanOrEqual(0)
          expect(high).toBeLessThanOrEqual(1)
        }
        expect(fit.peak === null).toBe(fit.kappa.low === 0)
        expect(fit.peak?.concurrency.low ?? 1).toBeGreaterThanOrEqual(1)
        expect(fit.predict(2 * fit.testedTo)).not.toBeNull()
        expect(fit.predict(2.01 * fit.testedTo)).toBeNull()
      }),
      { numRuns: 300 },
    )
  })
})
