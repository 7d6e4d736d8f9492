/** The worked example of docs/migration-hooks.md: a system of somebody's own is moved by its hooks, and sent back when it got worse. */
import { spawn, type ChildProcess } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { MigrationStatus } from '../../src/measurement/migration-document.ts'
import type { PlanDocument } from '../../src/measurement/simulation-document.ts'
import { RunningCommand, Sandbox } from './lighthouse-cli.ts'

const example = fileURLToPath(new URL('../../fixtures/migration/hooks-example', import.meta.url))
const token = 'planted-token-4711'
const who = ['--actor', 'ada', '--reason', 'tries it out']
const sandboxes: Sandbox[] = []
const systems: ChildProcess[] = []
afterAll(() => {
  for (const system of systems) system.kill('SIGKILL')
  for (const sandbox of sandboxes) sandbox.cleanUp()
})

/** The example's folder, its system on a free port, and a plan that names that port. */
async function start(environment: Record<string, string> = {}): Promise<Sandbox> {
  const sandbox = new Sandbox()
  sandboxes.push(sandbox)
  cpSync(example, sandbox.folder, { recursive: true })
  const PATH = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
  const child = spawn(process.execPath, ['system.mjs'], {
    cwd: sandbox.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, EXAMPLE_PORT: '0', EXAMPLE_TOKEN: token, ...environment },
  })
  systems.push(child)
  const port = /\d+$/.exec(await new RunningCommand(child).shows(/serving http:\/\/127\.0\.0\.1:\d+/))?.[0] ?? ''
  const plan = join(sandbox.folder, 'plan.yaml')
  writeFileSync(plan, readFileSync(plan, 'utf8').replaceAll('127.0.0.1:8790', `127.0.0.1:${port}`))
  Object.assign(sandbox.environment, { PATH, EXAMPLE_PORT: port, EXAMPLE_TOKEN: token })
  return sandbox
}

/** Everything that a migration left on disk. */
function written(sandbox: Sandbox): string {
  const folder = join(sandbox.folder, 'migrations')
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n')
}

it('is moved to the end, phase by phase, and no secret is left behind', async () => {
  const sandbox = await start()
  const ended = await sandbox.run('migrate', 'start', 'plan.yaml', ...who, '--json')
  expect(ended.code, ended.stdout + ended.stderr).toBe(0)
  const status = JSON.parse(ended.stdout) as MigrationStatus
  expect(status).toMatchObject({ status: 'completed', percentage: 100, system: { kind: 'hooks' } })
  expect(status.decisions.map(({ text }) => text)).toEqual([
    'enter baseline: 0 % of agents on the new path',
    'enter half: 50 % of agents on the new path',
    'enter all: 100 % of agents on the new path',
    'the last phase has met its gates',
  ])
  const explained = await sandbox.run('migrate', 'explain', '--json')
  expect(explained.code, explained.stderr).toBe(0)
  const all = written(sandbox) + ended.stdout + ended.stderr
  expect(all).toContain('EXAMPLE_TOKEN')
  expect(all).not.toContain(token)
})

it('is sent back when the new path was made worse, with exit code 21 and a report', async () => {
  const sandbox = await start({ EXAMPLE_DELAY: '700' })
  const ended = await sandbox.run('migrate', 'start', 'plan.yaml', ...who, '--json')
  expect(ended.code, ended.stdout + ended.stderr).toBe(21)
  const status = JSON.parse(ended.stdout) as MigrationStatus
  expect(status).toMatchObject({ status: 'rolledBack', percentage: 0 })
  const steps = status.decisions.at(-1)?.steps.map(({ step, ok }) => [step, ok])
  expect(steps).toEqual([
    ['capacity', true],
    ['shifted', true],
    ['drained', true],
    ['verified', true],
  ])
  expect(written(sandbox)).toMatch(/Median of deliveries/)
})

it('is taken up again after a kill, and sent back by word of a person when nobody carries it on', async () => {
  const sandbox = await start()
  const killed = sandbox.start('migrate', 'start', 'plan.yaml', ...who)
  await killed.shows(/directed: phase half/)
  killed.child.kill('SIGKILL')
  await killed.ended
  // The hooks are those of the journal: the file is not asked again.
  writeFileSync(join(sandbox.folder, 'plan.yaml'), 'gone')
  const resumed = sandbox.start('migrate', 'start', '--resume', 'latest')
  await resumed.shows(/directed: phase all/)
  resumed.child.kill('SIGINT')
  expect((await resumed.ended).code).toBe(130)
  const back = await sandbox.run('migrate', 'rollback', ...who, '--json')
  expect(back.code, back.stdout + back.stderr).toBe(21)
  const status = JSON.parse(back.stdout) as MigrationStatus
  expect(status).toMatchObject({ status: 'rolledBack', percentage: 0, taken: 3 })
  expect(status.decisions.at(-1)?.steps.at(-1)).toMatchObject({ step: 'verified', ok: true })
})

describe('before anything is begun', () => {
  it('a plan says what it starts and calls', async () => {
    const sandbox = await start()
    const shown = await sandbox.run('migrate', 'plan', 'plan.yaml')
    expect(shown.code, shown.stderr).toBe(0)
    expect(shown.stdout).toMatch(/HOOKS.*POST http:\/\/127\.0\.0\.1:\d+\/percentage.*EXAMPLE_TOKEN.*node health\.mjs/s)
    const json = await sandbox.run('migrate', 'plan', 'plan.yaml', '--json')
    expect((JSON.parse(json.stdout) as PlanDocument).hooks.map(({ name, kind }) => [name, kind])).toEqual([
      ['setPercentage', 'http'],
      ['health', 'command'],
      ['observe', 'http'],
      ['whereabouts', 'http'],
    ])
  })

  it('an address of a bridge, a variable that is not set and a hook that fails are refused', async () => {
    const sandbox = await start()
    const begin = (...more: string[]) => sandbox.run('migrate', 'start', 'plan.yaml', ...who, ...more)
    const withUrl = await begin('--url', 'http://127.0.0.1:1')
    expect([withUrl.code, withUrl.stderr]).toEqual([2, expect.stringMatching(/--url is about a bridge/)])
    sandbox.environment['EXAMPLE_PORT'] = '1'
    const unhealthy = await begin()
    expect([unhealthy.code, unhealthy.stderr]).toEqual([
      24,
      expect.stringMatching(/hook health \(node health\.mjs\) failed: exit code 1/),
    ])
    delete sandbox.environment['EXAMPLE_TOKEN']
    const without = await begin()
    expect([without.code, without.stderr]).toEqual([2, expect.stringMatching(/EXAMPLE_TOKEN is not set/)])
    expect(readdirSync(sandbox.folder)).not.toContain('migrations')
  })
})
