/** Migrations as a user types them: rehearsed, started, killed and taken up again, steered by others, explained. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MigrationAccount } from '../../src/measurement/migration-account.ts'
import type { DecisionExplanation, MigrationStatus } from '../../src/measurement/migration-document.ts'
import { Sandbox, type RunningCommand } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

/** Seconds instead of minutes; the canary has a quarter of the agents so that its gates come together in them. */
const plan = (soak: string): string => `name: short
evidence: { interval: 500ms, window: 10s, settle: 3s, patience: 10, coverage: 0.5 }
trips: [candidate.errorRate <= 5%, candidate.delivery.p99 <= 1000ms]
watchAfter: 1s
phases:
  - { name: baseline, percentage: 0, soak: 2s, gates: [baseline.errorRate < 5%] }
  - { name: canary, percentage: 25, soak: ${soak}, gates: [candidate.delivery.p99 < 800ms] }
  - { name: all, percentage: 100, soak: ${soak}, gates: [candidate.delivery.p99 < 800ms] }
`
const who = ['--actor', 'ada', '--reason', 'a test']
const journalOf = (status: Pick<MigrationStatus, 'folder'>): string =>
  join(sandbox.folder, status.folder, 'journal.jsonl')

beforeAll(() => {
  writeFileSync(join(sandbox.folder, 'short.yaml'), plan('4s'))
  writeFileSync(join(sandbox.folder, 'long.yaml'), plan('1h').replace('phases:', 'rollback: full\nphases:'))
})

describe('a rehearsal', () => {
  it('goes to the end and loses nothing, and its decisions can be explained', async () => {
    const done = await sandbox.run(
      'migrate',
      'rehearse',
      'short.yaml',
      '--agents',
      '40',
      '--rate',
      '300',
      '--output',
      'good',
      '--json',
    )
    expect(done.code, done.stderr).toBe(0)
    const { account, ...status } = JSON.parse(done.stdout) as MigrationStatus & { account: MigrationAccount }
    expect(status).toMatchObject({ status: 'completed', percentage: 100, lost: 0, taken: 1 })
    expect(status.decisions.map(({ kind }) => kind)).toEqual(['enter', 'enter', 'enter', 'complete'])
    expect(account.rounds.every(({ ledger }) => ledger.state === 'COMPLETE')).toBe(true)
    const explained = await sandbox.run('migrate', 'explain', '--output', 'good', '--json')
    const explanation = JSON.parse(explained.stdout) as DecisionExplanation
    expect(explanation).toMatchObject({ kind: 'complete', phase: 'all', gates: [{ verdict: 'MET' }] })
    const text = await sandbox.run(
      'migrate',
      'explain',
      '--output',
      'good',
      '--line',
      String(status.decisions[1]?.line),
    )
    expect(text.stdout).toMatch(/^DECISION: enter canary: 25 % of agents on the new path\n/)
    expect(text.stdout).toMatch(/every decision up to this one was come to\s+again/)
    appendFileSync(journalOf(status), '{}\n')
    const altered = await sandbox.run('migrate', 'explain', '--output', 'good')
    expect([altered.code, altered.stderr]).toEqual([24, expect.stringMatching(/The journal .* was altered: line \d+/)])
  }, 120_000)

  it('with a planted regression sends everybody back by itself, and reports the incident', async () => {
    const planted = ['--plant-from', '50', '--plant-stall', '1200ms']
    const done = await sandbox.run(
      'migrate',
      'rehearse',
      'short.yaml',
      '--agents',
      '40',
      '--rate',
      '300',
      '--output',
      'bad',
      ...planted,
    )
    expect(done.code, done.stderr).toBe(21)
    expect(done.stdout).toMatch(/^ROLLED BACK\n/)
    expect(done.stdout).toMatch(/ACCOUNT OF THE LOAD: NOTHING LOST, DUPLICATED OR REORDERED/)
    const [id = ''] = readdirSync(join(sandbox.folder, 'bad'))
    const names = readdirSync(join(sandbox.folder, 'bad', id))
    const incident = readFileSync(
      join(sandbox.folder, 'bad', id, names.find((name) => name.startsWith('incident')) ?? ''),
      'utf8',
    )
    expect(incident).toMatch(/^# ROLLBACK INCIDENT\n/)
    expect(incident).toMatch(/\| verified \| 0 % \| as it should be \|/)
    expect(incident).toMatch(/A trip decided; nobody was asked/)
    const explained = await sandbox.run('migrate', 'explain', id, '--output', 'bad')
    expect(explained.stdout).toMatch(/^DECISION: roll back \(full\), to 0 %/)
  }, 120_000)
})

it('says what moving agents back and forth would take, and what it cannot do', async () => {
  const dry = await sandbox.run('bench', 'migration', '--dry-run')
  expect([dry.code, dry.stdout]).toEqual([0, expect.stringMatching(/^1000 agents, 1000 exchanges\/s/)])
  for (const [words, message] of [
    [['--agents', '20'], /of 20 agents that may be nobody/],
    [['--dwell', '7s'], /the least is 20s/i],
  ] as const) {
    const refused = await sandbox.run('bench', 'migration', ...words)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)])
  }
})

describe('a migration of a bridge', () => {
  let bridge: { command: RunningCommand; url: string }
  const target = (): string[] => ['--url', bridge.url, '--admin-key-file', 'admin.key']
  const status = async (): Promise<MigrationStatus> =>
    JSON.parse((await sandbox.run('migrate', 'status', '--json')).stdout) as MigrationStatus

  beforeAll(async () => {
    const command = sandbox.start(
      'serve',
      'bridge',
      '--port',
      '0',
      '--admin-key-file',
      'admin.key',
      '--enrolment-key-file',
      'ek',
      '--options',
      'observe=500ms',
    )
    const line = await command.shows(/bridge ready at (\S+)\n/)
    bridge = { command, url: line.trim().split(' ').at(-1) ?? '' }
  })

  it('says what is missing before it writes anything', async () => {
    for (const [words, message] of [
      [['start'], /no plan was named/],
      [['start', 'long.yaml', ...target()], /--actor/],
      [['start', 'long.yaml', '--resume', 'latest', ...who, ...target()], /--resume takes no plan/],
      [['start', 'quick', ...who, ...target()], /measures intervals of 0\.5 s, and the plan is about intervals of 1 s/],
      [['status'], /there is no migration in migrations/],
      [['approve', 'nothing', ...who], /no migration in migrations begins with/],
      [['rollback'], /--actor/],
    ] as const) {
      const refused = await sandbox.run('migrate', ...words)
      expect([refused.code, refused.stderr], words.join(' ')).toEqual([2, expect.stringMatching(message)])
    }
    expect(readdirSync(sandbox.folder)).not.toContain('migrations')
  })

  it('is killed, taken up again, paused and sent back by others', async () => {
    const first = sandbox.start('migrate', 'start', 'long.yaml', ...who, ...target())
    await first.shows(/directed: phase baseline/)
    const second = await sandbox.run('migrate', 'start', '--resume', 'latest', ...target())
    expect([second.code, second.stderr]).toEqual([2, expect.stringMatching(/another process carries on/)])
    expect(await status()).toMatchObject({ carriedOn: true, status: 'soaking', phase: { name: 'baseline' } })
    first.child.kill('SIGKILL')
    await first.ended
    expect(await status()).toMatchObject({ carriedOn: false, taken: 1 })

    const waiting = await sandbox.run('migrate', 'pause', ...who)
    expect([waiting.code, waiting.stderr]).toEqual([0, expect.stringMatching(/waits until somebody does/)])
    const again = sandbox.start('migrate', 'start', '--resume', 'latest', ...target())
    await again.shows(/paused by ada/)
    expect(await status()).toMatchObject({ carriedOn: true, paused: true, taken: 2 })
    const twice = await sandbox.run('migrate', 'approve', ...who)
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/waits for nobody's approval/)])
    const resumed = await sandbox.run('migrate', 'resume', ...who)
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringMatching(/resumed: taken/)])
    expect(await status()).toMatchObject({ paused: false })

    const watching = sandbox.start('migrate', 'watch')
    await watching.shows(/resumed by ada/)
    const back = await sandbox.run('migrate', 'rollback', ...who)
    expect(back.code, back.stderr).toBe(21)
    expect(back.stderr).toMatch(/verified \(not as it should be\): not verified: the old path delivered in 0 intervals/)
    expect((await again.ended).code).toBe(21)
    expect((await watching.ended).code).toBe(21)
    const late = await sandbox.run('migrate', 'rollback', ...who)
    expect([late.code, late.stderr]).toEqual([2, expect.stringMatching(/was rolled back and stays so/)])
  }, 120_000)

  it('ends in good order when it is interrupted, and goes back without anybody who carries it on', async () => {
    const first = sandbox.start('migrate', 'start', 'long.yaml', '--output', 'other', ...who, ...target())
    await first.shows(/directed: phase baseline/)
    first.child.kill('SIGINT')
    const ended = await first.ended
    expect([ended.code, ended.stderr]).toEqual([
      130,
      expect.stringMatching(/go on with: lighthouse migrate start --resume migration-/),
    ])
    const back = await sandbox.run('migrate', 'rollback', '--output', 'other', ...who, ...target())
    expect(back.code, back.stderr).toBe(21)
    expect(back.stderr).toMatch(/no process carries it on: this one does/)
    expect(back.stdout).toMatch(/^ROLLED BACK\n/)
  }, 60_000)
})
