/**
 * Sorts the files of a package into their places. A file without a place is an extra one: nobody signed it, and
 * whoever reads the package might take it for part of the certificate. The two convenience files that `pack` adds
 * are accepted only with the very content that it writes.
 */
import { LighthouseError } from '../platform/errors.ts'
import type { SshSignature } from './sshsig.ts'
import { evidenceFolder, idPattern, inByteOrder, limits, packageNames, signoffFolder } from './format.ts'
import { publicKeyPem } from './keys.ts'
import type { FileMap, PackageSource } from './package-files.ts'
import { malformed } from './text-rules.ts'
import { verifyText } from './verify-text.ts'

export const verifyFile = 'VERIFY.md'
export const publicKeyFile = 'signer.pub.pem'

export interface PackageLayout {
  readonly id: string
  readonly markdown: Uint8Array
  readonly alone: boolean
  readonly bundle: Uint8Array | null
  readonly manifest: Uint8Array | null
  /** By path relative to the package, so beginning with `evidence/`. */
  readonly evidence: FileMap
  /** By file name below `signoffs/`. */
  readonly signoffs: FileMap
  readonly verifyFile: Uint8Array | null
  readonly publicKeyFile: Uint8Array | null
  /** Paths without a place. */
  readonly extra: readonly string[]
}

export function layoutOf({ files, alone }: PackageSource): PackageLayout {
  const markdowns = [...files.keys()].filter((path) => /^LH-[^/]*\.md$/.test(path))
  const name = markdowns[0]
  if (name === undefined) {
    const wrong = alone
      ? 'the file name is not a certificate ID with .md'
      : 'the package holds no certificate (LH-….md)'
    throw malformed(wrong, undefined, [
      'Name the folder that is called like the certificate, e.g. certificate/LH-20261122-ABCDEFGHIJKLMNOP.',
    ])
  }
  if (markdowns.length > 1) throw malformed(`the package holds ${markdowns.length} certificates instead of one`)
  const id = name.slice(0, -'.md'.length)
  if (!idPattern.test(id)) throw malformed(`${name.slice(0, 60)} is not named by a certificate ID`)
  const names = packageNames(id)
  const known = new Set([names.markdown, names.bundle, names.manifest, verifyFile, publicKeyFile])
  const evidence = new Map<string, Uint8Array>()
  const signoffs = new Map<string, Uint8Array>()
  const extra: string[] = []
  for (const path of inByteOrder(files.keys())) {
    const bytes = files.get(path) as Uint8Array
    if (path.startsWith(`${evidenceFolder}/`)) evidence.set(path, bytes)
    else if (/^signoffs\/[A-Za-z0-9._-]+\.sig$/.test(path)) signoffs.set(path.slice(signoffFolder.length + 1), bytes)
    else if (!known.has(path)) extra.push(path)
  }
  if (signoffs.size > limits.signoffs) throw malformed(`the package holds more than ${limits.signoffs} sign-offs`)
  return {
    id,
    markdown: files.get(name) as Uint8Array,
    alone,
    bundle: files.get(names.bundle) ?? null,
    manifest: files.get(names.manifest) ?? null,
    evidence,
    signoffs,
    verifyFile: files.get(verifyFile) ?? null,
    publicKeyFile: files.get(publicKeyFile) ?? null,
    extra,
  }
}

/** What `pack` adds to a package, as a function of the certificate alone. */
export function companionFiles(id: string, signature: SshSignature): FileMap {
  return new Map([
    [verifyFile, Buffer.from(verifyText(id), 'utf8')],
    [publicKeyFile, Buffer.from(publicKeyPem(signature.publicKey), 'utf8')],
  ])
}

export function evidenceAltered(message: string): LighthouseError {
  return new LighthouseError('EVIDENCE_ALTERED', message, {
    suggestions: ['Fetch the whole package again from where it was issued.'],
  })
}

/** Differences of the companion files from what `pack` writes; empty when they are absent or right. */
export function companionDifferences(layout: PackageLayout, signature: SshSignature): readonly string[] {
  const expected = companionFiles(layout.id, signature)
  const found = new Map([
    [verifyFile, layout.verifyFile],
    [publicKeyFile, layout.publicKeyFile],
  ])
  return [...found].flatMap(([path, bytes]) => {
    const right = expected.get(path)
    return bytes === null || (right !== undefined && Buffer.compare(bytes, right) === 0)
      ? []
      : [`${path} is not what \`certify pack\` writes for this certificate`]
  })
}
