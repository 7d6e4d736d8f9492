/**
 * A report for the terminal: verdict and scope first, then tables. It never exceeds the width it is given (60 to
 * 200 columns): details move below their figure, then columns wrap, and where a column would get too
 * narrow to read, the table turns into a list. Colour is a parameter; without it no escape sequence is printed.
 */
import Table from 'cli-table3'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { reportContent } from './report-content.ts'
import type { Cell, Line, ReportContent, Section, Tone } from './report-model.ts'
import { oneLine, wrapped } from './text.ts'

export interface TerminalStyle {
  /** Columns; values outside 60 … 200 are brought inside. */
  readonly width: number
  readonly color: boolean
}

/** Narrower columns than this are a list. */
const narrowestColumn = 12

const escapes: Readonly<Record<Tone, string>> = {
  good: '\u001b[32m',
  doubt: '\u001b[33m',
  bad: '\u001b[31m',
  plain: '',
}
const bold = '\u001b[1m'
const reset = '\u001b[0m'

/** Ends in a line feed. */
export function renderTerminal(results: ResultsDocument, style: TerminalStyle): string {
  const { decision, exitCode, tone, scope, summary, sections } = reportContent(results)
  return renderPage(
    { headline: `${decision} (exit ${exitCode})`, tone, scope: `Within ${scope}`, summary, sections },
    style,
  )
}

export interface PageContent extends Pick<ReportContent, 'tone' | 'scope' | 'summary' | 'sections'> {
  readonly headline: string
}

/** A headline, what it covers, and sections below. Ends in a line feed. */
export function renderPage(content: PageContent, style: TerminalStyle): string {
  const page = { color: style.color, width: Math.min(200, Math.max(60, Math.trunc(style.width))) }
  const headline = wrapped(content.headline, page.width, '')
  const parts = [
    page.color ? `${bold}${escapes[content.tone]}${headline}${reset}` : headline,
    wrapped(broken(oneLine(content.scope), page.width), page.width, ''),
    ...content.summary.map((line) => lineText(line, page)),
  ]
  for (const section of content.sections) parts.push('', ...renderSection(section, page))
  return `${parts.join('\n')}\n`
}

function renderSection(section: Section, page: TerminalStyle): string[] {
  const title = wrapped(broken(oneLine(section.title.toUpperCase()), page.width), page.width, '')
  const parts = [page.color ? `${bold}${title}${reset}` : title]
  if (section.table !== undefined) parts.push(renderTable(section.table.head, section.table.rows, page))
  for (const line of section.lines) parts.push(lineText(line, page))
  return parts
}

function lineText(line: Line, page: TerminalStyle): string {
  const mark = line.tone === 'bad' ? '✗' : line.tone === 'doubt' ? '!' : line.tone === 'good' ? '✓' : '·'
  const text = `  ${paint(mark, line.tone ?? 'plain', page)} ${wrapped(broken(oneLine(line.text), page.width - 4), page.width - 4, '    ')}`
  return line.command === undefined ? text : `${text}\n      $ ${oneLine(line.command)}`
}

function paint(text: string, tone: Tone, page: TerminalStyle): string {
  return page.color && tone !== 'plain' ? `${escapes[tone]}${text}${reset}` : text
}

function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[], page: TerminalStyle): string {
  const heads = head.map((text) => oneLine(text, 80))
  const room = page.width - (heads.length + 1) - 2 * heads.length
  const inline = naturalWidths(heads, rows, (cell) => [joined(cell)])
  if (sum(inline) <= room) return drawTable(heads, rows, inline, (cell) => [joined(cell)], page)
  const stacked = naturalWidths(heads, rows, cellLines)
  const widths = squeezed(stacked, room)
  if (widths.every((width, column) => width >= Math.min(narrowestColumn, stacked[column] ?? 0))) {
    return drawTable(heads, rows, widths, cellLines, page)
  }
  return drawList(heads, rows, page)
}

function cellLines(cell: Cell): string[] {
  return cell.detail === undefined ? [oneLine(cell.text)] : [oneLine(cell.text), oneLine(cell.detail)]
}

function joined(cell: Cell): string {
  return cellLines(cell).join(' ')
}

function naturalWidths(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  lines: (cell: Cell) => string[],
): number[] {
  return heads.map((head, column) =>
    rows.reduce((widest, row) => {
      const cell = row[column]
      return cell === undefined ? widest : Math.max(widest, ...lines(cell).map((line) => line.length))
    }, head.length),
  )
}

/** Takes columns from the widest until all fit into `room`. */
function squeezed(widths: readonly number[], room: number): number[] {
  const result = [...widths]
  let excess = sum(result) - room
  while (excess > 0) {
    const widest = Math.max(...result)
    if (widest <= 1) break
    result[result.indexOf(widest)] = widest - 1
    excess -= 1
  }
  return result
}

function drawTable(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  widths: readonly number[],
  lines: (cell: Cell) => string[],
  page: TerminalStyle,
): string {
  const fit = (text: string, column: number): string[] => {
    const width = widths[column] ?? narrowestColumn
    return wrapped(broken(text, width), width, '').split('\n')
  }
  const table = new Table({
    head: heads.map((head, column) =>
      fit(head, column)
        .map((line) => (page.color ? `${bold}${line}${reset}` : line))
        .join('\n'),
    ),
    colWidths: widths.map((width) => width + 2),
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  for (const row of rows) {
    table.push(
      row.map((cell, column) =>
        lines(cell)
          .flatMap((line) => fit(line, column))
          .map((line) => paint(line, cell.tone ?? 'plain', page))
          .join('\n'),
      ),
    )
  }
  return table.toString()
}

function drawList(heads: readonly string[], rows: readonly (readonly Cell[])[], page: TerminalStyle): string {
  const lines: string[] = []
  for (const row of rows) {
    lines.push(`  ${wrapped(broken(joined(row[0] ?? { text: '' }), page.width - 4), page.width - 4, '    ')}`)
    for (const [column, cell] of row.entries()) {
      if (column === 0 || joined(cell) === '') continue
      const head = heads[column] ?? ''
      const text = wrapped(
        broken(`${head === '' ? '' : `${head}: `}${joined(cell)}`, page.width - 8),
        page.width - 8,
        '        ',
      )
      lines.push(
        `      ${text
          .split('\n')
          .map((line) => paint(line, cell.tone ?? 'plain', page))
          .join('\n')}`,
      )
    }
  }
  return lines.join('\n')
}

/** Puts a space into words that are longer than a line, so that they can wrap. */
function broken(text: string, width: number): string {
  return text
    .split(' ')
    .map((word) =>
      word.length <= width ? word : (word.match(new RegExp(`.{1,${Math.max(1, width)}}`, 'g')) ?? [word]).join(' '),
    )
    .join(' ')
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
