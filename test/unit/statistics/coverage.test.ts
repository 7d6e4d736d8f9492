/**
 * A short run of the coverage model: the intervals must hold the truth often enough, and the naive rule (every sample
 * independent) must fail the same test, or the test would prove nothing. bench/coverage.ts is the long form.
 */
import { describe, expect, it } from 'vitest'
import { naiveBounds, simulateRun, tally, truthOf, type Scenario } from '../../../bench/coverage-model.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { quantile } from '../../../src/statistics/distribution.ts'
import { quantileInterval, targetBounds } from '../../../src/statistics/quantile-interval.ts'

const scenario: Scenario = {
  name: 'stalls',
  ratePerSecond: 200,
  seconds: 3,
  rounds: 10,
  stallsPerSecond: 0.5,
  slowness: 1,
}
const truth = truthOf(scenario, seededRandom('unit/truth'), 2000)
const random = seededRandom('unit/runs')
const runs = Array.from({ length: 60 }, () => simulateRun(scenario, random))

describe.each([
  ['P50', 0.5],
  ['P99', 0.99],
] as const)('the interval of %s under stalls', (_, q) => {
  const value = quantile(truth, q) ?? NaN

  it('holds the truth in at least 85 % of runs', () => {
    const { covered, open } = tally(
      runs,
      (rounds, each, alpha) => quantileInterval(rounds, each, 1 - 2 * alpha),
      q,
      0.025,
      value,
    )
    expect(covered).toBeGreaterThanOrEqual(0.85)
    // Without this an interval without ends would pass.
    expect(open).toBeLessThan(0.1)
  })

  it('fails that test when samples are taken as independent', () => {
    expect(tally(runs, naiveBounds, q, 0.025, value).covered).toBeLessThan(0.75)
  })

  it('seldom says MET at the boundary, where the naive rule often does', () => {
    const { below } = tally(runs, targetBounds, q, 0.05, value)
    expect(below).toBeLessThan(0.13)
    expect(tally(runs, naiveBounds, q, 0.05, value).below).toBeGreaterThan(0.13)
  })
})
