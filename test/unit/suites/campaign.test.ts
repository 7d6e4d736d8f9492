/** Playing a campaign with planted suites: one that breaks, one that is told to stop, one for which no time is left. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { campaignSuites } from '../../../src/configuration/suite-table.ts'
import { parseCampaign, readCampaignBytes } from '../../../src/measurement/campaign-directory.ts'
import type { CampaignDocument, CampaignRecord } from '../../../src/measurement/campaign-document.ts'
import { deriveCampaign } from '../../../src/measurement/derive-campaign.ts'
import { utcTimestamp } from '../../../src/measurement/utc-time.ts'
import { suites, type Suite } from '../../../src/measurement/vocabulary.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import {
  runCampaign,
  type CampaignRequest,
  type MemberLimits,
  type PlannedSuite,
} from '../../../src/suites/campaign.ts'
import type { FinishedRun, SuiteRequest } from '../../../src/suites/run-frame.ts'
import { readMember, recordCampaign } from '../certificates/recorded-campaign.ts'
import { writeRecordedRun, type FixtureOptions } from '../certificates/recorded-run.ts'

let root = ''
let nowMs = 0
let controller = new AbortController()
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'campaign-'))
  nowMs = Date.UTC(2026, 10, 22, 2)
  controller = new AbortController()
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const clock = { wallMs: () => nowMs, nowNs: () => nowMs * 1e6 }
const told: { suite: Suite; limits: MemberLimits }[] = []
beforeEach(() => told.splice(0))

interface Planted {
  readonly takesMs?: number
  readonly run?: FixtureOptions
  readonly ended?: FinishedRun['ended']
  readonly breaks?: Error
}

function suite(name: Suite, { takesMs = 60_000, run = {}, ended = 'complete', breaks }: Planted = {}): PlannedSuite {
  return {
    suite: name,
    request: {} as SuiteRequest,
    rounds: 3,
    durationMs: takesMs,
    diskBytes: 1,
    lines: [],
    run: (limits, events) => {
      told.push({ suite: name, limits })
      const runId = `run-20261122-020000-${String(told.length).padStart(4, '0')}`
      events.started(runId, join(root, runId), 'test-data')
      if (breaks !== undefined) return Promise.reject(breaks)
      const startedAt = utcTimestamp(nowMs)
      nowMs += takesMs
      if (ended === 'interrupted') controller.abort()
      const cut = ended === 'complete' ? {} : { interrupted: true }
      const head = { runId, suite: name, startedAt, finishedAt: utcTimestamp(nowMs), campaign: limits.campaign, ...cut }
      const runDirectory = writeRecordedRun(root, { rounds: 3, ...run, head })
      return Promise.resolve({ results: readMember(runDirectory).results, runDirectory, ended })
    },
  }
}

/** What was on disk after each suite. */
let written: CampaignDocument[] = []
beforeEach(() => {
  written = []
})

async function play(
  planned: CampaignRequest['suites'],
  more: Partial<CampaignRequest> = {},
): Promise<Awaited<ReturnType<typeof runCampaign>>> {
  let directory = ''
  const silent = () => undefined
  return runCampaign(
    {
      profile: 'smoke',
      seed: 'test-data',
      outputFolder: root,
      suites: planned,
      leftOut: [],
      timeBudgetMs: null,
      ...more,
    },
    {
      started: (_id, path) => {
        directory = path
      },
      suiteStarted: () => ({
        started: silent,
        stage: silent,
        note: silent,
        roundStart: silent,
        progress: silent,
        roundDone: silent,
      }),
      suiteEnded: () => {
        written.push(parseCampaign(readCampaignBytes(directory) ?? new Uint8Array()))
      },
    },
    clock,
    controller.signal,
  )
}

const outcomes = ({ suites: list }: CampaignDocument): string[] => list.map(({ outcome }) => outcome)

describe('a campaign', () => {
  it('plays suites in order, tells each which campaign it belongs to, and writes what it has after each', async () => {
    const { document, ended, runs, directory } = await play([suite('comparison'), suite('scaling')])
    expect([ended, document.decision, document.exitCode]).toEqual(['complete', 'APPROVED', 0])
    expect(runs.map(({ results }) => results.suite)).toEqual(['comparison', 'scaling'])
    const campaign = { id: document.campaignId, suites: ['comparison', 'scaling'] }
    expect(told.map(({ limits }) => limits)).toEqual([
      { timeBudgetMs: null, campaign },
      { timeBudgetMs: null, campaign },
    ])
    expect(written.map(outcomes)).toEqual([
      ['finished', 'not-run'],
      ['finished', 'finished'],
    ])
    // Killed after the first suite, it reads as undecided, not as approved.
    expect(written[0]).toMatchObject({ decision: 'NEEDS_FURTHER_REVIEW' })
    expect(written[0]?.finishedAt).toBeUndefined()
    expect(readFileSync(join(directory, 'report.md'), 'utf8')).toMatch(/^# APPROVED over all suites\n/)
  })

  it('goes on after a suite that breaks or was refused, and names both', async () => {
    const refusal = new LighthouseError('USAGE', 'no such level')
    const { document, ended } = await play([
      suite('comparison', { breaks: new Error('the engine\nwould not start') }),
      { suite: 'scaling', refusal },
      suite('burst'),
    ])
    expect([ended, document.decision]).toEqual(['complete', 'NEEDS_FURTHER_REVIEW'])
    expect(document.suites).toMatchObject([
      { outcome: 'failed', reason: 'the engine would not start', runId: 'run-20261122-020000-0001', decision: null },
      { outcome: 'failed', reason: 'no such level', runId: null },
      { outcome: 'finished', reason: '', decision: 'APPROVED' },
    ])
    const reasons = document.decisionReasons.join('\n')
    expect(reasons).toContain('compare: it was asked for and failed: the engine would not start')
    expect(reasons).toContain('scale: it was asked for and failed: no such level')
    expect(document.notAssessed.map(({ command }) => command)).toEqual([
      'lighthouse bench compare --profile smoke',
      'lighthouse bench scale --profile smoke',
    ])
  })

  it('stops after the suite that was interrupted, which counts as undecided', async () => {
    const { document, ended } = await play([
      suite('comparison'),
      suite('scaling', { ended: 'interrupted' }),
      suite('burst'),
    ])
    expect([ended, document.interrupted, document.decision]).toEqual(['interrupted', true, 'NEEDS_FURTHER_REVIEW'])
    expect(outcomes(document)).toEqual(['finished', 'cut-short', 'not-run'])
    expect(document.suites[1]?.decision).toBe('APPROVED')
    expect(told).toHaveLength(2)
  })

  it('shares one budget, and starts nothing when it is used up', async () => {
    const { document, ended } = await play([suite('comparison'), suite('scaling'), suite('burst')], {
      timeBudgetMs: 120_500,
    })
    expect(told.map(({ limits }) => limits.timeBudgetMs)).toEqual([120_500, 60_500])
    expect([ended, outcomes(document)]).toEqual(['time-budget', ['finished', 'finished', 'not-run']])
    expect(document.suites[2]?.reason).toBe('the time budget was used up')
  })

  it('bears what is worst, whatever comes after it', async () => {
    const { document } = await play([
      suite('comparison', { run: { duplicated: 1 } }),
      suite('scaling', { breaks: new Error('x') }),
      suite('burst'),
    ])
    expect([document.decision, document.exitCode]).toEqual(['EMERGENCY_STOP', 22])
  })

  it('without a comparison has no readiness decision', async () => {
    const { document } = await play([suite('scaling')], { leftOut: ['comparison'] })
    expect([document.decision, document.targets]).toEqual(['NEEDS_FURTHER_REVIEW', null])
    expect(document.decisionReasons[0]).toMatch(/readiness targets are judged on the comparison/)
    expect(document.notAssessed).toContainEqual({
      what: 'the suite comparison, left out on request',
      command: 'lighthouse bench compare --profile smoke',
    })
  })
})

describe('what a campaign is derived from', () => {
  it('must be its members: none more, none less, none of another order, even where each names the same campaign', () => {
    const { record, members } = recordCampaign(join(root, 'recorded'))
    expect(deriveCampaign(record, members).decision).toBe('APPROVED')
    const fails = (change: (record: CampaignRecord) => CampaignRecord, words: RegExp): void =>
      expect(() => deriveCampaign(change(record), members)).toThrow(words)
    const [first, second, third] = record.entries
    if (first === undefined || second === undefined || third === undefined) throw new Error('three entries')
    fails((each) => ({ ...each, entries: [first, second] }), /does not name the run/)
    fails((each) => ({ ...each, entries: [first, third, second] }), /in this order/)
    fails((each) => ({ ...each, entries: [{ ...first, suite: 'contention' }, second, third] }), /it is of comparison/)
    fails((each) => ({ ...each, entries: [first, second, { ...third, reason: 'x' }] }), /for no reason/)
    fails((each) => ({ ...each, entries: [first, second, { ...third, manifestSha256: null }] }), /says otherwise/)
    const swapped = new Map(
      [...members].map(([id, member]) => {
        const campaign = { id: record.campaignId, suites: ['scaling', 'comparison', 'burst'] as const }
        return [id, { ...member, manifest: { ...member.manifest, campaign } }] as const
      }),
    )
    const reordered = { ...record, entries: [second, first, third] }
    expect(() => deriveCampaign(reordered, swapped)).toThrow(/another order than they were played/)
    const overlapping = new Map(
      [...members].map(([id, member]) => [
        id,
        { ...member, manifest: { ...member.manifest, finishedAt: '2026-11-22T02:12:55.000Z' } },
      ]),
    )
    expect(() => deriveCampaign(record, overlapping)).toThrow(/another order than they were played/)
  })

  it('is every suite there is', () => {
    expect(campaignSuites.toSorted()).toEqual(suites.toSorted())
  })
})
