/** `bench coordination` through the command line: every pattern on real engines, a run that derives to what was printed, a certificate that verifies. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { deriveResults } from '../../src/measurement/derive.ts'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../src/measurement/run-directory.ts'
import { publishedErrors } from '../published-schema.ts'
import { Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

type Printed = ResultsDocument & { runDirectory: string; certificate: string | null }
const decisions = [0, 20, 21, 22, 23]
const patterns = ['chain', 'quorum', 'review', 'expert-pool', 'hot-spot', 'pipeline', 'fan-out']
const small = ['--profile', 'smoke', '--rounds', '1', '--round-duration', '400ms', '--rate', '120'] as const
/** Two polls of 50 ms a leg keep the rounds of the slower engine short. */
const engines = ['--engines', 'polling:interval=50,elicitation'] as const

it('plays every pattern to its end on both engines, and certifies the run', async () => {
  const ran = await sandbox.run(
    'bench',
    'coordination',
    ...small,
    ...engines,
    '--patterns',
    'all',
    '--seed',
    's',
    '--json',
  )
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.suite).toBe('coordination')
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(results.cases?.map(({ name }) => name)).toEqual(patterns)
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  for (const engine of ['polling:interval=50', 'elicitation']) {
    for (const [index, name] of patterns.entries()) {
      const rounds = folder.rounds.filter(({ evidence }) => evidence.engine === engine && evidence.round === index)
      expect(rounds.length, `${name} on ${engine}`).toBeGreaterThan(0)
      for (const { evidence, histograms } of rounds) {
        const { counts, coordination } = evidence
        if (coordination === undefined) throw new Error(`${name} on ${engine} recorded no pattern`)
        const { instances, withdrawals } = coordination
        expect(instances.scheduled, name).toBe(instances.completed + instances.failed)
        expect(instances.completed, name).toBeGreaterThan(0)
        const timed = (histograms.get('pattern') ?? []).reduce((sum, { n }) => sum + n, 0)
        expect(timed, name).toBe(instances.completed)
        expect(counts.scheduled, name).toBe(counts.completed + counts.refused + counts.timedOut + counts.lost)
        expect(withdrawals.withdrawn).toBeLessThanOrEqual(withdrawals.asked)
        if (name === 'quorum') expect(withdrawals.asked).toBeGreaterThan(0)
        else if (name !== 'review') expect(withdrawals.asked).toBe(0)
        const { lost, duplicated, phantom, misdelivered, reordered, corrupt, unexpected, doubleTerminal } = counts
        expect([lost, duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal], name).toEqual(
          Array(7).fill(0),
        )
        expect(reordered, `${name} on ${engine}`).toBe(0)
      }
    }
  }
  const { runDirectory, certificate, ...published } = results
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  expect(certificate).not.toBeNull()
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  const report = readFileSync(join(sandbox.folder, runDirectory, 'report.md'), 'utf8')
  for (const text of ['Patterns', 'Fairness', 'expert-pool', 'Patterns against the candidate'])
    expect(report).toContain(text)
})

it("plays a workload of the user's own, and refuses it where single exchanges are played", async () => {
  const file = join(sandbox.folder, 'mine.yaml')
  writeFileSync(
    file,
    'name: mine\npattern: pipeline\ncoordinators: 2\nagentsPerStage: 1\ndepth: 3\ninstancesPerSecond: 30\n',
  )
  const own = ['--rounds', '1', '--round-duration', '400ms', '--no-certificate'] as const
  const ran = await sandbox.run(
    ...['bench', 'coordination', '--profile', 'smoke', '--workload', file],
    ...[...own, ...engines, '--seed', 's', '--json'],
  )
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.coordination?.patterns.map(({ case: name, kind, engine }) => `${name} ${kind} ${engine}`)).toEqual([
    'mine pipeline polling:interval=50',
    'mine pipeline elicitation',
  ])
  const refused = await sandbox.run('bench', 'compare', '--workload', file)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('lighthouse bench coordination --workload')
  const wrong = join(sandbox.folder, 'wrong.yaml')
  writeFileSync(wrong, 'name: wrong\npattern: fan-out\norchestrators: 2\nworkers: 3\nfanOut: 8\n')
  const broken = await sandbox.run('bench', 'coordination', '--workload', wrong)
  expect(broken.code).toBe(2)
  expect(broken.stderr).toContain('wrong.yaml:5: fanOut: 8 is more than the 3 workers')
})

it('prints its plan without starting anything', async () => {
  const dry = await sandbox.run('bench', 'coordination', '--profile', 'full', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toMatch(/expert-pool: 10,100 agents, 1240 exchanges\/s, open loop, 10 × 30 s/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const wrong = await sandbox.run('bench', 'coordination', '--patterns', 'pipline')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/Did you mean 'pipeline'\?/)
})
