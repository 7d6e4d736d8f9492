/**
 * Whom this machine believes: `allowed_signers` and `revoked_keys` in the user's configuration folder, or files
 * that the verifier names. Both are read by ssh-keygen as they are. Trust comes from the verifier's side only:
 * nothing inside a package is ever looked up here, and a revoked key is revoked whatever else a line says.
 */
import { appendFileSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { allowsNamespace, parseAllowedSigners, parsePublicKeyLine, type AllowedSigner } from './allowed-signers.ts'
import { limits } from './format.ts'
import { isCode, publicKeyLine } from './keys.ts'
import { fingerprintOf } from './ssh-wire.ts'

export interface TrustFiles {
  readonly allowedSigners: string
  readonly revokedKeys: string
}

export interface TrustStore {
  readonly signers: readonly AllowedSigner[]
  /** Fingerprints. */
  readonly revoked: ReadonlySet<string>
  /** For messages: where trust was looked up. */
  readonly source: string
}

export function trustFiles(configDirectory: string): TrustFiles {
  return {
    allowedSigners: join(configDirectory, 'allowed_signers'),
    revokedKeys: join(configDirectory, 'revoked_keys'),
  }
}

/** Missing files are an empty store, which trusts nobody; a broken file throws CONFIGURATION. */
export function readTrust(files: TrustFiles): TrustStore {
  const revoked = new Set<string>()
  for (const [index, line] of readOptional(files.revokedKeys).split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    if (!trimmed.includes('ssh-ed25519 ')) continue
    revoked.add(fingerprintOf(parsePublicKeyLine(trimmed, `${files.revokedKeys} line ${index + 1}`)))
  }
  return {
    signers: parseAllowedSigners(readOptional(files.allowedSigners), files.allowedSigners),
    revoked,
    source: files.allowedSigners,
  }
}

function readOptional(file: string): string {
  try {
    if (statSync(file).size > limits.trustFileBytes) {
      throw new LighthouseError('CONFIGURATION', `${file} is larger than ${limits.trustFileBytes} bytes`)
    }
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return ''
    if (cause instanceof LighthouseError) throw cause
    throw new LighthouseError('CONFIGURATION', `${file} cannot be read`, { cause })
  }
}

/** Appends one allowed_signers line; false when the very line is there already. */
export function addTrust(files: TrustFiles, line: string): boolean {
  return appendLine(files.allowedSigners, line)
}

/** Appends the key to the revoked ones; `reason` becomes the comment. False when it was revoked before. */
export function revokeKey(files: TrustFiles, publicKey: Uint8Array, reason: string): boolean {
  if (readTrust(files).revoked.has(fingerprintOf(publicKey))) return false
  const comment = reason
    .replaceAll(/[^A-Za-z0-9 ._@:-]/g, ' ')
    .slice(0, 100)
    .trim()
  return appendLine(files.revokedKeys, `${publicKeyLine(publicKey)}${comment === '' ? '' : ` ${comment}`}`)
}

function appendLine(file: string, line: string): boolean {
  const known = readOptional(file)
  if (known.split('\n').includes(line)) return false
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  appendFileSync(file, `${known === '' || known.endsWith('\n') ? '' : '\n'}${line}\n`, { mode: 0o644, flush: true })
  return true
}

export type TrustAnswer =
  | { readonly trusted: true; readonly principals: readonly string[] }
  | { readonly trusted: false; readonly reason: string }

/**
 * Whether `publicKey` may sign in `namespace` at `nowMs`. Judged at the present, as ssh-keygen does: the time a
 * certificate gives for itself is the signer's word and cannot bring an expired key back.
 */
export function judgeSigner(store: TrustStore, publicKey: Uint8Array, namespace: string, nowMs: number): TrustAnswer {
  const fingerprint = fingerprintOf(publicKey)
  const refuse = (reason: string): TrustAnswer => ({ trusted: false, reason: `the key ${fingerprint} ${reason}` })
  if (store.revoked.has(fingerprint)) return refuse('is revoked')
  const known = store.signers.filter((signer) => signer.fingerprint === fingerprint)
  if (known.length === 0) return refuse(`is not in ${store.source}`)
  const allowed = known.filter((signer) => allowsNamespace(signer.namespaces, namespace))
  if (allowed.length === 0) return refuse(`is not trusted for signatures of ${namespace}`)
  const current = allowed.filter(
    ({ validAfterMs, validBeforeMs }) =>
      (validAfterMs === null || nowMs >= validAfterMs) && (validBeforeMs === null || nowMs < validBeforeMs),
  )
  if (current.length > 0) return { trusted: true, principals: current.flatMap((signer) => signer.principals) }
  return refuse(
    allowed.some(({ validBeforeMs }) => validBeforeMs !== null && nowMs >= validBeforeMs)
      ? 'has expired'
      : 'is not valid yet',
  )
}
