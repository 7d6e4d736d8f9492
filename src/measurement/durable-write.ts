/**
 * Writes that a kill cannot tear: a temporary name in the same folder, fsync, rename, fsync of the folder. A
 * reader sees the whole file or none. Synchronous, because it happens between rounds and in signal handlers.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'

/** Replaces `file`. Throws LighthouseError('RUN_DIRECTORY') and leaves the earlier file as it was. */
export function writeDurably(file: string, data: string | Uint8Array): void {
  const temporary = join(dirname(file), `.${basename(file)}.partial`)
  try {
    writeSynced(temporary, data)
    renameSync(temporary, file)
    syncFolder(dirname(file))
  } catch (cause) {
    discard(temporary)
    throw cannotWrite(file, cause)
  }
}

/** Creates `folder` with all its files at once, or not at all; refuses a folder that exists. */
export function writeFolderDurably(folder: string, files: Readonly<Record<string, string>>): void {
  const temporary = join(dirname(folder), `.${basename(folder)}.partial`)
  try {
    makeFolders(dirname(folder))
    discard(temporary)
    mkdirSync(temporary)
    for (const [name, data] of Object.entries(files)) writeSynced(join(temporary, name), data)
    syncFolder(temporary)
    // Renaming onto a folder that holds files fails, so nothing is ever overwritten.
    renameSync(temporary, folder)
    syncFolder(dirname(folder))
  } catch (cause) {
    discard(temporary)
    throw cannotWrite(folder, cause)
  }
}

/** Creates a folder that must not exist yet; its parents may. */
export function createFolder(folder: string): void {
  try {
    makeFolders(dirname(folder))
    mkdirSync(folder)
    syncFolder(dirname(folder))
  } catch (cause) {
    throw cannotWrite(folder, cause)
  }
}

/** Creates a folder unless it is there. */
export function ensureFolder(folder: string): void {
  try {
    makeFolders(folder)
  } catch (cause) {
    throw cannotWrite(folder, cause)
  }
}

function writeSynced(file: string, data: string | Uint8Array): void {
  const descriptor = openSync(file, 'w')
  try {
    writeFileSync(descriptor, data)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Makes the names in a folder durable; where folders cannot be synced (Windows, some shares), the rename has to do. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error
  } finally {
    closeSync(descriptor)
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // What is left has a hidden name and is never read.
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space, or name a folder on another disk with --output.',
  EDQUOT: 'Raise the quota, or name a folder on another disk with --output.',
  EACCES: 'Make the folder writable, or name another with --output.',
  EPERM: 'Make the folder writable, or name another with --output.',
  EROFS: 'The file system is read-only: name a folder elsewhere with --output.',
  ENOTDIR: 'A part of the path is a file: name another folder with --output.',
  EEXIST: 'Nothing is ever overwritten: name another folder with --output, or move the old one away.',
  ENOTEMPTY: 'Nothing is ever overwritten: name another folder with --output, or move the old one away.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
}

function cannotWrite(path: string, cause: unknown): LighthouseError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const what = cause instanceof Error ? cause.message : String(cause)
  return new LighthouseError('RUN_DIRECTORY', `Cannot write ${path}: ${what}`, {
    cause,
    suggestions: [
      remedies[code] ?? 'Name another folder with --output.',
      'What was written before is complete and readable.',
    ],
  })
}
