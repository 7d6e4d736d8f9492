/**
 * How rows of the log hold what their columns do not: a first line of numbers, then the body verbatim.
 *
 * `asked`: deadline (wall clock, ms) and the requester's cursor; answers: the recipient's cursor. Cursors travel in rows
 * because a write of their own would cost as much as the message they acknowledge.
 */
import { parseCount } from './frame-codec.ts'

export function encodeAskRow(deadlineWallMs: number, cursor: number, body: string): string {
  return `${deadlineWallMs} ${cursor}\n${body}`
}

export function encodeAnswerRow(cursor: number, body: string): string {
  return `${cursor}\n${body}`
}

/** null when the row is not one of these. */
export function decodeAskRow(row: string): { deadlineWallMs: number; cursor: number; body: string } | null {
  const lineEnd = row.indexOf('\n')
  const space = row.indexOf(' ')
  if (lineEnd < 0 || space < 0 || space > lineEnd) return null
  const deadlineWallMs = parseCount(row.slice(0, space))
  const cursor = parseCount(row.slice(space + 1, lineEnd))
  return deadlineWallMs < 0 || cursor < 0 ? null : { deadlineWallMs, cursor, body: row.slice(lineEnd + 1) }
}

export function decodeAnswerRow(row: string): { cursor: number; body: string } | null {
  const lineEnd = row.indexOf('\n')
  const cursor = lineEnd < 0 ? -1 : parseCount(row.slice(0, lineEnd))
  return cursor < 0 ? null : { cursor, body: row.slice(lineEnd + 1) }
}
