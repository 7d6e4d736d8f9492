/** The index of SQLite's log, read beside SQLite: its own pragma says the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, test } from 'vitest'
import { framesWritten, openWalIndex } from '../../../src/engines/event-store/wal-index.ts'

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-wal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('frames and backfilled frames are those that SQLite itself reports', () => {
  const file = join(folder, 'a.db')
  const database = new DatabaseSync(file)
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); INSERT INTO t VALUES (1)',
  )
  const index = openWalIndex(file)
  const before = index.read()
  expect(before.backfilled).toBe(0)
  database.exec('INSERT INTO t VALUES (2)')
  const after = index.read()
  expect(framesWritten(before, after)).toBe(1)
  const row = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  expect(row).toEqual({ busy: 0, log: after.frames, checkpointed: after.frames })
  expect(index.read()).toEqual({ frames: after.frames, backfilled: after.frames })
  // The next transaction starts the log again.
  database.exec('INSERT INTO t VALUES (3)')
  expect(framesWritten(after, index.read())).toBe(1)
  expect(index.read().backfilled).toBe(0)
  index.close()
  database.close()
})
