/** Keys on disk, secrets out of the environment, and whom a machine believes. */
import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  allowsNamespace,
  parseAllowedSigners,
  parsePublicKeyLine,
  writeSignerLine,
} from '../../../src/certificates/allowed-signers.ts'
import { defaultKeyName, ensureDefaultKey } from '../../../src/certificates/default-key.ts'
import { approvalNamespace, certificateNamespace } from '../../../src/certificates/format.ts'
import {
  generateKey,
  loadPublicKey,
  loadSigningKey,
  publicKeyLine,
  publicKeyPem,
  writeKey,
} from '../../../src/certificates/keys.ts'
import {
  addTrust,
  chooseTrust,
  findListedKey,
  judgeSigner,
  readTrust,
  revokeKey,
  trustFiles,
} from '../../../src/certificates/trust-store.ts'

let root = ''
let count = 0
const folder = (): string => {
  count += 1
  const path = join(root, String(count))
  mkdirSync(path)
  return path
}
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'certificate-keys-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const usage = expect.objectContaining({ name: 'LighthouseError', exitCode: 2 })

describe('key files', () => {
  it('are private, exclusive, and read back to the same key', () => {
    const key = generateKey()
    const file = join(folder(), 'a.pem')
    const written = writeKey(key, file, 'somebody line')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(file, '..')).sort()).toEqual(['a.pem', 'a.pem.allowed_signers', 'a.pem.pub'])
    expect(loadSigningKey(file)).toMatchObject({ fingerprint: key.fingerprint, isNew: false })
    expect(loadPublicKey(written.publicFile, () => new Uint8Array())).toEqual(key.publicKey)
    const before = readFileSync(file)
    expect(() => writeKey(generateKey(), file, 'x')).toThrow(usage)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('of openssl are read: plain, encrypted with scrypt, and from a variable', () => {
    const path = folder()
    const plain = join(path, 'plain.pem')
    const locked = join(path, 'locked.pem')
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', plain])
    execFileSync('openssl', ['pkcs8', '-topk8', '-scrypt', '-in', plain, '-out', locked, '-passout', 'pass:correct'])
    const expected = loadSigningKey(plain).fingerprint
    const asked: string[] = []
    const secret = (answers: Record<string, string>) => (name: string) => {
      asked.push(name)
      return answers[name] ?? ''
    }
    expect(loadSigningKey(locked, secret({ LIGHTHOUSE_KEY_PASSWORD: 'correct' })).fingerprint).toBe(expected)
    const pem = readFileSync(plain, 'utf8')
    expect(loadSigningKey('env://SIGNING', secret({ SIGNING: pem })).fingerprint).toBe(expected)
    expect(loadSigningKey('env:SIGNING', secret({ SIGNING: pem })).fingerprint).toBe(expected)
    expect(asked).toEqual(['LIGHTHOUSE_KEY_PASSWORD', 'SIGNING', 'SIGNING'])
    expect(() => loadSigningKey(locked, secret({ LIGHTHOUSE_KEY_PASSWORD: 'wrong' }))).toThrow(usage)
  })

  it('that are something else are refused without quoting them', () => {
    const path = folder()
    const rsa = join(path, 'ec.pem')
    execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', rsa])
    const junk = join(path, 'junk.pem')
    writeFileSync(junk, '-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n')
    for (const file of [rsa, junk, join(path, 'missing'), path]) {
      let message = ''
      try {
        loadSigningKey(file)
      } catch (error) {
        expect(error).toEqual(usage)
        message = String(error) + JSON.stringify(error)
      }
      expect(message).not.toBe('')
      expect(message).not.toContain('SECRETSECRET')
    }
    expect(() => loadSigningKey('env://-----BEGIN PRIVATE KEY-----SECRET', () => '')).toThrow(usage)
    const key = generateKey()
    const file = join(path, 'k')
    writeKey(key, file, 'x')
    expect(() => loadPublicKey(file, () => new Uint8Array())).toThrow(/private/)
  })
})

describe('the default key', () => {
  it('is made once, trusted here, and named as new only then', () => {
    const config = join(folder(), 'lighthouse')
    const first = ensureDefaultKey(config)
    const second = ensureDefaultKey(config)
    if (!first.available || !second.available) throw new Error('no key')
    expect([first.key.isNew, second.key.isNew]).toEqual([true, false])
    expect(second.key.fingerprint).toBe(first.key.fingerprint)
    expect(statSync(join(config, defaultKeyName)).mode & 0o777).toBe(0o600)
    expect(judgeSigner(readTrust(trustFiles(config)), first.key.publicKey, certificateNamespace, 0).trusted).toBe(true)
    expect(readFileSync(join(config, 'allowed_signers'), 'utf8').trim().split('\n')).toHaveLength(1)
  })

  it('is one key when several processes ask at once', async () => {
    const config = join(folder(), 'lighthouse')
    const module = new URL('../../../src/certificates/default-key.ts', import.meta.url).href
    const script = `const { ensureDefaultKey } = await import(${JSON.stringify(module)})
      process.stdout.write(ensureDefaultKey(${JSON.stringify(config)}).key.fingerprint)`
    const ask = (): Promise<string> =>
      new Promise((resolve, reject) => {
        execFile(process.execPath, ['--input-type=module', '-e', script], { timeout: 15_000 }, (error, stdout) => {
          if (error === null) resolve(stdout)
          else reject(new Error(error.message))
        })
      })
    const fingerprints = await Promise.all([ask(), ask(), ask(), ask()])
    expect(new Set(fingerprints).size).toBe(1)
    expect(readTrust(trustFiles(config)).signers.map(({ fingerprint }) => fingerprint)).toEqual([fingerprints[0]])
  })

  it('is a reason, not an error, where no folder can be written', () => {
    const blocked = join(folder(), 'file')
    writeFileSync(blocked, '')
    const answer = ensureDefaultKey(join(blocked, 'lighthouse'))
    expect(answer.available).toBe(false)
    if (process.getuid?.() !== 0) {
      const readOnly = folder()
      chmodSync(readOnly, 0o500)
      expect(ensureDefaultKey(join(readOnly, 'lighthouse')).available).toBe(false)
    }
  })

  it('that is broken is a reason, and stays as it is', () => {
    const config = folder()
    writeFileSync(join(config, defaultKeyName), 'broken')
    expect(ensureDefaultKey(config).available).toBe(false)
    expect(readFileSync(join(config, defaultKeyName), 'utf8')).toBe('broken')
    expect(existsSync(join(config, 'allowed_signers'))).toBe(false)
  })
})

describe('allowed signers', () => {
  const key = generateKey()
  const line = writeSignerLine(
    { principal: 'ci@example.org', namespaces: [certificateNamespace], validBefore: '20270101Z' },
    key.publicKey,
  )

  it('are read as written, and by ssh-keygen', () => {
    const [signer] = parseAllowedSigners(`# comment\n\n${line}\n`, 'it')
    expect(signer).toMatchObject({
      principals: ['ci@example.org'],
      namespaces: [certificateNamespace],
      validAfterMs: null,
      fingerprint: key.fingerprint,
    })
    expect(signer?.validBeforeMs).toBe(Date.UTC(2027, 0, 1))
  })

  it('of other kinds are left alone, broken lines are errors', () => {
    const other = 'a ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI\nb cert-authority,namespaces="x" '
    expect(
      parseAllowedSigners(`${other}${publicKeyLine(key.publicKey)}\nsk sk-ssh-ed25519@openssh.com AAAA`, 'it'),
    ).toEqual([])
    const bad = [
      'a',
      'a ssh-ed25519',
      'a ssh-ed25519 AAAA',
      `a unknown="x" ${publicKeyLine(key.publicKey)}`,
      `a valid-after="tomorrow" ${publicKeyLine(key.publicKey)}`,
      `a namespaces="x ${publicKeyLine(key.publicKey)}`,
      `a namespaces="x",namespaces="y" ${publicKeyLine(key.publicKey)}`,
    ]
    for (const text of bad) expect(() => parseAllowedSigners(text, 'it'), text).toThrow(usage)
    for (const principal of ['a b', 'a,b', '*', '', 'a"b', 'a\nb']) {
      expect(() => writeSignerLine({ principal, namespaces: [] }, key.publicKey)).toThrow(usage)
    }
    expect(() => parsePublicKeyLine('nothing', 'it')).toThrow(usage)
  })

  it('match namespaces by pattern', () => {
    expect(allowsNamespace([], 'a@b')).toBe(true)
    expect(allowsNamespace(['a@*'], 'a@b')).toBe(true)
    expect(allowsNamespace(['*', '!a@b'], 'a@b')).toBe(false)
    expect(allowsNamespace(['a.b'], 'aXb')).toBe(false)
  })
})

describe('trust files', () => {
  it('add once, revoke for good, and find by the whole fingerprint only', () => {
    const files = trustFiles(join(folder(), 'lighthouse'))
    const key = generateKey()
    const line = writeSignerLine(
      { principal: 'a', namespaces: [certificateNamespace, approvalNamespace] },
      key.publicKey,
    )
    expect([addTrust(files, line), addTrust(files, line)]).toEqual([true, false])
    expect(findListedKey(files, key.fingerprint)).toEqual(key.publicKey)
    expect(() => findListedKey(files, key.fingerprint.slice(0, 20))).toThrow(usage)
    expect([revokeKey(files, key.publicKey, 'lost\nssh-ed25519'), revokeKey(files, key.publicKey, '')]).toEqual([
      true,
      false,
    ])
    expect(judgeSigner(readTrust(files), key.publicKey, certificateNamespace, 0)).toMatchObject({ trusted: false })
    expect(readFileSync(files.revokedKeys, 'utf8').trim().split('\n')).toHaveLength(1)
  })

  it('are never taken out of a package or a configuration file', () => {
    const packaged = folder()
    mkdirSync(join(packaged, 'evidence'))
    const inside = join(packaged, 'allowed_signers')
    writeFileSync(inside, '')
    const choose = (certificate: string, allowedSigners: string | undefined, fromFile = false): unknown =>
      chooseTrust(folder(), { certificate, allowedSigners, revokedKeys: undefined, fromFile })
    expect(() => choose(packaged, inside)).toThrow(usage)
    expect(() => choose(join(packaged, 'LH.md'), inside)).not.toThrow()
    writeFileSync(join(packaged, 'LH.md'), '')
    expect(() => choose(join(packaged, 'LH.md'), inside)).toThrow(usage)
    expect(() => choose(packaged, join(packaged, 'missing'))).toThrow(usage)
    expect(() => choose(packaged, undefined, true)).toThrow(usage)
  })

  it('keep local revocations whatever file is named', () => {
    const config = folder()
    const key = generateKey()
    revokeKey(trustFiles(config), key.publicKey, 'lost')
    const named = join(folder(), 'signers')
    writeFileSync(named, `a ${publicKeyLine(key.publicKey)}\n`)
    const store = chooseTrust(config, {
      certificate: folder(),
      allowedSigners: named,
      revokedKeys: undefined,
      fromFile: false,
    })
    expect(judgeSigner(store, key.publicKey, certificateNamespace, 0)).toMatchObject({ trusted: false })
  })

  it('that are broken say so', () => {
    const config = folder()
    writeFileSync(join(config, 'allowed_signers'), 'nonsense\n')
    expect(() => readTrust(trustFiles(config))).toThrow(/line 1/)
    expect(publicKeyPem(generateKey().publicKey)).toMatch(/^-----BEGIN PUBLIC KEY-----/)
  })
})
