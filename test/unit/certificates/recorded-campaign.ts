/**
 * A recorded campaign for tests: TEST DATA, invented figures, never measured. Members are recorded runs under the names of suites,
 * one after the other.
 */
import { mkdirSync } from 'node:fs'
import { runManifestSha256 } from '../../../src/certificates/evidence-manifest.ts'
import { collectEvidence } from '../../../src/certificates/run-evidence.ts'
import { createCampaignDirectory } from '../../../src/measurement/campaign-directory.ts'
import type { CampaignEntry, CampaignRecord } from '../../../src/measurement/campaign-document.ts'
import { deriveCampaign, type CampaignMember } from '../../../src/measurement/derive-campaign.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import { openRunDirectory } from '../../../src/measurement/run-directory.ts'
import type { Suite } from '../../../src/measurement/vocabulary.ts'
import { writeRecordedRun, type FixtureOptions } from './recorded-run.ts'

export interface CampaignOptions {
  readonly id?: string
  readonly seed?: string
  /** In the order of play; `reason` makes a suite one that failed. */
  readonly suites?: readonly { readonly suite: Suite; readonly reason?: string; readonly run?: FixtureOptions }[]
  /** Laid over what is recorded, before it is derived. */
  readonly change?: (record: CampaignRecord) => CampaignRecord
}

const minute = (index: number, second: number): string =>
  `2026-11-22T02:${String(10 + index).padStart(2, '0')}:${String(second).padStart(2, '0')}.000Z`

export const defaultSuites = [{ suite: 'comparison' }, { suite: 'scaling' }, { suite: 'burst' }] as const

export function readMember(path: string): CampaignMember {
  const { manifest, results } = openRunDirectory(path)
  return { manifest, results: results as ResultsDocument, manifestSha256: runManifestSha256(collectEvidence(path)) }
}

/** Members and record, without a campaign directory. */
export function recordCampaign(
  parent: string,
  { id = 'campaign-20261122-021000-00aa', seed = 'test-data', suites = defaultSuites }: CampaignOptions = {},
): { readonly record: CampaignRecord; readonly members: Map<string, CampaignMember> } {
  mkdirSync(parent, { recursive: true })
  const members = new Map<string, CampaignMember>()
  const entries = suites.map(
    ({ suite, reason, run }: { suite: Suite; reason?: string; run?: FixtureOptions }, index) => {
      if (reason !== undefined) {
        return { suite, outcome: 'failed', runId: null, manifestSha256: null, reason } satisfies CampaignEntry
      }
      const runId = `run-20261122-02${10 + index}00-${id.slice(-2)}0${index}`
      const head = {
        runId,
        suite,
        seed,
        startedAt: minute(index, 0),
        finishedAt: minute(index, 50),
        campaign: { id, suites: suites.map((each) => each.suite) },
      }
      const member = readMember(writeRecordedRun(parent, { rounds: 4, ...run, head: { ...head, ...run?.head } }))
      members.set(runId, member)
      const { manifestSha256 } = member
      return { suite, outcome: 'finished', runId, manifestSha256, reason: '' } satisfies CampaignEntry
    },
  )
  const startedAt = minute(0, 0)
  const finishedAt = minute(suites.length, 0)
  const leftOut: readonly Suite[] = ['failure-recovery']
  const record = {
    schemaVersion: 1,
    campaignId: id,
    profile: 'smoke',
    seed,
    startedAt,
    finishedAt,
    leftOut,
    entries,
  } as const
  return { record, members }
}

/** Writes members and campaign side by side below `parent`; returns the campaign's directory. */
export function writeRecordedCampaign(parent: string, options: CampaignOptions = {}): string {
  const { record, members } = recordCampaign(parent, options)
  const directory = createCampaignDirectory(parent, record.campaignId)
  directory.write(deriveCampaign(options.change?.(record) ?? record, members))
  return directory.path
}
