/**
 * Checkpoints beside the committing thread, with the real thread: the log starts over, a thread that fails hands back
 * to the automatic checkpoint, closing leaves no log, and a killed process loses nothing it had told of.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BackgroundCheckpoint } from '../../../src/engines/event-store/background-checkpoint.ts'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
  file = join(folder, 'store.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function openLog(): DatabaseSync {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE log (body TEXT NOT NULL)')
  return database
}

function automaticPages(database: DatabaseSync): unknown {
  return Object.values(database.prepare('PRAGMA wal_autocheckpoint').get() ?? {})[0]
}

test('the log is folded in beside the commits and starts over; closing leaves none', async () => {
  const database = openLog()
  const checkpoint = new BackgroundCheckpoint(database, file)
  const insert = database.prepare('INSERT INTO log VALUES (?)')
  const body = 'x'.repeat(20_000)
  let rows = 0
  for (; checkpoint.completed < 8 && rows < 20_000; rows++) {
    insert.run(body)
    checkpoint.committed(7)
    await turn()
  }
  expect(checkpoint.completed).toBe(8)
  expect(automaticPages(database)).toBe(16_000)
  // The log stayed within its bound, which all that was written exceeds: so it has started over.
  expect(rows * body.length).toBeGreaterThan(64e6)
  expect(statSync(`${file}-wal`).size).toBeLessThan(64e6)
  checkpoint.close()
  database.close()
  expect(existsSync(`${file}-wal`)).toBe(false)
  const reader = new DatabaseSync(file)
  expect(Object.values(reader.prepare('SELECT count(*), min(length(body)) FROM log').get() ?? {})).toEqual([
    rows,
    body.length,
  ])
  reader.close()
})

test('a thread that cannot do its work hands back to the automatic checkpoint', async () => {
  const database = openLog()
  const checkpoint = new BackgroundCheckpoint(database, join(folder, 'absent', 'store.db'))
  checkpoint.committed(1000)
  expect(automaticPages(database)).toBe(16_000)
  for (let waited = 0; waited < 500 && automaticPages(database) !== 1000; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(automaticPages(database)).toBe(1000)
  checkpoint.committed(10_000)
  expect(checkpoint.completed).toBe(0)
  checkpoint.close()
  database.close()
})

test('a process killed among checkpoints has every row it told of, in a sound file', async () => {
  const writer = fileURLToPath(new URL('store-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  child.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString('latin1')
    // Some 40 MB of log: the thread has run by now.
    if (Number(told.slice(told.lastIndexOf('\n', told.length - 2) + 1)) > 90_000) child.kill('SIGKILL')
  })
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await once(child, 'close')
  clearTimeout(giveUp)
  const last = Number(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1))
  expect(last).toBeGreaterThan(90_000)
  // The thread, and not the automatic checkpoint at 4 MB, has copied.
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(8e6)
  expect(statSync(file).size).toBeGreaterThan(8e6)

  const store = openEventStore({ durability: 'os', file, indexedByAgent: false })
  let expected = 0
  store.replay((event) => {
    if (event.sequence === expected + 1 && String(event.body).length === 430) expected++
  })
  expect(expected).toBe(store.lastSequence())
  expect(expected).toBeGreaterThanOrEqual(last)
  store.close()
  const reader = new DatabaseSync(file)
  expect(Object.values(reader.prepare('PRAGMA integrity_check').get() ?? {})).toEqual(['ok'])
  reader.close()
}, 30_000)
