/**
 * From what a campaign recorded and the results of its members to `campaign.json`. Whoever publishes it and whoever verifies it call
 * this; see docs/campaigns.md for the rules. Members that are not those which the record names are refused.
 */
import { LighthouseError } from '../platform/errors.ts'
import { combineDecisions, type DecisionPart } from '../statistics/combined-decision.ts'
import type { CampaignDocument, CampaignEntry, CampaignRecord, CampaignSuite } from './campaign-document.ts'
import { suiteCommands } from './derive-scope.ts'
import type { ResultsDocument } from './results-document.ts'
import type { RunManifest } from './round-evidence.ts'

export interface CampaignMember {
  readonly manifest: RunManifest
  readonly results: ResultsDocument
  /** Of its evidence manifest, computed from its files. */
  readonly manifestSha256: string
}

/** `members` by run id. Throws RUN_DIRECTORY when they are not the record's. */
export function deriveCampaign(record: CampaignRecord, members: ReadonlyMap<string, CampaignMember>): CampaignDocument {
  checkRecord(record)
  checkMembers(record, members)
  const memberOf = ({ runId, manifestSha256 }: CampaignEntry): CampaignMember | null =>
    runId === null || manifestSha256 === null ? null : (members.get(runId) ?? null)
  const suites = record.entries.map((entry): CampaignSuite => {
    const results = memberOf(entry)?.results
    return { ...entry, decision: results?.decision ?? null, scope: results?.scope ?? null }
  })
  const parts = record.entries.map((entry) => partOf(entry, memberOf(entry)))
  const comparison = record.entries.find(({ suite }) => suite === 'comparison')
  const judged = comparison === undefined ? null : memberOf(comparison)
  const { decision, exitCode, reasons, conditions } = combineDecisions(parts, readinessDoubts(judged))
  const { entries: _entries, ...known } = record
  return {
    ...known,
    suites,
    engines: [...new Set(record.entries.flatMap((entry) => memberOf(entry)?.results.engines.map(labelOf) ?? []))],
    targets: judged?.manifest.targets ?? null,
    scope: scopeOf(record, suites),
    decision,
    exitCode,
    decisionReasons: reasons,
    conditions,
    notAssessed: [
      ...suites.flatMap(({ suite, decision }) =>
        decision === null ? [open(`the suite ${suite}, asked for and without results`, suite)] : [],
      ),
      ...record.leftOut.map((suite) => open(`the suite ${suite}, left out on request`, suite)),
    ],
  }

  function open(what: string, suite: CampaignEntry['suite']): CampaignDocument['notAssessed'][number] {
    return { what, command: `lighthouse bench ${suiteCommands[suite]} --profile ${record.profile}` }
  }
}

function labelOf({ label }: ResultsDocument['engines'][number]): string {
  return label
}

function partOf({ suite, outcome, reason }: CampaignEntry, member: CampaignMember | null): DecisionPart {
  const words = {
    finished: '',
    'cut-short': `it was cut short: ${reason}`,
    failed: `it was asked for and failed: ${reason}`,
    'not-run': `it was asked for and did not run: ${reason}`,
  }
  return {
    name: suiteCommands[suite],
    decision: member?.results.decision ?? null,
    reasons: member?.results.decisionReasons ?? [],
    conditions: member?.results.conditions ?? [],
    open: words[outcome],
  }
}

function readinessDoubts(comparison: CampaignMember | null): string[] {
  return comparison === null
    ? ['the readiness targets are judged on the comparison, and this campaign has no results of one']
    : []
}

function scopeOf({ profile }: CampaignRecord, suites: readonly CampaignSuite[]): string {
  const decided = suites.flatMap(({ suite, scope }) => (scope === null ? [] : [`${suiteCommands[suite]} (${scope})`]))
  const count = `${decided.length} of ${suites.length} suites`
  return `profile ${profile}, ${count}${decided.length === 0 ? '' : `: ${decided.join('; ')}`}`
}

function refuse(what: string): never {
  throw new LighthouseError('RUN_DIRECTORY', `campaign.json ${what}`, {
    suggestions: ['Use the campaign and its runs as they were written.'],
  })
}

function checkRecord({ entries, leftOut, startedAt, finishedAt }: CampaignRecord): void {
  const named = [...entries.map(({ suite }) => suite), ...leftOut]
  if (new Set(named).size !== named.length) refuse('names a suite twice')
  const ids = entries.flatMap(({ runId }) => (runId === null ? [] : [runId]))
  if (new Set(ids).size !== ids.length) refuse('names a run twice')
  if (finishedAt !== undefined && finishedAt < startedAt) refuse('ends before it starts')
  for (const { suite, outcome, runId, manifestSha256, reason } of entries) {
    const has = outcome === 'finished' || outcome === 'cut-short'
    if (has !== (manifestSha256 !== null) || (has && runId === null) || (outcome === 'not-run' && runId !== null)) {
      refuse(`says of ${suite} that it is ${outcome}, and its run says otherwise`)
    }
    if ((outcome === 'finished') !== (reason === '')) refuse(`says of ${suite} that it is ${outcome} for no reason`)
  }
}

function checkMembers(record: CampaignRecord, members: ReadonlyMap<string, CampaignMember>): void {
  const asked = record.entries.map(({ suite }) => suite)
  const expected = new Set(record.entries.flatMap((entry) => (entry.manifestSha256 === null ? [] : [entry.runId])))
  for (const id of members.keys()) if (!expected.has(id)) refuse(`does not name the run ${id}`)
  let previousEnd = record.startedAt
  for (const { suite, outcome, runId, manifestSha256 } of record.entries) {
    if (runId === null || manifestSha256 === null) continue
    const member = members.get(runId)
    if (member === undefined) return refuse(`names the run ${runId}, which is missing`)
    const { manifest, results } = member
    if (manifest.runId !== runId || results.runId !== runId) refuse(`names the run ${runId}, which is another`)
    if (member.manifestSha256 !== manifestSha256) refuse(`fixes the evidence of ${runId}, which differs`)
    if (manifest.suite !== suite) refuse(`says that ${runId} is of the suite ${suite}; it is of ${manifest.suite}`)
    if (manifest.profile !== record.profile)
      refuse(`has the profile ${record.profile}, ${runId} has ${manifest.profile}`)
    if (manifest.seed !== record.seed) refuse(`has another seed than its run ${runId}`)
    const { campaign } = manifest
    if (campaign?.id !== record.campaignId || campaign.suites.join() !== asked.join()) {
      refuse(`names the run ${runId}, which was not made for this campaign of these suites in this order`)
    }
    if (outcome === 'finished' && (manifest.interrupted === true || manifest.finishedAt === undefined)) {
      refuse(`says that ${runId} finished, and it was cut short`)
    }
    const end = manifest.finishedAt ?? manifest.startedAt
    if (manifest.startedAt < previousEnd) refuse(`has runs in another order than they were played, at ${runId}`)
    if (record.finishedAt !== undefined && end > record.finishedAt) refuse(`ends before its run ${runId}`)
    previousEnd = end
  }
}
