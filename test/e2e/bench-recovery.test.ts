/** `bench recovery` through the command line: faults on real engines, a run that resumes after SIGKILL, a certificate that verifies. */
import { readdirSync } from 'node:fs'
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
const small = ['--profile', 'smoke', '--agents', '6', '--rate', '40', '--round-duration', '400ms'] as const

it('breaks both engines, times both, and certifies what it found', async () => {
  const ran = await sandbox.run('bench', 'recovery', ...small, '--seed', 'recovery', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  expect(results.suite).toBe('failure-recovery')
  expect(results.cases?.map(({ name }) => name)).toEqual(['faults-in-turn', 'control'])
  expect(results.recovery?.faults.map(({ engine, kind }) => `${engine} ${kind}`).toSorted()).toEqual(
    ['crash', 'reset-all', 'stall'].flatMap((kind) => [`elicitation ${kind}`, `polling ${kind}`]).toSorted(),
  )
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  const broken = folder.rounds.filter(({ evidence }) => evidence.faults !== undefined)
  expect(broken).toHaveLength(2)
  for (const { evidence } of broken) {
    for (const fault of evidence.faults ?? []) expect(fault.bit, fault.shownBy).toBe(true)
    const { scheduled, completed, refused, timedOut, lost, duplicated } = evidence.counts
    expect(completed + refused + timedOut + lost).toBe(scheduled)
    expect([lost, duplicated]).toEqual([0, 0])
    expect(evidence.timeline?.scheduled.reduce((sum, each) => sum + each, 0)).toBe(scheduled)
    expect(evidence.marks?.map(({ name }) => name).toSorted()).toEqual(
      [0, 1, 2].flatMap((index) => [`healed-${index}`, `injected-${index}`]).toSorted(),
    )
  }
  const { runDirectory: _directory, certificate, ...published } = results
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  expect(certificate).not.toBeNull()
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
})

it('lets agents that are too slow set off a timeout cascade, and tells what retries made of it', async () => {
  const cascade = [
    '--faults',
    'timeout-cascade-2',
    '--deadline',
    '600ms',
    '--engines',
    'polling:interval=50,elicitation',
  ]
  const ran = await sandbox.run('bench', 'recovery', ...small, ...cascade, '--seed', 'cascade', '--json')
  expect(decisions, ran.stderr).toContain(ran.code)
  const results = JSON.parse(ran.stdout) as Printed
  expect(publishedErrors('results-output.schema.json', results)).toEqual([])
  const folder = openRunDirectory(join(sandbox.folder, results.runDirectory))
  const played = folder.rounds.filter(({ evidence }) => evidence.faults !== undefined)
  expect(played).toHaveLength(2)
  for (const { evidence } of played) {
    const { coordination, counts, faults = [] } = evidence
    const { begun = [], completed = [], asked = [] } = coordination?.chain ?? {}
    const sum = (series: readonly number[]) => series.reduce((total, each) => total + each, 0)
    expect(faults[0]?.bit, faults[0]?.shownBy).toBe(true)
    expect(sum(begun)).toBe(coordination?.instances.scheduled)
    expect(sum(completed)).toBe(coordination?.instances.completed)
    // Every question of every chain is in the ledger, and slow agents made more of them than chains need.
    expect(sum(asked)).toBe(counts.scheduled)
    expect(sum(asked)).toBeGreaterThan(2 * sum(completed))
    expect([counts.lost, counts.duplicated, counts.unexpected]).toEqual([0, 0, 0])
  }
  for (const { kind, chains } of results.recovery?.faults ?? []) {
    expect(kind).toBe('timeout-cascade-2')
    expect(chains === null || chains.questionRatio === null || chains.questionRatio > 1).toBe(true)
  }
  const { runDirectory: _directory, certificate, ...published } = results
  expect(JSON.parse(JSON.stringify(deriveResults(folder)))).toEqual(published)
  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
})

it('goes on after it was killed, with the rounds that it had, and says so', async () => {
  const flags = ['bench', 'recovery', ...small, '--faults', 'reset-all', '--repeat', '2', '--seed', 'resume'] as const
  const begun = sandbox.start(...flags, '--no-certificate')
  await begun.shows(/round 2 of \d+: /)
  begun.child.kill('SIGKILL')
  await begun.ended
  const [directory = ''] = sandbox.runDirectories()
  const before = readdirSync(join(directory, 'rounds')).toSorted()
  expect(before.length).toBeGreaterThan(0)

  const other = await sandbox.run(...flags, '--deadline', '4s', '--no-certificate', '--resume', directory)
  expect(other.code).toBe(2)
  expect(other.stderr).toMatch(/cannot resume: .* was begun with another plan/)

  const resumed = await sandbox.run(...flags, '--no-certificate', '--resume', directory, '--json')
  expect(decisions, resumed.stderr).toContain(resumed.code)
  const results = JSON.parse(resumed.stdout) as Printed
  expect(results.runDirectory).toBe(directory)
  expect(results.decisionReasons.join('\n')).toMatch(/cut short and resumed once/)
  const played = openRunDirectory(directory).rounds.map(
    ({ evidence }) => `${evidence.round} ${evidence.engine} ${evidence.attempt}`,
  )
  expect(new Set(played).size).toBe(played.length)
  for (const engine of ['polling', 'elicitation']) {
    for (let round = 0; round < 5; round++) expect(played).toContain(`${round} ${engine} 0`)
  }

  const again = await sandbox.run(...flags, '--no-certificate', '--resume', directory)
  expect(again.code).toBe(2)
  expect(again.stderr).toMatch(/is complete/)
})

it('prints its plan without starting anything, and names what is wrong with faults', async () => {
  const dry = await sandbox.run('bench', 'recovery', '--faults', 'all', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toMatch(/crash-in-checkpoint: 1,000 agents/)
  expect(dry.stdout).toMatch(/Nothing was started\./)
  const wrong = await sandbox.run('bench', 'recovery', '--faults', 'crahs')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/no fault 'crahs'[\s\S]*Did you mean 'crash'/)
})
