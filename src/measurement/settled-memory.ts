/**
 * Memory of this process when garbage is gone: readings after two major collections, since the first only finds what finalisers and
 * weak references let go of for the second. V8 must have been started with `--expose-gc`.
 *
 * Heap is what JavaScript objects take; external what is held outside it for them (array buffers included); resident memory is all
 * that, the collector's own reserves and everything native. What the kernel keeps for TCP sockets counts nowhere in a process:
 * `/proc/net/sockstat` gives it for the whole machine, in pages of 4 KiB, both ends of a loopback connection included.
 */
import { readFileSync } from 'node:fs'
import { LighthouseError } from '../platform/errors.ts'

export interface SettledMemory {
  readonly heapUsedBytes: number
  /** Array buffers included. */
  readonly externalBytes: number
  readonly rssBytes: number
}

/** What a process has to be started with to be asked for its settled memory. */
export const settlingFlags = ['--expose-gc'] as const

/** Throws LighthouseError('ENVIRONMENT') in a process that was started without `settlingFlags`. */
export async function settledMemory(): Promise<SettledMemory> {
  const { gc } = globalThis
  if (gc === undefined) {
    throw new LighthouseError('ENVIRONMENT', 'memory cannot settle: the collector is not exposed in this process', {
      suggestions: ['Start Node with --expose-gc.'],
    })
  }
  for (let collection = 0; collection < 2; collection++) await gc({ type: 'major', execution: 'async' })
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapUsedBytes: heapUsed, externalBytes: external, rssBytes: rss }
}

/** What a process keeps in memory and in no file, which cannot be had back by reading a file again; null where the system does not tell. */
export function anonymousBytes(pid: number, read: (pid: number) => string = readStatus): number | null {
  try {
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(read(pid))?.[1]
    return kib === undefined ? null : Number(kib) * 1024
  } catch {
    return null
  }
}

function readStatus(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1')
}

const pageBytes = 4096

/** Of all TCP sockets of this machine; null where the system does not tell. */
export function socketMemoryBytes(read: () => string = readSockstat): number | null {
  try {
    const pages = /^TCP:.* mem (\d+)/m.exec(read())?.[1]
    return pages === undefined ? null : Number(pages) * pageBytes
  } catch {
    return null
  }
}

function readSockstat(): string {
  return readFileSync('/proc/net/sockstat', 'latin1')
}
