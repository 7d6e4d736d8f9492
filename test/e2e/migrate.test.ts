/** `migrate plan` and `migrate simulate` as a user types them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { PlanDocument, SimulationDocument } from '../../src/measurement/simulation-document.ts'
import { Sandbox } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

it('checks a plan and says what it asks for', async () => {
  const shipped = await sandbox.run('migrate', 'plan', 'runsheet', '--rate', '200')
  expect(shipped.code, shipped.stderr).toBe(0)
  expect(shipped.stdout).toMatch(/^PLAN runsheet\n6 phases, 37 d at least\n/)
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

it('can be interrupted', async () => {
  const started = sandbox.start('migrate', 'simulate', 'runsheet', '--runs', '1000')
  await started.shows(/good: 100 of 1000 runs/)
  started.child.kill('SIGINT')
  expect((await started.ended).code).toBe(130)
}, 60_000)
