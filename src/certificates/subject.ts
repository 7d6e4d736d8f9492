/**
 * What a certificate is about: one run, a campaign of several, or a migration. Everything that is said of all (identity, decision, scope, time,
 * size) goes through here, so that statement, ID and expectations treat them alike. Of several runs the least of each counts: a commit that
 * all share, a tree that is clean for all, a size that each had.
 */
import type { CampaignDocument } from '../measurement/campaign-document.ts'
import type { Fact, ResultsDocument } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import type { Decision } from '../statistics/verdict.ts'
import { statusOf, type Status } from './assessment.ts'
import { validRoundsOf } from './figures.ts'
import { certificateKinds, type CertificateKind } from './format.ts'
import type { MigrationMeaning } from './migration-facts.ts'

export interface RunMeaning {
  readonly run: RunManifest
  /** Derived here, not read: equal to results.json when `checkMeaning` returned. */
  readonly results: ResultsDocument
}

export interface CampaignMeaning {
  /** Derived from the members: equal to campaign.json when `checkCampaignMeaning` returned. */
  readonly campaign: CampaignDocument
  /** In the order of play. */
  readonly members: readonly RunMeaning[]
}

export type Meaning = RunMeaning | CampaignMeaning | MigrationMeaning

export function isCampaign(meaning: Meaning): meaning is CampaignMeaning {
  return 'campaign' in meaning
}

export function isMigration(meaning: Meaning): meaning is MigrationMeaning {
  return 'migration' in meaning
}

export interface Subject {
  readonly decision: Decision
  readonly scope: string
  /** Labels. */
  readonly engines: readonly string[]
  readonly commit: Fact<string>
  readonly dirty: Fact<boolean>
  /** UTC, ISO 8601: nothing was measured later. */
  readonly endedAt: string
  /** None for a migration. */
  readonly runs: readonly RunMeaning[]
}

export function subjectOf(meaning: Meaning): Subject {
  if (isMigration(meaning)) return migrationSubject(meaning)
  if (!isCampaign(meaning)) {
    const { run, results } = meaning
    const { decision, scope, engines, environment } = results
    const { commit, dirty } = environment
    const endedAt = run.finishedAt ?? run.startedAt
    return { decision, scope, engines: engines.map(({ label }) => label), commit, dirty, endedAt, runs: [meaning] }
  }
  const { campaign, members } = meaning
  return {
    decision: campaign.decision,
    scope: campaign.scope,
    engines: campaign.engines,
    commit: commonCommit(members),
    dirty: commonDirty(members),
    endedAt: campaign.finishedAt ?? campaign.startedAt,
    runs: members,
  }
}

/** The commit of a migration is what somebody said when it began; nobody looked at a working tree. */
function migrationSubject({
  migration: { commit, endedWallMs },
  judged: { decision, scope },
}: MigrationMeaning): Subject {
  const reason = 'no commit was named when the migration began'
  return {
    decision,
    scope,
    engines: ['old path', 'new path'],
    commit: commit === null ? { value: null, reason } : { value: commit },
    dirty: { value: null, reason: 'the commit was declared when the migration began, and not observed' },
    endedAt: utcTimestamp(endedWallMs),
    runs: [],
  }
}

/** Of a run by the rules of its kind; campaigns and migrations bear their decision. */
export function subjectStatus(kind: CertificateKind, meaning: Meaning): Status {
  const ofRun = certificateKinds.find((known) => known === kind)
  if (isCampaign(meaning) || isMigration(meaning) || ofRun === undefined) return subjectOf(meaning).decision
  return statusOf(ofRun, meaning.results)
}

function commonCommit(members: readonly RunMeaning[]): Fact<string> {
  const commits = members.map(({ results }) => results.environment.commit)
  const unknown = commits.find(({ value }) => value === null)
  if (unknown !== undefined) return unknown
  const [first] = commits
  return first !== undefined && commits.every(({ value }) => value === first.value)
    ? first
    : { value: null, reason: 'the runs of the campaign were made from different commits' }
}

function commonDirty(members: readonly RunMeaning[]): Fact<boolean> {
  const trees = members.map(({ results }) => results.environment.dirty)
  return (
    trees.find(({ value }) => value === true) ??
    trees.find(({ value }) => value === null) ??
    trees[0] ?? { value: null, reason: 'the campaign has no run' }
  )
}

export interface MeasuredScope {
  readonly text: string
  readonly profile: string
  readonly agents: number
  readonly ratePerSecond: number
  readonly validRounds: number
  readonly roundDurationMs: number
  /** Rounds in which every engine was valid, times their length: the load that the decision rests on. */
  readonly measuredMs: number
}

export function measuredScope({ run: { plan }, results }: RunMeaning): MeasuredScope {
  const validRounds = validRoundsOf(results)
  return {
    text: results.scope,
    profile: results.profile,
    agents: plan.agents,
    ratePerSecond: plan.ratePerSecond,
    validRounds,
    roundDurationMs: plan.roundDurationMs,
    measuredMs: validRounds * plan.roundDurationMs,
  }
}
