/** `bench scale` through the command line: levels on real engines, a run that derives to what was printed, a certificate that verifies. */
import { readFileSync } from 'node:fs'
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
const small = [
  '--profile',
  'smoke',
  '--agents-list',
  '4,10',
  '--rate-per-agent',
  '5',
  '--round-duration',
  '400ms',
] as const

it('plays one pair and every level, each with both engines, and certifies the run', async () => {
  const ran = await sandbox.run('bench', 'scale', ...small, '--seed', 'scale', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.suite).toBe('scaling')
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(results.cases?.map(({ name, agents }) => [name, agents])).toEqual([
    ['one-pair-sequential', 2],
    ['agents-4', 4],
    ['agents-10', 10],
  ])
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  const played = new Set(folder.rounds.map(({ evidence }) => `${evidence.engine} ${evidence.round}`))
  for (const engine of ['polling', 'elicitation']) {
    for (let round = 0; round < 5; round++) expect(played, `${engine} ${round}`).toContain(`${engine} ${round}`)
  }
  for (const { evidence } of folder.rounds) {
    const { scheduled, completed, refused, timedOut, lost } = evidence.counts
    expect(scheduled).toBe(completed + refused + timedOut + lost)
    expect(completed).toBeGreaterThan(0)
    const { duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal } = evidence.counts
    expect([lost, duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal]).toEqual([
      0, 0, 0, 0, 0, 0, 0,
    ])
    expect(evidence.connectsPerSecond).toBeGreaterThan(0)
    // A process of its own, so memory is known.
    expect(evidence.resources.rssMaxBytes).toBeGreaterThan(0)
  }
  const { runDirectory, certificate, ...published } = results
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  expect(certificate).not.toBeNull()
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  const report = readFileSync(join(sandbox.folder, runDirectory, 'report.md'), 'utf8')
  for (const text of ['Levels', 'Growth per agent', 'agents-10', 'one-pair-sequential']) expect(report).toContain(text)
})

it('prints its plan without starting anything, and names what is wrong with levels', async () => {
  const dry = await sandbox.run('bench', 'scale', '--profile', 'full', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toMatch(/agents-2500: 2,500 agents, 250 exchanges\/s, open loop, 10 × 30 s/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const wrong = await sandbox.run('bench', 'scale', '--agents-list', '100,10')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/100,10 are not ascending even numbers/)
})
