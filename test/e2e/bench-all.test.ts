/** `bench all` through the command line: several suites, one of them refused, one decision, one certificate that verifies. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { collectCampaignEvidence } from '../../src/certificates/run-evidence.ts'
import { checkCampaignMeaning } from '../../src/certificates/campaign-meaning.ts'
import type { CampaignDocument } from '../../src/measurement/campaign-document.ts'
import type { RunListing } from '../../src/measurement/run-listing.ts'
import { Sandbox } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

type Printed = CampaignDocument & { campaignDirectory: string; runDirectories: string[]; certificate: string | null }
const decisions = [0, 20, 21, 22, 23]
const badness = ['APPROVED', 'CONDITIONALLY_APPROVED', 'NEEDS_FURTHER_REVIEW', 'REQUIRES_REMEDIATION', 'EMERGENCY_STOP']
const small = ['--profile', 'smoke', '--round-duration', '300ms', '--warmup', '100ms'] as const
const fast = ['--engines', 'polling:interval=100,elicitation'] as const

it('runs suite after suite, the rest of them when one fails, and certifies them together', async () => {
  // An odd number of agents is what the comparison cannot pair; the levels of the scaling suite are its own.
  const asked = ['--only', 'scale,compare', '--agents', '21', '--seed', 'all'] as const
  const ran = await sandbox.run('bench', 'all', ...small, ...fast, ...asked, '--json')
  expect([23, 21, 22], ran.stderr).toContain(ran.code)
  const campaign = JSON.parse(ran.stdout) as Printed
  expect(campaign.suites.map(({ suite, outcome }) => [suite, outcome])).toEqual([
    ['comparison', 'failed'],
    ['scaling', 'finished'],
  ])
  expect(campaign.suites[0]?.reason).toMatch(/even number of agents, not 21/)
  expect(ran.stderr).toMatch(/suite 1 of 2: compare/)
  expect(ran.stderr).toMatch(/compare failed: .*even number/)
  expect(campaign.exitCode).toBe(ran.code)
  expect(campaign.decisionReasons.join('\n')).toMatch(/compare: it was asked for and failed/)
  expect(campaign.leftOut).toContain('failure-recovery')
  expect(campaign.runDirectories).toHaveLength(1)

  const { campaignDirectory, runDirectories, certificate, ...published } = campaign
  const folder = join(sandbox.folder, campaignDirectory)
  expect(JSON.parse(readFileSync(join(folder, 'campaign.json'), 'utf8'))).toEqual(published)
  expect(JSON.parse(JSON.stringify(checkCampaignMeaning(collectCampaignEvidence(folder)).campaign))).toEqual(published)
  const run = JSON.parse(readFileSync(join(sandbox.folder, runDirectories[0] ?? '', 'run.json'), 'utf8')) as object
  expect(run).toMatchObject({
    seed: 'all',
    campaign: { id: basename(campaignDirectory), suites: ['comparison', 'scaling'] },
  })
  expect(existsSync(join(sandbox.folder, runDirectories[0] ?? '', 'certificate'))).toBe(false)
  expect(readFileSync(join(folder, 'report.md'), 'utf8')).toContain('over all suites')

  const verified = await sandbox.run('certify', 'verify', join(sandbox.folder, certificate ?? ''))
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  expect(verified.stdout).toMatch(
    /campaign certificate for .*: (NEEDS_FURTHER_REVIEW|REQUIRES_REMEDIATION|EMERGENCY_STOP)/,
  )
  const again = await sandbox.run('report', campaignDirectory, '--json')
  expect([again.code, JSON.parse(again.stdout)]).toEqual([ran.code, published])
  const { runs } = JSON.parse((await sandbox.run('runs', 'list', '--json')).stdout) as RunListing
  expect(new Set(runs.map(({ suite }) => suite))).toEqual(new Set(['all', 'scaling']))
})

it('is never better than its worst member, and prints a table per suite', async () => {
  const asked = ['--only', 'compare,contention', '--agents', '40', '--rate', '200', '--rounds', '3'] as const
  const ran = await sandbox.run('bench', 'all', ...small, ...fast, ...asked)
  expect(decisions, ran.stderr).toContain(ran.code)
  const directory = /^Campaign directory: (\S+)$/m.exec(ran.stdout)?.[1] ?? ''
  const campaign = sandbox.readJson(directory, 'campaign.json') as CampaignDocument
  expect(campaign.suites.map(({ outcome }) => outcome)).toEqual(['finished', 'finished'])
  const worst = Math.max(...campaign.suites.map(({ decision }) => badness.indexOf(decision ?? '')))
  expect(campaign.decision).toBe(badness[worst])
  expect(ran.stdout).toMatch(
    /^[A-Z_]+ over all suites \(exit \d+\)\nWithin profile smoke, 2 of 2 suites with results: compare, contention\n/,
  )
  for (const title of ['SUITES', 'COMPARE: ', 'CONTENTION: ', 'NOT ASSESSED']) expect(ran.stdout).toContain(title)
  const certificate = /^Certificate: (\S+)$/m.exec(ran.stdout)?.[1] ?? ''
  const verified = await sandbox.run('certify', 'verify', certificate, '--suites', 'compare,contention')
  expect(verified.code, verified.stdout).toBe(0)
  expect((await sandbox.run('certify', 'verify', certificate, '--suites', 'compare,burst')).code).toBe(34)
  expect(verified.stdout).toContain('2 runs and the campaign over them')
})

it('stops when it is told to, keeps what it had, and names what was not run', async () => {
  const started = sandbox.start('bench', 'all', '--profile', 'standard', '--only', 'compare,scale', ...fast)
  await started.shows(/round 1 of/)
  started.child.kill('SIGINT')
  const ended = await started.ended
  expect(ended.code, ended.stderr).toBe(130)
  expect(ended.stderr).toMatch(/scale not-run: the campaign was interrupted/)
  const directory = /^Campaign directory: (\S+)$/m.exec(ended.stdout)?.[1] ?? ''
  const campaign = sandbox.readJson(directory, 'campaign.json') as CampaignDocument
  expect(
    campaign.suites.map(({ outcome }) => outcome),
    ended.stderr,
  ).toEqual(['cut-short', 'not-run'])
  expect(campaign).toMatchObject({ interrupted: true, decision: expect.not.stringMatching(/APPROVED/) as string })
  expect(existsSync(join(sandbox.folder, directory, 'certificate'))).toBe(false)
})

it('prints its plan without starting anything, and names what is wrong with suites', async () => {
  const dry = await sandbox.run('bench', 'all', '--dry-run', '--skip', 'recovery', '--agents', '21')
  expect(dry.code, dry.stderr).toBe(0)
  expect(dry.stdout).toMatch(/^1 of \d+: bench compare\n {2}WOULD FAIL: the pattern pairs needs an even number/)
  expect(dry.stdout).toMatch(/bench scale\n {2}Engines: {3}polling \(baseline\), elicitation \(candidate\)\n/)
  expect(dry.stdout).not.toContain('bench recovery')
  expect(dry.stdout).toMatch(
    /All suites, one after the other[^\n]*\n {2}Duration: .*\n {2}Disk: .*\nNothing was started\.\n$/,
  )
  expect(existsSync(join(sandbox.folder, 'runs'))).toBe(false)
  const wrong = await sandbox.run('bench', 'all', '--only', 'compare,scal')
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/no suite 'scal'[\s\S]*Did you mean 'scale'/)])
  const none = await sandbox.run('bench', 'all', '--only', 'scale', '--skip', 'scale')
  expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/no suite is left/)])
  const refused = await sandbox.run('bench', 'all', '--engines', 'polling:intervall=5,elicitation')
  expect([refused.code, existsSync(join(sandbox.folder, 'runs'))]).toEqual([2, false])
})
