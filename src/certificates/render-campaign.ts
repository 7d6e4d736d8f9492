/**
 * Renders the body of a campaign's certificate, version 1, by the rules of render.ts: the campaign and its suites first, then the
 * findings of every member as its own certificate would print them, then the decision over all.
 */
import { codeDoubt, findRisks, overallLevel, type Risk } from './assessment-risks.ts'
import { goNoGo, rationale } from './assessment.ts'
import { code, prose } from './escape.ts'
import { cross, tick, warning } from './figures.ts'
import { campaignTitle } from './format.ts'
import {
  closedBody,
  codeUnderTest,
  renderEvidence,
  renderHead,
  renderRisks,
  renderSignature,
  scopeLines,
  type FrameInputs,
} from './render.ts'
import { limited, renderFindings, renderTargets } from './render-findings.ts'
import { subjectOf, type CampaignMeaning, type RunMeaning } from './subject.ts'

export function renderCampaignBody(inputs: FrameInputs, meaning: CampaignMeaning): string {
  const own = campaignRisks(meaning)
  const risks = [...own, ...meaning.members.flatMap(({ results }) => findRisks(results))]
  return closedBody([
    ...renderHead(campaignTitle, inputs),
    ...reviewScope(meaning),
    ...(own.length === 0 ? [] : ['## FINDINGS', '', ...renderRisks(own)]),
    ...meaning.members.flatMap((member) => memberSection(member)),
    ...renderDecision(meaning, risks),
    ...renderNotAssessed(meaning),
    ...renderEvidence(inputs),
    ...renderSignature(inputs),
  ])
}

function reviewScope(meaning: CampaignMeaning): string[] {
  const { campaign } = meaning
  const { commit, dirty } = subjectOf(meaning)
  const { targets, leftOut, suites } = campaign
  const marks = { finished: tick, 'cut-short': warning, failed: cross, 'not-run': cross } as const
  return [
    '## REVIEW SCOPE',
    `- Decision scope: ${prose(campaign.scope)}`,
    `- Campaign ${code(campaign.campaignId)}, profile ${code(campaign.profile)}, seed ${code(campaign.seed)}`,
    `- Readiness targets: ${
      targets === null
        ? `${warning} none, since they are judged on the comparison`
        : `${prose(targets.source)}, SHA-256 ${code(targets.sha256)}, judged on the comparison`
    }`,
    ...(leftOut.length === 0 ? [] : [`- Left out on request: ${leftOut.map(code).join(', ')}`]),
    codeUnderTest(codeDoubt({ commit, dirty }), { environment: { ...subjectEnvironment(meaning), commit, dirty } }),
    '',
    '### SUITES IN THE ORDER OF PLAY',
    '',
    ...suites.map(({ suite, outcome, decision, runId, manifestSha256, reason }, index) =>
      [
        `${index + 1}. **${suite}**: ${outcome} ${marks[outcome]}, ${decision ?? 'no decision'}`,
        ...(runId === null ? [] : [`run ${code(runId)}`]),
        ...(manifestSha256 === null ? [] : [`evidence manifest SHA-256 ${code(manifestSha256)}`]),
        ...(reason === '' ? [] : [prose(reason)]),
      ].join(', '),
    ),
    '',
  ]
}

/** Of the first member: commit and tree are then those that all members share. */
function subjectEnvironment({ members }: CampaignMeaning): RunMeaning['results']['environment'] {
  const [first] = members
  if (first === undefined) throw new Error('a campaign without members is never rendered')
  return first.results.environment
}

function memberSection(member: RunMeaning): string[] {
  const { results } = member
  return [
    `## SUITE ${code(results.suite)}: ${results.decision}`,
    ...scopeLines(member),
    ...limited(results.decisionReasons).map((reason) => `- ${prose(reason)}`),
    '',
    ...renderFindings(results),
    ...renderTargets(results),
    ...renderRisks(findRisks(results)),
  ]
}

/** A suite without a decision is a question that was asked and not answered. */
function campaignRisks({ campaign }: CampaignMeaning): Risk[] {
  const open = campaign.suites.filter(({ outcome }) => outcome !== 'finished')
  return open.map(({ suite, outcome, reason }) => ({
    level: 'HIGH',
    title: `Suite ${code(suite)} ${outcome === 'cut-short' ? 'Cut Short' : outcome === 'failed' ? 'Failed' : 'Not Run'}`,
    details: [prose(reason)],
  }))
}

function renderDecision({ campaign }: CampaignMeaning, risks: readonly Risk[]): string[] {
  const { conditions, decision, decisionReasons, scope } = campaign
  const counts = (['HIGH', 'MEDIUM', 'LOW'] as const).map(
    (level) => `${risks.filter((risk) => risk.level === level).length} ${level}`,
  )
  const sorted = (['HIGH', 'MEDIUM', 'LOW'] as const).flatMap((level) => risks.filter((risk) => risk.level === level))
  return [
    '## DECISION/OUTCOME',
    `**Status**: ${decision}`,
    `**Scope**: ${prose(scope)}`,
    `**Rationale**: ${rationale(decision)}`,
    ...limited(decisionReasons).map((reason) => `- ${prose(reason)}`),
    '',
    '**Conditions for Full Approval**:',
    ...(conditions.length === 0
      ? ['None.']
      : limited(conditions.map(({ id, text }) => `${code(id)}: ${prose(text)}`)).map((line) => `- ${line}`)),
    '',
    `**Risk Level**: ${overallLevel(sorted)} - ${counts.join(', ')} by the published rules`,
    '',
    `**Go/No-Go Recommendation**: ${goNoGo(decision)}`,
    '',
  ]
}

function renderNotAssessed({ campaign, members }: CampaignMeaning): string[] {
  const lines = [
    ...campaign.notAssessed.map(({ what, command }) => `${prose(what)}: ${code(command)}`),
    ...members.flatMap(({ results }) =>
      results.notAssessed.map(({ what, command }) => `${code(results.suite)}, ${prose(what)}: ${code(command)}`),
    ),
  ]
  return [
    '## NOT ASSESSED',
    ...(lines.length === 0 ? ['Nothing was declared out of reach of this campaign.'] : []),
    ...limited(lines).map((line) => `- ${line}`),
    '',
  ]
}
