/**
 * Whether the heap has room for more questions. An engine that takes what it cannot keep dies of it and takes everybody's connection with
 * it; one that refuses in time, with a hint when to come back, serves what it has.
 *
 * Only what is live counts, and that is known right after a major collection: in between, most of what is used may be garbage. Since
 * there is no collection while nothing is taken, room is also taken to be there again when a quarter of the exchanges that were
 * open then have ended; the next collection tells.
 */
import { totalmem } from 'node:os'
import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { anonymousBytes } from '../../measurement/settled-memory.ts'
import { systemScheduler } from '../../platform/clock.ts'

/** Of what the heap may take. What is under way when it is reached has to fit into the rest. */
const fullShare = 0.85
/** Of the exchanges that were open at the collection. */
const relievedShare = 0.75

export class HeapRoom {
  private isFull = false
  private openThen = 0

  /** What a major collection left of what the heap may take, and the exchanges that were open at it. */
  collected(liveBytes: number, limitBytes: number, openExchanges: number): void {
    this.isFull = liveBytes > fullShare * limitBytes
    this.openThen = openExchanges
  }

  /** `openExchanges`: now. */
  isShort(openExchanges: number): boolean {
    return this.isFull && openExchanges > relievedShare * this.openThen
  }
}

export interface ProcessMemory {
  /** V8's own limit, and what its heap has in memory. */
  readonly heapLimitBytes: number
  readonly heapResidentBytes: number
  /** What a container leaves to the process; null where nothing limits it. */
  readonly constrainedBytes: number | null
  readonly residentBytes: number
}

/** Of a container's memory, for what the kernel keeps for the process: sockets, page tables, pages of files in use. */
const kernelShare = 0.05

/** What the heap may take: V8's own limit or, in a container, what is left beside the memory that is no heap. V8 knows nothing of that. */
export function heapMayTake(memory: ProcessMemory): number {
  const { heapLimitBytes, heapResidentBytes, constrainedBytes, residentBytes } = memory
  if (constrainedBytes === null) return heapLimitBytes
  const beside = Math.max(0, residentBytes - heapResidentBytes)
  return Math.min(heapLimitBytes, Math.max(0, (1 - kernelShare) * constrainedBytes - beside))
}

/** `resident`: pages of files are left out where the system tells them apart, since the kernel takes them back before it kills. */
function ownMemory(): ProcessMemory {
  const { heap_size_limit: heapLimitBytes, total_physical_size: heapResidentBytes } = getHeapStatistics()
  const constrained = process.constrainedMemory()
  const isConstrained = constrained > 0 && constrained < totalmem()
  return {
    heapLimitBytes,
    heapResidentBytes,
    constrainedBytes: isConstrained ? constrained : null,
    residentBytes: isConstrained ? (anonymousBytes(process.pid) ?? process.memoryUsage.rss()) : 0,
  }
}

/** What an entry of the type `gc` has beside what all have. */
interface GcEntry extends PerformanceEntry {
  readonly detail: { readonly kind: number }
}

/**
 * Tells `room` of every major collection of this thread's heap until the function that it returns is called. In a container collections are
 * also asked for, as memory runs short: V8 does not know what the container leaves, and would collect too late.
 */
export function watchHeap(room: HeapRoom, openExchanges: () => number): () => void {
  const observer = new PerformanceObserver((list) => {
    const kinds = list.getEntries().map((entry) => (entry as GcEntry).detail.kind)
    if (kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR)) {
      room.collected(getHeapStatistics().used_heap_size, heapMayTake(ownMemory()), openExchanges())
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  if (ownMemory().constrainedBytes === null) return () => observer.disconnect()
  const collect = collector()
  const emergency = new Emergency()
  const stopLooking = systemScheduler.every(lookEveryMs, () => {
    const { constrainedBytes, residentBytes } = ownMemory()
    if (emergency.calls(residentBytes, constrainedBytes ?? Infinity)) collect()
  })
  return () => {
    stopLooking()
    observer.disconnect()
  }
}

const lookEveryMs = 100
/** Of what the container leaves. */
const emergencyShare = 0.8
const emergencyStep = 0.02

/** When to collect: the process has most of what it may have, and more by a step than at the last collection. */
export class Emergency {
  private lastBytes = 0

  calls(residentBytes: number, constrainedBytes: number): boolean {
    if (residentBytes < emergencyShare * constrainedBytes) {
      this.lastBytes = 0
      return false
    }
    if (residentBytes < this.lastBytes + emergencyStep * constrainedBytes) return false
    this.lastBytes = residentBytes
    return true
  }
}

/** The collector of this thread, which Node hands out only when it is asked at the start, or so. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
