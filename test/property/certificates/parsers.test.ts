/**
 * Fuzzing of everything that reads a certificate: whatever bytes come in, the answer is a value or a LighthouseError,
 * and no changed byte of a signed file is ever verified.
 */
import fc from 'fast-check'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackArchive } from '../../../src/certificates/archive.ts'
import { parseAllowedSigners } from '../../../src/certificates/allowed-signers.ts'
import { decodeAnyBase64 } from '../../../src/certificates/base64.ts'
import { parseCertificateText } from '../../../src/certificates/certificate-text.ts'
import { parseBundle } from '../../../src/certificates/envelope.ts'
import { cell, code, field, prose } from '../../../src/certificates/escape.ts'
import { parseManifest } from '../../../src/certificates/evidence-manifest.ts'
import { packageNames } from '../../../src/certificates/format.ts'
import type { Issued } from '../../../src/certificates/issue.ts'
import { parseArmour } from '../../../src/certificates/sshsig.ts'
import { packCertificate } from '../../../src/certificates/pack.ts'
import { parseStatement } from '../../../src/certificates/statement.ts'
import { parseStrictJson } from '../../../src/certificates/strict-json.ts'
import { checkTextRules } from '../../../src/certificates/text-rules.ts'
import { canonicalJson } from '../../../src/measurement/canonical-json.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { Laboratory } from '../../unit/certificates/package-fixture.ts'

let laboratory: Laboratory
let issued: Issued
let archive: Uint8Array
beforeAll(async () => {
  laboratory = new Laboratory()
  issued = await laboratory.issue(laboratory.run({ rounds: 3 }))
  archive = (await packCertificate(issued.packagePath)).bytes
})
afterAll(() => laboratory.remove())

function onlyLighthouseErrors(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(LighthouseError)
  }
}

/** Some bytes of `original` replaced, removed, inserted, or cut off. */
function damaged(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: original.length - 1 })
  return fc.oneof(
    fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([index, flip]) => {
      const copy = Uint8Array.from(original)
      copy[index] = (copy[index] as number) ^ flip
      return copy
    }),
    at.map((end) => original.slice(0, end)),
    fc
      .tuple(at, fc.integer({ min: 1, max: 40 }))
      .map(([start, length]) =>
        Buffer.concat([original.subarray(0, start), original.subarray(Math.min(original.length, start + length))]),
      ),
    fc
      .tuple(at, fc.uint8Array({ minLength: 1, maxLength: 20 }))
      .map(([index, extra]) => Buffer.concat([original.subarray(0, index), extra, original.subarray(index)])),
  )
}

describe('parsers', () => {
  it('answer any bytes with a value or a LighthouseError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        for (const read of [parseCertificateText, parseBundle, parseManifest, parseStrictJson]) {
          onlyLighthouseErrors(() => read(bytes, 'it'))
        }
        onlyLighthouseErrors(() => parseStatement(bytes))
        const text = Buffer.from(bytes).toString('latin1')
        onlyLighthouseErrors(() => parseArmour(text, 'it'))
        onlyLighthouseErrors(() => decodeAnyBase64(text, 'it'))
        onlyLighthouseErrors(() => parseAllowedSigners(text, 'it'))
        await unpackArchive(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(LighthouseError))
      }),
    )
  })

  it('answer damaged originals with a value or a LighthouseError', async () => {
    const names = packageNames(issued.id)
    const file = (name: string): Uint8Array => readFileSync(join(issued.packagePath, name))
    const [markdown, bundle, manifest] = [file(names.markdown), file(names.bundle), file(names.manifest)]
    const payload = parseBundle(bundle, 'it').payload
    await fc.assert(
      fc.asyncProperty(
        damaged(markdown),
        damaged(bundle),
        damaged(manifest),
        damaged(payload),
        damaged(archive),
        async (a, b, c, d, e) => {
          onlyLighthouseErrors(() => parseCertificateText(a, 'it'))
          onlyLighthouseErrors(() => parseBundle(b, 'it'))
          onlyLighthouseErrors(() => parseManifest(c, 'it'))
          onlyLighthouseErrors(() => parseStatement(d))
          await unpackArchive(e).catch((error: unknown) => expect(error).toBeInstanceOf(LighthouseError))
        },
      ),
    )
  })

  it('read strict JSON as JSON.parse does, where both do', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5, noUnicodeString: false }), (text) => {
        let strict: unknown
        try {
          strict = parseStrictJson(Buffer.from(text, 'utf8'), 'it')
        } catch (error) {
          expect(error).toBeInstanceOf(LighthouseError)
          return
        }
        expect(canonicalJson(strict)).toBe(canonicalJson(JSON.parse(Buffer.from(text, 'utf8').toString('utf8'))))
      }),
    )
  })
})

describe('a mutated file', () => {
  it('of the signed package is never verified', async () => {
    const names = packageNames(issued.id)
    const signed = [
      names.markdown,
      names.manifest,
      'evidence/results.json',
      'evidence/run.json',
      'evidence/rounds/00-elicitation/histograms.hlog',
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...signed).chain((name) => {
          const original = readFileSync(join(issued.packagePath, name))
          return damaged(original)
            .filter((changed) => Buffer.compare(changed, original) !== 0)
            .map((bytes) => ({ name, bytes }))
        }),
        async ({ name, bytes }) => {
          const folder = laboratory.copy(issued)
          writeFileSync(join(folder, name), bytes)
          const report = await laboratory.verify(folder)
          expect(report.verified).toBe(false)
          expect([30, 32, 35]).toContain(report.exitCode)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('of the envelope is never verified, unless only what is not signed changed', async () => {
    const name = packageNames(issued.id).bundle
    const original = readFileSync(join(issued.packagePath, name))
    const { payload, signature } = parseBundle(original, 'it')
    await fc.assert(
      fc.asyncProperty(damaged(original), async (bytes) => {
        let same = false
        try {
          const envelope = parseBundle(bytes, 'it')
          same = Buffer.compare(envelope.payload, payload) === 0 && Buffer.compare(envelope.signature, signature) === 0
        } catch {
          // Malformed: refused below.
        }
        const folder = laboratory.copy(issued)
        writeFileSync(join(folder, name), bytes)
        expect((await laboratory.verify(folder)).verified).toBe(same)
      }),
      { numRuns: 60 },
    )
  })

  it('of the archive gives the very same files or nothing', async () => {
    const folder = laboratory.folder()
    mkdirSync(folder)
    const file = join(folder, 'c.tar.gz')
    await fc.assert(
      fc.asyncProperty(damaged(archive), async (bytes) => {
        writeFileSync(file, bytes)
        const report = await laboratory.verify(file)
        // Header fields of gzip and tar (times, modes) are not part of any file.
        if (report.verified) {
          const [left, right] = [await unpackArchive(bytes), await unpackArchive(archive)]
          expect([...left].map(([path, content]) => [path, Buffer.from(content).toString('hex')])).toEqual(
            [...right].map(([path, content]) => [path, Buffer.from(content).toString('hex')]),
          )
        } else expect([30, 32, 33, 35]).toContain(report.exitCode)
      }),
      { numRuns: 60 },
    )
  })
})

describe('escaping', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          '|',
          '\n',
          '`',
          '```',
          '::',
          ':',
          '<img',
          '@a',
          '#',
          '\\',
          '*',
          '_',
          '[',
          '](',
          '&lt;',
          '\u202e',
          '✅',
          '1.',
          ' ',
        ),
      )
      .map((parts) => parts.join('')),
  )
  it('keeps every byte rule and stays on one line in every context', () => {
    fc.assert(
      fc.property(text, (input) => {
        for (const escape of [code, field, prose, cell]) {
          const shown = escape(input)
          expect(() => checkTextRules(`${shown}\n`, 'it')).not.toThrow()
          expect(shown).not.toContain('\n')
          expect(shown).not.toContain('::')
          expect(shown).not.toMatch(/✅|❌|⚠/)
        }
        expect(code(input).slice(1, -1)).not.toContain('`')
        expect(cell(input)).not.toMatch(/[|`]/)
        const sentence = prose(input).replaceAll('\\\\', '')
        expect(sentence).not.toMatch(/(?<!\\)[`*|~]|(?<!\\)\][([:]|@|(?<!\\)<[A-Za-z!/?]/)
      }),
      { numRuns: 500 },
    )
  })
})
