/**
 * Certificates of migrations under attack: by somebody who can change files, and by somebody who holds the key, binds the journal's chain anew and
 * signs what does not follow from it.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeSignerLine } from '../../../src/certificates/allowed-signers.ts'
import { parseBundle } from '../../../src/certificates/envelope.ts'
import { parseStatement } from '../../../src/certificates/statement.ts'
import { certifyMigration } from '../../../src/certificates/certify-run.ts'
import { approvalNamespace, limits } from '../../../src/certificates/format.ts'
import type { Issued } from '../../../src/certificates/issue.ts'
import { generateKey } from '../../../src/certificates/keys.ts'
import { packCertificate } from '../../../src/certificates/pack.ts'
import { signoffName, writeSignoff } from '../../../src/certificates/signoffs.ts'
import { addTrust } from '../../../src/certificates/trust-store.ts'
import type { VerificationReport } from '../../../src/certificates/verify.ts'
import { linkOf, nothingBefore } from '../../../src/measurement/chained-log.ts'
import { edit, forge, Laboratory, markdownOf } from './package-fixture.ts'
import { completed, migrationCommit, RecordedMigration, rolledBack, upTo } from './recorded-migration.ts'

let laboratory: Laboratory
let whole: RecordedMigration
let issued: Issued
let canary: Issued
let back: Issued
const atMs = 1_795_317_000_000

beforeAll(async () => {
  laboratory = new Laboratory()
  whole = completed(laboratory.folder()).account()
  issued = await laboratory.issue(whole.folder, { now: atMs })
  canary = await laboratory.issue(whole.folder, { now: atMs, phase: 'canary-5' })
  back = await laboratory.issue(rolledBack(laboratory.folder()).folder, { now: atMs })
})
afterAll(() => laboratory.remove())

const verify = (path: string, expectation = {}, more = {}): Promise<VerificationReport> =>
  laboratory.verify(path, expectation, { nowMs: atMs + 60_000, ...more })
const copy = (): string => laboratory.copy(issued)
const journalOf = (folder: string): string => join(folder, 'evidence', 'journal.jsonl')

function expectRefused(report: VerificationReport, exitCode: number, words: RegExp): void {
  expect([report.exitCode, report.failure?.message]).toEqual([exitCode, expect.stringMatching(words)])
  expect(report.verified).toBe(false)
}

type Body = Record<string, unknown>

/** The journal with other lines, bound to each other anew. */
function rechain(folder: string, change: (lines: Body[]) => Body[]): void {
  edit(journalOf(folder), (text) => {
    const bodies = text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const { previous: _previous, hash: _hash, ...body } = JSON.parse(line) as Body
        return body
      })
    let before = nothingBefore
    return change(bodies)
      .map((body) => {
        const { text: covered, hash } = linkOf(body, before)
        before = hash
        return `${covered.slice(0, -1)},"hash":"${hash}"}\n`
      })
      .join('')
  })
}

const decisionAt = (lines: Body[], kind: string): number =>
  lines.findIndex((line) => line['kind'] === 'decision' && (line['decision'] as Body)['kind'] === kind)
const observed = (lines: Body[]): Body[] =>
  lines.flatMap((line) => {
    const input = line['input'] as { type: string; observation: Body } | undefined
    return input?.type === 'observed' ? [input.observation] : []
  })

describe('the certificate of a migration', () => {
  it('is verified on every rung, in each of its forms, from a folder and from an archive', async () => {
    const expected = [
      [issued, 'migration', 'APPROVED', 'MIGRATION READINESS CERTIFICATE'],
      [canary, 'canary', 'APPROVED', 'CANARY APPROVAL CERTIFICATE'],
      [back, 'rollback', 'REQUIRES_REMEDIATION', 'ROLLBACK INCIDENT CERTIFICATE'],
    ] as const
    for (const [each, kind, status, title] of expected) {
      const report = await verify(each.packagePath)
      expect(report.failure).toBeNull()
      expect(report.rungs.map(({ state }) => state)).toEqual(Array(5).fill('passed'))
      expect(report.certificate).toMatchObject({ kind, status, commit: migrationCommit })
      expect(readFileSync(markdownOf(each.packagePath), 'utf8').split('\n')[0]).toBe(`# ${title}`)
      const file = join(laboratory.root, `${kind}.tar.gz`)
      writeFileSync(file, (await packCertificate(each.packagePath)).bytes)
      expect((await verify(file)).failure).toBeNull()
    }
    expect(readdirSync(join(issued.packagePath, 'evidence')).sort()).toEqual(['account.json', 'journal.jsonl'])
    expect(issued.id).not.toBe(canary.id)
  })

  it('names no commit as a subject, since nobody looked at one', () => {
    const bundle = readFileSync(join(issued.packagePath, `${issued.id}.md.sigstore.json`))
    const { payload } = parseBundle(bundle, 'it')
    expect(parseStatement(payload)).toMatchObject({ gitCommit: null, kind: 'migration', phase: null })
    expect(Buffer.from(payload).toString('utf8')).toContain(`"commit":"${migrationCommit}"`)
  })

  it('says of the meaning rung what was come to again', async () => {
    const rung = (await verify(issued.packagePath)).rungs[3]
    expect(rung?.details[0]).toMatch(/^63 lines of the journal: 6 decisions .* 49 intervals and 98 histograms$/)
  })

  it('is written beside the journal by whoever has just carried the migration on', async () => {
    const { folder } = upTo('half', laboratory.folder())
    const own = await certifyMigration(folder, laboratory.key, atMs)
    expect(own.status).toBe('CONDITIONALLY_APPROVED')
    expect(readdirSync(join(folder, 'certificate'))).toEqual([own.id])
    expect((await verify(own.packagePath)).failure).toBeNull()
  })

  it('takes the whole lines of a journal that somebody is writing to', async () => {
    const { folder } = upTo('half', laboratory.folder())
    writeFileSync(join(folder, 'journal.jsonl'), '{"kind":"inp', { flag: 'a' })
    const own = await laboratory.issue(folder, { now: atMs })
    expect((await verify(own.packagePath)).failure).toBeNull()
  })

  it('takes sign-offs', async () => {
    const folder = copy()
    const alice = generateKey()
    addTrust(
      laboratory.trustFiles,
      writeSignerLine({ principal: 'alice@example.org', namespaces: [approvalNamespace] }, alice.publicKey),
    )
    mkdirSync(join(folder, 'signoffs'))
    const file = join(folder, 'signoffs', signoffName(alice.fingerprint))
    writeFileSync(file, writeSignoff(readFileSync(markdownOf(folder)), alice))
    expect((await verify(folder, { signoffs: 1 })).failure).toBeNull()
    expectRefused(await verify(folder, { signoffs: 2 }), 34, /1 valid sign-offs of 2/)
  })
})

describe('what is expected of it', () => {
  it('is its scope on the new path, its kind and its age', async () => {
    const met = { require: 'APPROVED', minAgents: 200, minRate: 20, minDurationMs: 400_000, kind: 'migration' } as const
    expect((await verify(issued.packagePath, met)).failure).toBeNull()
    expectRefused(await verify(issued.packagePath, { ...met, minAgents: 201 }), 34, /covers 200 agents/)
    expectRefused(await verify(issued.packagePath, { ...met, minRate: 21 }), 34, /covers 20 exchanges/)
    expectRefused(await verify(issued.packagePath, { ...met, minDurationMs: 172_800_000 }), 34, /less than 48 h/)
    expectRefused(await verify(issued.packagePath, { maxAgeMs: 1000 }), 34, /was issued 60 s ago|1 min ago/)
    expectRefused(await verify(canary.packagePath, met), 34, /of canary, not of migration; it covers 10 agents/)
    expectRefused(
      await verify(back.packagePath, { require: 'CONDITIONALLY_APPROVED', minAgents: 1 }),
      34,
      /REQUIRES_REMEDIATION/,
    )
  })

  it('is never a suite, a profile, or a commit that nobody looked at', async () => {
    expectRefused(
      await verify(issued.packagePath, { suites: ['comparison'] }),
      34,
      /covers no suite, and not comparison/,
    )
    expectRefused(await verify(issued.packagePath, { profile: 'smoke' }), 34, /a migration has no profile/)
    expectRefused(await verify(issued.packagePath, { commit: migrationCommit }), 34, /not known to be equal to commit/)
    expectRefused(await verify(issued.packagePath, { commit: 'a'.repeat(40) }), 34, /not for aaaa/)
  })
})

describe('somebody who can change files', () => {
  it.each<[string, number, (folder: string) => void]>([
    [
      'alters a byte of the journal',
      32,
      (folder) => edit(journalOf(folder), (text) => text.replace('"agents":10', '"agents":99')),
    ],
    ['binds the altered journal anew', 32, (folder) => rechain(folder, (lines) => lines.slice(0, -3))],
    ['cuts the journal', 32, (folder) => truncateSync(journalOf(folder), 20_000)],
    ['drops the account', 32, (folder) => rmSync(join(folder, 'evidence', 'account.json'))],
    ['adds a run to it', 32, (folder) => writeFileSync(join(folder, 'evidence', 'run.json'), '{}')],
    [
      'edits the text',
      30,
      (folder) => edit(markdownOf(folder), (text) => text.replace('48 h are NOT_DEMONSTRATED', '48 h are MET')),
    ],
  ])('and %s', async (_, exitCode, attack) => {
    const folder = copy()
    attack(folder)
    expectRefused(await verify(folder), exitCode, /./)
  })

  it('and signs it with a key of their own', async () => {
    const folder = copy()
    forge(folder, issued.id, generateKey())
    expectRefused(await verify(folder), 31, /./)
  })
})

describe('somebody who holds the key', () => {
  it.each<[string, RegExp, (lines: Body[]) => Body[]]>([
    [
      'alters a decision',
      /leads to another decision than enter/,
      (lines) => {
        Object.assign(lines[decisionAt(lines, 'enter')]?.['decision'] as Body, { percentage: 7 })
        return lines
      },
    ],
    [
      'drops a decision',
      /a decision is missing before it: complete/,
      (lines) => lines.toSpliced(decisionAt(lines, 'complete'), 1),
    ],
    [
      'invents a decision',
      /nothing leads to a complete/,
      (lines) => lines.toSpliced(5, 0, { kind: 'decision', decision: { kind: 'complete', gates: [] } }),
    ],
    [
      'ends the journal before its last decision',
      /ends before a decision that follows: complete/,
      (lines) => lines.slice(0, decisionAt(lines, 'complete')),
    ],
    [
      'swaps the histograms of both groups',
      /counts are not those of its histograms|its histogram holds|does not hold together/,
      (lines) => {
        const [first] = observed(lines)
        const [one, other] = [first?.['candidate'] as Body, first?.['baseline'] as Body]
        ;[one['histogram'], other['histogram']] = [other['histogram'], one['histogram']]
        return lines
      },
    ],
    [
      'makes deliveries slow that the histogram says were fast',
      /its counts are not those of its histograms/,
      (lines) => {
        const group = observed(lines).at(-1)?.['baseline'] as Body
        Object.assign(group['above'] as Body, { 300: 1 })
        return lines
      },
    ],
    [
      'puts in a histogram that unfolds into nonsense',
      /does not hold together/,
      (lines) => {
        Object.assign(observed(lines)[0]?.['baseline'] as Body, { histogram: 'AAAA' })
        return lines
      },
    ],
    [
      'eases a gate of the plan',
      /the digest is not that of its plan/,
      (lines) => [{ ...lines[0], plan: String(lines[0]?.['plan']).replace('300ms', '900ms') }, ...lines.slice(1)],
    ],
    [
      'puts in a plan that is none',
      /journal\.jsonl|rehearsed\.yaml/,
      (lines) => [{ ...lines[0], plan: '['.repeat(5000) }, ...lines.slice(1)],
    ],
    ['reorders lines', /./, (lines) => [lines[0] as Body, lines[2] as Body, lines[1] as Body, ...lines.slice(3)]],
    [
      'leaves out the last intervals, in which nothing was decided',
      /line \d+ of the text|predicate|certificate ID/,
      (lines) => lines.slice(0, -1),
    ],
    [
      'puts in a time that is none',
      /a time that is none/,
      (lines) => [...lines.slice(0, -1), { ...lines.at(-1), atWallMs: 1e15 }],
    ],
  ])('and %s, with the chain bound anew', async (_, words, change) => {
    const folder = copy()
    rechain(folder, change)
    forge(folder, issued.id, laboratory.key)
    const report = await verify(folder)
    expectRefused(report, 33, words)
    expect(report.rungs.map(({ state }) => state)).toEqual(['passed', 'passed', 'passed', 'failed', 'not-reached'])
  })

  /** A line of the writer's own, with a hash that is its own. */
  const appended = (folder: string, line: (previous: string) => string): void =>
    edit(journalOf(folder), (text) => {
      const previous = /"hash":"([0-9a-f]{64})"\}\n$/.exec(text)?.[1] ?? ''
      return `${text}${line(previous)}\n`
    })

  it.each<[string, RegExp, (folder: string) => void]>([
    [
      'alters a byte and leaves the chain',
      /was altered: line \d+/,
      (folder) => edit(journalOf(folder), (text) => text.replace('"agents":10', '"agents":11')),
    ],
    [
      'leaves half a line at the end',
      /ends within a line/,
      (folder) => edit(journalOf(folder), (text) => `${text}{"kind"`),
    ],
    ['empties the journal', /is empty|ends within/, (folder) => writeFileSync(journalOf(folder), '')],
    [
      'gives a key twice',
      /twice/,
      (folder) =>
        appended(
          folder,
          (previous) =>
            `{"kind":"watching","kind":"watching","atMs":1,"atWallMs":1,"previous":"${previous}","hash":"${previous}"}`,
        ),
    ],
    [
      'nests a decision beyond any stack',
      /nested more than/,
      (folder) => appended(folder, () => `{"kind":"decision","decision":${'['.repeat(200_000)}${']'.repeat(200_000)}}`),
    ],
    ['drops the account', /predicate|certificate ID/, (folder) => rmSync(join(folder, 'evidence', 'account.json'))],
    [
      'makes a loss of the account a completion',
      /does not add up/,
      (folder) =>
        edit(join(folder, 'evidence', 'account.json'), (text) =>
          text.replace('"completed": 4000', '"completed": 4001'),
        ),
    ],
    [
      'gives the account more exchanges that add up',
      /predicate|line \d+ of the text|certificate ID/,
      (folder) =>
        edit(join(folder, 'evidence', 'account.json'), (text) =>
          text.replace('"scheduled": 4000', '"scheduled": 5000').replace('"completed": 4000', '"completed": 5000'),
        ),
    ],
    [
      'puts an earlier certificate among the evidence',
      /previous\.md is no evidence of a migration/,
      (folder) => cpSync(markdownOf(folder), join(folder, 'evidence', 'previous.md')),
    ],
    [
      'puts a run among the evidence',
      /run\.json is no evidence of a migration/,
      (folder) => writeFileSync(join(folder, 'evidence', 'run.json'), '{}'),
    ],
  ])('and %s', async (_, words, attack) => {
    const folder = copy()
    attack(folder)
    forge(folder, issued.id, laboratory.key)
    expectRefused(await verify(folder), 33, words)
  })

  it.each<[string, (body: string) => string]>([
    ['the status', (body) => body.replace('**Status**: APPROVED', '**Status**: CONDITIONALLY_APPROVED')],
    ['a mark', (body) => body.replace('⚠️  NOT DEMONSTRATED (optional)', '✅ MET')],
    ['the scope', (body) => body.replaceAll(', canary-5 for 2 min (48 h NOT_DEMONSTRATED)', '')],
    ['what was not assessed', (body) => body.replace(/^- Whether canary-5 holds.*\n/m, '')],
    ['the title', (body) => body.replace('MIGRATION READINESS', 'CANARY APPROVAL')],
  ])('and rewrites %s', async (_, change) => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { body: change })
    expectRefused(await verify(folder), 33, /line \d+ of the text/)
  })

  it.each<[string, number, (text: string) => string]>([
    ['a decision', 33, (text) => text.replace('"decision":"APPROVED"', '"decision":"CONDITIONALLY_APPROVED"')],
    ['the number of agents', 33, (text) => text.replace('"agents":200', '"agents":2000')],
    ['the kind', 35, (text) => text.replace('"kind":"migration"', '"kind":"canary"')],
    [
      'the kind and its type',
      35,
      (text) =>
        text.replace('"kind":"migration"', '"kind":"canary"').replace('harness:migration:v1', 'harness:canary:v1'),
    ],
    [
      'the kind, its type and a phase',
      33,
      (text) =>
        text
          .replace('"kind":"migration"', '"kind":"canary","phase":"half"')
          .replace('harness:migration:v1', 'harness:canary:v1'),
    ],
    [
      'the kind for that of a run',
      33,
      (text) =>
        text
          .replace('"kind":"migration"', '"kind":"readiness"')
          .replace('harness:migration:v1', 'harness:readiness:v1'),
    ],
    [
      'the kind for that of going back',
      33,
      (text) =>
        text.replace('"kind":"migration"', '"kind":"rollback"').replace('harness:migration:v1', 'harness:rollback:v1'),
    ],
  ])('and states otherwise %s', async (_, exitCode, change) => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { statement: change })
    const report = await verify(folder)
    expect([report.verified, report.exitCode, report.failure?.message]).toEqual([false, exitCode, expect.any(String)])
  })

  it('and passes an approval of one phase off as that of another', async () => {
    for (const phase of ['half', 'baseline', 'all', 'nowhere']) {
      const folder = laboratory.copy(canary)
      forge(folder, canary.id, laboratory.key, {
        statement: (text) => text.replace('"phase":"canary-5"', `"phase":"${phase}"`),
        body: (body) => body.replaceAll('`canary-5`', `\`${phase}\``),
      })
      expectRefused(await verify(folder), 33, /./)
    }
  })
})

describe('issuing for a migration', () => {
  const refused = (code: string, words: RegExp) => ({ code, message: expect.stringMatching(words) as string })

  it('refuses what the journal does not tell of', async () => {
    const { folder } = whole
    const asked = (extra: object): Promise<Issued> => laboratory.issue(folder, { now: atMs + 5000, ...extra })
    await expect(asked({ kind: 'rollback' })).rejects.toMatchObject(refused('USAGE', /no agents that went back/))
    await expect(asked({ phase: 'all' })).rejects.toMatchObject(refused('USAGE', /called all that was left/))
    await expect(asked({ phase: 'baseline' })).rejects.toMatchObject(refused('USAGE', /called baseline/))
    await expect(asked({ kind: 'migration', phase: 'half' })).rejects.toMatchObject(refused('USAGE', /no single phase/))
    await expect(asked({ kind: 'readiness' })).rejects.toMatchObject(refused('USAGE', /no certificate of readiness/))
    await expect(asked({ previous: issued.markdownPath })).rejects.toMatchObject(refused('USAGE', /follows no earlier/))
    const run = laboratory.run()
    await expect(laboratory.issue(run, { kind: 'canary' })).rejects.toMatchObject(
      refused('USAGE', /holds no migration/),
    )
    await expect(laboratory.issue(run, { previous: issued.markdownPath })).rejects.toMatchObject({
      message: expect.stringMatching(/of a migration, not of a run/) as string,
    })
  })

  it('refuses a journal that does not hold together, has not begun, or is too large', async () => {
    const altered = upTo('half', laboratory.folder()).folder
    edit(join(altered, 'journal.jsonl'), (text) => text.replace('"percentage":5', '"percentage":6'))
    await expect(laboratory.issue(altered, { now: atMs })).rejects.toMatchObject(
      refused('MEANING_DIFFERS', /was altered/),
    )
    const young = new RecordedMigration(laboratory.folder()).folder
    await expect(laboratory.issue(young, { now: atMs })).rejects.toMatchObject(
      refused('USAGE', /has not begun its first phase/),
    )
    truncateSync(join(young, 'journal.jsonl'), limits.journalBytes + 1)
    await expect(laboratory.issue(young, { now: atMs })).rejects.toMatchObject(
      refused('RUN_DIRECTORY', /a certificate holds at most/),
    )
  })

  it('is dated after the last line of the journal', async () => {
    await expect(laboratory.issue(whole.folder, { now: atMs - 4_000_000 })).rejects.toMatchObject(
      refused('MEANING_DIFFERS', /before its run ended/),
    )
  })
})
