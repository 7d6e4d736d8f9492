/** The committing thread with a real worker and file: rows arrive once and in order, and failures come back as such. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'
import { threadedCommit } from '../../../src/engines/event-store/threaded-commit.ts'
import type { LighthouseError } from '../../../src/platform/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('commits from its own thread what another connection reads, and reports a full store', async () => {
  const options = { durability: 'os', file: join(folder, 'store.db'), indexedByAgent: true } as const
  const store = openEventStore(options)
  const events: string[] = []
  const failures: LighthouseError[] = []
  const settled = Promise.withResolvers<void>()
  let committed = 0
  const commit = await threadedCommit(
    { ...options, maxPages: 60 },
    {
      onCommitted(from, to, firstSequence) {
        for (let ticket = from; ticket <= to; ticket++) {
          // By the time a ticket comes back its row is visible under the sequence it was given.
          const [row] = store.readAfter('a1', firstSequence + ticket - from - 1, 1)
          if (row !== undefined) events.push(`${row.sequence}=${String(row.body)}`)
        }
        committed += to - from + 1
        if (committed === 100) commit.append('a1', 'a2', 1, 'big', 'x'.repeat(500_000), 0)
      },
      onFailed(_from, _to, error) {
        failures.push(error)
        settled.resolve()
      },
    },
  )
  const pool = Buffer.from('0123456789'.repeat(100))
  for (let index = 0; index < 100; index++) {
    const body = index % 2 === 0 ? String(index) : pool.subarray(index % 10, (index % 10) + 1)
    expect(commit.append('a1', 'a2', 1, `n:a2:${index}`, body, index)).toBe(index + 1)
  }
  await settled.promise
  await commit.close()
  expect(events.length).toBe(100)
  expect(events.slice(0, 3)).toEqual(['1=0', '2=49', '3=2'])
  expect(failures.map((error) => error.code)).toEqual(['STORE'])
  expect(store.lastSequence()).toBe(100)
  expect(commit.append('a1', 'a2', 1, 'late', '', 0)).toBe(-1)
  expect(commit.counts().rows).toBe(100)
  store.close()
})
