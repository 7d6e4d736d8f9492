/** `bench memory` through the command line: real engines read and capped, a run that derives to what was printed, a certificate that verifies. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { deriveResults } from '../../src/measurement/derive.ts'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../src/measurement/run-directory.ts'
import { whyMemoryCannotBeLimited } from '../../src/platform/memory-cgroup.ts'
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
  ...['--profile', 'smoke', '--agents-list', '10,60', '--caps', '0.5', '--agents', '6', '--rate', '20'],
  ...['--round-duration', '200ms', '--time-budget', '60s', '--engines', engines.join(',')],
]

it('reads what agents cost, caps heap and process below their need, loses nothing by it, and certifies the run', async () => {
  const canCap = (await whyMemoryCannotBeLimited()) === null
  const ran = await sandbox.run('bench', 'memory', ...small, '--seed', 'memory', '--json')
  // A busy machine may use up the time with repeats.
  expect([...decisions, 25], ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(results.suite).toBe('memory-pressure')
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(results.cases?.map(({ name, agents }) => [name, agents])).toEqual([
    ['idle-10', 10],
    ['idle-60', 60],
    ['heap-need', 20],
    ['heap-cap-50-percent', 20],
    ...(canCap ? [['process-cap-50-percent', 20]] : []),
    ['control', 6],
  ])
  // Nothing is left out in silence.
  const skipped = JSON.stringify(results.notAssessed).match(/process-cap-50-percent/g) ?? []
  expect(skipped.length).toBe(canCap ? 0 : 1)

  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  for (const { evidence } of folder.rounds) {
    const { scheduled, completed, refused, timedOut, lost } = evidence.counts
    expect(scheduled).toBe(completed + refused + timedOut + lost)
    const { duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal } = evidence.counts
    expect([lost, duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal]).toEqual(Array(7).fill(0))
  }
  const roundsOf = (first: number, last: number) =>
    folder.rounds.map(({ evidence }) => evidence).filter(({ round }) => round >= first && round <= last)
  for (const engine of engines) {
    for (const evidence of roundsOf(0, 1).filter((each) => each.engine === engine)) {
      const moments = evidence.memory?.map(({ moment }) => moment)
      expect(moments).toEqual(['before', 'idle', 'idle', 'idle', 'after'])
      const [before, idle] = evidence.memory ?? []
      // Agents take memory, and more than garbage could hide.
      expect(idle?.heapUsedBytes).toBeGreaterThan(before?.heapUsedBytes ?? Infinity)
    }
    const held = roundsOf(2, 2).find((each) => each.engine === engine)
    const during = held?.memory?.filter(({ moment }) => moment === 'during') ?? []
    expect(during.length).toBeGreaterThanOrEqual(4)
    // A slope needs readings at different numbers of open exchanges; a late one may find fewer than the one before.
    const open = during.map(({ openExchanges }) => openExchanges)
    expect(new Set(open).size).toBeGreaterThanOrEqual(3)
    expect(Math.max(...open.map(Number))).toBeGreaterThan(100)
    // Half of its need is not enough to live; it came up again and went on, as the ledger above says.
    const [cap] = roundsOf(3, 3).find((each) => each.engine === engine)?.faults ?? []
    expect(cap).toMatchObject({ kind: 'heap-cap', bit: true })
    expect(cap?.figures['diedAtMs'] ?? cap?.figures['diedAtStart'], cap?.shownBy).toBeDefined()
    expect(cap?.figures['capBytes']).toBeLessThan(0.6 * (cap?.figures['needBytes'] ?? 0))
    if (!canCap) continue
    // The kernel's own count says that the process was ended for want of memory.
    const [whole] = roundsOf(4, 4).find((each) => each.engine === engine)?.faults ?? []
    expect(whole).toMatchObject({ kind: 'process-cap', bit: true })
    expect(whole?.figures['diedAtMs'] ?? whole?.figures['diedAtStart'], whole?.shownBy).toBeDefined()
  }

  const { runDirectory, certificate, ...published } = results
  expect(publishedErrors('results.schema.json', folder.results)).toEqual([])
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  if (ran.code !== 25) {
    const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  }
  const report = readFileSync(join(sandbox.folder, runDirectory, 'report.md'), 'utf8')
  for (const text of ['Memory per agent', 'Memory per exchange in flight', 'Under a cap'])
    expect(report).toContain(text)
})

it('prints its plan without starting anything, and names what is wrong with lists', async () => {
  const dry = await sandbox.run('bench', 'memory', '--profile', 'full', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toMatch(/sustained: 50 agents, 500 exchanges\/s, open loop, 1 × 1800 s per engine/)
  expect(dry.stdout).toMatch(/heap-cap-80-percent: 200 agents/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const wrong = await sandbox.run('bench', 'memory', '--caps', '0')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/--caps 0 is not a list of multiples of the measured need/)
})
