/**
 * Certifies a run that just ended, with the key that was named or the default one. Where no key can be kept there
 * is no certificate but a warning; a key that was named and does not work is an error.
 */
import { dirname, join } from 'node:path'
import { configurationFolder } from '../platform/process.ts'
import { ensureDefaultKey } from './default-key.ts'
import { issueCertificate } from './issue.ts'
import { loadSigningKey, type SigningKey } from './keys.ts'

export interface CertifyRunRequest {
  readonly runDirectory: string
  /** File or env://NAME; undefined for the default key. */
  readonly key: string | undefined
  /** Wall-clock milliseconds since the epoch. */
  readonly now: number
}

export interface CertifiedRun {
  readonly markdownPath: string | null
  /** For the user, after the report. */
  readonly lines: string[]
  readonly warnings: string[]
}

export const defaultComponent = 'Message delivery: wait_for_messages (polling) and elicitation (push)'
export const defaultAgent = 'performance-engineer'

export async function certifyRun(request: CertifyRunRequest): Promise<CertifiedRun> {
  let key: SigningKey
  const lines: string[] = []
  if (request.key === undefined) {
    const found = ensureDefaultKey(configurationFolder())
    if (!found.available)
      return { markdownPath: null, lines: [], warnings: [`no certificate was issued: ${found.reason}`] }
    key = found.key
    if (key.isNew)
      lines.push(`New signing key ${key.fingerprint} in ${dirname(found.file)}; it was added to local trust.`)
  } else {
    key = loadSigningKey(request.key)
  }
  const issued = await issueCertificate({
    runDirectory: request.runDirectory,
    outputDirectory: join(request.runDirectory, 'certificate'),
    key,
    kind: 'readiness',
    component: defaultComponent,
    agent: defaultAgent,
    now: request.now,
  })
  lines.push(`Certificate: ${issued.markdownPath}`, `Signed by ${issued.fingerprint}`)
  return { markdownPath: issued.markdownPath, lines, warnings: [] }
}
