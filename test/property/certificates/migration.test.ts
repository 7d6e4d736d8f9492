/**
 * Fuzzing of what reads a migration's evidence: whatever the journal and the account hold, also under a chain that was bound anew, the answer is a meaning that
 * can be rendered, or MEANING_DIFFERS.
 */
import fc from 'fast-check'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkMigrationMeaning, formOf } from '../../../src/certificates/migration-meaning.ts'
import { renderMeaning } from '../../../src/certificates/render-meaning.ts'
import { linkOf, nothingBefore } from '../../../src/measurement/chained-log.ts'
import { accountFile } from '../../../src/measurement/migration-account.ts'
import { journalFile } from '../../../src/migration/journal.ts'
import { rolledBack } from '../../unit/certificates/recorded-migration.ts'

const root = mkdtempSync(join(tmpdir(), 'migration-property-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let journal: Buffer
let account: Buffer
let bodies: object[]
beforeAll(() => {
  const { folder } = rolledBack(root).account()
  journal = readFileSync(join(folder, journalFile))
  account = readFileSync(join(folder, accountFile))
  bodies = journal
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { previous: _previous, hash: _hash, ...body } = JSON.parse(line) as Record<string, unknown>
      return body
    })
})

function chained(lines: readonly object[]): Buffer {
  let before = nothingBefore
  const text = lines.map((body) => {
    const { text: covered, hash } = linkOf(body, before)
    before = hash
    return `${covered.slice(0, -1)},"hash":"${hash}"}\n`
  })
  return Buffer.from(text.join(''))
}

/** Whether it was taken. */
function read(journalBytes: Uint8Array, accountBytes: Uint8Array): boolean {
  try {
    const files = new Map([
      [journalFile, journalBytes],
      [accountFile, accountBytes],
    ])
    const meaning = checkMigrationMeaning(files, (walked) => ({ kind: formOf(walked), phase: null }))
    const { kind } = meaning.migration
    const frame = { id: 'LH-20261122-AAAAAAAAAAAAAAAA', component: 'c', agent: 'a', issuedAt: '2026-11-22T03:10:00Z' }
    const proof = { fingerprint: 'SHA256:x', manifestSha256: '0'.repeat(64), evidence: [], previous: null }
    const body = renderMeaning({ ...frame, ...proof, kind }, meaning)
    expect(body.match(/^\*\*Status\*\*: /gm)).toHaveLength(1)
    return true
  } catch (error) {
    expect(error).toMatchObject({ name: 'LighthouseError', code: 'MEANING_DIFFERS' })
    return false
  }
}

/** The value at one of its places replaced. */
function replaced(value: unknown, place: number, by: unknown): unknown {
  if (typeof value !== 'object' || value === null) return by
  const entries = Object.entries(value)
  const index = entries.length === 0 ? -1 : place % entries.length
  if (index === -1) return by
  const rest = Math.floor(place / entries.length)
  const changed = entries.map(([key, each], at): [string, unknown] => [
    key,
    at === index ? replaced(each, rest, by) : each,
  ])
  return Array.isArray(value) ? changed.map(([, each]) => each) : Object.fromEntries(changed)
}

const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(0, -1, 1e300, '', '**Status**: APPROVED', '\u202e', null, []),
)

it('takes what was recorded', () => {
  expect(read(journal, account)).toBe(true)
  expect(read(chained(bodies), account)).toBe(true)
})

it('takes no journal with a byte changed', () => {
  fc.assert(
    fc.property(fc.nat(journal.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
      const copy = Uint8Array.from(journal)
      copy[index] = (copy[index] as number) ^ flip
      expect(read(copy, account)).toBe(false)
    }),
    { numRuns: 60 },
  )
})

it('answers any value anywhere in a journal that is bound anew', () => {
  fc.assert(
    fc.property(fc.nat(bodies.length - 1), fc.nat(100_000), oddValue, (line, place, value) => {
      read(chained(bodies.with(line, replaced(bodies[line], place, value) as object)), account)
    }),
    { numRuns: 300 },
  )
})

it('answers any value anywhere in an account, and any bytes for either', () => {
  const document = JSON.parse(account.toString('utf8')) as object
  fc.assert(
    fc.property(fc.nat(100_000), oddValue, fc.uint8Array({ maxLength: 300 }), (place, value, bytes) => {
      read(journal, Buffer.from(JSON.stringify(replaced(document, place, value))))
      expect(read(bytes, account)).toBe(false)
      expect(read(journal, bytes)).toBe(false)
    }),
    { numRuns: 60 },
  )
})
