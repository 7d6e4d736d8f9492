/**
 * Whom this machine believes: `allowed_signers` and `revoked_keys` in the user's configuration folder, or files
 * that the verifier names. Both are read by ssh-keygen as they are. Trust comes from the verifier's side only:
 * nothing inside a package is ever looked up here, and a revoked key is revoked whatever else a line says.
 */
import { appendFileSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
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
  makeFolders(dirname(file), 0o700)
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

/** The whole fingerprint is compared: a shortened one would name any number of keys. */
export function findListedKey(files: TrustFiles, fingerprint: string): Uint8Array {
  const signer = readTrust(files).signers.find((known) => known.fingerprint === fingerprint)
  if (signer !== undefined) return signer.publicKey
  throw new LighthouseError('USAGE', `no listed key has the fingerprint ${fingerprint.slice(0, 60)}`, {
    suggestions: ['See `lighthouse certify trust list`, or name the public key file.'],
  })
}

export interface TrustChoice {
  readonly certificate: string
  readonly allowedSigners: string | undefined
  readonly revokedKeys: string | undefined
  /** Set when a configuration file named either: such a file may lie beside a foreign package. */
  readonly fromFile: boolean
}

/** The local store, or named files; local revocations hold in any case. Throws USAGE for trust out of the package. */
export function chooseTrust(configDirectory: string, choice: TrustChoice): TrustStore {
  if (choice.fromFile) {
    throw new LighthouseError('CONFIGURATION', 'whom to trust cannot be set in a configuration file', {
      suggestions: ['Give --allowed-signers on the command line, or use `lighthouse certify trust add`.'],
    })
  }
  const local = trustFiles(configDirectory)
  const named = [choice.allowedSigners, choice.revokedKeys].filter((file) => file !== undefined)
  const folder = realFolder(choice.certificate)
  for (const file of named) {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) {
      throw new LighthouseError('USAGE', `there is no trust file ${file}`, { suggestions: ['Check the path.'] })
    }
    if (folder !== null && realpathSync(file).startsWith(`${folder}${sep}`)) {
      throw new LighthouseError('USAGE', `${file} lies inside the certificate's package`, {
        suggestions: ['Trust comes from your side: name a file that you keep yourself.'],
      })
    }
  }
  const store = readTrust({ ...local, allowedSigners: choice.allowedSigners ?? local.allowedSigners })
  if (choice.revokedKeys === undefined) return store
  const more = readTrust({ ...local, revokedKeys: choice.revokedKeys }).revoked
  return { ...store, revoked: new Set([...store.revoked, ...more]) }
}

/** Of a package folder, or of the folder around a .md that has its package beside it; null for anything else. */
function realFolder(certificate: string): string | null {
  const status = statSync(certificate, { throwIfNoEntry: false })
  if (status === undefined) return null
  if (status.isDirectory()) return realpathSync(certificate)
  const folder = dirname(certificate)
  const packaged =
    certificate.endsWith('.md') && statSync(join(folder, 'evidence'), { throwIfNoEntry: false }) !== undefined
  return packaged ? realpathSync(folder) : null
}
