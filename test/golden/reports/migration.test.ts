/** Plans and simulations, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import type { ScenarioResult, SimulationDocument } from '../../../src/measurement/simulation-document.ts'
import { outlinePlan } from '../../../src/migration/outline.ts'
import { readPlanFile } from '../../../src/migration/plan-file.ts'
import { scenarios } from '../../../src/migration/simulation.ts'
import { renderPlan, renderSimulation } from '../../../src/reports/migration-text.ts'

const shipped = (name: string) =>
  readPlanFile(new URL(`../../../fixtures/migration/${name}.yaml`, import.meta.url).pathname)

const result = (index: number): ScenarioResult => {
  const scenario = scenarios[index] ?? expect.fail('there are scenarios')
  const [good, bad] = [index < 3, index > 6]
  return {
    scenario,
    runs: 3000,
    promoted: good ? 2999 : 0,
    rolledBack: bad ? 3000 : 0,
    held: good || bad ? 0 : 3000,
    promotedAtMost: good ? 1 : 0.000998,
    rolledBackAtMost: bad ? 1 : 0.000998,
    medianExchangesToRollback: bad ? 25 * index : null,
    medianMsToRollback: bad ? 10_000 * index ** 3 : null,
  }
}
const shown: SimulationDocument = {
  schemaVersion: 1,
  plan: 'runsheet',
  planSha256: 'c0ffee',
  phase: 'canary-5',
  percentage: 5,
  soakMs: 172_800_000,
  intervalMs: 10_000,
  seed: 'simulation',
  runs: 3000,
  agents: 10_000,
  perSecond: 50,
  scenarios: scenarios.map((_, index) => result(index)),
  goals: [
    { title: 'An engine at the bound is promoted at most once in 100', found: '0 of 3000, at most 0.0998 %', shown: true },
    { title: 'A gross regression is sent back within 100 exchanges', found: '75 exchanges', shown: true },
  ],
}
const missed: SimulationDocument = {
  ...shown,
  plan: 'mine\u001b[31m │ forged',
  goals: [{ title: 'A goal', found: '3 of 20, at most 34.4 %', shown: false }, ...shown.goals.slice(1)],
}

describe.each([60, 100])('at %d columns', (width) => {
  const style = { width, color: false }
  const fits = (text: string): string => {
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    return text
  }

  it.each([
    ['runsheet', 200],
    ['quick', null],
    ['hooks-example/plan', null],
  ] as const)('the plan %s', async (name, rate) => {
    await expect(fits(renderPlan(outlinePlan(shipped(name), rate), style))).toMatchFileSnapshot(
      `plan-${name.split('/', 1)[0]}-${width}.txt`,
    )
  })

  it('a plan whose soaks are short for what it asks', async () => {
    await expect(fits(renderPlan(outlinePlan(shipped('quick'), 20), style))).toMatchFileSnapshot(`plan-short-${width}.txt`)
  })

  it.each([
    ['shown', shown],
    ['missed', missed],
  ])('a simulation whose goals were %s', async (name, document) => {
    await expect(fits(renderSimulation(document, style))).toMatchFileSnapshot(`simulation-${name}-${width}.txt`)
  })
})
