/**
 * Reads one regular file whose size is checked before its contents are, so that a huge or endless file (a
 * device, a pipe) can neither take the memory of a run nor keep it waiting.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

/** The bytes, or null when there is no such regular file of at most `maximumBytes`; `follow` says whether it may be a link. */
export function readBoundedFile(
  file: string,
  maximumBytes: number,
  { follow = true }: { readonly follow?: boolean } = {},
): Uint8Array | null {
  let descriptor: number
  try {
    // Opening a pipe that nobody writes to would wait for a writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW))
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
