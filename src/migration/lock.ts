/**
 * One process at a time carries a migration on. The lock is the operating system's, held through SQLite on a file in the migration's folder, so that it goes with the process that
 * holds it, however that ends.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LighthouseError } from '../platform/errors.ts'

const lockName = 'lock'

export interface MigrationLock {
  release(): void
}

/** Null when another process still holds it after `waitMs`. Throws LighthouseError('RUN_DIRECTORY') where none can be had. */
export function takeLock(folder: string, waitMs = 0): MigrationLock | null {
  const file = join(folder, lockName)
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file)
    database.exec(`PRAGMA busy_timeout = ${waitMs}; BEGIN EXCLUSIVE`)
    const held = database
    return { release: () => held.close() }
  } catch (cause) {
    database?.close()
    // SQLITE_BUSY.
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === 5) return null
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new LighthouseError('RUN_DIRECTORY', `The migration in ${folder} cannot be locked: ${what}.`, {
      cause,
      suggestions: ['Make the folder writable.'],
    })
  }
}
