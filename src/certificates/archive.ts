/**
 * One archive of a package: gzip over tar, every name below `<ID>/`. Made reproducibly (byte order, fixed modes
 * and times, no owner), read with bounds: compressed size, decompressed size, number of entries; regular files
 * and folders only; names checked before anything is kept. Nothing is ever unpacked to disk.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import { packTar, unpackTar } from 'modern-tar'
import { idPattern, inByteOrder, isSafePath, largestFile, limits } from './format.ts'
import { checkCollisions, checkTotals, type FileMap } from './package-files.ts'
import { malformed } from './text-rules.ts'

/** Epoch: archives of one package are byte-equal whenever they are made. */
// oxlint-disable-next-line no-restricted-globals -- a constant; no clock is read.
const fixedTime = new Date(0)

export async function packArchive(id: string, files: FileMap): Promise<Uint8Array> {
  const entries = inByteOrder(files.keys()).map((path) => {
    const body = files.get(path) as Uint8Array
    return {
      header: { name: `${id}/${path}`, size: body.length, mode: 0o644, mtime: fixedTime, type: 'file' as const },
      body,
    }
  })
  return gzipSync(await packTar(entries), { level: 9 })
}

/** The files of an archive by path relative to its one top folder. */
export async function unpackArchive(bytes: Uint8Array): Promise<FileMap> {
  if (bytes.length > limits.archiveBytes) throw malformed(`the archive is larger than ${limits.archiveBytes} bytes`)
  const files = new Map<string, Uint8Array>()
  let total = 0
  let top = ''
  for (const { header, data } of await readTar(decompress(bytes))) {
    const isFolder = header.type === 'directory'
    const name = isFolder ? header.name.replace(/\/$/, '') : header.name
    if (!isSafePath(name)) throw malformed(`the archive holds the unsafe name ${JSON.stringify(name.slice(0, 100))}`)
    if (!isFolder && (header.type ?? 'file') !== 'file') throw malformed(`${name} in the archive is a ${header.type}`)
    const folder = name.split('/')[0] as string
    if (top === '') top = folder
    if (folder !== top || !idPattern.test(top))
      throw malformed('the archive is not one folder named by a certificate ID')
    if (isFolder) continue
    const path = name.slice(top.length + 1)
    const content = data ?? new Uint8Array()
    if (path === '' || content.length !== header.size) throw malformed(`${name} in the archive is cut short`)
    if (files.has(path)) throw malformed(`the archive holds ${name} twice`)
    if (content.length > largestFile(path)) throw malformed(`${name} in the archive is too large`)
    files.set(path, content)
    total += content.length
    checkTotals(files.size, total)
  }
  if (files.size === 0) throw malformed('the archive is empty')
  checkCollisions(files.keys())
  return files
}

function decompress(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: limits.packageBytes + limits.files * 2048 })
  } catch (cause) {
    throw malformed(`the archive does not decompress to at most ${limits.packageBytes} bytes`, cause)
  }
}

async function readTar(tar: Uint8Array): ReturnType<typeof unpackTar> {
  try {
    return await unpackTar(tar, { strict: true })
  } catch (cause) {
    throw malformed('the archive is not a well-formed tar file', cause)
  }
}
