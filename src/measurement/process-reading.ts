/**
 * What this process holds when its garbage is gone: readings after two major collections, since the first only finds what
 * finalisers and weak references let go of for the second. The collector is exposed on demand, so that a process need
 * not be started with a flag to be asked.
 *
 * Heap is what JavaScript objects take; external what is held outside it for them (array buffers included); native is the rest
 * of the resident memory: RSS less the heap's pages and external. RSS by itself hides a leak behind pages that the heap has
 * given up, which is why the three are told apart.
 */
import { readdirSync } from 'node:fs'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startedAtMs } from '../platform/clock.ts'

export interface ProcessReading {
  /** Wall clock of its start: another value is another process. */
  readonly startedAtMs: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** Array buffers included. */
  readonly externalBytes: number
  readonly nativeBytes: number
  readonly rssBytes: number
  /** On the heap since its start, whatever became of it; null where V8 does not tell. */
  readonly allocatedBytes: number | null
  /** Open descriptors; null where the system does not tell. */
  readonly descriptors: number | null
}

/** Collects twice before it looks: tens of milliseconds to seconds, by the size of the heap. */
export async function readProcess(): Promise<ProcessReading> {
  const collect = collector()
  for (let collection = 0; collection < 2; collection++) await collect({ type: 'major', execution: 'async' })
  const { heapUsed, heapTotal, external, rss } = process.memoryUsage()
  const statistics: ReturnType<typeof getHeapStatistics> & { readonly total_allocated_bytes?: number } =
    getHeapStatistics()
  return {
    startedAtMs: startedAtMs(),
    heapUsedBytes: heapUsed,
    heapLimitBytes: statistics.heap_size_limit,
    externalBytes: external,
    nativeBytes: Math.max(0, rss - heapTotal - external),
    rssBytes: rss,
    allocatedBytes: statistics.total_allocated_bytes ?? null,
    descriptors: openDescriptors(),
  }
}

type Collector = NonNullable<typeof globalThis.gc>

let exposed: Collector | null = null

function collector(): Collector {
  if (globalThis.gc !== undefined) return globalThis.gc
  if (exposed === null) {
    setFlagsFromString('--expose-gc')
    exposed = runInNewContext('gc') as Collector
  }
  return exposed
}

/** One of them is the folder that is being read. */
function openDescriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return null
  }
}
