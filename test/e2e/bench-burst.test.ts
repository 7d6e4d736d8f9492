/** `bench burst` through the command line: bursts on real engines, a run that derives to what was printed, a certificate that verifies. */
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
/** A short sleep makes short drains. */
const engines = ['polling:interval=100', 'elicitation']
const small = [
  ...['--profile', 'smoke', '--agents', '20', '--calm-agents', '4', '--rate', '40', '--steps', '3'],
  ...['--round-duration', '300ms', '--after-duration', '2s', '--engines', engines.join(',')],
]

it('plays every burst with both engines on hosts that stay up, and certifies the run', async () => {
  const ran = await sandbox.run('bench', 'burst', ...small, '--seed', 'burst', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.suite).toBe('burst')
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  const cases = results.cases?.map(({ name, agents, ratePerSecond }) => [name, agents, ratePerSecond])
  expect(cases).toEqual([
    ['agents-4-20-4', 20, 200],
    ['rate-1-3-1', 20, 120],
    ['control', 20, 40],
  ])
  const bursts = ['agents-4-20-4', 'rate-1-3-1']
  const named = results.burst?.cases.map((each) => [each.case, each.engine])
  expect(named).toEqual(bursts.flatMap((name) => engines.map((engine) => [name, engine])))

  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  const played = new Set(folder.rounds.map(({ evidence }) => `${evidence.engine} ${evidence.round}`))
  for (const engine of engines) for (let round = 0; round < 5; round++) expect(played).toContain(`${engine} ${round}`)
  for (const { evidence } of folder.rounds) {
    const { scheduled, completed, refused, timedOut, lost } = evidence.counts
    expect(scheduled).toBe(completed + refused + timedOut + lost)
    const { duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal } = evidence.counts
    expect([lost, duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal]).toEqual(Array(7).fill(0))
    expect(evidence.timeline?.scheduled.reduce((sum, each) => sum + each, 0)).toBe(scheduled)
    if (evidence.round > 1) continue
    // One calm second, one of burst, two of calm: the same arrivals for both engines, and more in the burst.
    const [before = 0, burst = 0, ...after] = evidence.timeline?.scheduled ?? []
    expect(after).toHaveLength(2)
    expect(burst).toBeGreaterThan(Math.max(before, ...after))
    const others = folder.rounds.filter((other) => other.evidence.round === evidence.round)
    for (const other of others) expect(other.evidence.timeline?.scheduled).toEqual(evidence.timeline?.scheduled)
  }

  const { runDirectory, certificate, ...published } = results
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  expect(certificate).not.toBeNull()
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  const report = readFileSync(join(sandbox.folder, runDirectory, 'report.md'), 'utf8')
  for (const text of ['## Bursts', '## After the burst', ...bursts]) expect(report).toContain(text)
})

it('prints its plan without starting anything, and names what is wrong with a burst', async () => {
  const dry = await sandbox.run('bench', 'burst', '--profile', 'full', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toMatch(/agents-20-200-20: 200 agents, 4000 exchanges\/s, open loop, 8 × 150 s/)
  expect(dry.stdout).toMatch(/rate-1-2-5-10-1: .* 8 × 210 s/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const wrong = await sandbox.run('bench', 'burst', '--steps', '5,2', '--dry-run')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/the steps 5,2 are not ascending multiples of the rate/)
})
