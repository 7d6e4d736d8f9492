/**
 * Makes a folder with its parents, one level after the other from the nearest that exists. Node's own recursive form
 * tries for ever where a file system accepts no folders and answers ENOENT, as /proc does.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Throws the system's error of the level that cannot be made; a file in the way is ENOTDIR or EEXIST. */
export function makeFolders(folder: string, mode?: number): void {
  const missing: string[] = []
  for (let path = resolve(folder); statSync(path, { throwIfNoEntry: false }) === undefined; path = dirname(path)) {
    missing.push(path)
  }
  for (const path of missing.toReversed()) makeOne(path, mode)
}

/** Somebody else may make the same folder at the same time. */
function makeOne(path: string, mode: number | undefined): void {
  try {
    mkdirSync(path, mode === undefined ? {} : { mode })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!exists || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
}
