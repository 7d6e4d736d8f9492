/** The simulation: draws that are binomial, and rules that keep their errors, and that a plan without them is seen not to. */
import { describe, expect, it } from 'vitest'
import { readPlanFile } from '../../../src/migration/plan-file.ts'
import { binomial, canaryPhase, playScenario } from '../../../src/migration/simulate.ts'
import {
  errorBound,
  good,
  late,
  latencyBound,
  regressions,
  scenarios,
  shortStalls,
  simulatePlan,
  tripBound,
} from '../../../src/migration/simulation.ts'
import type { Scenario } from '../../../src/measurement/simulation-document.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { planOf } from './planted.ts'

const load = { agents: 10_000, perSecond: 1000 }

describe('binomial draws', () => {
  it.each([
    [0, 0.5],
    [10, 0],
    [10, 1],
    [1, 0.3],
    [1000, 0.001],
    [1000, 0.02],
    [200, 0.5],
    [200, 0.93],
  ])('of %d trials at %d have the mean and the variance of their distribution', (n, p) => {
    const random = seededRandom(`binomial/${n}/${p}`)
    const draws = Array.from({ length: 4000 }, () => binomial(n, p, random))
    const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
    const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length
    const expected = n * p * (1 - p)
    expect(Math.abs(mean - n * p)).toBeLessThanOrEqual(5 * Math.sqrt(expected / draws.length))
    expect(Math.abs(variance - expected)).toBeLessThanOrEqual(0.15 * expected)
    expect(draws.every((draw) => Number.isInteger(draw) && draw >= 0 && draw <= n)).toBe(true)
  })
})

/** Observed every second: 50 deliveries of the canary each. */
const fine = { ...planOf(), evidence: { ...planOf().evidence, intervalMs: 1000 } }

function ends(scenario: Scenario, runs = 100, plan = fine) {
  const phase = canaryPhase(plan)
  if (phase === null) throw new Error('the plan has a canary')
  return playScenario(plan, phase, scenario, load, runs, (run) => seededRandom(`ends/${scenario.name}/${run}`))
}

describe('a canary of ten minutes', () => {
  it('promotes a good engine, with and without stalls', async () => {
    expect(await ends(good)).toMatchObject({ promoted: 100, rolledBack: 0, held: 0, medianExchangesToRollback: null })
    expect((await ends(shortStalls)).rolledBack).toBe(0)
  })

  it('does not promote an engine at the bound of a gate, nor send back one at the bound of its trip', async () => {
    const { promoted, promotedAtMost } = await ends(latencyBound)
    expect(promoted).toBe(0)
    // 1 − 0.05^(1/100).
    expect(promotedAtMost).toBeCloseTo(0.02951, 5)
    expect(await ends(tripBound)).toMatchObject({ promoted: 0, rolledBack: 0 })
    // Errors at their gate are planted as they are, also where its bound is wider than that on latency.
    expect((await ends(errorBound)).promoted).toBe(0)
    const quick = readPlanFile(new URL('../../../fixtures/migration/quick.yaml', import.meta.url).pathname)
    expect((await ends(errorBound, 50, quick)).promoted).toBe(0)
  })

  it('sends back what misses its trip, the sooner the worse it is', async () => {
    const [slight, plain, gross] = await Promise.all(regressions.map((scenario) => ends(scenario)))
    expect([plain?.rolledBack, gross?.rolledBack]).toEqual([100, 100])
    expect(gross?.medianExchangesToRollback).toBeLessThanOrEqual(200)
    expect(plain?.medianExchangesToRollback).toBeGreaterThan(gross?.medianExchangesToRollback ?? Infinity)
    expect(slight?.promoted).toBe(0)
    const inBetween = await ends(late)
    expect(inBetween.rolledBack).toBe(100)
    expect(inBetween.medianMsToRollback).toBeLessThan(120_000)
  })

  it('is seen to err when its rules are loose, or when it has none', async () => {
    const loose = { ...fine, evidence: { ...fine.evidence, rollbackAlpha: 0.9, minimumIntervals: 1 } }
    expect((await ends(tripBound, 200, loose)).rolledBack).toBeGreaterThan(0)
    const [canary, ...others] = fine.phases
    if (canary === undefined) throw new Error('the plan has a canary')
    // Nothing but a head count between a bad engine and everybody.
    const counts = (others.at(-1)?.gates ?? []).filter(({ target }) => target.measure.kind === 'agents')
    const bare = { ...fine, trips: [], phases: [{ ...canary, gates: counts }] }
    const [gross] = regressions.slice(-1)
    expect(await ends(gross ?? good, 20, bare)).toMatchObject({ promoted: 20, rolledBack: 0 })
  })

  it('is the same whenever the seed is', async () => {
    expect(await ends(regressions[0] ?? good)).toEqual(await ends(regressions[0] ?? good))
  })
})

describe('the published simulation', () => {
  const simulate = (runs: number, plan = planOf()) =>
    simulatePlan({
      plan,
      load,
      runs,
      seed: 's',
      onScenario: () => undefined,
      onProgress: () => undefined,
      signal: new AbortController().signal,
    })

  it('says which goals so few runs cannot show', async () => {
    const document = await simulate(20)
    expect(document).toMatchObject({ plan: 'planted', phase: 'canary', percentage: 5, runs: 20 })
    expect(document.scenarios.length).toBe(scenarios.length)
    expect(document.goals.map(({ shown }) => shown)).toEqual([false, false, false])
  })

  it('needs a canary', async () => {
    const plan = planOf()
    const none = { ...plan, phases: plan.phases.map((phase) => ({ ...phase, gates: [] })) }
    await expect(simulate(1, none)).rejects.toThrow(/no phase that puts agents on the new path/)
  })

  it('plays the canary of the shipped plans', () => {
    for (const name of ['quick', 'runsheet']) {
      const plan = readPlanFile(new URL(`../../../fixtures/migration/${name}.yaml`, import.meta.url).pathname)
      expect(canaryPhase(plan)?.name).toBe('canary-5')
    }
  })
})
