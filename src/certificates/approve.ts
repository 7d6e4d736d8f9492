/**
 * Signs off a certificate: SSHSIG over the whole .md in the approval namespace, a file of its own under signoffs/,
 * so that the certificate never changes. Whoever approves has verified first: the ladder must hold up to the meaning
 * (for a .md alone, up to the signature), and the issuer's own key is refused.
 */
import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
import { parseCertificateText } from './certificate-text.ts'
import { packageNames, signoffFolder } from './format.ts'
import type { SigningKey } from './keys.ts'
import { layoutOf } from './package-layout.ts'
import { readPackage } from './package-files.ts'
import { writeExclusively } from './pack.ts'
import { refuseSelfApproval, signoffName, writeSignoff } from './signoffs.ts'
import type { TrustStore } from './trust-store.ts'
import { verifyCertificate } from './verify.ts'

export interface Approved {
  readonly id: string
  readonly file: string
  readonly fingerprint: string
  readonly textOnly: boolean
}

/** `path` is a package folder or a .md; an archive is read-only. Throws the failure of the ladder. */
export async function approveCertificate(
  path: string,
  key: SigningKey,
  trust: TrustStore,
  nowMs: number,
): Promise<Approved> {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  if (!isFolder && !path.endsWith('.md')) {
    throw new LighthouseError('USAGE', `${basename(path)} is not a package folder or a .md file`, {
      suggestions: ['Unpack the archive first: tar -xzf FILE.'],
    })
  }
  const source = await readPackage(path)
  const layout = layoutOf(source)
  const { signature } = parseCertificateText(layout.markdown, packageNames(layout.id).markdown)
  refuseSelfApproval(key, signature.publicKey)
  const report = await verifyCertificate({ path, source, trust, nowMs, expectation: {}, textOnly: layout.alone })
  if (report.failure !== null) {
    throw new LighthouseError(report.failure.code, `not approved: ${report.failure.message}`, {
      suggestions: report.failure.suggestions,
    })
  }
  const folder = join(isFolder ? path : dirname(path), signoffFolder)
  const file = join(folder, signoffName(key.fingerprint))
  makeFolders(folder)
  writeExclusively(file, writeSignoff(layout.markdown, key))
  return { id: layout.id, file, fingerprint: key.fingerprint, textOnly: layout.alone }
}
