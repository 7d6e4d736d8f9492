/** `lighthouse explain` as a process, on a run directory that was written for the test and never measured. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Explanation } from '../../src/measurement/explanation-document.ts'
import { writeRecordedRun } from '../unit/certificates/recorded-run.ts'
import { Sandbox } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

let run = ''
beforeAll(() => {
  // Round trips spread evenly over 2 … 6 ms: p99 is 5.955 ms, in every round alike.
  run = writeRecordedRun(join(sandbox.folder, 'runs'), {
    targets: [
      { title: 'P50 Latency', expression: 'candidate.roundTrip.p50 < 50ms' },
      { title: 'P99 Latency', expression: 'candidate.roundTrip.p99 < 5.965ms' },
      { title: 'Floor', expression: 'candidate.roundTrip.p95 < 1ms', mandatoryIn: [] },
      { title: 'Concurrent Agents', expression: 'candidate.agents >= 10000', mandatoryIn: ['full'] },
    ],
  })
})

function parsed(text: string): Explanation {
  return JSON.parse(text) as Explanation
}

describe('lighthouse explain', () => {
  it('explains a target by a part of its title, and exits 0 though it is no pass', async () => {
    const ended = await sandbox.run('explain', 'p99', run)
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    expect(ended.stdout).toContain('P99 Latency: MARGINAL (mandatory)')
    expect(ended.stdout).toMatch(/the upper bound [\d.]+ ms lies outside, the lower bound [\d.]+ ms inside/)
    expect(ended.stdout).toMatch(/A run of \d+ rounds like these/)
    const missed = await sandbox.run('explain', 'floor', run)
    expect([missed.code, missed.stdout.includes('Floor: NOT_MET (optional)')]).toEqual([0, true])
  })

  it('prints the document under --json, the same whenever it is asked', async () => {
    const first = await sandbox.run('explain', 'all', run, '--json')
    expect(first.code).toBe(0)
    const document = parsed(first.stdout)
    expect(document.targets.map(({ title, verdict }) => [title, verdict])).toEqual([
      ['P50 Latency', 'MET'],
      ['P99 Latency', 'MARGINAL'],
      ['Floor', 'NOT_MET'],
      ['Concurrent Agents', 'NOT_DEMONSTRATED'],
    ])
    expect(document.finished).toBe(true)
    expect(document.decision?.rules.find(({ state }) => state === 'DECIDED')).toMatchObject({ rule: 4 })
    expect(document.targets[1]?.forecast.state).toBe('WOULD_DECIDE')
    expect((await sandbox.run('explain', 'all', run, '--json')).stdout).toBe(first.stdout)
  })

  it('names commands that the command line takes', async () => {
    // The run directory knows the name of its targets file, not where it is.
    writeFileSync(join(sandbox.folder, 'test targets'), 'targets: [{ expression: candidate.agents >= 10000 }]\n')
    const wanted = [
      ['P99', '--rounds'],
      ['Concurrent Agents', '--agents 10000 '],
      ['candidate.throughputPerSecond >= 5000', '--rate 5000 '],
      ['candidate.roundTrip.p99 < 1s over 48h', '--round-duration'],
    ] as const
    for (const [target, flag] of wanted) {
      const { targets } = parsed((await sandbox.run('explain', target, run, '--json')).stdout)
      const command = targets[0]?.command ?? ''
      expect(command).toContain(flag)
      const words = (command.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ''))
      expect(words.shift()).toBe('lighthouse')
      const planned = await sandbox.run(...words, '--dry-run')
      expect([planned.code, planned.stderr]).toEqual([0, ''])
    }
  })

  it('judges a target that the run did not declare, and says that it is none of its decision', async () => {
    const ended = await sandbox.run('explain', 'candidate.delivery.p95 < 1s', run)
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain('MET (not declared)')
    expect(ended.stdout).toContain('never part of its decision')
  })

  it('names the targets that there are when it knows none or several', async () => {
    const unknown = await sandbox.run('explain', 'P99 Latencie', run)
    expect([unknown.code, unknown.stdout]).toEqual([2, ''])
    expect(unknown.stderr).toMatch(/Did you mean "P99 Latency"/)
    expect(unknown.stderr).toContain('Concurrent Agents')
    const several = await sandbox.run('explain', 'latency', run)
    expect(several.code).toBe(2)
    expect(several.stderr).toContain('several targets')
    expect((await sandbox.run('explain', 'P99')).code).toBe(2)
  })

  it('explains what a partial run finished, and refuses what is no run', async () => {
    const partial = writeRecordedRun(join(sandbox.folder, 'partial'))
    for (const file of ['results.json', 'report.md', 'ledger.json']) rmSync(join(partial, file))
    for (const round of ['04', '05', '03', '02']) {
      for (const engine of ['polling', 'elicitation']) {
        rmSync(join(partial, 'rounds', `${round}-${engine}`), { recursive: true })
      }
    }
    const ended = await sandbox.run('explain', 'P99', partial)
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain('NOT_DEMONSTRATED')
    expect(ended.stdout).toContain('INVALID')
    const broken = await sandbox.run('explain', 'P99', join(sandbox.folder, 'nowhere'))
    expect([broken.code, broken.stdout]).toEqual([24, ''])
    rmSync(join(partial, 'targets.json'))
    expect((await sandbox.run('explain', 'P99', partial)).code).toBe(24)
  })
})
