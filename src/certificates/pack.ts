/**
 * Makes one file of a package: certificate, envelope, manifest, evidence and sign-offs as they are, plus VERIFY.md
 * and the signer's public key for comparison. Only a package that is whole is packed: text signature, manifest and
 * files must agree, whoever signed it; trust is the question of who verifies.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { LighthouseError } from '../platform/errors.ts'
import { packArchive } from './archive.ts'
import { parseCertificateText } from './certificate-text.ts'
import { manifestDifferences, parseManifest } from './evidence-manifest.ts'
import { certificateNamespace, packageNames, signoffFolder } from './format.ts'
import { isCode } from './keys.ts'
import { readPackage } from './package-files.ts'
import { companionFiles, evidenceAltered, layoutOf } from './package-layout.ts'
import { verifySsh } from './sshsig.ts'

export interface Packed {
  readonly id: string
  readonly bytes: Uint8Array
}

export async function packCertificate(path: string): Promise<Packed> {
  const layout = layoutOf(await readPackage(path))
  const names = packageNames(layout.id)
  const { bundle, manifest } = layout
  if (bundle === null || manifest === null)
    throw evidenceAltered('a .md alone cannot be packed: its package is missing')
  const { body, signature } = parseCertificateText(layout.markdown, names.markdown)
  if (!verifySsh(Buffer.from(body, 'utf8'), certificateNamespace, signature)) {
    throw new LighthouseError('SIGNATURE_ALTERED', `${names.markdown} was altered after it was signed`)
  }
  const differences = [
    ...manifestDifferences(parseManifest(manifest, names.manifest), layout.evidence),
    ...layout.extra.map((extra) => `${extra} is not part of a certificate`),
  ]
  if (differences.length > 0) throw evidenceAltered(differences.slice(0, 8).join('; '))
  const files = new Map([
    [names.markdown, layout.markdown],
    [names.bundle, bundle],
    [names.manifest, manifest],
    ...layout.evidence,
    ...[...layout.signoffs].map(([name, bytes]) => [`${signoffFolder}/${name}`, bytes] as const),
    ...companionFiles(layout.id, signature),
  ])
  return { id: layout.id, bytes: await packArchive(layout.id, files) }
}

/** Never replaces a file. */
export function writeExclusively(file: string, bytes: Uint8Array | string): void {
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx', 0o644)
  } catch (cause) {
    if (!isCode(cause, 'EEXIST')) throw cause
    throw new LighthouseError('USAGE', `${file} exists and is not overwritten`, {
      cause,
      suggestions: ['Name another file with --output, or move that one away.'],
    })
  }
  try {
    writeFileSync(descriptor, bytes, { flush: true })
  } finally {
    closeSync(descriptor)
  }
}
