/**
 * Where the files of a run are read from: a folder on disk or an archive in memory. The reader of runs knows
 * only this, so that a certificate's evidence is judged by the same code wherever it comes from. Paths are
 * relative with `/`; the folder shows regular files only, follows no symbolic link and is bounded in number.
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'

export interface RunFiles {
  /** All files, sorted. */
  list(): string[]
  /** Throws LighthouseError('RUN_DIRECTORY') that names the file when it is missing or larger than `maximumFileBytes`. */
  read(path: string): Uint8Array
}

export const maximumFileBytes = 64 * 2 ** 20
const maximumFiles = 50_000
const maximumDepth = 6

/** Files that are already in memory, e.g. unpacked from a certificate. */
export function memoryFiles(files: ReadonlyMap<string, Uint8Array>): RunFiles {
  return {
    list: () => [...files.keys()].sort(),
    read(path) {
      const data = files.get(path)
      if (data === undefined) return missing(path)
      return data.length > maximumFileBytes ? tooLarge(path) : data
    },
  }
}

/** Files below `root`. Unfinished files of a killed run (hidden names) are left out. */
export function folderFiles(root: string): RunFiles {
  let known: Set<string> | null = null
  const list = (): Set<string> => (known ??= new Set(walk(root, '', 0, [])))
  return {
    list: () => [...list()].sort(),
    read(path) {
      // Only what the walk saw is opened, so no path can lead out of the folder.
      return list().has(path) ? readBounded(join(root, path), path) : missing(path)
    },
  }
}

function walk(root: string, prefix: string, depth: number, found: string[]): string[] {
  let entries
  try {
    entries = readdirSync(join(root, prefix), { withFileTypes: true })
  } catch (cause) {
    throw new LighthouseError('RUN_DIRECTORY', `Cannot read the run directory ${join(root, prefix)}.`, {
      cause,
      suggestions: ['Name a folder that `lighthouse bench` wrote, e.g. runs/run-20261122-020736-1a2b.'],
    })
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (entry.isFile()) found.push(path)
    else if (entry.isDirectory() && depth < maximumDepth) walk(root, path, depth + 1, found)
    if (found.length > maximumFiles) {
      throw new LighthouseError('RUN_DIRECTORY', `${root} holds more than ${maximumFiles} files; no run does.`)
    }
  }
  return found
}

function readBounded(file: string, path: string): Uint8Array {
  const descriptor = openSync(file, 'r')
  try {
    return fstatSync(descriptor).size > maximumFileBytes ? tooLarge(path) : readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function missing(path: string): never {
  throw new LighthouseError('RUN_DIRECTORY', `${path} is missing from the run.`, {
    suggestions: ['Restore the file from where the run was made, or run again.'],
  })
}

function tooLarge(path: string): never {
  throw new LighthouseError('RUN_DIRECTORY', `${path} is larger than ${maximumFileBytes} bytes; no file of a run is.`)
}
