/** The committing thread with a real worker and file: rows arrive once and in order, and failures come back as such. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'
import {
  observedCommit,
  threadedCommit,
  type CommitObservation,
} from '../../../src/engines/event-store/threaded-commit.ts'
import type { LighthouseError } from '../../../src/platform/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

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

test('an observed commit tells what each transaction wrote, and which one had to make a checkpoint', async () => {
  const options = { durability: 'os', file: join(folder, 'observed.db'), indexedByAgent: true } as const
  const store = openEventStore(options)
  const observations: CommitObservation[] = []
  let left = 400
  const settled = Promise.withResolvers<void>()
  const { commit, threadPath } = await observedCommit(
    options,
    {
      onCommitted(from, to) {
        left -= to - from + 1
        if (left === 0) settled.resolve()
      },
      onFailed: (_from, _to, error) => settled.reject(error),
    },
    'off',
    (observation) => observations.push(observation),
  )
  // A row of 10 kB takes several pages, so 400 of them pass the 1,000 pages after which SQLite makes a checkpoint.
  for (let index = 0; index < 400; index++) commit.append('a1', 'a2', 1, `n:${index}`, 'x'.repeat(10_000), index)
  await settled.promise
  await commit.close()
  expect(observations.length).toBe(400)
  expect(
    observations.every(({ walFrames, lockWaitUs, commitUs }) => walFrames > 0 && lockWaitUs >= 0 && commitUs > 0),
  ).toBe(true)
  const checkpoints = observations.filter(({ checkpointed }) => checkpointed).length
  const frames = observations.reduce((sum, { walFrames }) => sum + walFrames, 0)
  // SQLite checkpoints whenever a commit leaves 1,000 frames or more, and then starts the log again.
  expect(checkpoints).toBeGreaterThanOrEqual(1)
  expect(checkpoints).toBeLessThanOrEqual(Math.floor(frames / 1000))
  expect(threadPath === null || /^\d+\/task\/\d+$/.test(threadPath)).toBe(true)
  store.close()
})
