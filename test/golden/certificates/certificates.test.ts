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
