/**
 * Reads a certificate package into memory: a folder, or the archive that `certify pack` makes. Every byte is read
 * once; hashing and parsing later use that same buffer, so nothing can change between the two. Only regular files
 * of safe names within the limits are accepted: no symbolic links, FIFOs, devices, `..`, or names that differ
 * only in letter case. Limits are checked before anything is parsed or decompressed.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { isSafePath, largestFile, limits, packageNames } from './format.ts'
import { malformed } from './text-rules.ts'

/** By path relative to the package's folder. */
export type FileMap = ReadonlyMap<string, Uint8Array>

export interface PackageSource {
  readonly files: FileMap
  /** A certificate's Markdown alone: text can be checked, evidence cannot. */
  readonly alone: boolean
}

/** `path` names a package folder, an archive, or a certificate's .md (alone, or with its package around it). */
export async function readPackage(path: string): Promise<PackageSource> {
  const kind = kindOf(path)
  if (kind === 'directory') return { files: readFolder(path), alone: false }
  if (path.endsWith('.md')) {
    const name = basename(path)
    const names = packageNames(name.slice(0, -'.md'.length))
    const beside = [names.bundle, names.manifest, 'evidence'].some((other) => exists(join(dirname(path), other)))
    if (beside) return { files: readFolder(dirname(path)), alone: false }
    const bytes = readRegularFile(path, name, limits.markdownBytes)
    return { files: new Map([[name, bytes]]), alone: true }
  }
  const bytes = readRegularFile(path, basename(path), limits.archiveBytes)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    throw malformed(`${path} is neither a certificate (.md), a package folder, nor a gzip archive`)
  }
  const { unpackArchive } = await import('./archive.ts')
  return { files: await unpackArchive(bytes), alone: false }
}

function kindOf(path: string): 'directory' | 'other' {
  try {
    return statSync(path).isDirectory() ? 'directory' : 'other'
  } catch (cause) {
    throw new LighthouseError('USAGE', `there is no certificate at ${path}`, {
      cause,
      suggestions: ['Name a package folder, its .md file, or an archive made by `lighthouse certify pack`.'],
    })
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Every file below `root`, in byte order of paths. */
export function readFolder(root: string): FileMap {
  const files = new Map<string, Uint8Array>()
  let total = 0
  const walk = (relative: string): void => {
    for (const entry of readdirSync(join(root, relative), { withFileTypes: true })) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`
      if (!isSafePath(path)) throw malformed(`the package holds the unsafe name ${JSON.stringify(path.slice(0, 100))}`)
      if (entry.isDirectory()) walk(path)
      else if (entry.isFile()) {
        const bytes = readRegularFile(join(root, path), path, largestFile(path))
        total += bytes.length
        files.set(path, bytes)
        checkTotals(files.size, total)
      } else throw malformed(`${path} is not a regular file; links, FIFOs and devices are not accepted`)
    }
  }
  walk('')
  checkCollisions(files.keys())
  return files
}

export function checkTotals(count: number, bytes: number): void {
  if (count > limits.files) throw malformed(`the package holds more than ${limits.files} files`)
  if (bytes > limits.packageBytes) throw malformed(`the package holds more than ${limits.packageBytes} bytes`)
}

/** Files or folders that a case-insensitive file system would merge. */
export function checkCollisions(paths: Iterable<string>): void {
  const spelling = new Map<string, string>()
  for (const path of paths) {
    const segments = path.split('/')
    for (let depth = 1; depth <= segments.length; depth++) {
      const prefix = segments.slice(0, depth).join('/')
      const known = spelling.get(prefix.toLowerCase())
      if (known !== undefined && known !== prefix) throw malformed(`${known} and ${prefix} differ only in letter case`)
      spelling.set(prefix.toLowerCase(), prefix)
    }
  }
}

/**
 * Opens without following a link and without waiting on a FIFO, checks the open file itself, and reads at most
 * `maximum` bytes of it.
 */
export function readRegularFile(file: string, name: string, maximum: number): Uint8Array {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw malformed(`${name} cannot be opened as a regular file`, cause)
  }
  try {
    const status = fstatSync(descriptor)
    if (!status.isFile()) throw malformed(`${name} is not a regular file`)
    if (status.size > maximum) throw malformed(`${name} has ${status.size} bytes; at most ${maximum} are read`)
    return readAll(descriptor, name, status.size)
  } finally {
    closeSync(descriptor)
  }
}

function readAll(descriptor: number, name: string, size: number): Uint8Array {
  const buffer = Buffer.alloc(size + 1)
  let filled = 0
  while (filled < buffer.length) {
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, filled)
    if (count === 0) break
    filled += count
  }
  if (filled !== size) throw malformed(`${name} changed while it was read`)
  return buffer.subarray(0, size)
}
