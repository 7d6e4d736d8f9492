/**
 * A limit on all the memory of one process: a memory cgroup of this run's own, as a container has it, below the one that the run itself is in
 * or, where that may not be divided, beside it. What the process takes in pages of its own counts, and so do files that it is the first to read; the kernel reclaims the latter
 * and kills the process when it cannot stay below the limit. Both versions of the interface are known; where neither may be
 * written the case is left out by name.
 */
import { existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { delay } from './clock.ts'
import { LighthouseError } from './errors.ts'
import { abandonedFolders, makeScratchFolder } from './scratch.ts'

export interface MemoryCgroup {
  /** A process that writes its number into this file is under the limit from then on. */
  readonly processes: string
  /** Processes killed for want of memory so far; null where the kernel does not count them. */
  kills(): number | null
  /** Call it when the processes are gone; what cannot be removed stays for a later run. */
  remove(): Promise<void>
}

/** Where cgroups are mounted, and which this process is in. */
export interface CgroupMount {
  readonly root: string
  /** The text of /proc/self/cgroup. */
  readonly own: string
}

interface Version {
  readonly limit: string
  /** Holds swap in; absent where swap is not counted. */
  readonly swap: string
  readonly counts: string
}

const versionOne: Version = {
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  counts: 'memory.oom_control',
}
const versionTwo: Version = { limit: 'memory.max', swap: 'memory.swap.max', counts: 'memory.events' }

const removeAttempts = 20
const removeEveryMs = 50

/** Throws ENVIRONMENT where no memory cgroup can be made. */
export function makeMemoryCgroup(limitBytes: number, mount: CgroupMount = systemMount()): MemoryCgroup {
  let reason = 'this process is in no memory cgroup'
  for (const { parent, version } of parentsIn(mount)) {
    for (const name of abandonedFolders(parent)) tryRemove(join(parent, name))
    try {
      const folder = makeScratchFolder('memory', parent)
      try {
        setLimit(folder, version, limitBytes)
        return new OwnCgroup(folder, version)
      } catch (error) {
        tryRemove(folder)
        throw error
      }
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
  }
  throw new LighthouseError('ENVIRONMENT', `no memory cgroup can be made here: ${reason}`, {
    suggestions: ['Run it where cgroups are delegated to this user, or leave the case out.'],
  })
}

/** Why no process can be limited here; null when one can. */
export async function whyMemoryCannotBeLimited(mount?: CgroupMount): Promise<string | null> {
  if (process.platform !== 'linux') return 'the memory of a whole process can be limited on Linux only'
  let cgroup: MemoryCgroup | null = null
  try {
    cgroup = makeMemoryCgroup(2 ** 30, mount)
    // To make a group is one right, to put a process into it another.
    const joined = await execa('/bin/sh', ['-c', 'echo $$ > "$0"', cgroup.processes], { reject: false, timeout: 5000 })
    return joined.failed ? `no process can join a memory cgroup here: ${joined.stderr.slice(0, 200)}` : null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await cgroup?.remove()
  }
}

function systemMount(): CgroupMount {
  try {
    return { root: '/sys/fs/cgroup', own: readFileSync('/proc/self/cgroup', 'latin1') }
  } catch {
    return { root: '/sys/fs/cgroup', own: '' }
  }
}

/** The cgroup of this process, and what is above it: one with processes in it may not be divided, or seem to be the root to a container. */
function parentsIn({ root, own }: CgroupMount): { readonly parent: string; readonly version: Version }[] {
  return own.split('\n').flatMap((line) => {
    const [, number, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (number === undefined || controllers === undefined || path === undefined) return []
    const isOne = controllers.split(',').includes('memory')
    if (!isOne && number !== '0') return []
    const top = isOne ? join(root, 'memory') : root
    const folders = [join(top, path), join(top, dirname(path)), top]
    return [...new Set(folders)].map((parent) => ({ parent, version: isOne ? versionOne : versionTwo }))
  })
}

function setLimit(folder: string, { limit, swap }: Version, bytes: number): void {
  const file = join(folder, limit)
  if (!existsSync(file)) throw new Error(`${folder} takes no limit of memory`)
  writeFileSync(file, String(bytes))
  // Version one counts memory and swap together, version two swap alone.
  const swapFile = join(folder, swap)
  if (existsSync(swapFile)) writeFileSync(swapFile, swap === versionOne.swap ? String(bytes) : '0')
}

class OwnCgroup implements MemoryCgroup {
  readonly processes: string
  private readonly folder: string
  private readonly version: Version

  constructor(folder: string, version: Version) {
    this.processes = join(folder, 'cgroup.procs')
    this.folder = folder
    this.version = version
  }

  kills(): number | null {
    try {
      const text = readFileSync(join(this.folder, this.version.counts), 'latin1')
      const kills = /^oom_kill (\d+)$/m.exec(text)?.[1]
      return kills === undefined ? null : Number(kills)
    } catch {
      return null
    }
  }

  async remove(): Promise<void> {
    for (let attempt = 0; attempt < removeAttempts; attempt++) {
      if (tryRemove(this.folder)) return
      await delay(removeEveryMs)
    }
  }
}

/** A cgroup is removed like an empty folder, though it lists files; one with processes stays. */
function tryRemove(folder: string): boolean {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}
