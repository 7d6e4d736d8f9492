/**
 * What a certificate is about: one run, or a campaign of several. Everything that is said of both (identity, decision, scope, time,
 * size) goes through here, so that statement, ID and expectations treat them alike. Of several runs the least of each counts: a commit that
 * all share, a tree that is clean for all, a size that each had.
 */
import type { CampaignDocument } from '../measurement/campaign-document.ts'
import type { Fact, ResultsDocument } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import type { Decision } from '../statistics/verdict.ts'
import { statusOf, type Status } from './assessment.ts'
import { validRoundsOf } from './figures.ts'
import { campaignKind, type CertificateKind } from './format.ts'

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

export type Meaning = RunMeaning | CampaignMeaning

export function isCampaign(meaning: Meaning): meaning is CampaignMeaning {
  return 'campaign' in meaning
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
  readonly runs: readonly RunMeaning[]
}

export function subjectOf(meaning: Meaning): Subject {
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

/** Of a run by the rules of its kind; a campaign bears its decision. */
export function subjectStatus(kind: CertificateKind, meaning: Meaning): Status {
  if (isCampaign(meaning) || kind === campaignKind) return subjectOf(meaning).decision
  return statusOf(kind, meaning.results)
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
