/**
 * Turns what SQLite and the file system report into a LighthouseError('STORE') that says what to do.
 * Result codes: https://sqlite.org/rescode.html; extended codes keep the primary one in the low byte.
 */
import { LighthouseError } from '../../platform/errors.ts'

const advice: Readonly<Record<number, readonly [what: string, todo: string]>> = {
  5: [
    'another process holds the write lock',
    'Stop the other process that has the store open, or give this run a store of its own.',
  ],
  6: [
    'another connection holds a table lock',
    'Stop the other process that has the store open, or give this run a store of its own.',
  ],
  8: ['it is read-only', 'Make the file and its folder writable for this user, or choose another store file.'],
  10: ['the disk reported an I/O error', 'Check the disk and its free space; the rows of this batch were not stored.'],
  11: [
    'its content is damaged',
    'Restore it from a copy, or move it aside and start with a new store; it was not changed.',
  ],
  13: [
    'the disk or the store is full',
    'Free disk space; the store takes rows again as soon as there is room, and the rows of this batch were not stored.',
  ],
  14: [
    'it cannot be opened',
    'Check that the folder exists, that this user may write to it, and that file descriptors are left.',
  ],
  23: ['access was denied', 'Check the permissions of the file.'],
  26: [
    'it is not an SQLite database',
    'Name a store file made by Lighthouse, or a new one; this file was left as it is.',
  ],
}

function numberOf(error: unknown, key: 'errcode'): number | null {
  if (typeof error !== 'object' || error === null || !(key in error)) return null
  return typeof error[key] === 'number' ? error[key] : null
}

/** SQLite's primary result code of an error, or null when it is none of SQLite's. */
export function sqliteCode(error: unknown): number | null {
  const code = numberOf(error, 'errcode')
  return code === null ? null : code & 0xff
}

export function storeError(action: string, file: string, error: unknown): LighthouseError {
  if (error instanceof LighthouseError) return error
  const code = sqliteCode(error)
  const known = code === null ? undefined : advice[code]
  const reason = known?.[0] ?? (error instanceof Error ? error.message : String(error))
  return new LighthouseError('STORE', `Cannot ${action} the event store ${file}: ${reason}.`, {
    cause: error,
    suggestions: [known?.[1] ?? 'Move the file aside and start with a new store, or report the cause shown.'],
  })
}
