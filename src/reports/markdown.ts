/**
 * A report as Markdown (`report.md` of a run directory): the same content as on the terminal, in the same order.
 * The text depends on the results document alone, so rendering it again gives the same bytes.
 */
import type { ResultsDocument } from '../measurement/results-document.ts'
import { reportContent } from './report-content.ts'
import type { Cell, Line, Section } from './report-model.ts'
import { markdownCode, markdownLine } from './text.ts'

/** Ends in a line feed. */
export function renderMarkdown(results: ResultsDocument): string {
  const { decision, scope, exitCode, summary, sections } = reportContent(results)
  return markdownPage({
    headline: decision,
    scope: `Within ${markdownLine(scope)} (exit code ${exitCode}).`,
    summary,
    sections,
  })
}

/** `scope` is Markdown already; all other text is escaped here. Ends in a line feed. */
export function markdownPage(page: {
  readonly headline: string
  readonly scope: string
  readonly summary: readonly Line[]
  readonly sections: readonly Section[]
}): string {
  const parts = [`# ${page.headline}`, '', page.scope, '', ...page.summary.map(lineText)]
  for (const section of page.sections) parts.push('', ...renderSection(section))
  return `${parts.join('\n').replace(/\n{3,}/g, '\n\n')}\n`
}

function renderSection(section: Section): string[] {
  const parts = [`## ${markdownLine(section.title)}`, '']
  if (section.table !== undefined) {
    const { head, rows } = section.table
    parts.push(`| ${head.map((text) => markdownLine(text)).join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`)
    for (const row of rows) parts.push(`| ${row.map(cellText).join(' | ')} |`)
    if (section.lines.length > 0) parts.push('')
  }
  parts.push(...section.lines.map(lineText))
  return parts
}

function cellText(cell: Cell): string {
  const text = cell.tone === 'bad' && cell.text !== '' ? `**${markdownLine(cell.text)}**` : markdownLine(cell.text)
  return cell.detail === undefined ? text : `${text} ${markdownLine(cell.detail)}`
}

function lineText(line: Line): string {
  return `- ${markdownLine(line.text)}${line.command === undefined ? '' : ` ${markdownCode(line.command)}`}`
}
