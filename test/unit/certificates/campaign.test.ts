/**
 * Certificates of campaigns under attack: by somebody who can change files, and by somebody who holds the key and signs what the
 * members do not say. Each attack on a certificate of one run has its counterpart here for members and for the decision over them.
 */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCertificate } from '../../../src/certificates/pack.ts'
import type { Issued } from '../../../src/certificates/issue.ts'
import type { VerificationReport } from '../../../src/certificates/verify.ts'
import type { CampaignDocument } from '../../../src/measurement/campaign-document.ts'
import { documentText } from '../../../src/measurement/canonical-json.ts'
import { edit, forge, Laboratory, markdownOf } from './package-fixture.ts'
import { writeRecordedCampaign, type CampaignOptions } from './recorded-campaign.ts'
import { testCommit } from './recorded-run.ts'

let laboratory: Laboratory
let issued: Issued
let other: Issued
let campaign = ''
const ids = ['run-20261122-021000-aa00', 'run-20261122-021100-aa01', 'run-20261122-021200-aa02'] as const
const duringMs = 1_795_317_000_000

beforeAll(async () => {
  laboratory = new Laboratory()
  campaign = writeRecordedCampaign(laboratory.folder())
  issued = await laboratory.issue(campaign, { now: duringMs })
  other = await issueOf({ id: 'campaign-20261122-021000-00bb', seed: 'another' })
})
afterAll(() => laboratory.remove())

async function issueOf(options: CampaignOptions): Promise<Issued> {
  return laboratory.issue(writeRecordedCampaign(laboratory.folder(), options), { now: duringMs })
}
const verify = (path: string, expectation = {}): Promise<VerificationReport> =>
  laboratory.verify(path, expectation, { nowMs: duringMs + 60_000 })
const copy = (): string => laboratory.copy(issued)
const member = (folder: string, runId: string): string => join(folder, 'evidence', 'members', runId)

function expectRefused(report: VerificationReport, exitCode: number, words: RegExp): void {
  expect([report.exitCode, report.failure?.message]).toEqual([exitCode, expect.stringMatching(words)])
  expect(report.verified).toBe(false)
}

/** Signs a changed `campaign.json`, with text and statement made to fit as far as a search and replace can. */
function rewrite(folder: string, change: (document: CampaignDocument) => object): void {
  edit(join(folder, 'evidence', 'campaign.json'), (text) => documentText(change(JSON.parse(text) as CampaignDocument)))
  forge(folder, issued.id, laboratory.key)
}

describe('the certificate of a campaign', () => {
  it('holds every member, verifies on every rung, and says what they share', async () => {
    const report = await verify(issued.packagePath)
    expect(report.failure).toBeNull()
    expect(report.rungs.map(({ state }) => state)).toEqual(Array(5).fill('passed'))
    expect(report.certificate).toMatchObject({ kind: 'campaign', decision: 'APPROVED', commit: testCommit })
    expect(readdirSync(join(issued.packagePath, 'evidence', 'members')).sort()).toEqual([...ids])
    const text = readFileSync(markdownOf(issued.packagePath), 'utf8')
    expect(text.split('\n')[0]).toBe('# PERFORMANCE READINESS CAMPAIGN CERTIFICATE')
    expect(text.match(/^## SUITE `\w+`: APPROVED$/gm)).toHaveLength(3)
    expect(text).toContain('Left out on request: `failure-recovery`')
    expect(text.match(/^\*\*Status\*\*: APPROVED$/gm)).toHaveLength(1)
  })

  it('verifies from an archive', async () => {
    const file = join(laboratory.root, 'campaign.tar.gz')
    writeFileSync(file, (await packCertificate(issued.packagePath)).bytes)
    expect((await verify(file)).failure).toBeNull()
  })

  it('needs every member to have the scope that is required', async () => {
    const met = { require: 'APPROVED', profile: 'smoke', minAgents: 100, minRate: 300, minDurationMs: 8000 }
    expect((await verify(issued.packagePath, { ...met, commit: testCommit })).failure).toBeNull()
    expectRefused(await verify(issued.packagePath, { ...met, minAgents: 101 }), 34, /scaling \(run-/)
    const short = await issueOf({
      suites: [{ suite: 'comparison' }, { suite: 'scaling', run: { rounds: 3 } }],
    })
    expectRefused(await verify(short.packagePath, met), 34, /^scaling \(run-.*rests on 6 s/)
  })

  it('covers the suites that ran to their end, and no others', async () => {
    expect((await verify(issued.packagePath, { suites: ['scaling', 'burst', 'comparison'] })).failure).toBeNull()
    expectRefused(await verify(issued.packagePath, { suites: ['scaling', 'contention'] }), 34, /and not contention/)
    const failed = await issueOf({ suites: [{ suite: 'comparison' }, { suite: 'burst', reason: 'no port' }] })
    expectRefused(await verify(failed.packagePath, { suites: ['burst'] }), 34, /covers comparison, and not burst/)
    const run = await laboratory.issue(laboratory.run())
    expect((await verify(run.packagePath, { suites: ['comparison'] })).failure).toBeNull()
    expectRefused(await verify(run.packagePath, { suites: ['comparison', 'scaling'] }), 34, /and not scaling/)
  })

  it('knows a commit only when all members share it, and a clean tree only when all were clean', async () => {
    const mixed = await issueOf({
      suites: [{ suite: 'comparison' }, { suite: 'scaling', run: { commit: 'f'.repeat(40) } }],
    })
    expect((await verify(mixed.packagePath)).certificate?.commit).toBeNull()
    expectRefused(await verify(mixed.packagePath, { commit: testCommit }), 34, /not known/)
    const dirty = await issueOf({ suites: [{ suite: 'comparison' }, { suite: 'scaling', run: { dirty: true } }] })
    expectRefused(await verify(dirty.packagePath, { commit: testCommit }), 34, /working tree/)
  })

  it('bears the worst decision, and names a suite that failed', async () => {
    const worst = await issueOf({
      suites: [
        { suite: 'comparison' },
        { suite: 'scaling', run: { duplicated: 2 } },
        { suite: 'burst', reason: 'no <b>port</b>' },
      ],
    })
    const report = await verify(worst.packagePath)
    expect([report.failure, report.certificate?.decision]).toEqual([null, 'EMERGENCY_STOP'])
    const text = readFileSync(markdownOf(worst.packagePath), 'utf8')
    expect(text).toContain('**HIGH RISK**: Suite `burst` Failed')
    expect(text).toContain('no \\<b>port\\</b>')
    const failed = await issueOf({ suites: [{ suite: 'comparison' }, { suite: 'burst', reason: 'no port' }] })
    expect(failed.status).toBe('NEEDS_FURTHER_REVIEW')
    const without = await issueOf({ suites: [{ suite: 'scaling' }] })
    expect(without.status).toBe('NEEDS_FURTHER_REVIEW')
  })
})

describe('without the key', () => {
  it.each<[string, (folder: string) => void, RegExp]>([
    ['a member removed', (folder) => rmSync(member(folder, ids[1]), { recursive: true }), /missing/],
    ['a file of a member removed', (folder) => rmSync(join(member(folder, ids[1]), 'results.json')), /missing/],
    ['a member altered', (folder) => edit(join(member(folder, ids[0]), 'run.json'), (text) => `${text} `), /altered/],
    [
      'a member swapped with that of another campaign',
      (folder) => {
        rmSync(member(folder, ids[1]), { recursive: true })
        const [, foreign = ''] = readdirSync(join(other.packagePath, 'evidence', 'members')).sort()
        cpSync(member(other.packagePath, foreign), member(folder, ids[1]), { recursive: true })
      },
      /altered/,
    ],
    [
      'members exchanged',
      (folder) => {
        renameSync(member(folder, ids[0]), member(folder, 'x'))
        renameSync(member(folder, ids[1]), member(folder, ids[0]))
        renameSync(member(folder, 'x'), member(folder, ids[1]))
      },
      /altered/,
    ],
    [
      'a member added',
      (folder) => cpSync(member(folder, ids[0]), member(folder, 'run-20261122-021300-ffff'), { recursive: true }),
      /not in the manifest/,
    ],
    [
      'the decision edited',
      (folder) => edit(join(folder, 'evidence', 'campaign.json'), (text) => text.replace('APPROVED', 'REJECTED')),
      /altered/,
    ],
    ['campaign.json removed', (folder) => rmSync(join(folder, 'evidence', 'campaign.json')), /missing/],
  ])('%s', async (_, change, words) => {
    const folder = copy()
    change(folder)
    expectRefused(await verify(folder), 32, words)
  })
})

describe('with the key, everything bound and signed again', () => {
  it.each<[string, (document: CampaignDocument) => object, RegExp]>([
    [
      'the decision edited',
      (document) => ({ ...document, decision: 'CONDITIONALLY_APPROVED', exitCode: 20 }),
      /decision/,
    ],
    [
      'the decision of a member edited',
      ({ suites: [first, ...rest], ...document }) => ({
        ...document,
        suites: [{ ...first, decision: 'REQUIRES_REMEDIATION' }, ...rest],
      }),
      /suites\.0\.decision/,
    ],
    ['a reason deleted', (document) => ({ ...document, decisionReasons: [] }), /decisionReasons/],
    ['another scope', (document) => ({ ...document, scope: 'production' }), /scope/],
    ['another profile', (document) => ({ ...document, profile: 'full' }), /profile full/],
    ['another seed', (document) => ({ ...document, seed: 'other' }), /another seed/],
    [
      'another campaign',
      (document) => ({ ...document, campaignId: 'campaign-20261122-021000-ffff' }),
      /not made for this/,
    ],
    [
      'the order changed',
      ({ suites: [first, second, third], ...document }) => ({ ...document, suites: [second, first, third] }),
      /not made for this campaign of these suites in this order/,
    ],
    [
      'a suite named that never ran as finished',
      ({ suites: [first, second], ...document }) => ({ ...document, suites: [first, second] }),
      /does not name the run/,
    ],
    [
      'the digest of a member edited',
      ({ suites: [first, ...rest], ...document }) => ({
        ...document,
        suites: [{ ...first, manifestSha256: 'a'.repeat(64) }, ...rest],
      }),
      /fixes the evidence/,
    ],
    [
      'a member called a failure',
      ({ suites: [first, second, third], ...document }) => ({
        ...document,
        suites: [first, second, { ...third, outcome: 'failed', reason: 'x', runId: null, manifestSha256: null }],
      }),
      /does not name the run/,
    ],
    [
      'an end before the last member’s',
      (document) => ({ ...document, finishedAt: '2026-11-22T02:10:30.000Z' }),
      /ends before/,
    ],
    [
      'a start after the first member’s',
      (document) => ({ ...document, startedAt: '2026-11-22T02:10:30.000Z' }),
      /order/,
    ],
    ['an unknown member', (document) => ({ ...document, note: 'trust me' }), /not valid/],
    ['without an end', (document) => ({ ...document, finishedAt: undefined }), /did not finish/],
    ['a suite left out that was not', (document) => ({ ...document, leftOut: [] }), /notAssessed/],
    ['a suite twice', (document) => ({ ...document, leftOut: ['scaling'] }), /names a suite twice/],
  ])('%s', async (_, change, words) => {
    const folder = copy()
    rewrite(folder, change)
    expectRefused(await verify(folder), 33, words)
  })

  it('a member removed, files and all', async () => {
    const folder = copy()
    rmSync(member(folder, ids[1]), { recursive: true })
    forge(folder, issued.id, laboratory.key)
    expectRefused(await verify(folder), 33, /names the run .* which is missing/)
  })

  it('a member removed, and its name with it', async () => {
    const folder = copy()
    rmSync(member(folder, ids[2]), { recursive: true })
    rewrite(folder, ({ suites: [first, second], ...document }) => ({ ...document, suites: [first, second] }))
    expectRefused(await verify(folder), 33, /not made for this campaign of these suites/)
  })

  it('a member of another campaign in its place, with its id and digest', async () => {
    const folder = copy()
    const foreign = JSON.parse(
      readFileSync(join(other.packagePath, 'evidence', 'campaign.json'), 'utf8'),
    ) as CampaignDocument
    const taken = foreign.suites[1]
    rmSync(member(folder, ids[1]), { recursive: true })
    cpSync(member(other.packagePath, taken?.runId ?? ''), member(folder, taken?.runId ?? ''), { recursive: true })
    rewrite(folder, ({ suites: [first, , third], ...document }) => ({ ...document, suites: [first, taken, third] }))
    expectRefused(await verify(folder), 33, /another seed/)
  })

  it('an earlier certificate added to the evidence', async () => {
    const folder = copy()
    const run = await laboratory.issue(laboratory.run())
    cpSync(run.markdownPath, join(folder, 'evidence', 'previous.md'))
    forge(folder, issued.id, laboratory.key)
    expectRefused(await verify(folder), 33, /previous\.md is no evidence of a campaign/)
  })

  it('a figure, a histogram or a round of one member', async () => {
    const log = join('rounds', '00-elicitation', 'histograms.hlog')
    const attacks: ((folder: string) => void)[] = [
      (folder) =>
        edit(join(member(folder, ids[2]), 'results.json'), (text) => text.replace(/"p99Ms": 5\.\d+/, '"p99Ms": 1.5')),
      (folder) =>
        cpSync(join(member(folder, ids[2]), log.replace('elicitation', 'polling')), join(member(folder, ids[2]), log)),
      (folder) => rmSync(join(member(folder, ids[2]), 'rounds', '03-elicitation'), { recursive: true }),
    ]
    for (const attack of attacks) {
      const folder = copy()
      attack(folder)
      forge(folder, issued.id, laboratory.key)
      expectRefused(await verify(folder), 33, /^run run-20261122-021200-aa02: /)
    }
  })

  it.each<[string, (body: string) => string]>([
    ['the status in the text', (body) => body.replace('**Status**: APPROVED', '**Status**: RECOMMEND')],
    ['a suite in the text', (body) => body.replace(/^2\. \*\*scaling\*\*.*\n/m, '')],
    ['a mark in the text', (body) => body.replace('✅ MET', '❌ MET')],
  ])('%s', async (_, change) => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { body: change })
    expectRefused(await verify(folder), 33, /line \d+ of the text/)
  })

  it.each<[string, RegExp, string, RegExp]>([
    ['a decision', /"decision":"APPROVED"/, '"decision":"CONDITIONALLY_APPROVED"', /predicate/],
    ['a suite', /"suite":"scaling"/, '"suite":"burst"', /predicate/],
    ['the kind', /"kind":"campaign"/, '"kind":"readiness"', /predicateType and kind/],
  ])('%s in the signed statement', async (_, from, to, words) => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { statement: (text) => text.replace(from, to) })
    const report = await verify(folder)
    expect(report.verified).toBe(false)
    expect(report.failure?.message).toMatch(words)
  })

  it('a campaign passed off as one run, and a run as a campaign', async () => {
    const asRun = copy()
    forge(asRun, issued.id, laboratory.key, {
      statement: (text) =>
        text.replace('"kind":"campaign"', '"kind":"readiness"').replace('harness:campaign:v1', 'harness:readiness:v1'),
    })
    expectRefused(await verify(asRun), 33, /is no evidence of a run/)
    const run = await laboratory.issue(laboratory.run())
    const asCampaign = laboratory.copy(run)
    forge(asCampaign, run.id, laboratory.key, {
      statement: (text) =>
        text.replace('"kind":"readiness"', '"kind":"campaign"').replace('harness:readiness:v1', 'harness:campaign:v1'),
    })
    expectRefused(await verify(asCampaign), 33, /is no evidence of a campaign/)
  })

  it('a run’s certificate with a campaign hidden in its evidence', async () => {
    const run = await laboratory.issue(laboratory.run())
    const folder = laboratory.copy(run)
    cpSync(join(issued.packagePath, 'evidence', 'campaign.json'), join(folder, 'evidence', 'campaign.json'))
    forge(folder, run.id, laboratory.key)
    expectRefused(await verify(folder), 33, /campaign\.json is no evidence of a run/)
  })
})

describe('issuing for a campaign', () => {
  it('refuses a member that is missing, altered, or not beside it', async () => {
    const place = laboratory.folder()
    const path = writeRecordedCampaign(place)
    edit(join(place, ids[0], 'run.json'), (text) => text.replace('"agents": 100', '"agents": 1000'))
    await expect(laboratory.issue(path, { now: duringMs })).rejects.toMatchObject({ code: 'MEANING_DIFFERS' })
    rmSync(join(place, ids[1]), { recursive: true })
    await expect(laboratory.issue(path, { now: duringMs })).rejects.toMatchObject({ code: 'RUN_DIRECTORY' })
    const alone = join(laboratory.folder(), 'campaign-20261122-021000-00aa')
    cpSync(campaign, alone, { recursive: true })
    expect(readdirSync(dirname(alone))).toHaveLength(1)
    await expect(laboratory.issue(alone, { now: duringMs })).rejects.toMatchObject({ code: 'RUN_DIRECTORY' })
  })

  it('has one kind, follows no certificate, and is followed by none', async () => {
    await expect(laboratory.issue(campaign, { kind: 'analysis' })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(laboratory.issue(campaign, { previous: issued.markdownPath, now: duringMs })).rejects.toMatchObject({
      code: 'USAGE',
    })
    await expect(
      laboratory.issue(laboratory.run(), { previous: issued.markdownPath, now: duringMs }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/of a campaign, not of a run/) as string })
  })

  it('is dated after the campaign ended', async () => {
    await expect(laboratory.issue(campaign, { now: duringMs - 3_600_000 })).rejects.toMatchObject({
      code: 'MEANING_DIFFERS',
    })
  })
})
