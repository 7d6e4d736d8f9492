/**
 * Reads one regular file whose size is checked before its contents are, so that a huge or endless file (a
 * device, a pipe) cannot take the memory of a run.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

/** The bytes, or null when there is no such regular file of at most `maximumBytes`. */
export function readBoundedFile(file: string, maximumBytes: number): Uint8Array | null {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return null
  }
  try {
    const stat = fstatSync(descriptor)
    return stat.isFile() && stat.size <= maximumBytes ? readFileSync(descriptor) : null
  } catch {
    return null
  } finally {
    closeSync(descriptor)
  }
}
