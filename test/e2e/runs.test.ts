/** `runs` through the command line, on a folder with a run, a hostile link, a broken run and something else. */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RunListing } from '../../src/measurement/run-listing.ts'
import { writeRecordedRun } from '../unit/certificates/recorded-run.ts'
import { Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
let runs = ''
const id = 'run-20261122-020736-1a2b'
beforeEach(() => {
  sandbox = new Sandbox()
  runs = join(sandbox.folder, 'runs')
  writeRecordedRun(runs, { rounds: 3 })
  mkdirSync(join(sandbox.folder, 'outside'))
  writeFileSync(join(sandbox.folder, 'outside', 'precious'), '')
  symlinkSync(join(sandbox.folder, 'outside'), join(runs, 'run-20261123-000000-0001'))
  mkdirSync(join(runs, 'run-20261124-000000-0002'))
  writeFileSync(join(runs, 'run-20261124-000000-0002', 'run.json'), '{"half')
  writeFileSync(join(runs, 'notes.txt'), '')
})
afterEach(() => sandbox.cleanUp())

it('lists what is there, newest first, with the reason of what is broken', async () => {
  const listed = await sandbox.run('runs', 'list', '--json')
  expect(listed.code, listed.stderr).toBe(0)
  const { runs: entries, others } = JSON.parse(listed.stdout) as RunListing
  expect(entries.map(({ id, state, decision }) => [id, state, decision])).toEqual([
    ['run-20261124-000000-0002', 'unreadable', null],
    ['run-20261123-000000-0001', 'unreadable', null],
    [id, 'decided', 'APPROVED'],
  ])
  expect(others).toBe(1)
  const text = await sandbox.run('runs', 'list', '--suite', 'compare', '--limit', '5')
  expect(text.stdout).toContain('1 RUN')
  expect(text.stdout).toContain('APPROVED')
  const wrong = await sandbox.run('runs', 'list', '--suite', 'comparsion')
  expect([wrong.code, wrong.stderr.includes("Did you mean 'comparison'?")]).toEqual([2, true])
})

it('shows one by a part of its id', async () => {
  const shown = await sandbox.run('runs', 'show', '20261122')
  expect(shown.code, shown.stderr).toBe(0)
  expect(shown.stdout).toMatch(/^APPROVED \(exit 0\)\nWithin 100 agents/)
  const broken = await sandbox.run('runs', 'show', 'latest')
  expect([broken.code, broken.stdout.startsWith('UNREADABLE: RUN.JSON IS NOT JSON')]).toEqual([0, true])
  expect((await sandbox.run('runs', 'show', 'run-2027')).code).toBe(2)
})

it('prunes only what it named, and only with --yes', async () => {
  expect((await sandbox.run('runs', 'prune')).code).toBe(2)
  const before = readdirSync(runs)
  const said = await sandbox.run('runs', 'prune', '--keep', '0')
  expect([said.code, said.stdout.includes('WOULD REMOVE 1 run'), said.stdout.includes('--yes')]).toEqual([
    0,
    true,
    true,
  ])
  writeFileSync(join(sandbox.folder, 'lighthouse.config.yaml'), 'yes: true\n')
  const configured = await sandbox.run('runs', 'prune', '--keep', '0')
  expect([configured.code, readdirSync(runs)], configured.stdout).toEqual([2, before])
  rmSync(join(sandbox.folder, 'lighthouse.config.yaml'))
  const dry = await sandbox.run('runs', 'prune', '--keep', '0', '--yes', '--dry-run')
  expect([dry.code, readdirSync(runs)]).toEqual([0, before])
  const done = await sandbox.run('runs', 'prune', '--keep', '0', '--yes', '--json')
  expect(done.code, done.stderr).toBe(0)
  expect(readdirSync(runs)).toEqual(before.filter((name) => name !== id))
  expect(existsSync(join(sandbox.folder, 'outside', 'precious'))).toBe(true)
})
