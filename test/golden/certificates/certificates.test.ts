/**
 * The rendered Markdown of all kinds, byte for byte, from runs of test data and the published key of RFC 8032's
 * first test vector. Run with UPDATE_GOLDEN=1 to write the files anew after a deliberate change of the renderer.
 */
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { issueCertificate } from '../../../src/certificates/issue.ts'
import { signingKey } from '../../../src/certificates/keys.ts'
import { decodeCertificateText } from '../../../src/certificates/text-rules.ts'
import { writeRecordedCampaign } from '../../unit/certificates/recorded-campaign.ts'
import { completed, rolledBack, upTo, type RecordedMigration } from '../../unit/certificates/recorded-migration.ts'
import { writeRecordedRun } from '../../unit/certificates/recorded-run.ts'

const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
const publishedKey = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
})
const now = 1_795_316_400_000
let root = ''
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'certificate-golden-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))

it.each([
  ['readiness', { candidateMs: 500 }],
  ['analysis', {}],
] as const)('%s', async (kind, options) => {
  const runDirectory = writeRecordedRun(join(root, kind), { ...options, dirty: kind === 'analysis' })
  const issued = await issueCertificate({
    runDirectory,
    outputDirectory: join(root, kind, 'certificate'),
    key: signingKey(publishedKey, 'the published test key'),
    kind,
    component: 'FEATURE_PACK_0 Elicitation vs wait_for_messages Performance',
    agent: 'performance-engineer',
    now,
  })
  const bytes = readFileSync(issued.markdownPath)
  const golden = new URL(`${kind}.md`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, bytes)
  const text = decodeCertificateText(bytes, 'it')
  expect(text).toBe(readFileSync(golden, 'utf8'))
  const headings = ['## REVIEW SCOPE', '## FINDINGS', '### PERFORMANCE TARGETS VALIDATION', '### CRITICAL PERFORMANCE RISKS IDENTIFIED', '## DECISION/OUTCOME', '## NOT ASSESSED', '## EVIDENCE', '## SIGNATURE']
  const places = headings.map((heading) => text.indexOf(`\n${heading}\n`))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThan(0)
})

it('campaign', async () => {
  const place = join(root, 'campaign')
  const issued = await issueCertificate({
    runDirectory: writeRecordedCampaign(place, {
      suites: [
        { suite: 'comparison', run: { candidateMs: 500 } },
        { suite: 'scaling', run: { dirty: true } },
        { suite: 'burst', reason: 'the port 8080 <taken> by `another`' },
      ],
    }),
    outputDirectory: join(place, 'certificate'),
    key: signingKey(publishedKey, 'the published test key'),
    kind: 'readiness',
    component: 'FEATURE_PACK_0 Elicitation vs wait_for_messages Performance',
    agent: 'performance-engineer',
    now: now + 600_000,
  })
  const bytes = readFileSync(issued.markdownPath)
  const golden = new URL('campaign.md', import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, bytes)
  const text = decodeCertificateText(bytes, 'it')
  expect(text).toBe(readFileSync(golden, 'utf8'))
  const headings = ['## REVIEW SCOPE', '### SUITES IN THE ORDER OF PLAY', '## FINDINGS', '## SUITE `comparison`: REQUIRES_REMEDIATION', '## SUITE `scaling`: APPROVED', '## DECISION/OUTCOME', '## NOT ASSESSED', '## EVIDENCE', '## SIGNATURE']
  const places = headings.map((heading) => text.indexOf(`\n${heading}\n`))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThan(0)
})

/** Text of strangers, in every place where a journal holds some. */
const hostile = 'done ✅ <img src=x> | # DECISION `x` @all ::error::\n**Status**: APPROVED'
const hostilePlan = (plan: string): string =>
  plan.replace('title: P99 of the canary', "title: 'P99 ✅ | `x` **Status**: APPROVED <b>'").replace('name: rehearsed', "name: '# APPROVED <x> | `y`'")

const migrations: readonly (readonly [string, (folder: string) => RecordedMigration])[] = [
  ['migration', (folder) => completed(folder).account()],
  ['canary', (folder) => upTo('half', folder, { commit: null })],
  [
    'rollback',
    (folder) =>
      rolledBack(folder, { address: hostile, planSource: hostile, change: hostilePlan }).account((account) => ({
        ...account,
        planted: { fromPercentage: 50, stallMs: 1500 },
        rounds: account.rounds.map((each) => ({ ...each, ledger: { state: 'UNKNOWN', reasons: [hostile] } })),
      })),
  ],
  [
    'held',
    (folder) =>
      upTo('half', folder)
        .intervals(4)
        .say('paused', '<img src=x> `@all` | ✅', hostile)
        .intervals(2, { watched: false })
        .unhealthy(hostile)
        .away(90_000)
        .intervals(2)
        .askBack('canary', '::error:: **Status**: APPROVED', hostile)
        .step('capacity', 5, hostile, false),
  ],
]

it.each(migrations)('of a migration: %s', async (name, make) => {
  const { folder } = make(join(root, name))
  const issued = await issueCertificate({
    runDirectory: folder,
    outputDirectory: join(folder, 'certificate'),
    key: signingKey(publishedKey, 'the published test key'),
    component: 'FEATURE_PACK_0 Elicitation vs wait_for_messages Performance',
    agent: 'performance-engineer',
    now: now + 600_000,
    ...(name === 'held' ? { kind: 'migration' as const } : {}),
  })
  const bytes = readFileSync(issued.markdownPath)
  const golden = new URL(`migration-${name}.md`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, bytes)
  const text = decodeCertificateText(bytes, 'it')
  expect(text).toBe(readFileSync(golden, 'utf8'))
  const headings = ['## REVIEW SCOPE', '### PHASES IN THE ORDER OF PLAY', '## FINDINGS', '### PERFORMANCE TARGETS VALIDATION', '### CRITICAL PERFORMANCE RISKS IDENTIFIED', '## DECISION/OUTCOME', '## NOT ASSESSED', '## EVIDENCE', '## SIGNATURE']
  const places = headings.map((heading) => text.indexOf(`\n${heading}\n`))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThan(0)
  expect(text.match(/^\*\*Status\*\*: /gm)).toHaveLength(1)
  expect(text.match(/^#+ .*DECISION.*$/gm)).toEqual(['## DECISION/OUTCOME'])
  // In code nothing of it means anything.
  const prose = text.replaceAll(/^```$[^]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')
  expect(prose).not.toMatch(/(?<!\\)<(?:img|b>)|@all|::error/)
})
