/**
 * `bench endurance` on real engines: intervals that derive to what was printed, a run that is killed and resumed, and an engine with a planted
 * leak, found by name beside a cache that only fills.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { enduranceRequest } from '../../src/configuration/endurance-request.ts'
import { deriveResults } from '../../src/measurement/derive.ts'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../src/measurement/run-directory.ts'
import { outlineEndurance, runEndurance } from '../../src/suites/run-endurance.ts'
import { publishedErrors } from '../published-schema.ts'
import { leakBytesPerSecond } from './leaking-engine.ts'
import { Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

type Printed = ResultsDocument & { runDirectory: string; certificate: string | null }
const decisions = [0, 20, 21, 22, 23]
const small = ['--profile', 'smoke', '--agents', '4', '--rate', '60', '--warmup', '0s', '--seed', 'endurance'] as const

it('plays its intervals on one engine alone, reads every process after each, and certifies what it found', async () => {
  const sizes = ['--duration', '2s', '--interval', '300ms'] as const
  const ran = await sandbox.run('bench', 'endurance', ...small, ...sizes, '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(results.engines.map(({ label }) => label)).toEqual(['elicitation'])
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  expect(new Set(folder.rounds.map(({ evidence }) => evidence.round))).toEqual(new Set(Array(6).keys()))
  for (const { evidence } of folder.rounds) {
    const { scheduled, completed, refused, timedOut, lost } = evidence.counts
    expect(scheduled).toBe(completed + refused + timedOut + lost)
    const { rest } = evidence
    expect(rest?.atMs).toBeGreaterThanOrEqual(evidence.durationMs)
    const processes = [rest?.engine, rest?.load, rest?.main]
    expect(new Set(processes.map((each) => each?.startedAtMs)).size).toBe(3)
    for (const each of processes) {
      expect(each?.heapUsedBytes).toBeGreaterThan(1e6)
      expect(each?.descriptors).toBeGreaterThan(0)
    }
    expect(rest?.openConnections).toBe(4)
    expect(rest?.storeBytes).toBeGreaterThan(0)
  }
  expect(results.endurance?.engines[0]?.held.map(({ verdict }) => verdict)).toEqual(
    Array.from({ length: 6 }, () => 'inconclusive'),
  )
  expect(results.targets.find(({ title }) => title === 'Nothing leaks')?.verdict).toBe('NOT_DEMONSTRATED')
  const { runDirectory, certificate, ...published } = results
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  const report = readFileSync(join(sandbox.folder, runDirectory, 'report.md'), 'utf8')
  for (const text of ['Growth at rest', 'Drift of service', 'Kept per exchange', 'not 72 h'])
    expect(report).toContain(text)
})

it('goes on after it was killed, with the gap counted as missing', async () => {
  const sizes = ['--duration', '4s', '--interval', '300ms', '--no-certificate'] as const
  const killed = sandbox.start('bench', 'endurance', ...small, ...sizes)
  await killed.shows(/round 4 of 13/)
  killed.child.kill('SIGKILL')
  await killed.ended
  const [directory] = sandbox.runDirectories()
  if (directory === undefined) throw new Error('no run directory')
  const before = openRunDirectory(directory).rounds.map(({ folder }) => folder)
  expect(before.length).toBeGreaterThanOrEqual(3)
  expect(before.length).toBeLessThan(13)
  const other = await sandbox.run(
    'bench',
    'endurance',
    ...small,
    '--duration',
    '9s',
    ...sizes.slice(2),
    '--resume',
    directory,
  )
  expect(other.code).toBe(2)
  expect(other.stderr).toMatch(/begun with another plan/)

  const resumed = await sandbox.run('bench', 'endurance', ...small, ...sizes, '--resume', directory, '--json')
  expect(decisions, resumed.stderr).toContain(resumed.code)
  const results = JSON.parse(resumed.stdout) as Printed
  const folder = openRunDirectory(directory)
  expect(new Set(folder.rounds.map(({ evidence }) => evidence.round))).toEqual(new Set(Array(13).keys()))
  for (const name of before) expect(folder.rounds.map(({ folder }) => folder)).toContain(name)
  const engine = results.endurance?.engines[0]
  expect(engine?.lives).toBe(2)
  expect(engine?.coverage.missedIntervals).toBeGreaterThanOrEqual(1)
  expect(results.decisionReasons.join('\n')).toMatch(/was started 2 times; \d+ intervals passed while it was down/)
  expect(results.decisionReasons.join('\n')).toMatch(/cut short and resumed once/)
}, 60_000)

it('prints intervals, duration and disk without starting anything, and refuses more than it could read back', async () => {
  const dry = await sandbox.run('bench', 'endurance', '--profile', 'full', '--dry-run')
  expect(dry.code, dry.stderr).toBe(0)
  expect(dry.stdout).toMatch(/intervals: 5,000 agents, 500 exchanges\/s, open loop, 432 × 600 s per engine/)
  expect(dry.stdout).toMatch(/Stores: {4}grow to about [\d.]+ GiB/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  expect(existsSync(join(sandbox.folder, 'runs'))).toBe(false)
  const wrong = await sandbox.run('bench', 'endurance', '--duration', '72h', '--interval', '1s')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/259200 intervals of about 1200 exchanges cannot be read back/)
})

it('finds a leak that was planted in a real process, with its size, and not the cache beside it', async () => {
  const output = mkdtempSync(join(tmpdir(), 'lighthouse-leak-test-'))
  try {
    const given = enduranceRequest(
      { agents: 4, rate: 60, duration: 6000, interval: 100, deadline: 1500, output, seed: 'leak' },
      output,
    )
    const leaking = {
      label: 'leaking',
      name: new URL('leaking-engine.ts', import.meta.url).href,
      options: {},
      role: 'candidate',
    } as const
    const request = { ...given, arms: [leaking] }
    const events = {
      ...{ started: () => undefined, stage: () => undefined, note: () => undefined, roundStart: () => undefined },
      ...{ progress: () => undefined, roundDone: () => undefined },
    }
    const { results } = await runEndurance(
      request,
      await outlineEndurance(request),
      events,
      new AbortController().signal,
    )
    const engine = results.endurance?.engines[0]
    const heap = engine?.held.find(({ series }) => series === 'heap')
    expect(heap).toMatchObject({ verdict: 'leak' })
    expect((heap?.perHour ?? 0) / (3600 * leakBytesPerSecond)).toBeGreaterThan(0.9)
    expect((heap?.perHour ?? 0) / (3600 * leakBytesPerSecond)).toBeLessThan(1.1)
    for (const quiet of ['external', 'descriptors', 'connections'])
      expect(engine?.held.find(({ series }) => series === quiet)?.verdict, quiet).toBe('none shown')
    expect(results.decisionReasons.join('\n')).toMatch(/leaking leaks: heap by \d+ MB\/h/)
  } finally {
    rmSync(output, { recursive: true, force: true })
  }
}, 120_000)
