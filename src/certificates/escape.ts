/**
 * Free text inside a certificate. Engine labels, titles, claims and scopes come from files that others wrote;
 * none of it may act as Markdown, HTML, a mention, a workflow command of a CI system, or a heading. Three
 * contexts: a code span, a sentence, a cell of a table inside a code block. What cannot be shown as itself is
 * shown as \u{hex}, visibly; nothing is dropped except what exceeds the printed length.
 */
import { limits } from './format.ts'
import { hexCode, isAllowedCharacter } from './text-rules.ts'

/**
 * One line of harmless characters: letters of any script in NFC, ASCII digits (other digits are homoglyphs),
 * ASCII punctuation and the space. Symbols, and with them a forged check mark, are spelled out.
 */
function plain(text: string, maximum: number): string {
  const parts: string[] = []
  let count = 0
  for (const character of text.normalize('NFC')) {
    count += 1
    if (count > maximum) {
      parts.push('...')
      break
    }
    const ascii = character >= ' ' && character <= '~'
    const shown = ascii || (/^[\p{L}\p{M}µ±×÷–—…≤≥→‘’“”]$/u.test(character) && isAllowedCharacter(character))
    parts.push(shown ? character : spelled(character))
  }
  // A combining mark after an escape could compose with its last character.
  return parts.join('').normalize('NFC').replaceAll('::', ':\\u{003A}')
}

function spelled(character: string): string {
  return `\\u{${hexCode(character.codePointAt(0) ?? 0)}}`
}

/** A code span: names, labels, paths, expressions. Markdown, HTML and mentions have no meaning inside. */
export function code(text: string): string {
  const inner = plain(text, limits.fieldCharacters).replaceAll('`', '\\u{0060}').trim()
  return inner === '' ? '`(empty)`' : `\`${inner}\``
}

/** A labelled one-line field such as the component: as it is when it is plain words, else a code span. */
export function field(text: string): string {
  const inner = plain(text, limits.fieldCharacters)
  return /^[A-Za-z0-9](?:[A-Za-z0-9 .,/+=%()-]|_(?=[A-Za-z0-9])|:(?= ))*$/.test(inner) && !/\s$/.test(inner)
    ? inner
    : code(text)
}

/** A sentence in running text: whatever could start an element, a link or a mention is escaped. */
export function prose(text: string): string {
  return plain(text.replaceAll(/\s*\n\s*/g, ' '), limits.sentenceCharacters)
    .trim()
    .replaceAll(/\\(?!u\{)/g, '\\\\')
    .replaceAll(/[`*|~]|\](?=[([:])/g, (mark) => `\\${mark}`)
    .replaceAll(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\_')
    .replaceAll(/<(?=[A-Za-z/!?])/g, '\\<')
    .replaceAll(/&(?=[#A-Za-z])/g, '\\&')
    .replaceAll(/#(?=\d)/g, '\\#')
    .replaceAll('@', '\\u{0040}')
    .replaceAll('://', ':\\//')
    .replaceAll(/^(?=[#>+=[-]|\d+[.)](?:\s|$))/g, '\\')
}

/** A cell of a table in a code block: one line, no column separator, no fence. */
export function cell(text: string): string {
  const inner = plain(text, limits.fieldCharacters).replaceAll('|', '\\u{007C}').replaceAll('`', '\\u{0060}').trim()
  return inner === '' ? '-' : inner
}

/** Aligned columns inside a fenced block, in the manner of the targets table. Rows hold finished cells. */
export function codeTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((text, index) => (widths[index] = Math.max(widths[index] ?? 0, width(text))))
  const lines = rows.map((row) =>
    row
      .map((text, index) => (index === row.length - 1 ? text : text + ' '.repeat((widths[index] ?? 0) - width(text))))
      .join(' | ')
      .trimEnd(),
  )
  return ['```', ...lines, '```']
}

/** Columns as a terminal shows them, near enough: code points, without combining marks and selectors. */
function width(text: string): number {
  return [...text.replaceAll(/[\p{M}\uFE0F]/gu, '')].length
}
