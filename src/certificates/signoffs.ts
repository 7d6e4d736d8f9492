/**
 * Sign-offs: SSHSIG over the whole .md in the approval namespace, one file each, made by `certify approve` or by
 * `ssh-keygen -Y sign -n approve@lighthouse-harness`. The namespace is the meaning: an issuing signature is no
 * approval. Counted are persons: a key counts once, a principal counts once, and the issuer never counts, neither
 * with the issuing key nor with another key of the same principal.
 */
import { LighthouseError } from '../platform/errors.ts'
import { approvalNamespace, limits } from './format.ts'
import { armouredKeyType, parseArmour, signSsh, verifySsh, type SshSignature } from './sshsig.ts'
import { ed25519Name, fingerprintOf } from './ssh-wire.ts'
import type { SigningKey } from './keys.ts'
import { decodeUtf8, malformed } from './text-rules.ts'
import { judgeSigner, type TrustStore } from './trust-store.ts'

export interface SignoffJudgement {
  readonly file: string
  readonly fingerprint: string
  readonly principals: readonly string[]
  readonly counted: boolean
  /** Why it does not count; empty when it does. */
  readonly reason: string
}

export function writeSignoff(markdown: Uint8Array, key: SigningKey): string {
  return signSsh(markdown, approvalNamespace, key)
}

/** Letters and digits of the fingerprint: one file per key. */
export function signoffName(fingerprint: string): string {
  return `${fingerprint
    .slice('SHA256:'.length)
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 24)}.sig`
}

/** Null for a signature by a key of another type; throws MALFORMED_CERTIFICATE for a file that is no signature at all. */
export function parseSignoff(bytes: Uint8Array, file: string): SshSignature | null {
  if (bytes.length > limits.signoffBytes)
    throw malformed(`signoffs/${file} is larger than ${limits.signoffBytes} bytes`)
  const text = decodeUtf8(bytes, `signoffs/${file}`)
  return armouredKeyType(text, `signoffs/${file}`) === ed25519Name ? parseArmour(text, `signoffs/${file}`) : null
}

export interface Issuer {
  readonly publicKey: Uint8Array
  readonly principals: readonly string[]
}

export function judgeSignoffs(
  markdown: Uint8Array,
  signoffs: ReadonlyMap<string, Uint8Array>,
  issuer: Issuer,
  trust: TrustStore,
  nowMs: number,
): readonly SignoffJudgement[] {
  const keys = new Set([fingerprintOf(issuer.publicKey)])
  const people = new Set(issuer.principals)
  return [...signoffs].map(([file, bytes]) => {
    const signature = parseSignoff(bytes, file)
    if (signature === null) {
      return {
        file,
        fingerprint: '',
        principals: [],
        counted: false,
        reason: `its key is not of the type ${ed25519Name}`,
      }
    }
    const fingerprint = fingerprintOf(signature.publicKey)
    const answer = judgeSigner(trust, signature.publicKey, approvalNamespace, nowMs)
    const principals = answer.trusted ? answer.principals : []
    const refuse = (reason: string): SignoffJudgement => ({ file, fingerprint, principals, counted: false, reason })
    if (!verifySsh(markdown, approvalNamespace, signature)) return refuse('it is not an approval of this text')
    if (!answer.trusted) return refuse(answer.reason)
    if (fingerprint === fingerprintOf(issuer.publicKey))
      return refuse('the issuer does not approve its own certificate')
    if (keys.has(fingerprint)) return refuse('the same key has signed off already')
    if (principals.some((principal) => issuer.principals.includes(principal))) {
      return refuse('its principal is the issuer under another key')
    }
    if (principals.some((principal) => people.has(principal))) return refuse('the same person has signed off already')
    keys.add(fingerprint)
    for (const principal of principals) people.add(principal)
    return { file, fingerprint, principals, counted: true, reason: '' }
  })
}

export function refuseSelfApproval(key: SigningKey, issuerKey: Uint8Array): void {
  if (key.fingerprint !== fingerprintOf(issuerKey)) return
  throw new LighthouseError('USAGE', 'the issuer of a certificate cannot approve it', {
    suggestions: ['Sign off with a key of somebody else: --key FILE.'],
  })
}
