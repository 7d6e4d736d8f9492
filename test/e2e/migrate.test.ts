/** `migrate plan` and `migrate simulate` as a user types them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { PlanDocument, SimulationDocument } from '../../src/measurement/simulation-document.ts'
import type { ComparisonDocument } from '../../src/measurement/comparison-document.ts'
import { PlantedJournal } from '../unit/migration/planted-journal.ts'
import { Sandbox } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

it('checks a plan and says what it asks for', async () => {
  const shipped = await sandbox.run('migrate', 'plan', 'runsheet', '--rate', '200')
  expect(shipped.code, shipped.stderr).toBe(0)
  expect(shipped.stdout).toMatch(/^PLAN runsheet\n7 phases, 44 d at least\n/)
  const json = await sandbox.run('migrate', 'plan', 'quick', '--json')
  expect((JSON.parse(json.stdout) as PlanDocument).phases.map(({ percentage }) => percentage)).toEqual([
    0, 5, 25, 50, 75, 100,
  ])
  writeFileSync(join(sandbox.folder, 'mine.yaml'), 'name: mine\nphases:\n  - { name: a, percentage: 5, soak: 1x }\n')
  const wrong = await sandbox.run('migrate', 'plan', 'mine.yaml')
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/mine\.yaml:3.*must be a duration/s)])
  const misspelt = await sandbox.run('migrate', 'plan', 'runshet')
  expect([misspelt.code, misspelt.stderr]).toEqual([
    2,
    expect.stringMatching(/there is no plan 'runshet'.*Did you mean 'runsheet'/s),
  ])
  const missing = await sandbox.run('migrate', 'plan', 'nothing.yaml')
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringMatching(/there is no such file/)])
})

it('simulates a plan, with an exit code that says whether its goals were shown', async () => {
  const few = await sandbox.run('migrate', 'simulate', 'quick', '--runs', '20', '--rate', '1000', '--json')
  expect(few.code, few.stderr).toBe(23)
  const document = JSON.parse(few.stdout) as SimulationDocument
  expect(document).toMatchObject({ plan: 'quick', phase: 'canary-5', runs: 20, perSecond: 1000 })
  expect(document.scenarios.map(({ promoted, rolledBack, held }) => promoted + rolledBack + held)).toEqual(
    document.scenarios.map(() => 20),
  )
  expect(few.stderr).toMatch(/11 of 11: 10 times, from half-time on: of 20 runs/)
  const again = await sandbox.run('migrate', 'simulate', 'quick', '--runs', '20', '--rate', '1000', '--json')
  expect(again.stdout).toBe(few.stdout)
  const text = await sandbox.run('migrate', 'simulate', 'quick', '--runs', '20', '--rate', '1000', '--quiet')
  expect(text.stdout).toMatch(/^3 OF 3 GOALS NOT SHOWN \(exit 23\)\n/)
  expect(text.stderr).toBe('')
})

it('compares the groups of a migration, with an exit code that says what is shown', async () => {
  const journal = new PlantedJournal(join(sandbox.folder, 'migrations'))
  journal.observe(13)
  const early = await sandbox.run('migrate', 'compare')
  expect(early.code, early.stderr).toBe(23)
  expect(early.stdout).toMatch(/^THE NEW PATH IN half: NOT DEMONSTRATED \(exit 23\)\n/)
  journal.observe(80)
  const json = await sandbox.run('migrate', 'compare', 'latest', '--phase', 'half', '--json')
  expect(json.code, json.stderr).toBe(0)
  const document = JSON.parse(json.stdout) as ComparisonDocument
  expect(document).toMatchObject({ phase: 'half', verdict: 'NON_INFERIOR', plan: 'compared' })
  expect(document.phases[0]).toMatchObject({ percentage: 50, intervals: 91, margin: 1.1, quantile: 'p99' })
  const again = await sandbox.run('migrate', 'compare', '--phase', 'half', '--json')
  expect(again.stdout).toBe(json.stdout)
  journal.close()
  const slower = new PlantedJournal(join(sandbox.folder, 'slower'))
  slower.observe(93, () => ({ candidate: { slowness: 1.5 } }))
  slower.close()
  const worse = await sandbox.run('migrate', 'compare', '--output', 'slower')
  expect([worse.code, worse.stdout]).toEqual([21, expect.stringMatching(/^THE NEW PATH IN half: SHOWN TO BE WORSE/)])
  const nowhere = await sandbox.run('migrate', 'compare', '--phase', 'third')
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/has no phase third.*quarter, half/s)])
}, 60_000)

it('can be interrupted', async () => {
  const started = sandbox.start('migrate', 'simulate', 'runsheet', '--runs', '1000')
  await started.shows(/good: 100 of 1000 runs/)
  started.child.kill('SIGINT')
  expect((await started.ended).code).toBe(130)
}, 60_000)
