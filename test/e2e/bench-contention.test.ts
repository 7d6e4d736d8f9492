/** `bench contention` through the command line: every load on every store, a run that derives to what was printed, a certificate that verifies. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { deriveResults } from '../../src/measurement/derive.ts'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../src/measurement/run-directory.ts'
import { publishedErrors } from '../published-schema.ts'
import { skipWithoutPostgres } from '../unit/event-store/postgres-server.ts'
import { Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

type Printed = ResultsDocument & { runDirectory: string; certificate: string | null }
const decisions = [0, 20, 21, 22, 23]
const small = ['--profile', 'smoke', '--round-duration', '300ms', '--warmup', '100ms', '--rounds', '1'] as const

function expectAccounted(results: Printed): void {
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  for (const { evidence } of folder.rounds) {
    const { scheduled, completed, refused, timedOut, lost } = evidence.counts
    expect(scheduled).toBe(completed + refused + timedOut + lost)
    expect(completed).toBeGreaterThan(0)
    const { duplicated, phantom, misdelivered, reordered, corrupt, unexpected, doubleTerminal } = evidence.counts
    expect([lost, duplicated, phantom, misdelivered, reordered, corrupt, unexpected, doubleTerminal]).toEqual(
      Array.from({ length: 8 }, () => 0),
    )
    expect(evidence.engineStats['committedRows']).toBe(completed)
    expect(evidence.engineStats['commits']).toBeGreaterThan(0)
    if (evidence.engine.endsWith('batching=off')) expect(evidence.engineStats['commits']).toBe(completed)
  }
  const { runDirectory: _run, certificate: _certificate, ...published } = results
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
}

it('plays every level on the embedded store with and without batching, skips the server by name, and certifies', async () => {
  const stores = ['--stores', 'postgres,sqlite:batching=off,sqlite:connections=2,sqlite', '--writers', '10,50']
  const ran = await sandbox.run('bench', 'contention', ...small, ...stores, '--probes', '2', '--seed', 'c', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  expect(ran.stderr).toMatch(/postgres SKIPPED: no server is named/)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.suite).toBe('contention')
  expect(results.contention?.loads.map((each) => `${each.case} ${each.store}`)).toEqual(
    ['writers-10', 'held-50000-per-minute', 'writers-50'].flatMap((load) =>
      ['sqlite:batching=off', 'sqlite:connections=2', 'sqlite'].map((store) => `${load} ${store}`),
    ),
  )
  expect(results.notAssessed.map(({ what }) => what).join()).toMatch(/postgres, SKIPPED: no server/)
  expectAccounted(results)
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, results.certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  const report = readFileSync(join(sandbox.folder, results.runDirectory, 'report.md'), 'utf8')
  for (const text of ['Writers', 'What writes cost', 'What is waited for', 'Contention', 'Highest rates'])
    expect(report).toContain(text)
})

it.skipIf(skipWithoutPostgres())('starts a server of its own and loads its pools', async () => {
  const sizes = ['--stores', 'postgres', '--writers', '10,20', '--pools', '2,8', '--pool-writers', '10']
  const ran = await sandbox.run('bench', 'contention', ...small, ...sizes, '--start-postgres', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.contention?.pools.map(({ poolSize, case: name }) => [poolSize, name])).toEqual([
    [2, 'pool-2'],
    [8, 'pool-8'],
  ])
  expectAccounted(results)
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  const pools = folder.rounds.filter(({ evidence }) => evidence.round < 2)
  expect(new Set(pools.map(({ evidence }) => evidence.engineStats['poolSize']))).toEqual(new Set([2, 8]))
  for (const { evidence } of pools) expect(evidence.engineStats['commits']).toBe(evidence.counts.completed)
  // Nothing of where the server was, or of its password, is in what the run leaves.
  const manifest = readFileSync(join(sandbox.folder, results.runDirectory, 'run.json'), 'utf8')
  expect(manifest).not.toMatch(/postgres(ql)?:\/\//)
})

it('prints its plan without starting anything, and keeps passwords out of flags', async () => {
  const dry = await sandbox.run('bench', 'contention', '--profile', 'full', '--start-postgres', '--dry-run')
  expect(dry.code, dry.stderr).toBe(0)
  expect(dry.stdout).toMatch(/writers-200: 200 writers, 2000 writes\/s, open loop, 10 × 30 s/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const secret = await sandbox.run('bench', 'contention', '--store', 'postgres://a:hunter2@127.0.0.1/b', '--dry-run')
  expect(secret.code).toBe(2)
  expect(secret.stderr).toMatch(/holds a password/)
  expect(secret.stderr).not.toContain('hunter2')
})
