/**
 * `campaign.json`: several suites run one after the other, and one decision over them. Each member keeps its own run directory; here
 * stand its id and the digest of its evidence. The rest is derived from the members (derive-campaign.ts).
 */
import { z } from 'zod'
import { decisions, type Decision } from '../statistics/verdict.ts'
import { profiles, type Profile } from './targets-file.ts'
import { campaignIdPattern, runIdPattern } from './utc-time.ts'
import { suites, type Suite } from './vocabulary.ts'

/** `cut-short` has results over what was measured; `failed` refused its settings or broke; `not-run` never had its turn. */
export const suiteOutcomes = ['finished', 'cut-short', 'failed', 'not-run'] as const
export type SuiteOutcome = (typeof suiteOutcomes)[number]

/** What was recorded of one suite. */
export interface CampaignEntry {
  readonly suite: Suite
  readonly outcome: SuiteOutcome
  /** Null when no run directory was begun. */
  readonly runId: string | null
  /** Of the run's evidence manifest; null unless it finished or was cut short. */
  readonly manifestSha256: string | null
  /** Empty when it finished, else what happened. */
  readonly reason: string
}

/** What only the campaign knows. */
export interface CampaignRecord {
  readonly schemaVersion: 1
  readonly campaignId: string
  readonly profile: Profile
  readonly seed: string
  /** UTC, ISO 8601. */
  readonly startedAt: string
  /** Absent while it goes on, and when it was killed. */
  readonly finishedAt?: string
  /** Told to stop, or out of time. */
  readonly interrupted?: boolean
  /** All that were asked for, in the order of play. */
  readonly entries: readonly CampaignEntry[]
  /** Left out on request. */
  readonly leftOut: readonly Suite[]
}

export interface CampaignSuite extends CampaignEntry {
  /** Of the run; null without results. */
  readonly decision: Decision | null
  readonly scope: string | null
}

export interface CampaignDocument extends Omit<CampaignRecord, 'entries'> {
  readonly suites: readonly CampaignSuite[]
  /** Labels of all engines, in the order in which they first took part. */
  readonly engines: readonly string[]
  /** The bars of readiness: those of the comparison's run; null without one. */
  readonly targets: { readonly source: string; readonly sha256: string } | null
  readonly scope: string
  readonly decision: Decision
  readonly exitCode: number
  readonly decisionReasons: readonly string[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
  /** Suites without a decision, with the command that would give one. */
  readonly notAssessed: readonly { readonly what: string; readonly command: string }[]
}

const text = z.string().max(10_000)
/** A reason of a run may hold those of many rounds. */
const passage = z.string().max(300_000)
const name = z.string().min(1).max(200)
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const runId = z.string().regex(runIdPattern)
const mostSuites = 50

/** Unknown members are refused, so that nothing unseen is signed. */
export const campaignSchema = z.strictObject({
  schemaVersion: z.literal(1),
  campaignId: z.string().regex(campaignIdPattern),
  profile: z.enum(profiles),
  seed: name,
  startedAt: time,
  finishedAt: time.exactOptional(),
  interrupted: z.boolean().exactOptional(),
  leftOut: z.array(z.enum(suites)).max(mostSuites),
  suites: z
    .array(
      z.strictObject({
        suite: z.enum(suites),
        outcome: z.enum(suiteOutcomes),
        runId: runId.nullable(),
        manifestSha256: sha256.nullable(),
        reason: text,
        decision: z.enum(decisions).nullable(),
        scope: text.nullable(),
      }),
    )
    .max(mostSuites),
  engines: z.array(name).max(1000),
  targets: z.strictObject({ source: name, sha256 }).nullable(),
  scope: text,
  decision: z.enum(decisions),
  exitCode: z.int(),
  decisionReasons: z.array(passage).max(1000),
  conditions: z.array(z.strictObject({ id: name, text: passage })).max(1000),
  notAssessed: z.array(z.strictObject({ what: text, command: name })).max(1000),
}) satisfies z.ZodType<CampaignDocument>

/** The recorded part of a document. */
export function recordOf(document: CampaignDocument): CampaignRecord {
  const { schemaVersion, campaignId, profile, seed, startedAt, finishedAt, interrupted, leftOut } = document
  return {
    schemaVersion,
    campaignId,
    profile,
    seed,
    startedAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(interrupted === undefined ? {} : { interrupted }),
    leftOut,
    entries: document.suites.map(({ suite, outcome, runId, manifestSha256, reason }) => ({
      suite,
      outcome,
      runId,
      manifestSha256,
      reason,
    })),
  }
}
