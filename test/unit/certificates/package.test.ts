/** Archives, approvals, and what a later certificate says of an earlier one's conditions. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeSignerLine } from '../../../src/certificates/allowed-signers.ts'
import { approveCertificate } from '../../../src/certificates/approve.ts'
import { approvalNamespace } from '../../../src/certificates/format.ts'
import type { Issued } from '../../../src/certificates/issue.ts'
import { generateKey, type SigningKey } from '../../../src/certificates/keys.ts'
import { ladderText } from '../../../src/certificates/ladder-text.ts'
import { packCertificate, writeExclusively } from '../../../src/certificates/pack.ts'
import { addTrust } from '../../../src/certificates/trust-store.ts'
import { edit, forge, issuedAtMs, Laboratory, markdownOf } from './package-fixture.ts'

let laboratory: Laboratory
let issued: Issued
beforeAll(async () => {
  laboratory = new Laboratory()
  issued = await laboratory.issue(laboratory.run())
})
afterAll(() => laboratory.remove())

function person(principal: string): SigningKey {
  const key = generateKey()
  addTrust(laboratory.trustFiles, writeSignerLine({ principal, namespaces: [approvalNamespace] }, key.publicKey))
  return key
}

describe('an archive', () => {
  it('is reproducible, is verified as it is, and unpacked by tar', async () => {
    const first = await packCertificate(issued.packagePath)
    const second = await packCertificate(issued.markdownPath)
    expect(Buffer.compare(first.bytes, second.bytes)).toBe(0)
    const folder = laboratory.folder()
    mkdirSync(folder)
    const file = join(folder, 'c.tar.gz')
    writeExclusively(file, first.bytes)
    expect(() => writeExclusively(file, first.bytes)).toThrow(expect.objectContaining({ exitCode: 2 }))
    expect((await laboratory.verify(file)).failure).toBeNull()
    execFileSync('tar', ['-xzf', file], { cwd: folder })
    const unpacked = join(folder, issued.id)
    expect((await laboratory.verify(unpacked)).failure).toBeNull()
    expect(readFileSync(join(unpacked, 'VERIFY.md'), 'utf8')).toContain('ssh-keygen -Y verify')
    edit(join(unpacked, 'VERIFY.md'), (text) => text.replace('not signed', 'signed'))
    expect((await laboratory.verify(unpacked)).exitCode).toBe(32)
  })

  it('is not made of a package that does not agree with itself', async () => {
    const folder = laboratory.copy(issued)
    writeFileSync(join(folder, 'evidence', 'run.json'), '{}')
    await expect(packCertificate(folder)).rejects.toMatchObject({ exitCode: 32 })
    const edited = laboratory.copy(issued)
    edit(markdownOf(edited), (text) => text.replace('n=3600', 'n=9600'))
    await expect(packCertificate(edited)).rejects.toMatchObject({ exitCode: 30 })
  })
})

describe('approval', () => {
  it('adds a file, counts once, and leaves the certificate as it was', async () => {
    const folder = laboratory.copy(issued)
    const before = readFileSync(markdownOf(folder))
    const alice = person('alice')
    const approved = await approveCertificate(folder, alice, laboratory.trust, issuedAtMs)
    expect(approved).toMatchObject({ id: issued.id, textOnly: false })
    expect(readFileSync(markdownOf(folder)).equals(before)).toBe(true)
    expect((await laboratory.verify(folder, { signoffs: 1 })).exitCode).toBe(0)
    await expect(approveCertificate(folder, alice, laboratory.trust, issuedAtMs)).rejects.toMatchObject({ exitCode: 2 })
    await approveCertificate(markdownOf(folder), person('bob'), laboratory.trust, issuedAtMs)
    const report = await laboratory.verify(folder, { signoffs: 2 })
    expect(report.exitCode).toBe(0)
    expect(ladderText(report)).toMatch(/✅ sign-off \S+: alice/)
    const { bytes } = await packCertificate(folder)
    const file = join(laboratory.root, 'approved.tar.gz')
    writeExclusively(file, bytes)
    expect((await laboratory.verify(file, { signoffs: 2 })).exitCode).toBe(0)
  })

  it('is refused to the issuer, and for what does not verify', async () => {
    const folder = laboratory.copy(issued)
    await expect(approveCertificate(folder, laboratory.key, laboratory.trust, issuedAtMs)).rejects.toMatchObject({
      exitCode: 2,
    })
    rmSync(join(folder, 'evidence', 'ledger.json'))
    await expect(approveCertificate(folder, person('carol'), laboratory.trust, issuedAtMs)).rejects.toMatchObject({
      exitCode: 32,
    })
  })

  it('made by ssh-keygen is counted', async () => {
    const folder = laboratory.copy(issued)
    const own = join(laboratory.root, 'dora')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', own])
    addTrust(
      laboratory.trustFiles,
      `dora namespaces="${approvalNamespace}" ${readFileSync(`${own}.pub`, 'utf8').trim()}`,
    )
    mkdirSync(join(folder, 'signoffs'))
    execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', own, '-n', approvalNamespace, markdownOf(folder)])
    copyFileSync(`${markdownOf(folder)}.sig`, join(folder, 'signoffs', 'dora.sig'))
    rmSync(`${markdownOf(folder)}.sig`)
    expect((await laboratory.verify(folder, { signoffs: 1 })).exitCode).toBe(0)
  })
})

describe('the previous certificate', () => {
  const target = { title: 'P99 Latency', expression: 'candidate.roundTrip.p99 < 300ms' }
  const line = (text: string, id: string): string =>
    text.split('\n').find((each) => new RegExp(`^- \\S+ \\*\\*[A-Z]+\\*\\* ${id} `).test(each)) ?? ''

  it('has each condition CLOSED, OPEN or WORSE, and stays part of the evidence', async () => {
    const failing = await laboratory.issue(laboratory.run({ candidateMs: 500 }))
    const text = readFileSync(failing.markdownPath, 'utf8')
    expect(text).toMatch(/^1\. \*\*C1\*\* `candidate\.roundTrip\.p50 < 50ms` \(NOT_MET\): /m)
    const fixed = await laboratory.issue(laboratory.run(), { previous: failing.markdownPath })
    const later = readFileSync(fixed.markdownPath, 'utf8')
    expect(line(later, 'C1')).toMatch(
      /^- ✅ \*\*CLOSED\*\* C1 `candidate\.roundTrip\.p50 < 50ms` \(was NOT_MET\): MET now, measured .*n=3600/,
    )
    expect((await laboratory.verify(fixed.packagePath)).failure).toBeNull()
    const still = await laboratory.issue(laboratory.run({ candidateMs: 600 }), { previous: failing.markdownPath })
    expect(line(readFileSync(still.markdownPath, 'utf8'), 'C1')).toContain('**OPEN**')

    const folder = laboratory.copy(fixed)
    edit(join(folder, 'evidence/previous.md'), (content) => content.replace('(NOT_MET)', '(MARGINAL)'))
    forge(folder, fixed.id, laboratory.key)
    expect((await laboratory.verify(folder)).exitCode).toBe(33)
  })

  it('that was not demonstrated and is now missed is WORSE; another bar closes nothing', async () => {
    const tall = { ...target, expression: 'candidate.agents >= 500' }
    const unknown = await laboratory.issue(laboratory.run({ targets: [tall] }))
    expect(unknown.status).toBe('NEEDS_FURTHER_REVIEW')
    const text = readFileSync(unknown.markdownPath, 'utf8')
    expect(text).toMatch(/\*\*C\d\*\* `candidate\.agents >= 500` \(NOT_DEMONSTRATED\)/)
    const lowered = { ...target, expression: 'candidate.agents >= 50' }
    const other = await laboratory.issue(laboratory.run({ targets: [lowered] }), { previous: unknown.markdownPath })
    expect(line(readFileSync(other.markdownPath, 'utf8'), 'C1')).toContain('⚠️ **OPEN**')

    const few = { ...target, expression: 'candidate.roundTrip.p999 < 8ms' }
    const shown = await laboratory.issue(laboratory.run({ targets: [few], rounds: 3 }))
    const missed = await laboratory.issue(laboratory.run({ targets: [few], candidateMs: 500 }), {
      previous: shown.markdownPath,
    })
    expect(readFileSync(shown.markdownPath, 'utf8')).toContain('(NOT_DEMONSTRATED)')
    expect(line(readFileSync(missed.markdownPath, 'utf8'), 'C1')).toContain('❌ **WORSE**')
  })

  it('of another component, or altered, is refused', async () => {
    const folder = laboratory.copy(issued)
    edit(markdownOf(folder), (text) => text.replace('n=3600', 'n=9600'))
    await expect(laboratory.issue(laboratory.run(), { previous: markdownOf(folder) })).rejects.toMatchObject({
      exitCode: 30,
    })
    const run = laboratory.run()
    const { issueCertificate } = await import('../../../src/certificates/issue.ts')
    const request = {
      runDirectory: run,
      outputDirectory: join(run, 'certificate'),
      key: laboratory.key,
      kind: 'readiness',
      agent: 'a',
      now: issuedAtMs,
    } as const
    await expect(
      issueCertificate({ ...request, component: 'Other', previous: issued.markdownPath }),
    ).rejects.toMatchObject({ exitCode: 2 })
    await expect(issueCertificate({ ...request, component: ' ' })).rejects.toMatchObject({ exitCode: 2 })
  })
})

describe('an invalid run', () => {
  it('is certified as what it is: nothing in it is called met, faster or shown', async () => {
    const invalid = await laboratory.issue(laboratory.run({ rounds: 2 }))
    const text = readFileSync(invalid.markdownPath, 'utf8')
    expect(invalid.status).toBe('NEEDS_FURTHER_REVIEW')
    for (const heading of [
      '2. Measurement Validity: INVALID ❌',
      '3. Performance Targets: NOT DEMONSTRATED ⚠️',
      '4. Comparison with the Baseline: NOT DEMONSTRATED ⚠️',
      '5. Claims under Test: NOT SHOWN ⚠️',
    ]) {
      expect(text).toContain(`#### ${heading}\n`)
    }
    expect(text).not.toMatch(/✅ MET|: FASTER|✅ \*\*SHOWN/)
    expect((await laboratory.verify(invalid.packagePath)).failure).toBeNull()
  })
})

describe('the ladder as text', () => {
  it('prints every rung and cannot be painted over', async () => {
    const folder = laboratory.copy(issued)
    writeFileSync(join(folder, 'evidence', 'claims.json'), '{}')
    const text = ladderText(await laboratory.verify(folder))
    expect(text.split('\n')[0]).toBe(`❌ NOT VERIFIED ${issued.id}: EVIDENCE_ALTERED (exit 32)`)
    expect(text.match(/^[✅❌·] [1-5] /gmu)).toHaveLength(5)
    const report = await laboratory.verify(issued.packagePath)
    const painted = ladderText({
      ...report,
      signer: { fingerprint: 'x', principals: ['a\u001b[2J\u202e\n::error::b'] },
    })
    expect(painted).not.toMatch(/\u001b|\u202e|::/)
  })
})
