/**
 * Scratch folders in the system's temporary folder, and what becomes of those whose process could not remove them: a killed process
 * leaves its stores behind, so their names tell whose they are, and a later run removes what nobody owns any more.
 */
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const named = /^lighthouse-[a-z]+-(\w+)-(\d+)-\w{6}$/
/** A listing may hold anything; a sweep is no reason to keep a run waiting. */
const mostRemoved = 1000

/** `kind`: lower-case letters. The folder is readable for its owner alone; whoever made it removes it. */
export function makeScratchFolder(kind: string, parent: string = tmpdir()): string {
  return mkdtempSync(join(parent, `lighthouse-${kind}-${pidNamespace()}-${process.pid}-`))
}

/** Removes the scratch folders of this user whose process is gone. Returns how many; never throws. */
export function sweepScratchFolders(parent: string = tmpdir()): number {
  let removed = 0
  for (const name of abandonedFolders(parent)) {
    const path = join(parent, name)
    if (removed >= mostRemoved) break
    try {
      rmSync(path, { recursive: true, force: true })
      removed++
    } catch {
      // It stays for the next one.
    }
  }
  return removed
}

/** Names of the scratch folders of this user in `parent` whose process is gone. */
export function abandonedFolders(parent: string): string[] {
  return entriesOf(parent).filter((name) => {
    const [, namespace, pid] = named.exec(name) ?? []
    // A process of another container may share this folder and not this numbering.
    if (namespace !== pidNamespace() || pid === undefined || isAlive(Number(pid))) return false
    return isOwnFolder(join(parent, name))
  })
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Where process numbers mean what they mean here; `any` where the system has but one numbering. */
function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 'any'
  } catch {
    return 'any'
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** A link is not followed. */
function isOwnFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isDirectory() === true && (process.getuid === undefined || found.uid === process.getuid())
}
