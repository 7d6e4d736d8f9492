/** Every attack on the files of a certificate, by number, each with the exit code that must answer it. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeSignerLine } from '../../../src/certificates/allowed-signers.ts'
import { parseCertificateText, signCertificateText } from '../../../src/certificates/certificate-text.ts'
import { writeBundle, parseBundle } from '../../../src/certificates/envelope.ts'
import { approvalNamespace, certificateNamespace, packageNames } from '../../../src/certificates/format.ts'
import type { Issued } from '../../../src/certificates/issue.ts'
import { generateKey, publicKeyPem } from '../../../src/certificates/keys.ts'
import { signoffName, writeSignoff } from '../../../src/certificates/signoffs.ts'
import { readFolder } from '../../../src/certificates/package-files.ts'
import { addTrust, readTrust, revokeKey, trustFiles } from '../../../src/certificates/trust-store.ts'
import type { VerificationReport } from '../../../src/certificates/verify.ts'
import { edit, forge, issuedAtMs, Laboratory, markdownOf } from './package-fixture.ts'
import { testCommit } from './recorded-run.ts'

let laboratory: Laboratory
let issued: Issued
let conditional: Issued
const day = 86_400_000

beforeAll(async () => {
  laboratory = new Laboratory()
  issued = await laboratory.issue(laboratory.run())
  conditional = await laboratory.issue(laboratory.run({ candidateMs: 500 }))
})
afterAll(() => laboratory.remove())

const copy = (): string => laboratory.copy(issued)
const log = 'evidence/rounds/00-elicitation/histograms.hlog'
const manifestOf = (folder: string): string => join(folder, packageNames(issued.id).manifest)
const bundleOf = (folder: string): string => join(folder, packageNames(issued.id).bundle)

/** The exit code, that nothing was verified, that the ladder stopped at `rung`, and that no rung above was reached. */
function expectRefused(report: VerificationReport, exitCode: number, rung: number): void {
  expect(report.failure?.message, 'a refusal says why').toBeTruthy()
  expect([report.exitCode, report.failure?.message]).toEqual([exitCode, report.failure?.message])
  expect(report.verified).toBe(false)
  expect(report.rungs.map(({ state }) => state)).toEqual(
    [1, 2, 3, 4, 5].map((number) => (number < rung ? 'passed' : number === rung ? 'failed' : 'not-reached')),
  )
}

describe('the certificate as it was issued', () => {
  it('is verified on every rung, from the folder, from its .md, and by every expectation that holds', async () => {
    for (const path of [issued.packagePath, issued.markdownPath]) {
      const report = await laboratory.verify(path)
      expect(report.failure).toBeNull()
      expect(report.exitCode).toBe(0)
      expect(report.rungs.map(({ state }) => state)).toEqual(Array(5).fill('passed'))
    }
    const met = await laboratory.verify(issued.packagePath, {
      commit: testCommit,
      component: 'FEATURE_PACK_0 Elicitation vs wait_for_messages',
      maxAgeMs: day,
      require: 'APPROVED',
      profile: 'smoke',
      minAgents: 100,
      minRate: 300,
      minDurationMs: 12_000,
      signoffs: 0,
    })
    expect(met.failure).toBeNull()
    expect(met.certificate).toMatchObject({ decision: 'APPROVED', status: 'APPROVED', commit: testCommit })
  })

  it('with another decision is verified as what it says', async () => {
    const report = await laboratory.verify(conditional.packagePath)
    expect(report.failure).toBeNull()
    expect(report.certificate?.decision).not.toBe('APPROVED')
  })
})

describe('attack 1: a figure, a unit, a mark or a comparator is edited in the text', () => {
  it.each([
    ['a figure', 'n=3600', 'n=9600'],
    ['a unit', ' ms, n=', ' µs, n='],
    ['a mark', '✅ MET', '❌ MET'],
    ['a comparator', 'p99 < 300ms', 'p99 > 300ms'],
    ['the hash', 'Certificate Hash: ', 'Certificate Hash: 0'],
  ])('%s', async (_, from, to) => {
    const folder = copy()
    edit(markdownOf(folder), (text) => text.replace(from, to))
    expectRefused(await laboratory.verify(folder), 30, 2)
  })

  it('and signed again by the holder of the key', async () => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { body: (body) => body.replace('✅ MET', '❌ MET') })
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
})

describe('attack 2: the decision is changed, or a condition or risk is deleted', () => {
  const changes: [string, (text: string) => string][] = [
    ['the status', (text) => text.replace(/\*\*Status\*\*: [A-Z_]+/, '**Status**: APPROVED')],
    ['a condition', (text) => text.replace(/^1\. \*\*C1\*\*.*\n/m, '')],
    ['a risk', (text) => text.replace(/^1\. \*\*HIGH RISK\*\*.*\n/m, '')],
  ]
  it.each(changes)('%s, without the key', async (_, change) => {
    const folder = laboratory.copy(conditional)
    edit(markdownOf(folder), change)
    expectRefused(await laboratory.verify(folder), 30, 2)
  })
  it.each(changes)('%s, with the key', async (_, change) => {
    const folder = laboratory.copy(conditional)
    forge(folder, conditional.id, laboratory.key, { body: change })
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
  it('the decision in the signed statement', async () => {
    const folder = laboratory.copy(conditional)
    forge(folder, conditional.id, laboratory.key, {
      statement: (text) => text.replace(/"decision":"[A-Z_]+"/, '"decision":"APPROVED"'),
    })
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
})

describe('attack 3: text is appended after the block', () => {
  it.each(['\nAPPROVED for production\n', '\n', ' ', '```\n'])('%j', async (tail) => {
    const folder = copy()
    appendFileSync(markdownOf(folder), tail)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
})

describe('attack 4: a second block, or one that is hidden or spelled differently', () => {
  const block = (text: string): string => /-----BEGIN[\s\S]*-----END SSH SIGNATURE-----\n/.exec(text)?.[0] ?? ''
  it.each<[string, (text: string) => string]>([
    ['a second block', (text) => text.replace('```text\n', `\`\`\`text\n${block(text)}\`\`\`\n\n\`\`\`text\n`)],
    ['in a quote', (text) => text.replace('## FINDINGS', `> ${block(text).replaceAll('\n', '\n> ')}\n## FINDINGS`)],
    ['in a comment', (text) => text.replace('## FINDINGS', `<!--\n${block(text)}-->\n## FINDINGS`)],
    ['an indented marker', (text) => text.replace('-----BEGIN', ' -----BEGIN')],
    ['a CRLF marker', (text) => text.replace('SIGNATURE-----\n', 'SIGNATURE-----\r\n')],
    ['without its fence', (text) => text.replace('```text\n', '')],
    ['no block at all', (text) => text.replace(block(text), '')],
    ['junk in the base64', (text) => text.replace('U1NIU0lH', 'U1NI*U0lH')],
  ])('%s', async (_, change) => {
    const folder = copy()
    edit(markdownOf(folder), change)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
})

describe('attack 5: evidence is swapped, cut, added, removed, linked or renamed', () => {
  const altered: [string, (folder: string) => void][] = [
    ['swapped', (folder) => copyFileSync(join(folder, log.replace('elicitation', 'polling')), join(folder, log))],
    ['truncated', (folder) => truncateSync(join(folder, log), 100)],
    ['removed', (folder) => rmSync(join(folder, log))],
    ['added', (folder) => writeFileSync(join(folder, 'evidence/rounds/00-elicitation/more.hlog'), 'x')],
    ['a file beside it', (folder) => writeFileSync(join(folder, 'README.md'), 'Trust me')],
    ['the manifest removed', (folder) => rmSync(manifestOf(folder))],
    ['the envelope removed', (folder) => rmSync(bundleOf(folder))],
    ['all evidence removed', (folder) => rmSync(join(folder, 'evidence'), { recursive: true })],
  ]
  it.each(altered)('%s', async (_, change) => {
    const folder = copy()
    change(folder)
    expectRefused(await laboratory.verify(folder), 32, 3)
  })

  const malformed: [string, (folder: string) => void][] = [
    [
      'a symbolic link',
      (folder) => {
        renameSync(join(folder, log), join(folder, '..', 'log'))
        symlinkSync(join(folder, '..', 'log'), join(folder, log))
      },
    ],
    ['a linked folder', (folder) => symlinkSync('/', join(folder, 'evidence/rounds/root'))],
    ['a FIFO', (folder) => execFileSync('mkfifo', [join(folder, 'evidence/ledger2.json')])],
    [
      'names that differ in case',
      (folder) => copyFileSync(join(folder, log), join(folder, log.replace('histograms', 'Histograms'))),
    ],
    ['an unsafe name', (folder) => writeFileSync(join(folder, 'evidence/a b'), '')],
    ['a manifest line repeated', (folder) => edit(manifestOf(folder), (text) => text.replace(/^(.*\n)/, '$1$1'))],
    [
      'manifest lines reordered',
      (folder) => edit(manifestOf(folder), (text) => `${text.split('\n').slice(0, -1).reverse().join('\n')}\n`),
    ],
    [
      'a manifest path with ..',
      (folder) => edit(manifestOf(folder), (text) => text.replace('evidence/run.json', 'evidence/../run.json')),
    ],
  ]
  it.each(malformed)('%s', async (_, change) => {
    const folder = copy()
    change(folder)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
})

describe('attack 6: evidence is consistently hashed and signed again, but the figures do not follow', () => {
  it('percentiles in results.json', async () => {
    const folder = copy()
    edit(join(folder, 'evidence/results.json'), (text) => text.replace(/"p99Ms": 5\.\d+/, '"p99Ms": 1.5'))
    forge(folder, issued.id, laboratory.key)
    const report = await laboratory.verify(folder)
    expectRefused(report, 33, 4)
    expect(report.failure?.message).toContain('results.json')
  })
  it('another histogram', async () => {
    const folder = copy()
    copyFileSync(join(folder, log.replace('elicitation', 'polling')), join(folder, log))
    forge(folder, issued.id, laboratory.key)
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
  it('a round left out', async () => {
    const folder = copy()
    rmSync(join(folder, 'evidence/rounds/03-elicitation'), { recursive: true })
    forge(folder, issued.id, laboratory.key, {
      body: (body) => body.replaceAll(/^- `evidence\/rounds\/03-elicitation.*\n/gm, ''),
    })
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
  it('another bar than the one fixed before the run', async () => {
    const folder = copy()
    edit(join(folder, 'evidence/targets.json'), (text) => text.replace('300ms', '900ms'))
    forge(folder, issued.id, laboratory.key)
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
  it('a certificate is not even issued for such a run', async () => {
    const run = laboratory.run()
    edit(join(run, 'results.json'), (text) => text.replace(/"p99Ms": 5\.\d+/, '"p99Ms": 1.5'))
    await expect(laboratory.issue(run)).rejects.toMatchObject({ code: 'MEANING_DIFFERS', exitCode: 33 })
  })
})

describe('attack 7: a genuine certificate is used for something else', () => {
  it.each([
    ['another commit', { commit: 'f'.repeat(40) }],
    ['another component', { component: 'another' }],
    ['too old', { maxAgeMs: 1000 }],
    ['a larger profile', { require: 'APPROVED', profile: 'full' }],
    ['more agents', { require: 'APPROVED', minAgents: 101 }],
    ['a higher rate', { require: 'APPROVED', minRate: 301 }],
    ['a longer run', { require: 'APPROVED', minDurationMs: 12_001 }],
    ['sign-offs', { signoffs: 1 }],
  ] as const)('%s', async (_, expectation) => {
    expectRefused(await laboratory.verify(issued.packagePath, expectation), 34, 5)
  })
  it('a refusal used as an approval', async () => {
    expectRefused(await laboratory.verify(conditional.packagePath, { require: 'APPROVED', minAgents: 1 }), 34, 5)
  })
  it('a dirty tree does not stand for its commit', async () => {
    const dirty = await laboratory.issue(laboratory.run({ dirty: true }))
    expect(readFileSync(dirty.markdownPath, 'utf8')).toContain('Code under test: ⚠️ the working tree differed')
    expectRefused(await laboratory.verify(dirty.packagePath, { commit: testCommit }), 34, 5)
  })
  it('an approval cannot be required without a scope', async () => {
    await expect(laboratory.verify(issued.packagePath, { require: 'APPROVED' })).rejects.toMatchObject({ exitCode: 2 })
  })
  it('renamed to another ID', async () => {
    const folder = copy()
    const other = issued.id.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    const names = packageNames(issued.id)
    const renamed = packageNames(other)
    for (const key of ['markdown', 'bundle', 'manifest'] as const)
      renameSync(join(folder, names[key]), join(folder, renamed[key]))
    expectRefused(await laboratory.verify(folder), 32, 3)
  })
})

describe('attack 8: keys are confused', () => {
  const attacker = generateKey()

  it('signed by a key that nobody trusts, shipped in the package', async () => {
    const folder = copy()
    forge(folder, issued.id, attacker, {
      body: (body) => body.replace(laboratory.key.fingerprint, attacker.fingerprint),
    })
    writeFileSync(join(folder, 'signer.pub.pem'), publicKeyPem(attacker.publicKey))
    expectRefused(await laboratory.verify(folder), 31, 2)
  })
  it('a public key file of somebody else beside a genuine certificate', async () => {
    const folder = copy()
    writeFileSync(join(folder, 'signer.pub.pem'), publicKeyPem(attacker.publicKey))
    expectRefused(await laboratory.verify(folder), 32, 3)
  })
  it('the envelope by another key than the text', async () => {
    const folder = copy()
    const { payload } = parseBundle(readFileSync(bundleOf(folder)), 'it')
    writeFileSync(bundleOf(folder), writeBundle(payload, attacker))
    expectRefused(await laboratory.verify(folder), 30, 2)
  })
  it('the right key in the wrong namespace', async () => {
    const folder = copy()
    const { body } = parseCertificateText(readFileSync(markdownOf(folder)), 'it')
    writeFileSync(markdownOf(folder), signCertificateText(body, approvalNamespace, laboratory.key))
    expectRefused(await laboratory.verify(folder), 30, 2)
  })
  it('a key that is trusted for approvals only', async () => {
    const files = trustFiles(laboratory.folder())
    addTrust(
      files,
      writeSignerLine({ principal: 'somebody', namespaces: [approvalNamespace] }, laboratory.key.publicKey),
    )
    expectRefused(await laboratory.verify(issued.packagePath, {}, { trust: readTrust(files) }), 31, 2)
  })
  it('no trust at all, or trust in others', async () => {
    const files = trustFiles(laboratory.folder())
    expectRefused(await laboratory.verify(issued.packagePath, {}, { trust: readTrust(files) }), 31, 2)
    addTrust(files, writeSignerLine({ principal: 'other', namespaces: [certificateNamespace] }, attacker.publicKey))
    expectRefused(await laboratory.verify(issued.packagePath, {}, { trust: readTrust(files) }), 31, 2)
  })
  it('hint and keyid name the trusted key', async () => {
    const folder = copy()
    forge(folder, issued.id, attacker)
    edit(bundleOf(folder), (text) =>
      text
        .replace(attacker.fingerprint, laboratory.key.fingerprint)
        .replace('"sig":', `"keyid": "${laboratory.key.fingerprint}", "sig":`),
    )
    expectRefused(await laboratory.verify(folder), 31, 2)
  })
})

describe('attack 9: time and revocation', () => {
  const trusting = (window: { validAfter?: string; validBefore?: string }) => {
    const files = trustFiles(laboratory.folder())
    addTrust(
      files,
      writeSignerLine({ principal: 'ci', namespaces: [certificateNamespace], ...window }, laboratory.key.publicKey),
    )
    return files
  }
  it('an expired key, also for a certificate dated into its time', async () => {
    const trust = readTrust(trusting({ validBefore: '20261123Z' }))
    expect((await laboratory.verify(issued.packagePath, {}, { trust })).exitCode).toBe(0)
    expectRefused(await laboratory.verify(issued.packagePath, {}, { trust, nowMs: issuedAtMs + 3 * day }), 31, 2)
  })
  it('a key that is not valid yet', async () => {
    expectRefused(
      await laboratory.verify(issued.packagePath, {}, { trust: readTrust(trusting({ validAfter: '20270101Z' })) }),
      31,
      2,
    )
  })
  it('a revoked key, whatever else the list says', async () => {
    const files = trusting({})
    expect(revokeKey(files, laboratory.key.publicKey, 'lost')).toBe(true)
    const report = await laboratory.verify(issued.packagePath, {}, { trust: readTrust(files) })
    expectRefused(report, 31, 2)
    expect(report.failure?.message).toContain('revoked')
  })
  it('dated before its run ended', async () => {
    await expect(laboratory.issue(laboratory.run(), { now: issuedAtMs - 30 * day })).rejects.toMatchObject({
      exitCode: 33,
    })
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { statement: (text) => text.replace('2026-11-22T', '2026-11-01T') })
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
  it('dated into the future', async () => {
    expectRefused(await laboratory.verify(issued.packagePath, {}, { nowMs: issuedAtMs - day }), 34, 5)
  })
})

describe('attack 10: the envelope', () => {
  const malformed: [string, (text: string) => string][] = [
    ['a duplicate payload', (text) => text.replace('"payload":', '"payload": "e30=", "payload":')],
    ['__proto__', (text) => text.replace('"mediaType":', '"__proto__": 1, "mediaType":')],
    ['another payload type', (text) => text.replace('vnd.in-toto', 'vnd.other')],
    ['lenient base64', (text) => text.replace('"payload": "', '"payload": "\\n')],
    ['no signature', (text) => text.replace(/"signatures": \[[\s\S]*\]/, '"signatures": []')],
    ['an extra field', (text) => text.replace('"payloadType":', '"note": "", "payloadType":')],
    ['a byte order mark', (text) => `\ufeff${text}`],
  ]
  it.each(malformed)('%s', async (_, change) => {
    const folder = copy()
    edit(bundleOf(folder), change)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
  it('another payload under the old signature', async () => {
    const folder = copy()
    edit(bundleOf(folder), (text) => text.replace(/"payload": "eyJ/, '"payload": "eyK'))
    expectRefused(await laboratory.verify(folder), 30, 2)
  })
  it.each<[string, (text: string) => string]>([
    [
      'another predicate type',
      (text) => text.replace('urn:lighthouse-harness:readiness:v1', 'https://slsa.dev/provenance/v1'),
    ],
    ['another statement type', (text) => text.replace('in-toto.io/Statement/v1', 'in-toto.io/Statement/v0.1')],
    ['a weaker digest', (text) => text.replaceAll('"sha256"', '"sha1"')],
    ['a renderer of the future', (text) => text.replace('"rendererVersion":1', '"rendererVersion":2')],
    ['a duplicate key in the payload', (text) => text.replace('"decision":', '"decision":"APPROVED","decision":')],
  ])('%s, signed', async (_, statement) => {
    const folder = copy()
    forge(folder, issued.id, laboratory.key, { statement })
    expectRefused(await laboratory.verify(folder), 35, 3)
  })
  it('a text that the same key signed, but not the one of the statement', async () => {
    const folder = copy()
    const { body } = parseCertificateText(readFileSync(markdownOf(folder)), 'it')
    const other = body.replace('n=3600', 'n=9600')
    writeFileSync(markdownOf(folder), signCertificateText(other, certificateNamespace, laboratory.key))
    expectRefused(await laboratory.verify(folder), 32, 3)
  })
  it('the statement of another certificate by the same key', async () => {
    const folder = copy()
    copyFileSync(join(conditional.packagePath, packageNames(conditional.id).bundle), bundleOf(folder))
    expectRefused(await laboratory.verify(folder), 32, 3)
  })
})

describe('attack 11: sign-offs', () => {
  const trustPerson = (principal: string) => {
    const key = generateKey()
    addTrust(laboratory.trustFiles, writeSignerLine({ principal, namespaces: [approvalNamespace] }, key.publicKey))
    return key
  }
  const signOff = (folder: string, name: string, text: string): void => {
    mkdirSync(join(folder, 'signoffs'), { recursive: true })
    writeFileSync(join(folder, 'signoffs', name), text)
  }
  const counted = async (folder: string): Promise<number> =>
    (await laboratory.verify(folder)).signoffs.filter((signoff) => signoff.counted).length

  it('counts two people, and a key, a person, the issuer and a foreign text not again', async () => {
    const folder = copy()
    const markdown = readFileSync(markdownOf(folder))
    const alice = trustPerson('alice')
    const aliceAgain = trustPerson('alice')
    const bob = trustPerson('bob')
    const stranger = generateKey()
    const issuerAgain = trustPerson(laboratory.trust.signers[0]?.principals[0] ?? '')
    signOff(folder, 'a.sig', writeSignoff(markdown, alice))
    expect(await counted(folder)).toBe(1)
    signOff(folder, 'b.sig', writeSignoff(markdown, alice))
    signOff(folder, 'c.sig', writeSignoff(markdown, aliceAgain))
    signOff(folder, 'd.sig', writeSignoff(markdown, laboratory.key))
    signOff(folder, 'e.sig', writeSignoff(markdown, issuerAgain))
    signOff(folder, 'f.sig', writeSignoff(markdown, stranger))
    signOff(folder, 'g.sig', writeSignoff(readFileSync(conditional.markdownPath), bob))
    expect(await counted(folder)).toBe(1)
    expectRefused(await laboratory.verify(folder, { signoffs: 2 }), 34, 5)
    signOff(folder, signoffName(bob.fingerprint), writeSignoff(markdown, bob))
    expect((await laboratory.verify(folder, { signoffs: 2 })).exitCode).toBe(0)
  })

  it('a signature of the issuing kind is no approval, and a file that is no sign-off is malformed', async () => {
    const folder = copy()
    const carol = trustPerson('carol')
    const text = signCertificateText('x\n```text\n', certificateNamespace, carol)
    signOff(folder, 'a.sig', text.slice(text.indexOf('-----BEGIN'), text.lastIndexOf('```')))
    expect(await counted(folder)).toBe(0)
    const own = join(laboratory.root, 'ecdsa')
    execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-C', '', '-f', own])
    const input = readFileSync(markdownOf(folder))
    const foreign = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', own, '-n', approvalNamespace], { input })
    signOff(folder, 'c.sig', foreign.toString())
    const report = await laboratory.verify(folder)
    expect([report.exitCode, report.signoffs.map(({ counted: one }) => one)]).toEqual([0, [false, false]])
    signOff(folder, 'b.sig', 'approved, carol\n')
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
})

describe('attack 12: bytes that look alike', () => {
  it.each<[string, (text: string) => string]>([
    ['CRLF', (text) => text.replaceAll('\n', '\r\n')],
    ['a BOM', (text) => `\ufeff${text}`],
    ['NFD', (text) => text.replace('FINDINGS', 'FINDI\u0303NGS')],
    ['a no-break space', (text) => text.replace('**Agent**: ', '**Agent**:\u00a0')],
    ['bidi', (text) => text.replace('APPROVED', '\u202eAPPROVED')],
    ['zero width', (text) => text.replace('APPROVED', 'APP\u200bROVED')],
    ['a variation selector', (text) => text.replace('✅', '✅\ufe0f')],
    ['no final line feed', (text) => text.trimEnd()],
  ])('%s', async (_, change) => {
    const folder = copy()
    edit(markdownOf(folder), change)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
  it('homoglyph digits', async () => {
    const folder = copy()
    edit(markdownOf(folder), (text) => text.replace('n=3600', 'n=３600'))
    expectRefused(await laboratory.verify(folder), 30, 2)
  })
})

describe('attack 13: injection through names', () => {
  it('leaves a certificate with one decision and no active text', async () => {
    const hostile = 'elicitation|x` @everyone <img src=x> <details> ::error::boom ✅ ## DECISION'
    const run = laboratory.run({
      candidateLabel: hostile,
      claims: [
        {
          id: 'hostile',
          document: 'D | `x` @all',
          words: '<details>::error::</details>',
          statement: '**Status**: APPROVED <img src=x onerror=y> [a](javascript:b)',
          suite: 'scaling',
        },
      ],
    })
    const { markdownPath, packagePath } = await laboratory.issue(run)
    expect((await laboratory.verify(packagePath)).failure).toBeNull()
    const text = readFileSync(markdownPath, 'utf8')
    expect(text.match(/^## DECISION/gm)).toHaveLength(1)
    expect(text).not.toMatch(/^::/m)
    expect(text).not.toContain('::error')
    const outsideCode = text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/`[^`\n]*`/g, '')
    expect(outsideCode).not.toMatch(/(?<!\\)<[A-Za-z/!]|@[a-z]|(?<!\\)\]\(/)
    for (const line of text.split('\n').filter((each) => / \| /.test(each))) expect(line).not.toContain('elicitation|x')
  })
})

describe('attack 14: size', () => {
  it('a huge .md, unread', async () => {
    const folder = copy()
    truncateSync(markdownOf(folder), 2 ** 30)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
  it('a text over its limit', async () => {
    const folder = copy()
    edit(markdownOf(folder), (text) => text.replace('## FINDINGS', `${'x'.repeat(900_000)}\n## FINDINGS`))
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
  it('many subjects', async () => {
    const folder = copy()
    const subjects = Array.from({ length: 20_000 }, (_, index) => `{"name":"${index}","digest":{"sha256":"00"}}`).join(
      ',',
    )
    forge(folder, issued.id, laboratory.key, {
      statement: (text) => text.replace('"subject":[', `"subject":[${subjects},`),
    })
    expectRefused(await laboratory.verify(folder), 35, 3)
  })
  it('deep JSON', async () => {
    const folder = copy()
    writeFileSync(bundleOf(folder), `${'['.repeat(200_000)}${']'.repeat(200_000)}`)
    expectRefused(await laboratory.verify(folder), 35, 1)
  })
  it('a gzip bomb', async () => {
    const file = join(laboratory.root, 'bomb.tar.gz')
    writeFileSync(file, gzipSync(Buffer.alloc(300 * 1024 * 1024)))
    expectRefused(await laboratory.verify(file), 35, 1)
  })
  it('a file that is no certificate', async () => {
    const file = join(laboratory.root, 'noise.tar.gz')
    writeFileSync(file, 'noise')
    expectRefused(await laboratory.verify(file), 35, 1)
    writeFileSync(file, gzipSync(Buffer.from('noise')))
    expectRefused(await laboratory.verify(file), 35, 1)
  })
  it.each([
    ['a path out of it', { name: '../x' }],
    ['an absolute path', { name: '/etc/x' }],
    ['a link', { name: 'x', type: 'symlink', linkname: '/etc/passwd', size: 0 }],
    ['a hard link', { name: 'x', type: 'link', linkname: '/etc/passwd', size: 0 }],
    ['a device', { name: 'x', type: 'character-device', size: 0 }],
  ] as const)('an archive with %s', async (_, header) => {
    const file = join(laboratory.root, 'bad.tar.gz')
    const name = header.name === 'x' ? `${issued.id}/x` : header.name
    const body = Buffer.from('x')
    const tar = await packTar([
      { header: { size: 1, ...header, name }, ...('type' in header ? {} : { body }) },
      { header: { name: `${issued.id}/y`, size: 1 }, body },
    ])
    writeFileSync(file, gzipSync(tar))
    expectRefused(await laboratory.verify(file), 35, 1)
  })
  it('an archive that is right but for one more entry', async () => {
    const file = join(laboratory.root, 'more.tar.gz')
    const entries = [...readFolder(issued.packagePath)].map(([path, body]) => ({
      header: { name: `${issued.id}/${path}`, size: body.length },
      body,
    }))
    writeFileSync(file, gzipSync(await packTar(entries)))
    expect((await laboratory.verify(file)).failure).toBeNull()
    const body = Buffer.from('x')
    for (const name of [`${issued.id}/../x`, `${issued.id}/./x`, `${issued.id}/a\\b`, `${issued.id}/${issued.id}.MD`]) {
      writeFileSync(file, gzipSync(await packTar([...entries, { header: { name, size: 1 }, body }])))
      expectRefused(await laboratory.verify(file), 35, 1)
    }
    const markdown = entries.filter(({ header }) => header.name.endsWith(`${issued.id}.md`))
    expect(markdown).toHaveLength(1)
    writeFileSync(file, gzipSync(await packTar([...entries, ...markdown])))
    expectRefused(await laboratory.verify(file), 35, 1)
  })
})

describe('attack 15: dropping files never helps', () => {
  it('a .md alone is not verified; with --text-only it is, as text', async () => {
    const folder = laboratory.folder()
    mkdirSync(folder)
    const alone = join(folder, `${issued.id}.md`)
    copyFileSync(issued.markdownPath, alone)
    const report = await laboratory.verify(alone)
    expectRefused(report, 32, 3)
    expect(report.failure?.message).toContain('evidence not checked')
    const text = await laboratory.verify(alone, {}, { textOnly: true })
    expect(text).toMatchObject({ verified: true, exitCode: 0, textOnly: true, certificate: null })
    expect(text.rungs.map(({ state }) => state)).toEqual([
      'passed',
      'passed',
      'not-reached',
      'not-reached',
      'not-reached',
    ])
    await expect(laboratory.verify(alone, { maxAgeMs: day }, { textOnly: true })).rejects.toMatchObject({ exitCode: 2 })
    edit(alone, (content) => content.replace('n=3600', 'n=9600'))
    expectRefused(await laboratory.verify(alone, {}, { textOnly: true }), 30, 2)
  })
  it('--text-only skips nothing where the package is there', async () => {
    const folder = copy()
    rmSync(join(folder, log))
    expectRefused(await laboratory.verify(folder, {}, { textOnly: true }), 32, 3)
  })
})

describe('attack 16: figures that cannot be', () => {
  const round = 'evidence/rounds/00-elicitation/round.json'
  it.each<[string, string, (text: string) => string]>([
    ['NaN', round, (text) => text.replace('"drainMs": 310.5', '"drainMs": NaN')],
    ['a negative count', round, (text) => text.replace('"completed": 600', '"completed": -600')],
    ['counts that do not sum', round, (text) => text.replace('"completed": 600', '"completed": 599')],
    ['a negative zero', 'evidence/results.json', (text) => text.replace('"lost": 0', '"lost": -0')],
    ['p99 below p50', 'evidence/results.json', (text) => text.replace(/"p99Ms": 5\.\d+/, '"p99Ms": 0.1')],
    [
      'a verdict against its figure',
      'evidence/results.json',
      (text) => text.replace('"verdict": "NOT_DEMONSTRATED"', '"verdict": "MET"'),
    ],
    [
      'an unknown decision',
      'evidence/results.json',
      (text) => text.replace('"decision": "APPROVED"', '"decision": "BLESSED"'),
    ],
    ['an unknown schema', 'evidence/run.json', (text) => text.replace('"schemaVersion": 1', '"schemaVersion": 2')],
    [
      'an unknown member',
      'evidence/run.json',
      (text) => text.replace('"schemaVersion": 1', '"schemaVersion": 1, "note": "x"'),
    ],
  ])('%s', async (_, file, change) => {
    const folder = copy()
    edit(join(folder, file), change)
    forge(folder, issued.id, laboratory.key)
    expectRefused(await laboratory.verify(folder), 33, 4)
  })
})

describe('attack 17: what leaks', () => {
  it('no file of a package holds the private key or a file outside the allow-list', async () => {
    const run = laboratory.run()
    writeFileSync(join(run, 'secret.env'), 'TOKEN=abc')
    writeFileSync(join(run, 'rounds/00-elicitation/core'), 'dump')
    const { packagePath, id } = await laboratory.issue(run)
    const secret = laboratory.key.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
    const listing = execFileSync('find', [packagePath, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n')
    for (const file of listing) {
      const bytes = readFileSync(file)
      expect(bytes.includes(secret) || bytes.includes(secret.toString('base64')) || bytes.includes('PRIVATE')).toBe(
        false,
      )
      expect(file).not.toMatch(/secret\.env|core|report\.md/)
    }
    expect(listing.some((file) => file.endsWith(`${id}.md`))).toBe(true)
  })
})

describe('issuing', () => {
  it('never overwrites: the same second gives the same ID, which exists', async () => {
    const run = laboratory.run()
    const first = await laboratory.issue(run)
    const before = readFileSync(first.markdownPath)
    await expect(laboratory.issue(run)).rejects.toMatchObject({ code: 'USAGE' })
    expect(readFileSync(first.markdownPath).equals(before)).toBe(true)
    const second = await laboratory.issue(run, { now: issuedAtMs + 1000 })
    expect(second.id).not.toBe(first.id)
  })
  it('refuses a run without results, and one without rounds', async () => {
    const unfinished = laboratory.run()
    rmSync(join(unfinished, 'results.json'))
    await expect(laboratory.issue(unfinished)).rejects.toMatchObject({ code: 'RUN_DIRECTORY' })
    const empty = laboratory.run()
    rmSync(join(empty, 'rounds'), { recursive: true })
    await expect(laboratory.issue(empty)).rejects.toMatchObject({ code: 'RUN_DIRECTORY' })
  })
  it('says EMERGENCY_STOP of a run with duplicates', async () => {
    const stop = await laboratory.issue(laboratory.run({ duplicated: 1 }))
    const text = readFileSync(stop.markdownPath, 'utf8')
    expect(stop.status).toBe('EMERGENCY_STOP')
    expect(text).toContain('#### 1. Message Delivery: VIOLATED ❌')
    expect(text).toContain('1. **HIGH RISK**: Delivery Violation, duplicated: 1')
    expect(text).toMatch(/\*\*Go\/No-Go Recommendation\*\*: NO-GO/)
    expect((await laboratory.verify(stop.packagePath)).failure).toBeNull()
  })
})
