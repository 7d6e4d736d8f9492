/**
 * Whether the heap has room for more questions. An engine that takes what it cannot keep dies of it and takes everybody's connection with
 * it; one that refuses in time, with a hint when to come back, serves what it has.
 *
 * Only what is live counts, and that is known right after a major collection: in between, most of what is used may be garbage. Since
 * there is no collection while nothing is taken, room is also taken to be there again when a quarter of the exchanges that were
 * open then have ended, or after a while without a collection; the next one tells.
 */
import { totalmem } from 'node:os'
import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { anonymousBytes } from '../../measurement/settled-memory.ts'
import { systemScheduler, type Clock } from '../../platform/clock.ts'

/** Of what the heap may take. What is under way when it is reached has to fit into the rest. */
const fullShare = 0.85
/** Of the exchanges that were open when it became full. */
const relievedShare = 0.75
/** What is refused leaves little behind, so the collection that would find room may not come: after so long another question brings it about. */
const staleAfterMs = 5000

export class HeapRoom {
  private isFull = false
  private openThen = 0
  private fullBytes = 0
  private collectedAtMs = 0

  /** What a major collection left of what the heap may take, the exchanges that were open at it, and when it was. */
  collected(liveBytes: number, limitBytes: number, openExchanges: number, nowMs: number): void {
    const wasFull = this.isFull
    this.isFull = liveBytes > fullShare * limitBytes
    this.collectedAtMs = nowMs
    // Not of every collection, or the exchanges that are allowed would dwindle where something else fills the heap.
    if (!wasFull || liveBytes > this.fullBytes) {
      this.openThen = openExchanges
      this.fullBytes = liveBytes
    }
  }

  /** `openExchanges`: now. */
  isShort(openExchanges: number, nowMs: number): boolean {
    if (!this.isFull || openExchanges <= relievedShare * this.openThen) return false
    return nowMs - this.collectedAtMs < staleAfterMs
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
export function watchHeap(room: HeapRoom, openExchanges: () => number, clock: Clock): () => void {
  const observer = new PerformanceObserver((list) => {
    const kinds = list.getEntries().map((entry) => (entry as GcEntry).detail.kind)
    if (kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR)) {
      room.collected(oldBytes(), heapMayTake(ownMemory()), openExchanges(), clock.nowNs() / 1e6)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  if (ownMemory().constrainedBytes === null) return () => observer.disconnect()
  const collect = collector()
  const emergency = new Emergency()
  const stopLooking = systemScheduler.every(lookEveryMs, () => {
    const { constrainedBytes, residentBytes } = ownMemory()
    if (!emergency.calls(residentBytes, constrainedBytes ?? Infinity)) return
    collect()
    emergency.collected(ownMemory().residentBytes)
  })
  return () => {
    stopLooking()
    observer.disconnect()
  }
}

/** What has outlived a collection: what came since lies in the new spaces, and counts as garbage until it is shown not to be. */
function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => !name.startsWith('new_'))
    .reduce((sum, { space_used_size: used }) => sum + used, 0)
}

const lookEveryMs = 100
/** Of what the container leaves: where collecting begins, and below what it is over. */
const emergencyShare = 0.8
const calmShare = 0.7
const emergencyStep = 0.02

/** When to collect: the process has most of what it may have, and more by a step than the last collection left. */
export class Emergency {
  private leftBytes = 0

  calls(residentBytes: number, constrainedBytes: number): boolean {
    if (residentBytes < calmShare * constrainedBytes) this.leftBytes = 0
    if (residentBytes < emergencyShare * constrainedBytes) return false
    return residentBytes >= this.leftBytes + emergencyStep * constrainedBytes
  }

  collected(residentBytes: number): void {
    this.leftBytes = residentBytes
  }
}

/** The collector of this thread, which Node hands out only when it is asked at the start, or so. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
