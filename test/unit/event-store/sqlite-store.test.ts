/** The SQLite store: what it keeps, what it refuses, and that a refused file is left as it was. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, readdirSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import type { EventStore, StoredEvent } from '../../../src/engines/event-store/event-store.ts'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'
import type { StoreOptions } from '../../../src/engines/event-store/sqlite-store.ts'
import { applicationId } from '../../../src/engines/event-store/store-file.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

let folder = ''
let file = ''
const opened: EventStore[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
  file = join(folder, 'store.db')
})
afterEach(() => {
  for (const store of opened.splice(0)) store.close()
  rmSync(folder, { recursive: true, force: true })
})

function open(changes: Partial<StoreOptions> = {}): EventStore {
  const store = openEventStore({ durability: 'os', file, indexedByAgent: true, ...changes })
  opened.push(store)
  return store
}

function batchOf(...rows: (readonly [agent: string, body: string | Uint8Array])[]): RowBatch {
  const batch = new RowBatch()
  for (const [agent, body] of rows) batch.add(agent, 'a0', 1, `n:a0:${batch.count}`, body, 1234.5)
  return batch
}

function thrown(run: () => unknown): LighthouseError {
  try {
    run()
  } catch (error) {
    if (error instanceof LighthouseError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe.each(['memory', 'os', 'fsync'] as const)('rows under %s', (durability) => {
  test('come back as they went in, by inbox and in order', () => {
    const store = open({ durability })
    expect(store.lastSequence()).toBe(0)
    expect(store.append(batchOf(['a1', 'one'], ['a2', 'two'], ['a1', new Uint8Array([0, 255, 7])]))).toBe(1)
    expect(store.append(batchOf(['a1', 'füür \u0000 \u{1F525}']))).toBe(4)
    expect(store.lastSequence()).toBe(4)
    expect(store.readAfter('a1', 0, 10).map((event) => [event.sequence, event.body])).toEqual([
      [1, 'one'],
      [3, new Uint8Array([0, 255, 7])],
      [4, 'füür \u0000 \u{1F525}'],
    ])
    expect(store.readAfter('a1', 1, 1).map((event) => event.sequence)).toEqual([3])
    expect(store.readAfter('a3', 0, 10)).toEqual([])
    expect(store.readAfter('a2', 0, 10)[0]).toEqual({
      sequence: 2,
      agent: 'a2',
      source: 'a0',
      kind: 1,
      exchange: 'n:a0:1',
      body: 'two',
      producedAtMs: 1234.5,
    })
  })

  test('a part of a batch is appended alone', () => {
    const store = open({ durability })
    const batch = batchOf(['a1', 'one'], ['a1', 'two'], ['a1', 'three'])
    expect(store.append(batch, 1, 2)).toBe(1)
    expect(store.readAfter('a1', 0, 10).map((event) => event.body)).toEqual(['two'])
  })

  test('a nonce is used once per agent', () => {
    const store = open({ durability })
    expect([store.useNonce(1, 7), store.useNonce(2, 7), store.useNonce(1, '7'), store.useNonce(1, 8)]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })
})

test('replay visits everything once, in order, across pages', () => {
  const store = open({ durability: 'memory', indexedByAgent: false })
  store.append(batchOf(...Array.from({ length: 2500 }, (_, index) => ['a1', String(index)] as const)))
  const seen: StoredEvent[] = []
  store.replay((event) => seen.push(event))
  expect(seen.map((event) => event.body)).toEqual(Array.from({ length: 2500 }, (_, index) => String(index)))
  const tail: number[] = []
  store.replay((event) => tail.push(event.sequence), 2498)
  expect(tail).toEqual([2499, 2500])
})

test('a store opened again keeps rows, secret and settings, and counts the boot', () => {
  const first = open()
  first.append(batchOf(['a1', 'kept']))
  first.writeMeta('retention', '1h')
  first.useNonce(1, 1)
  const { secret } = first
  expect([first.bootEpoch, secret.length]).toEqual([1, 32])
  first.close()
  const second = open()
  expect(second.bootEpoch).toBe(2)
  expect(second.secret).toEqual(secret)
  expect(second.readMeta('retention')).toBe('1h')
  expect(second.readMeta('absent')).toBeNull()
  expect(second.readAfter('a1', 0, 10).map((event) => event.body)).toEqual(['kept'])
  expect(second.append(batchOf(['a1', 'next']))).toBe(2)
  const reader = open({ connection: 'second' })
  expect(reader.bootEpoch).toBe(2)
})

test('an append-only store is indexed afterwards', () => {
  const store = open({ indexedByAgent: false })
  store.append(batchOf(['a1', 'one'], ['a2', 'two']))
  expect(store.indexedByAgent).toBe(false)
  expect(store.readAfter('a2', 0, 10).length).toBe(1)
  store.indexByAgent()
  expect(store.indexedByAgent).toBe(true)
  expect(store.readAfter('a2', 0, 10).length).toBe(1)
})

test('memory keeps no file, a temporary store is removed, a named one is private to its owner', () => {
  expect(open({ durability: 'memory' }).walBytes()).toBeNull()
  expect(existsSync(file)).toBe(false)
  const temporary = open({ file: null })
  expect(temporary.walBytes()).toBeGreaterThan(0)
  temporary.close()
  expect(existsSync(temporary.file)).toBe(false)
  open()
  expect(statSync(file).mode & 0o077).toBe(0)
})

/** Opening must fail; returns why, and asserts that the file and its folder were left alone. */
function refusal(): string {
  const before = statSync(file).isFile() ? readFileSync(file) : null
  const error = thrown(() => open())
  expect(error.code).toBe('STORE')
  expect(error.suggestions.length).toBeGreaterThan(0)
  if (before !== null) expect(readFileSync(file).equals(before)).toBe(true)
  expect(readdirSync(folder).filter((name) => name !== 'store.db')).toEqual([])
  return error.message
}

describe('files that may not be used are refused and left as they were', () => {
  test('not SQLite', () => {
    writeFileSync(file, 'My dear diary. '.repeat(100))
    expect(refusal()).toMatch(/not an SQLite database/)
    writeFileSync(file, 'short')
    expect(refusal()).toMatch(/not an SQLite database/)
  })

  test("another application's database", () => {
    const other = new DatabaseSync(file)
    other.exec('CREATE TABLE precious (x); PRAGMA application_id = 7')
    other.close()
    expect(refusal()).toMatch(/another application/)
  })

  test('a newer schema', () => {
    const newer = new DatabaseSync(file)
    newer.exec(`CREATE TABLE events (x); PRAGMA application_id = ${applicationId}; PRAGMA user_version = 99`)
    newer.close()
    expect(refusal()).toMatch(/schema is version 99/)
  })

  test('a directory, and a folder that is not there', () => {
    mkdirSync(file)
    expect(refusal()).toMatch(/is a directory/)
    rmSync(file, { recursive: true })
    file = join(folder, 'absent', 'store.db')
    expect(thrown(() => open()).message).toMatch(/folder does not exist/)
  })

  test('a damaged store', () => {
    open().close()
    const bytes = readFileSync(file)
    bytes.fill(0xa5, 100)
    writeFileSync(file, bytes)
    const error = thrown(() => open())
    expect([error.code, /damaged|malformed/.test(error.message)]).toEqual(['STORE', true])
    expect(
      readFileSync(file)
        .subarray(100)
        .every((byte) => byte === 0xa5),
    ).toBe(true)
  })
})

test('a full store refuses the whole batch, keeps what it had, and goes on when there is room', () => {
  const store = open({ maxPages: 40 })
  store.append(batchOf(['a1', 'kept']))
  const error = thrown(() => store.append(batchOf(['a1', 'small'], ['a1', 'x'.repeat(400_000)])))
  expect([error.code, error.message]).toEqual(['STORE', expect.stringMatching(/full/)])
  expect(error.suggestions[0]).toMatch(/Free disk space/)
  expect(store.readAfter('a1', 0, 10).map((event) => event.body)).toEqual(['kept'])
  expect(store.append(batchOf(['a1', 'after']))).toBe(2)
})

test('a lock held by someone else is reported, and nothing is stored', () => {
  const store = open({ busyTimeoutMs: 1 })
  const other = new DatabaseSync(file)
  other.exec('BEGIN IMMEDIATE')
  expect(thrown(() => store.append(batchOf(['a1', 'blocked']))).message).toMatch(/another process holds the write lock/)
  other.exec('ROLLBACK')
  other.close()
  expect(store.append(batchOf(['a1', 'free']))).toBe(1)
})

test('an append-only store is its writer’s alone from the first append, unless somebody has it open already', () => {
  const store = open({ indexedByAgent: false })
  store.append(batchOf(['a1', 'one']))
  const error = thrown(() => open({ indexedByAgent: false, busyTimeoutMs: 1 }))
  expect([error.code, /another process/.test(error.message)]).toEqual(['STORE', true])
  store.close()
  const again = open({ indexedByAgent: false })
  const reader = open({ indexedByAgent: false, connection: 'second' })
  expect(again.append(batchOf(['a1', 'two']))).toBe(2)
  expect(reader.readAfter('a1', 0, 10).map((event) => event.body)).toEqual(['one', 'two'])
})
