import { describe, expect, it } from 'vitest'
import { scalabilityOf } from '../../../src/measurement/derive-knees.ts'
import type { KneeResult } from '../../../src/measurement/results-document.ts'

const lambda = 100
const sigma = 0.02
/** The law itself, and a search that found it exactly. */
const knees = (limit: KneeResult['limit']): KneeResult[] =>
  [1, 2, 5, 10, 20, 50, 100].map((agents) => ({
    engine: 'polling',
    agents,
    boundMs: 3000,
    ratePerSecond: (lambda * agents) / (1 + sigma * (agents - 1)),
    limit,
    probes: 7,
    engineCpuPercent: 50,
    generatorCpuPercent: 50,
  }))

describe('the law through knees', () => {
  it('finds the parameters that were planted', () => {
    const law = scalabilityOf('polling', knees('latency'))
    expect(law.status).toBe('FITTED')
    expect(law.lambda?.[0]).toBeCloseTo(lambda, 2)
    expect(law.sigma?.[0]).toBeCloseTo(sigma, 4)
    expect(law.testedTo).toBe(100)
  })

  it('is not fitted through searches that ended before anything failed, and says how many', () => {
    const law = scalabilityOf('polling', knees('not reached'))
    expect(law).toMatchObject({ status: 'NOT_DEMONSTRATED', lambda: null })
    expect(law.reason).toMatch(/7 searches ended before anything failed/)
  })

  it('knows only the knees of its engine', () => {
    expect(scalabilityOf('elicitation', knees('latency')).status).toBe('NOT_DEMONSTRATED')
  })
})
