/**
 * Ed25519 keys through node:crypto: made, read from PEM, written as PKCS#8 (private, created exclusively with
 * mode 0600), SPKI PEM (for openssl and cosign) and an allowed_signers line (for ssh-keygen, which cannot
 * import PEM keys of this kind). Nothing secret is ever put into a message: errors name the source, not its text.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { closeSync, constants, fstatSync, linkSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
import { takeSecret } from '../platform/process.ts'
import { encodeBase64 } from './base64.ts'
import { ed25519Name, fingerprintOf, publicKeyBlob } from './ssh-wire.ts'

export interface SigningKey {
  readonly privateKey: KeyObject
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array
  readonly fingerprint: string
  /** Set when this call made the key; a report names it as new. */
  readonly isNew: boolean
}

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** A verification key from 32 raw bytes (RFC 8410). */
export function publicKeyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
}

export function publicKeyPem(raw: Uint8Array): string {
  return publicKeyObject(raw).export({ format: 'pem', type: 'spki' })
}

/** 32 raw bytes of a private or public Ed25519 key object. */
export function rawOf(key: KeyObject, source: string): Uint8Array {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new LighthouseError(
      'USAGE',
      `${source} is a key of type ${key.asymmetricKeyType ?? 'unknown'}, not Ed25519`,
      {
        suggestions: ['Make one with `lighthouse certify keygen`.'],
      },
    )
  }
  const spki = createPublicKey(
    key.type === 'private' ? key.export({ format: 'pem', type: 'pkcs8' }) : key.export({ format: 'pem', type: 'spki' }),
  )
  return spki.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length)
}

/** `ssh-ed25519 AAAA…`, as in authorized_keys and allowed_signers. */
export function publicKeyLine(raw: Uint8Array): string {
  return `${ed25519Name} ${encodeBase64(publicKeyBlob(raw))}`
}

export function signingKey(privateKey: KeyObject, source: string, isNew = false): SigningKey {
  const publicKey = rawOf(privateKey, source)
  return { privateKey, publicKey, fingerprint: fingerprintOf(publicKey), isNew }
}

export function generateKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey, 'the new key', true)
}

export interface WrittenKey {
  readonly privateFile: string
  readonly publicFile: string
  readonly signersFile: string
}

/**
 * Writes NAME (private), NAME.pub (SPKI PEM) and NAME.allowed_signers. The private file appears whole or not
 * at all and never replaces another; throws USAGE when it exists.
 */
export function writeKey(key: SigningKey, privateFile: string, signersLine: string): WrittenKey {
  const written = { privateFile, publicFile: `${privateFile}.pub`, signersFile: `${privateFile}.allowed_signers` }
  createExclusively(privateFile, key.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  writeFileSync(written.publicFile, publicKeyPem(key.publicKey), { mode: 0o644 })
  writeFileSync(written.signersFile, `${signersLine}\n`, { mode: 0o644 })
  return written
}

/** Through a temporary file and a link, so that no reader meets a half-written key. */
function createExclusively(file: string, text: string): void {
  makeFolders(dirname(file), 0o700)
  const temporary = join(dirname(file), `.key-${randomBytes(8).toString('hex')}.tmp`)
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(temporary, file)
  } catch (cause) {
    if (!isCode(cause, 'EEXIST')) throw cause
    throw new LighthouseError('USAGE', `${file} exists; a private key is never overwritten`, {
      cause,
      suggestions: ['Name another file, or move the old key away first.'],
    })
  } finally {
    rmSync(temporary, { force: true })
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * `FILE` or `env://VARIABLE` (also `env:VARIABLE`), PEM of PKCS#8, optionally encrypted with the password in LIGHTHOUSE_KEY_PASSWORD.
 * Both variables are removed from the environment by reading, before anything can be started.
 */
export function loadSigningKey(specification: string, secret: (name: string) => string = takeSecret): SigningKey {
  const variable = /^env:(?:\/\/)?(.*)$/s.exec(specification)?.[1]
  if (variable !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
    throw new LighthouseError('USAGE', 'the name after env: is not a variable name', {
      suggestions: ['Write --key env://NAME with the name of a variable, never the key itself.'],
    })
  }
  const source = variable === undefined ? specification : `the key in ${variable}`
  const pem = variable === undefined ? readSmallFile(specification) : secret(variable)
  const encrypted = pem.includes('ENCRYPTED')
  try {
    const privateKey = createPrivateKey(encrypted ? { key: pem, passphrase: secret('LIGHTHOUSE_KEY_PASSWORD') } : pem)
    return signingKey(privateKey, source)
  } catch (cause) {
    if (cause instanceof LighthouseError) throw cause
    // The cause is left out on purpose: decoders quote their input.
    throw new LighthouseError(
      'USAGE',
      `${source} is not a private key in PKCS#8 PEM${encrypted ? ', or its password is wrong' : ''}`,
      {
        suggestions: ['Make one with `lighthouse certify keygen`, or with `openssl genpkey -algorithm ed25519`.'],
      },
    )
  }
}

/** 32 raw bytes from a file of SPKI PEM or of one OpenSSH public key line. */
export function loadPublicKey(file: string, parseLine: (line: string) => Uint8Array): Uint8Array {
  const text = readSmallFile(file)
  if (text.includes('PRIVATE KEY')) {
    throw new LighthouseError('USAGE', `${file} holds a private key`, {
      suggestions: ['Name its public half (FILE.pub).'],
    })
  }
  if (!text.includes('-----BEGIN')) return parseLine(text.trim())
  try {
    return rawOf(createPublicKey(text), file)
  } catch (cause) {
    if (cause instanceof LighthouseError) throw cause
    throw new LighthouseError('USAGE', `${file} is not a public key in PEM`, { cause })
  }
}

function readSmallFile(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new LighthouseError('USAGE', `the key file ${file} cannot be read`, {
      cause,
      suggestions: ['Make a key with `lighthouse certify keygen`.'],
    })
  }
  try {
    const status = fstatSync(descriptor)
    if (!status.isFile() || status.size > 65_536) {
      throw new LighthouseError('USAGE', `${file} is not a key file`, { suggestions: ['Name a PEM file.'] })
    }
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}
