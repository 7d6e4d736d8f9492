/** The byte formats that foreign tools must agree with, each with forms it must refuse. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeAnyBase64, decodeBase64, encodeBase64 } from '../../../src/certificates/base64.ts'
import {
  parseBundle,
  preAuthenticationEncoding,
  verifyEnvelope,
  writeBundle,
} from '../../../src/certificates/envelope.ts'
import { cell, code, field, prose } from '../../../src/certificates/escape.ts'
import { manifestDifferences, parseManifest, writeManifest } from '../../../src/certificates/evidence-manifest.ts'
import { certificateNamespace, isEvidencePath, isSafePath } from '../../../src/certificates/format.ts'
import { formatIssueTime, parseIssueTime } from '../../../src/certificates/issue-time.ts'
import { generateKey, publicKeyLine, publicKeyPem } from '../../../src/certificates/keys.ts'
import { armour, parseArmour, signSsh, verifySsh } from '../../../src/certificates/sshsig.ts'
import { parseStrictJson } from '../../../src/certificates/strict-json.ts'
import { decodeCertificateText } from '../../../src/certificates/text-rules.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8')
const malformed = expect.objectContaining({ name: 'LighthouseError', code: 'MALFORMED_CERTIFICATE' })
let folder = ''
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'certificate-bytes-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('SSHSIG', () => {
  const key = generateKey()
  const message = bytes('a message\n')

  it('is accepted by ssh-keygen, and its fingerprint is the one ssh-keygen prints', () => {
    const signature = join(folder, 'message.sig')
    const signers = join(folder, 'signers')
    writeFileSync(signature, signSsh(message, certificateNamespace, key))
    writeFileSync(signers, `someone ${publicKeyLine(key.publicKey)}\n`)
    writeFileSync(join(folder, 'key.pub'), `${publicKeyLine(key.publicKey)} someone\n`)
    const verify = (input: Uint8Array, namespace: string): number | null =>
      spawnSync('ssh-keygen', ['-Y', 'verify', '-f', signers, '-I', 'someone', '-n', namespace, '-s', signature], {
        input,
      }).status
    expect(verify(message, certificateNamespace)).toBe(0)
    expect(verify(bytes('another message\n'), certificateNamespace)).not.toBe(0)
    expect(verify(message, 'file')).not.toBe(0)
    expect(execFileSync('ssh-keygen', ['-lf', join(folder, 'key.pub')], { encoding: 'utf8' })).toContain(
      key.fingerprint,
    )
  })

  it('reads what ssh-keygen signs', () => {
    const own = join(folder, 'own')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', own])
    const made = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', own, '-n', certificateNamespace], {
      input: message,
      encoding: 'utf8',
    })
    const signature = parseArmour(made, 'it')
    expect(verifySsh(message, certificateNamespace, signature)).toBe(true)
    expect(armour(signature)).toBe(made)
  })

  it('refuses another namespace, another message, and every other spelling of the armour', () => {
    const text = signSsh(message, certificateNamespace, key)
    const signature = parseArmour(text, 'it')
    expect(verifySsh(message, certificateNamespace, signature)).toBe(true)
    expect(verifySsh(message, 'approve@lighthouse-harness', signature)).toBe(false)
    expect(verifySsh(bytes('other'), certificateNamespace, signature)).toBe(false)
    const lines = text.split('\n')
    const rewrapped = [lines[0], lines.slice(1, -2).join(''), ...lines.slice(-2)].join('\n')
    for (const other of [
      rewrapped,
      text.replaceAll('\n', '\r\n'),
      ` ${text}`,
      `${text}\n`,
      text.replace('\n', '\n '),
    ]) {
      expect(() => parseArmour(other, 'it')).toThrow(malformed)
    }
  })

  it('refuses an ECDSA signature', () => {
    const own = join(folder, 'ecdsa')
    execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-C', '', '-f', own])
    const made = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', own, '-n', certificateNamespace], {
      input: message,
      encoding: 'utf8',
    })
    expect(() => parseArmour(made, 'it')).toThrow(malformed)
  })
})

describe('DSSE envelope', () => {
  const key = generateKey()
  const payload = bytes('{"a":1}')
  const bundle = writeBundle(payload, key)
  const change =
    (edit: (text: string) => string): (() => unknown) =>
    () =>
      parseBundle(bytes(edit(bundle)), 'it')

  it('encodes what is signed as the DSSE specification shows it', () => {
    expect(preAuthenticationEncoding('http://example.com/HelloWorld', bytes('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    )
  })

  it('round-trips, and openssl agrees', () => {
    const envelope = parseBundle(bytes(bundle), 'it')
    expect(verifyEnvelope(envelope, key.publicKey)).toBe(true)
    expect(verifyEnvelope(envelope, generateKey().publicKey)).toBe(false)
    writeFileSync(join(folder, 'pub.pem'), publicKeyPem(key.publicKey))
    writeFileSync(join(folder, 'pae'), preAuthenticationEncoding('application/vnd.in-toto+json', envelope.payload))
    writeFileSync(join(folder, 'sig'), envelope.signature)
    const arguments_ = ['pkeyutl', '-verify', '-pubin', '-inkey', 'pub.pem', '-rawin', '-in', 'pae', '-sigfile', 'sig']
    expect(spawnSync('openssl', arguments_, { cwd: folder }).status).toBe(0)
  })

  it('accepts the URL-safe alphabet for the signature', () => {
    const envelope = parseBundle(bytes(bundle), 'it')
    const urlSafe = bundle.replace(
      /("sig": ")([^"]+)"/,
      (_, start: string, sig: string) => `${start}${sig.replaceAll('+', '-').replaceAll('/', '_')}"`,
    )
    expect(parseBundle(bytes(urlSafe), 'it').signature).toEqual(envelope.signature)
  })

  it('refuses duplicate keys, __proto__, other types, zero or two signatures, unknown fields and lenient base64', () => {
    const sig = /\{\s*"sig": "[^"]+"\s*\}/.exec(bundle)?.[0] ?? ''
    expect(sig).not.toBe('')
    const edits: ((text: string) => string)[] = [
      (text) => text.replace('"payload":', '"payload": "e30=",\n    "payload":'),
      (text) => text.replace('"payload":', '"pa\\u0079load": "e30=",\n    "payload":'),
      (text) => text.replace('"mediaType":', '"__proto__": {},\n  "mediaType":'),
      (text) => text.replace('application/vnd.in-toto+json', 'application/json'),
      (text) => text.replace('bundle.v0.3', 'bundle.v0.2'),
      (text) => text.replace(sig, ''),
      (text) => text.replace(sig, `${sig}, ${sig}`),
      (text) => text.replace('"sig":', '"extra": 1, "sig":'),
      (text) => text.replace('"dsseEnvelope":', '"more": 1, "dsseEnvelope":'),
      (text) => text.replace('"payload": "', '"payload": " '),
      (text) => text.replace('"payload": "', '"payload": "*'),
      (text) => text.slice(0, -20),
      () => `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
    ]
    for (const edit of edits) expect(change(edit)).toThrow(malformed)
  })

  it('does not let keyid or hint choose the key', () => {
    const spoofed = bundle.replace('"sig":', '"keyid": "attacker", "sig":').replace(key.fingerprint, 'SHA256:attacker')
    expect(verifyEnvelope(parseBundle(bytes(spoofed), 'it'), key.publicKey)).toBe(true)
    expect(verifyEnvelope(parseBundle(bytes(spoofed), 'it'), generateKey().publicKey)).toBe(false)
  })
})

describe('base64', () => {
  it('is strict', () => {
    expect(encodeBase64(decodeBase64('AAEC', 'it'))).toBe('AAEC')
    for (const text of ['AAE', 'AAEC=', 'AA EC', 'AAEC\n', 'AAE-', 'AB==', 'A===', '=']) {
      expect(() => decodeBase64(text, 'it')).toThrow(malformed)
    }
    expect(decodeAnyBase64('-_8', 'it')).toEqual(decodeBase64('+/8=', 'it'))
    for (const text of ['-/8=', '-_8==', '-_ 8']) expect(() => decodeAnyBase64(text, 'it')).toThrow(malformed)
  })
})

describe('strict JSON', () => {
  const parse = (text: string): unknown => parseStrictJson(bytes(text), 'it')

  it('reads JSON', () => {
    expect(parse('{"a":[1,-2.5e3,"x\\"y:",{"b":null}],"c":"\\\\"}')).toEqual({
      a: [1, -2500, 'x"y:', { b: null }],
      c: '\\',
    })
  })

  it('refuses duplicates, __proto__, depth, inexact and non-finite numbers, minus zero, and what is no JSON', () => {
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`
    const bad = [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '{"__proto__":1}',
      deep,
      '9007199254740993',
      '1e999',
      '-0',
      '{"a":-0.0}',
      '{',
      '"',
      '"\\',
      '',
      '{"a" 1}',
      '[1,]',
      '\ufeff{}',
    ]
    for (const text of bad) expect(() => parse(text), text).toThrow(malformed)
    expect(() => parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22), 'it')).toThrow(malformed)
  })
})

describe('text rules', () => {
  it('accepts the three marks and letters of any script', () => {
    expect(decodeCertificateText(bytes('✅ ⚠️ ❌ Größe 測定 µs\n'), 'it')).toContain('Größe')
  })

  it('refuses every other spelling', () => {
    const bad = {
      CRLF: 'a\r\n',
      BOM: '\ufeffa\n',
      NFD: 'u\u0308\n',
      NBSP: 'a\u00a0b\n',
      bidi: 'a\u202eb\n',
      'zero width': 'a\u200bb\n',
      joiner: 'a\u200db\n',
      isolate: 'a\u2066b\n',
      'selector after something else': 'a\ufe0f\n',
      'two selectors': '⚠️\ufe0f\n',
      'text selector': '⚠\ufe0e\n',
      tab: 'a\tb\n',
      NUL: 'a\0\n',
      C1: 'a\u0085b\n',
      tag: 'a\u{e0041}\n',
      'line separator': 'a\u2028b\n',
      'soft hyphen': 'a\u00adb\n',
      'no final LF': 'a',
      empty: '',
      'too long': `${'a'.repeat(900_001)}\n`,
    }
    for (const [name, text] of Object.entries(bad))
      expect(() => decodeCertificateText(bytes(text), 'it'), name).toThrow(malformed)
    expect(() => decodeCertificateText(Uint8Array.of(0xc3, 0x28, 10), 'it')).toThrow(malformed)
  })
})

describe('escaping of free text', () => {
  const hostile =
    'x|y\n# DECISION\n<img src=x onerror=1>@team ::error::boom `code` ✅ \u202e１２ [a](http://b) ~~~ <!-- \\| __b__ #12'

  it('leaves nothing that acts, in any context', () => {
    for (const shown of [code(hostile), field(hostile), cell(hostile)]) {
      expect(shown).not.toMatch(/\n|::|✅|\u202e|１/)
      expect(shown.slice(1, -1)).not.toContain('`')
    }
    expect(cell(hostile)).not.toContain('|')
    const sentence = prose(hostile)
    expect(sentence).not.toMatch(/\n|::|✅|\u202e|@|(?<!\\)[`|*~]|(?<!\\)\][([:]|(?<!\\)<[a-z!/]/)
    expect(sentence).not.toMatch(/(?<!\\)#\d/)
    expect(prose('# Heading')).toBe('\\# Heading')
    expect(prose('1. list')).toBe('\\1. list')
    expect(prose('[x] done')).toBe('\\[x] done')
    expect(prose('499.2 [481.5, 517.6] ms')).toBe('499.2 [481.5, 517.6] ms')
  })

  it('leaves plain words as they are', () => {
    expect(field('FEATURE_PACK_0 Elicitation vs wait_for_messages Performance')).toBe(
      'FEATURE_PACK_0 Elicitation vs wait_for_messages Performance',
    )
    expect(prose('P99 latency < 300ms, 95 % of n=600')).toBe('P99 latency < 300ms, 95 % of n=600')
    expect(cell('elicitation.roundTrip.p99 < 300ms')).toBe('elicitation.roundTrip.p99 < 300ms')
  })

  it('cuts what is too long', () => {
    expect(code('x'.repeat(10_000)).length).toBeLessThan(300)
  })
})

describe('evidence manifest', () => {
  const files = new Map([
    ['evidence/run.json', bytes('{}')],
    ['evidence/rounds/00-a/round.json', bytes('1')],
    ['evidence/rounds/00-a/histograms.hlog', bytes('2')],
  ])
  const text = writeManifest(files)
  const entries = parseManifest(bytes(text), 'it')

  it('lists every file once, in byte order, and finds what differs', () => {
    expect(entries.map(({ path }) => path)).toEqual([...files.keys()].sort())
    expect(manifestDifferences(entries, files)).toEqual([])
    const changed = new Map(files).set('evidence/run.json', bytes('{ }')).set('evidence/claims.json', bytes(''))
    changed.delete('evidence/rounds/00-a/round.json')
    expect(manifestDifferences(entries, changed)).toHaveLength(3)
  })

  it('refuses repeated, reordered, escaping and foreign lines', () => {
    const lines = text.split('\n')
    const [first = '', second = ''] = lines
    const sha = 'a'.repeat(64)
    const bad = [
      `${first}\n${text}`,
      [second, first, ''].join('\n'),
      text.trimEnd(),
      '',
      `${sha}  evidence/../run.json\n`,
      `${sha}  /etc/passwd\n`,
      `${sha}  evidence/private.key\n`,
      `${sha} *evidence/run.json\n`,
      `\\${sha}  evidence/run.json\n`,
      `${sha.toUpperCase()}  evidence/run.json\n`,
      `${sha}  evidence/rounds/A/round.json\n${sha}  evidence/rounds/a/round.json\n`,
      text.replaceAll('\n', '\r\n'),
    ]
    for (const other of bad) expect(() => parseManifest(bytes(other), 'it'), other).toThrow(malformed)
  })

  it('takes evidence by allow-list', () => {
    for (const path of ['run.json', 'claims.json', 'rounds/00-x/histograms.hlog'])
      expect(isEvidencePath(path)).toBe(true)
    for (const path of [
      'report.md',
      'store.db',
      'rounds/00-x/core',
      'rounds/../round.json',
      'certificate/run.json',
      '',
    ]) {
      expect(isEvidencePath(path)).toBe(false)
    }
    for (const path of ['a/../b', './a', 'a//b', '/a', 'a b', 'a\\b', 'ä', `${'a/'.repeat(20)}b`])
      expect(isSafePath(path)).toBe(false)
  })
})

describe('times', () => {
  it('read back what they write, and nothing else', () => {
    for (const ms of [0, 951_782_400_000, 1_795_313_256_000, 4_102_444_799_000])
      expect(parseIssueTime(formatIssueTime(ms))).toBe(ms)
    for (const text of [
      '2026-02-30T00:00:00Z',
      '2026-11-22T24:00:00Z',
      '2026-11-22 02:07:36Z',
      '2026-11-22T02:07:36+00:00',
      '',
    ]) {
      expect(parseIssueTime(text)).toBeNull()
    }
  })
})
