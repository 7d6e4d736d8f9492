/**
 * A campaign for terminal and Markdown: the decision over all first, a table of the suites, then of every suite its targets in short. The
 * whole report of a suite is in its own run directory.
 */
import type { CampaignDocument, CampaignSuite } from '../measurement/campaign-document.ts'
import { suiteCommands } from '../measurement/derive-scope.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { markdownLine, wrapped } from './text.ts'
import { markdownPage } from './markdown.ts'
import { bytes } from './numbers.ts'
import { decisionTones, reportContent } from './report-content.ts'
import type { Cell, Line, Section } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** `members`: results of the suites that have any. Ends in a line feed. */
export function campaignTerminal(
  document: CampaignDocument,
  members: readonly ResultsDocument[],
  style: TerminalStyle,
): string {
  const { decision, exitCode } = document
  const headline = `${decision} over all suites (exit ${exitCode})`
  const scope = `Within ${coverage(document)}`
  const page = { headline, tone: decisionTones[decision], scope, ...contentOf(document, members) }
  return renderPage(page, style)
}

export function campaignMarkdown(document: CampaignDocument, members: readonly ResultsDocument[]): string {
  const { decision, exitCode } = document
  return markdownPage({
    headline: `${decision} over all suites`,
    scope: `Within ${markdownLine(coverage(document))} (exit code ${exitCode}).`,
    ...contentOf(document, members),
  })
}

/** The scopes of all suites in one sentence are no sentence; each stands in the table. */
function coverage({ profile, suites }: CampaignDocument): string {
  const names = suites.flatMap(({ suite, decision }) => (decision === null ? [] : [suiteCommands[suite]]))
  return `profile ${profile}, ${names.length} of ${suites.length} suites with results: ${names.join(', ') || 'none'}`
}

function contentOf(
  document: CampaignDocument,
  members: readonly ResultsDocument[],
): { readonly summary: readonly Line[]; readonly sections: readonly Section[] } {
  const { decisionReasons, conditions, suites, notAssessed, campaignId, profile, seed } = document
  const sections: Section[] = [
    {
      title: 'Suites',
      table: { head: ['suite', 'outcome', 'decision', 'run'], rows: suites.map(suiteRow) },
      lines: [],
    },
    ...suites.flatMap((suite) => {
      const results = members.find(({ runId }) => runId === suite.runId)
      return results === undefined ? [] : [memberSection(suite, results)]
    }),
    { title: 'Not assessed', lines: notAssessed.map(({ what, command }) => ({ text: what, command })) },
    { title: 'Where and how', lines: [{ text: `Campaign ${campaignId}, profile ${profile}, seed ${seed}.` }] },
  ]
  return {
    summary: [
      ...decisionReasons.map((text) => ({ text })),
      ...conditions.map(({ id, text }) => ({ text: `Condition ${id}: ${text}`, tone: 'doubt' as const })),
    ],
    sections: sections.filter((section) => section.table !== undefined || section.lines.length > 0),
  }
}

function suiteRow({ suite, outcome, decision, scope, runId, reason }: CampaignSuite): Cell[] {
  return [
    { text: suiteCommands[suite], ...(suiteCommands[suite] === suite ? {} : { detail: suite }) },
    { text: outcome, tone: outcome === 'finished' ? 'plain' : 'bad', ...(reason === '' ? {} : { detail: reason }) },
    decision === null
      ? { text: 'none', tone: 'doubt' }
      : { text: decision, tone: decisionTones[decision], ...(scope === null ? {} : { detail: scope }) },
    { text: runId ?? 'none' },
  ]
}

function memberSection({ suite, decision }: CampaignSuite, results: ResultsDocument): Section {
  const targets = reportContent(results).sections.find(({ title }) => title === 'Targets')
  const title = `${suiteCommands[suite]}: ${decision ?? 'no decision'}`
  return { lines: [], ...targets, title }
}

/** What a dry run prints of every suite, and of all. */
export function campaignOutline(
  suites: readonly { readonly name: string; readonly lines: readonly string[]; readonly refusal: string | null }[],
  total: { readonly durationMs: number; readonly diskBytes: number; readonly timeBudgetMs: number | null },
): string[] {
  const minutes = (ms: number): string =>
    ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
  const { durationMs, diskBytes, timeBudgetMs } = total
  const over = timeBudgetMs !== null && durationMs > timeBudgetMs
  return [
    ...suites.flatMap(({ name, lines, refusal }, index) => [
      `${index + 1} of ${suites.length}: bench ${name}`,
      ...(refusal === null ? lines.map((line) => `  ${line}`) : [`  WOULD FAIL: ${wrapped(refusal, 120, '    ')}`]),
      '',
    ]),
    'All suites, one after the other, under one decision',
    `  Duration:  about ${minutes(durationMs)}${over ? `, more than the time budget of ${minutes(timeBudgetMs)}` : ''}`,
    `  Disk:      up to about ${bytes(diskBytes)}`,
    'Nothing was started.',
  ]
}
