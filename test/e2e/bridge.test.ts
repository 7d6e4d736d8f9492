/** `serve bridge` and `flags` as a user types them: a share is moved, the log tells by whom, and survives a kill. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { BridgeStatus, FlagHistory } from '../../src/measurement/flags-document.ts'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import type { RoundEvidence } from '../../src/measurement/round-evidence.ts'
import { roundFolder } from '../../src/measurement/run-names.ts'
import type { ShadowReport } from '../../src/measurement/shadow-document.ts'
import { LegacyAgent } from '../unit/bridge/bridge-harness.ts'
import { acceptance, question } from '../unit/elicitation/engine-harness.ts'
import { Sandbox, type RunningCommand } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

const keys = ['--enrolment-key-file', 'enrolment.key', '--admin-key-file', 'admin.key']

async function serve(...args: string[]): Promise<{ command: RunningCommand; url: string }> {
  const store = args.includes('--store') ? [] : ['--store', 'events.db']
  const command = sandbox.start('serve', 'bridge', ...store, ...keys, ...args)
  const line = await command.shows(/bridge ready at (\S+)\n/)
  return { command, url: line.trim().split(' ').at(-1) ?? '' }
}

async function flags(url: string, ...args: string[]) {
  const [verb = '', ...rest] = args
  return sandbox.run('flags', verb, '--url', url, '--admin-key-file', 'admin.key', ...rest)
}

it('moves a share of agents, says by whom and why, and goes on after a kill', async () => {
  const first = await serve('--port', '0')
  const who = ['--actor', 'ada', '--reason', 'canary']
  const set = await flags(first.url, 'set', '--enabled', '--percentage', '12.5', '--opt-in', 'a1,a2', ...who)
  expect(set.code, set.stderr).toBe(0)
  expect(set.stdout).toMatch(/^PUSH FOR 12\.5 % OF AGENTS\n/)
  const shown = JSON.parse((await flags(first.url, 'show', '--json')).stdout) as BridgeStatus
  expect(shown).toMatchObject({ revision: 1, actor: 'ada', reason: 'canary', agents: { known: 0 } })
  expect(shown.flags).toMatchObject({ enabled: true, percentage: 12.5, optIn: ['a1', 'a2'], dualMode: true })
  first.command.child.kill('SIGKILL')
  await first.command.ended

  const second = await serve('--port', '0')
  const again = await flags(
    second.url,
    'set',
    '--opt-in',
    'none',
    '--no-fallback',
    '--actor',
    'bob',
    '--reason',
    'done',
  )
  expect(again.code, again.stderr).toBe(0)
  const log = JSON.parse((await flags(second.url, 'log', '--json')).stdout) as FlagHistory
  expect(log.records.map(({ revision, actor }) => [revision, actor])).toEqual([
    [0, 'lighthouse'],
    [1, 'ada'],
    [2, 'bob'],
  ])
  expect(log.records[2]?.flags).toMatchObject({ percentage: 12.5, optIn: [], fallback: false })
  const listed = await flags(second.url, 'log')
  expect(listed.stdout).toMatch(/^3 RECORDS, CHAIN INTACT\n/)
  expect(listed.stdout).toMatch(/1: [\d :-]+ UTC, ada: canary: enabled on, percentage 12\.5 %, optIn a1 a2/)
  second.command.child.kill('SIGTERM')
  expect((await second.command.ended).code).toBe(143)

  const file = join(sandbox.folder, 'events.db.flags.jsonl')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('canary', 'Canary'))
  const altered = await sandbox.run('serve', 'bridge', '--port', '0', '--store', 'events.db', ...keys)
  expect(altered.code).toBe(24)
  expect(altered.stderr).toMatch(/flags\.jsonl was altered: line 2/)
  writeFileSync(file, text)
  appendFileSync(file, '{"revision":3,"at')
  const third = await serve('--port', '0')
  expect((JSON.parse((await flags(third.url, 'show', '--json')).stdout) as BridgeStatus).revision).toBe(2)
  third.command.child.kill('SIGTERM')
  await third.command.ended
}, 60_000)

it('names what is wrong with a change', async () => {
  const { command, url } = await serve('--port', '0')
  const who = ['--actor', 'ada', '--reason', 'canary']
  const wrong: [string[], number, RegExp][] = [
    [['set', '--percentage', '5', '--reason', 'x'], 2, /needs --actor/],
    [['set', '--percentage', '5', '--actor', 'x'], 2, /needs --reason/],
    [['set', ...who], 2, /no flag is to be changed/],
    [['set', '--percentage', '101', ...who], 2, /100/],
    [['set', '--percentage', '0.005', ...who], 2, /steps of 0\.01/],
    [['set', '--opt-in', 'a b', ...who], 2, /no agent's name/],
    [['set', '--percentag', '5', ...who], 2, /--percentage/],
  ]
  for (const [args, code, text] of wrong) {
    const ended = await flags(url, ...args)
    expect([ended.code, ended.stderr], args.join(' ')).toEqual([code, expect.stringMatching(text)])
    expect(ended.stderr).not.toContain('    at ')
  }
  writeFileSync(join(sandbox.folder, 'other.key'), 'not-the-key-of-this-bridge\n')
  const denied = await sandbox.run('flags', 'show', '--url', url, '--admin-key-file', 'other.key')
  expect([denied.code, denied.stderr]).toEqual([24, expect.stringMatching(/does not take the admin key/)])
  expect(denied.stderr).not.toContain('not-the-key')
  const nobody = await sandbox.run('flags', 'show', '--url', 'http://127.0.0.1:1', '--admin-key-file', 'admin.key')
  expect(nobody.code).toBe(24)
  command.child.kill('SIGTERM')
  await command.ended
}, 60_000)

it('is measured like any other engine, on either path', async () => {
  const size = ['--profile', 'smoke', '--rounds', '3', '--round-duration', '1s', '--agents', '20', '--rate', '40']
  const engines = 'bridge:percentage=0:interval=50ms,bridge:percentage=100'
  const ended = await sandbox.run('bench', 'compare', '--engines', engines, ...size, '--no-certificate', '--json')
  expect([0, 20, 21, 23], ended.stderr).toContain(ended.code)
  const results = JSON.parse(ended.stdout) as ResultsDocument
  expect(results.engines.map(({ label }) => label)).toEqual(engines.split(','))
  // On a busy machine no round may count, so what was done is read from the rounds themselves.
  for (const round of [0, 1, 2]) {
    for (const engine of engines.split(',')) {
      const folder = join(sandbox.runDirectories()[0] ?? '', 'rounds', roundFolder(round, engine, 0))
      const { counts } = JSON.parse(readFileSync(join(folder, 'round.json'), 'utf8')) as RoundEvidence
      expect(counts.scheduled).toBeGreaterThan(20)
      expect(counts.completed).toBe(counts.scheduled)
    }
  }
}, 60_000)

it('compares copies of exchanges on the old path with what they came to', async () => {
  const without = await serve('--port', '0', '--store', 'unshadowed.db')
  const off = await flags(without.url, 'shadow')
  expect([off.code, off.stdout]).toEqual([23, expect.stringMatching(/^NOTHING WAS COMPARED.*has no shadow/s)])
  without.command.child.kill('SIGTERM')
  await without.command.ended

  const { command, url } = await serve('--port', '0', '--store', 'shadowed.db', '--options', 'shadow=on:interval=20ms')
  const read = async (): Promise<ShadowReport> =>
    JSON.parse((await flags(url, 'shadow', '--json')).stdout) as ShadowReport
  for (let time = 0; time < 20 && (await read()).state !== 'on'; time++) continue
  const key = readFileSync(join(sandbox.folder, 'enrolment.key'), 'utf8').trim()
  const [asker, asked] = [await LegacyAgent.enrol(url, 'asker', key), await LegacyAgent.enrol(url, 'asked', key)]
  await asker.ask('x:asker:1', 'asked', question)
  expect((await asked.wait()).events).toHaveLength(1)
  await asked.answer('x:asker:1', 'asker', 'accept', acceptance)
  expect((await asker.wait()).events).toHaveLength(1)
  for (let time = 0; time < 20 && (await read()).compared === 0; time++) continue
  expect(await read()).toMatchObject({ state: 'on', copies: 1, compared: 1, examples: [], delivered: { both: 1 } })
  const shown = await flags(url, 'shadow')
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringMatching(/^THE NEW PATH CAME TO THE SAME \(exit 0\)\n/)])
  command.child.kill('SIGTERM')
  expect((await command.ended).code).toBe(143)
}, 60_000)
