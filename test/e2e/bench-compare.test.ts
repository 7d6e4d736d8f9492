import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../src/measurement/run-directory.ts'
import { deriveResults } from '../../src/measurement/derive.ts'
import { publishedErrors } from '../published-schema.ts'
import { childrenOf, isAlive, Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

const small = [
  '--profile',
  'smoke',
  '--agents',
  '10',
  '--rate',
  '40',
  '--round-duration',
  '500ms',
  '--warmup',
  '100ms',
] as const
const decisions = [0, 20, 21, 22, 23]

type Printed = ResultsDocument & { runDirectory: string; certificate: string | null }

function parse(stdout: string): Printed {
  return JSON.parse(stdout) as Printed
}

/** What must hold of every run, however noisy the machine. */
function expectSound(results: Printed): void {
  expect(results.schemaVersion).toBe(1)
  expect(results.suite).toBe('comparison')
  expect(results.engines.map(({ role }) => role).at(-1)).toBe('candidate')
  for (const { exchanges, label } of results.engines) {
    const { scheduled, completed, refused, timedOut, lost } = exchanges
    expect(scheduled, label).toBe(completed + refused + timedOut + lost)
    const broken = [
      exchanges.duplicated,
      exchanges.phantom,
      exchanges.misdelivered,
      exchanges.corrupt,
      exchanges.unexpected,
    ]
    expect(broken, label).toEqual([0, 0, 0, 0, 0])
    expect(exchanges.lost, label).toBe(0)
  }
  const folder = openRunDirectory(results.runDirectory)
  const { runDirectory: _path, certificate: _certificate, ...published } = results
  expect(folder.results).toEqual(published)
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
}

describe('bench compare', () => {
  it('measures both engines, writes a run that derives to what it printed, and certifies it', async () => {
    const { code, stdout, stderr } = await sandbox.run('bench', 'compare', ...small, '--json')
    expect(decisions).toContain(code)
    const results = parse(stdout)
    expect(results.exitCode).toBe(code)
    results.runDirectory = join(sandbox.folder, results.runDirectory)
    expectSound(results)
    expect(results.engines.map(({ name }) => name)).toEqual(['polling', 'elicitation'])
    expect(stderr).toContain('round 3 of 3')
    if (results.certificate === null) throw new Error('no certificate was issued')
    const verified = await sandbox.run('certify', 'verify', results.certificate, '--json')
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  })

  it('runs in child processes, over SSE, with control arms and options, and prints for people', async () => {
    const engines = 'polling:interval=100ms,hybrid,elicitation:batching=off,elicitation'
    const { code, stdout } = await sandbox.run(
      ...['bench', 'compare', ...small, '--engines', engines, '--host', 'process', '--transport', 'sse'],
      ...['--pattern', 'ring', '--no-certificate', '--quiet'],
    )
    expect(decisions).toContain(code)
    expect(stdout.split('\n', 3).join(' ')).toMatch(/APPROVED|REMEDIATION|REVIEW|STOP/)
    const [directory = ''] = sandbox.runDirectories()
    const { results } = openRunDirectory(directory)
    const document = results as ResultsDocument
    expect(document.engines.map(({ label }) => label)).toEqual(engines.split(','))
    expect(document.engines.map(({ host }) => host)).toEqual(['process', 'process', 'process', 'process'])
    expect(document.engines.at(-1)?.transport).toBe('sse')
    expect(document.comparisons.some(({ baseline }) => baseline === 'elicitation:batching=off')).toBe(true)
    expectSound({ ...document, runDirectory: directory, certificate: null })
  })

  it('starts nothing in a dry run', async () => {
    const { code, stdout } = await sandbox.run('bench', 'compare', '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toContain('Nothing was started')
    expect(() => sandbox.runDirectories()).toThrow(/ENOENT/)
  })

  it('ends with 25 when the time budget is used up, keeping what it measured', async () => {
    const { code, stdout } = await sandbox.run(
      'bench',
      'compare',
      ...small,
      '--rounds',
      '100',
      '--time-budget',
      '3s',
      '--json',
    )
    expect(code).toBe(25)
    expect(publishedErrors('results-output.schema.json', parse(stdout))).toEqual([])
    const { results } = openRunDirectory(join(sandbox.folder, parse(stdout).runDirectory))
    expect((results as ResultsDocument).decision).toBe('NEEDS_FURTHER_REVIEW')
  })

  it.each([
    ['an unknown flag', ['--agent', '10'], 2, /agents/],
    ['an odd number of paired agents', ['--agents', '11'], 2, /even number/],
    ['an unknown engine', ['--engines', 'poling,elicitation'], 2, /polling/],
    ['an unknown engine option', ['--engines', 'polling:intervall=1s,elicitation'], 2, /interval/],
    ['one engine only', ['--engines', 'elicitation'], 2, /2 to 8/],
    ['a duration without a unit', ['--deadline', '72'], 2, /unit/],
    ['a targets file that is not there', ['--targets', 'nowhere.yaml'], 2, /nowhere\.yaml/],
    ['more agents than descriptors', ['--agents', '900000'], 24, /descriptors/],
    [
      'an engine that is not there',
      ['--elicitation-url', 'http://127.0.0.1:9', '--enrolment-key-file', 'ek'],
      24,
      /127\.0\.0\.1:9/,
    ],
  ])('refuses %s', async (_name, args, expected, message) => {
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(sandbox.folder, 'ek'), 'an-enrolment-key-for-tests\n')
    const { code, stderr } = await sandbox.run('bench', 'compare', ...args)
    expect(code, stderr).toBe(expected)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
  })
})

describe('an interrupted bench compare', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('after %s leaves with %i, a readable partial run and no child', async (signal, expected) => {
    const command = sandbox.start('bench', 'compare', ...small, '--rounds', '50', '--host', 'process')
    await command.shows(/round 2 of 50/)
    const pid = command.child.pid ?? -1
    const children = childrenOf(pid)
    expect(children.length).toBeGreaterThanOrEqual(4)
    process.kill(pid, signal)
    const { code, stderr } = await command.ended
    expect(code, stderr).toBe(expected)
    expect(children.filter(isAlive)).toEqual([])
    const [directory = ''] = sandbox.runDirectories()
    expect(stderr).toContain(directory.slice(sandbox.folder.length + 1))
    const run = openRunDirectory(directory)
    expect(run.manifest.interrupted).toBe(true)
    expect(run.rounds.length).toBeGreaterThan(0)
    expect((run.results as ResultsDocument).decision).toBe('NEEDS_FURTHER_REVIEW')
    expect(publishedErrors('results.schema.json', run.results)).toEqual([])
    expect(readFileSync(join(directory, 'report.md'), 'utf8')).toContain('NEEDS_FURTHER_REVIEW')
  })

  it('takes its children along when it is killed outright', async () => {
    const command = sandbox.start('bench', 'compare', ...small, '--rounds', '50', '--host', 'process')
    await command.shows(/round 2 of 50/)
    const children = childrenOf(command.child.pid ?? -1)
    command.child.kill('SIGKILL')
    await command.ended
    const deadline = performance.now() + 10_000
    while (children.some(isAlive) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(children.filter(isAlive)).toEqual([])
    const [directory = ''] = sandbox.runDirectories()
    expect(openRunDirectory(directory).rounds.length).toBeGreaterThan(0)
  })
})
