/**
 * The key a certificate is signed with when none is named: made on first use in the user's configuration folder,
 * its public half added to local trust. A folder that cannot be written is no error: the caller goes on without a
 * certificate and says so, because a measurement is worth more than its seal.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
import { writeSignerLine } from './allowed-signers.ts'
import { approvalNamespace, certificateNamespace } from './format.ts'
import { generateKey, isCode, loadSigningKey, writeKey, type SigningKey } from './keys.ts'
import { addTrust, trustFiles } from './trust-store.ts'

export const defaultKeyName = 'signing-key.pem'

export type DefaultKey =
  | { readonly available: true; readonly key: SigningKey; readonly file: string }
  | { readonly available: false; readonly reason: string }

/** A name for a key that nobody named; it says nothing of the user or the machine. */
export function principalOf(fingerprint: string): string {
  return `key-${fingerprint
    .slice('SHA256:'.length)
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 8)}`
}

export function defaultSignerLine(key: SigningKey, principal: string = principalOf(key.fingerprint)): string {
  return writeSignerLine({ principal, namespaces: [certificateNamespace, approvalNamespace] }, key.publicKey)
}

export function ensureDefaultKey(configDirectory: string): DefaultKey {
  const file = join(configDirectory, defaultKeyName)
  try {
    const existing = loadExisting(file)
    if (existing !== null) return { available: true, key: existing, file }
    makeFolders(configDirectory, 0o700)
    const key = generateKey()
    const line = defaultSignerLine(key)
    try {
      writeKey(key, file, line)
    } catch (cause) {
      // Another process made the key in the meantime: that one counts.
      const other = loadExisting(file)
      if (other === null) throw cause
      return { available: true, key: other, file }
    }
    addTrust(trustFiles(configDirectory), line)
    return { available: true, key, file }
  } catch (cause) {
    return { available: false, reason: reasonOf(cause, configDirectory) }
  }
}

function loadExisting(file: string): SigningKey | null {
  try {
    statSync(file)
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return null
    throw cause
  }
  return loadSigningKey(file)
}

function reasonOf(cause: unknown, configDirectory: string): string {
  if (cause instanceof LighthouseError) return cause.message
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return `no signing key can be kept in ${configDirectory}${code}; name one with --key`
}

/** For a command whose whole purpose is to sign: no key is an error. */
export function requireDefaultKey(configDirectory: string): SigningKey {
  const answer = ensureDefaultKey(configDirectory)
  if (answer.available) return answer.key
  throw new LighthouseError('ENVIRONMENT', answer.reason, {
    suggestions: ['Make a key with `lighthouse certify keygen FILE` and name it with --key FILE.'],
  })
}
