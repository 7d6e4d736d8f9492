/**
 * The evidence manifest `<ID>.SHA256SUMS`: `sha256sum` lines of every file under evidence/, in C order, each path
 * once. One spelling only, so that its own SHA-256 (the Certificate Hash) names one set of files; it equals the
 * in-toto dirHash recipe and what `find evidence -type f | LC_ALL=C sort | xargs sha256sum` prints.
 */
import { sha256Hex } from '../measurement/canonical-json.ts'
import {
  evidenceFolder,
  inByteOrder,
  isCampaignPath,
  isEvidencePath,
  isMigrationPath,
  isSafePath,
  limits,
  previousEvidence,
} from './format.ts'
import { decodeUtf8, malformed } from './text-rules.ts'

export interface ManifestEntry {
  /** Relative to the package: begins with `evidence/`. */
  readonly path: string
  readonly sha256: string
}

/** `files` by path relative to the package. */
export function writeManifest(files: ReadonlyMap<string, Uint8Array>): string {
  return inByteOrder(files.keys())
    .map((path) => `${sha256Hex(files.get(path) as Uint8Array)}  ${path}\n`)
    .join('')
}

export function parseManifest(bytes: Uint8Array, name: string): readonly ManifestEntry[] {
  if (bytes.length > limits.manifestBytes) throw malformed(`${name} is larger than ${limits.manifestBytes} bytes`)
  const text = decodeUtf8(bytes, name)
  if (text === '' || !text.endsWith('\n')) throw malformed(`${name} is empty or does not end in a line feed`)
  const lines = text.slice(0, -1).split('\n')
  if (lines.length > limits.files) throw malformed(`${name} has more than ${limits.files} lines`)
  const seen = new Set<string>()
  let previous = ''
  return lines.map((line, index) => {
    const place = `${name} line ${index + 1}`
    const match = /^([0-9a-f]{64}) {2}(.+)$/.exec(line)
    const sha256 = match?.[1]
    const path = match?.[2]
    if (sha256 === undefined || path === undefined) throw malformed(`${place} is not of the form "SHA256  PATH"`)
    const inside = path.startsWith(`${evidenceFolder}/`) ? path.slice(evidenceFolder.length + 1) : ''
    const known = [isEvidencePath, isCampaignPath, isMigrationPath].some((isKnown) => isKnown(inside))
    if (!isSafePath(path) || !(known || inside === previousEvidence)) {
      throw malformed(`${place} names a path that is not evidence`)
    }
    if (path <= previous) throw malformed(`${place} is out of order or repeated`)
    if (seen.has(path.toLowerCase())) throw malformed(`${place} differs from another only in letter case`)
    seen.add(path.toLowerCase())
    previous = path
    return { path, sha256 }
  })
}

/** What differs between the manifest and the files that are there; empty when they agree. */
export function manifestDifferences(
  entries: readonly ManifestEntry[],
  files: ReadonlyMap<string, Uint8Array>,
): readonly string[] {
  const listed = new Set(entries.map((entry) => entry.path))
  const extra = inByteOrder(files.keys()).filter((path) => !listed.has(path))
  return [
    ...entries.flatMap(({ path, sha256 }) => {
      const bytes = files.get(path)
      if (bytes === undefined) return [`${path} is missing`]
      return sha256Hex(bytes) === sha256 ? [] : [`${path} was altered (its SHA-256 is not the one in the manifest)`]
    }),
    ...extra.map((path) => `${path} is not in the manifest`),
  ]
}

/** SHA-256 of the manifest that a certificate of this run alone would have; `files` by path relative to the run directory. */
export function runManifestSha256(files: ReadonlyMap<string, Uint8Array>): string {
  return sha256Hex(writeManifest(new Map([...files].map(([path, bytes]) => [`${evidenceFolder}/${path}`, bytes]))))
}
