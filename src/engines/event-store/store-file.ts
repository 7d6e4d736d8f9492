/**
 * Decides whether a file may be opened as an event store, before SQLite touches it.
 *
 * The first 100 bytes of the file are read by hand (https://sqlite.org/fileformat2.html §1.3: magic at 0,
 * user_version at 60, application_id at 68, both big-endian), so a file that is not ours is refused without
 * a lock, a journal or a byte changed. Both fields are written before the store enters WAL mode and so are
 * always found in the main file.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { LighthouseError } from '../../platform/errors.ts'

/** 'LHES'. */
export const applicationId = 0x4c484553
export const schemaVersion = 1
const magic = 'SQLite format 3\0'

function refuse(file: string, what: string, todo: string): never {
  throw new LighthouseError('STORE', `Cannot open the event store ${file}: ${what}.`, { suggestions: [todo] })
}

function checkAccess(path: string, shown: string, what: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch {
    refuse(
      shown,
      what,
      'Make the file and its folder readable and writable for this user, or choose another store file.',
    )
  }
}

function readHeader(file: string): Buffer {
  const descriptor = openSync(file, 'r')
  try {
    const header = Buffer.alloc(100)
    return header.subarray(0, readSync(descriptor, header, 0, 100, 0))
  } finally {
    closeSync(descriptor)
  }
}

/** Returns whether the store exists already; throws LighthouseError('STORE') when the file may not be used. */
export function inspectStoreFile(file: string): 'new' | 'existing' {
  const folder = statSync(dirname(file), { throwIfNoEntry: false })
  if (folder?.isDirectory() !== true) refuse(file, 'its folder does not exist', 'Create the folder first.')
  checkAccess(dirname(file), file, 'its folder is read-only, and the store keeps its log beside the file')
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return 'new'
  if (found.isDirectory()) refuse(file, 'it is a directory', 'Name a file inside it, such as store.db.')
  if (!found.isFile()) refuse(file, 'it is not a regular file', 'Name a regular file.')
  checkAccess(file, file, 'it is read-only')
  if (found.size === 0) return 'new'
  const header = readHeader(file)
  if (header.length < 100 || header.toString('latin1', 0, 16) !== magic) {
    refuse(
      file,
      'it is not an SQLite database',
      'Name a store file made by Lighthouse, or a new one; this file was left as it is.',
    )
  }
  if (header.readUInt32BE(68) !== applicationId) {
    refuse(
      file,
      'it is a database of another application',
      'Name a store file made by Lighthouse, or a new one; this file was left as it is.',
    )
  }
  const version = header.readUInt32BE(60)
  if (version > schemaVersion) {
    refuse(
      file,
      `its schema is version ${version} and this Lighthouse knows ${schemaVersion}`,
      'Use the newer Lighthouse that made it, or a new store file; this file was left as it is.',
    )
  }
  return 'existing'
}
