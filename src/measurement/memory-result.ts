/**
 * What a memory run publishes (`results.json`, member `memory`). Live bytes are heap and external together, after two major collections;
 * resident bytes are all that the process takes. null: not known or not demonstrated, never zero.
 */
import type { TargetVerdict } from '../statistics/verdict.ts'

/** By least squares, with a two-sided 95 % interval; each null where the points give none. */
export interface SlopeResult {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  /** Readings, of every valid round. */
  readonly n: number
  readonly shape: 'linear' | 'curved' | 'NOT_DEMONSTRATED'
  /** As in the scaling suite, in percent. */
  readonly bendPercent: number | null
  /** Why nothing was demonstrated; empty otherwise. */
  readonly reason: string
}

/** Per agent that is connected and idle, and per agent that was and has gone. */
export interface AgentMemoryResult {
  readonly engine: string
  /** Live and resident bytes of the process before any agent of the round, the median of all rounds. */
  readonly baseLiveBytes: number | null
  readonly baseRssBytes: number | null
  readonly idleLiveBytes: SlopeResult
  readonly idleRssBytes: SlopeResult
  readonly residueLiveBytes: SlopeResult
}

/** Per exchange that was asked and not answered. */
export interface InFlightResult {
  readonly engine: string
  readonly payloadBytes: number
  readonly liveBytes: SlopeResult
  readonly mostOpen: number
}

/** The line through the costs by payload: what an exchange takes without any, and how often its payload is kept. */
export interface PayloadCopiesResult {
  readonly engine: string
  readonly overheadBytes: number | null
  readonly copies: number | null
  readonly payloads: number
}

export const pressureStates = [
  'carried',
  'shed',
  'shed, then died',
  'died',
  'died at start',
  'failed',
  'invalid',
] as const

/** One round under a cap on the heap or on the whole process. */
export interface PressureResult {
  readonly case: string
  readonly engine: string
  /** carried: every exchange completed; shed: refused with a hint when to come back; failed: neither, and it lived. */
  readonly state: (typeof pressureStates)[number]
  readonly capOf: 'heap' | 'process'
  readonly capFactor: number
  readonly capBytes: number | null
  readonly needBytes: number | null
  /** From the round's zero. */
  readonly firstShedMs: number | null
  readonly diedAtMs: number | null
  /** Of the start after the death, without the cap. */
  readonly restartMs: number | null
  /** How often the kernel killed the process for want of memory; null under a cap on the heap, or where it does not count. */
  readonly kernelKills: number | null
  /** Refused with a hint when to come back. */
  readonly shed: number
  readonly completed: number
  readonly failed: number
  readonly lost: number
  readonly duplicated: number
  readonly roundTripP99Ms: number | null
}

/** What new connections were told while descriptors were short. */
export interface DescriptorsResult {
  readonly engine: string
  readonly state: 'valid' | 'did not bite' | 'invalid'
  readonly served: number | null
  readonly refused: number | null
  readonly closed: number | null
  readonly silent: number | null
  readonly servedAfter: number | null
  readonly wantedAfter: number | null
  readonly sessionsLost: number
  /** Of the load of the agents that were connected all along. */
  readonly failed: number
  readonly lost: number
  readonly roundTripP99Ms: number | null
}

/** A client that subscribed and read nothing, beside a load of others. */
export interface SlowReaderResult {
  readonly engine: string
  readonly state: 'valid' | 'did not bite' | 'invalid'
  /** Of messages that the engine took for it. */
  readonly fedBytes: number | null
  readonly refusedMessages: number | null
  /** From its subscription; null when the engine held its connection to the end. */
  readonly cutAfterMs: number | null
  /** Highest settled reading above that of the idle agents: live bytes, and resident ones with what waits in buffers. */
  readonly peakLiveBytes: number | null
  readonly peakRssBytes: number | null
  readonly failed: number
  readonly lost: number
  readonly roundTripP99Ms: number | null
  readonly controlP99Ms: number | null
}

/** Questions to agents that never answer, beside a load of others. */
export interface FloodResult {
  readonly engine: string
  readonly state: 'valid' | 'invalid'
  readonly unanswered: number
  readonly refused: number
  readonly shed: number
  readonly firstShedMs: number | null
  /** Highest settled reading above that of the idle agents. */
  readonly peakLiveBytes: number | null
  /** Of the exchanges among the others: nothing else completes. */
  readonly roundTripP99Ms: number | null
  readonly controlP99Ms: number | null
  readonly lost: number
}

export const leakSeries = ['heapUsedBytes', 'externalBytes', 'rssBytes'] as const

/** See `statistics/leak-verdict.ts`. */
export interface LeakResult {
  readonly engine: string
  readonly series: (typeof leakSeries)[number]
  readonly verdict: TargetVerdict
  readonly reason: string
  readonly readings: number
  readonly bytesPerHour: number | null
  readonly lowBytesPerHour: number | null
  readonly highBytesPerHour: number | null
  readonly minimumDetectableBytesPerHour: number | null
}

export interface MemoryResult {
  readonly agents: readonly AgentMemoryResult[]
  readonly inFlight: readonly InFlightResult[]
  readonly copies: readonly PayloadCopiesResult[]
  readonly pressure: readonly PressureResult[]
  readonly descriptors: readonly DescriptorsResult[]
  readonly slowReaders: readonly SlowReaderResult[]
  readonly flood: readonly FloodResult[]
  readonly leaks: readonly LeakResult[]
}
