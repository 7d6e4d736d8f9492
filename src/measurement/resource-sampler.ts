/**
 * Samples what an engine's own thread or process uses, on a timer inside it, and sums up since the last reset.
 *
 * CPU is exact (a counter read at both ends); RSS, heap and gauges are maxima of samples, so a peak between
 * two samples is not seen. Event-loop delay is the 99th percentile of how late a 10 ms timer fired: libuv's
 * monitor measures from firing to firing, so the 10 ms of the timer itself are taken off. Under `thread`, CPU is
 * of the JavaScript thread alone (not of the pool that the process shares), and RSS belongs to the process.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { systemScheduler, type Scheduler } from '../platform/clock.ts'
import type { ResourceSummary } from './round-evidence.ts'

/** What the sampler can see: one worker thread, or a whole process. */
export type ResourceScope = 'thread' | 'process'

/** Readings only the engine can give. `walBytes` is null for an engine without write-ahead log. */
export interface ResourceGauges {
  readonly openConnections: number
  readonly walBytes: number | null
}

export interface ResourceSampler {
  /** Forgets everything so far: the start of a round. */
  reset(): void
  summary(): ResourceSummary
  /** Ends the timer and the monitor. */
  stop(): void
}

export const sampleIntervalMs = 200
const monitorResolutionMs = 10

const nullReasons = {
  rss: 'memory of a thread cannot be told apart from that of its process; run with --host process',
  rssFailed: 'the system could not be asked for resident memory, which takes a descriptor',
  delay: 'the event loop was not sampled in this round',
  wal: 'the engine reported no write-ahead log',
  gauges: 'the engine could not be asked for its gauges',
} as const

class TimedSampler implements ResourceSampler {
  private readonly scope: ResourceScope
  private readonly gauges: () => ResourceGauges
  private readonly delay = monitorEventLoopDelay({ resolution: monitorResolutionMs })
  private readonly cancel: () => void
  private cpuStart: NodeJS.CpuUsage
  private rssMax = 0
  private heapMax = 0
  private connectionsMax: number | null = null
  private walMax: number | null = null
  private gaugeFailed = false
  private rssFailed = false

  constructor(scope: ResourceScope, gauges: () => ResourceGauges, scheduler: Scheduler) {
    this.scope = scope
    this.gauges = gauges
    this.cpuStart = this.cpu()
    this.delay.enable()
    this.cancel = scheduler.every(sampleIntervalMs, () => this.sample())
    this.sample()
  }

  private cpu(): NodeJS.CpuUsage {
    return this.scope === 'thread' ? process.threadCpuUsage() : process.cpuUsage()
  }

  private sample(): void {
    if (this.scope === 'process') this.sampleRss()
    this.heapMax = Math.max(this.heapMax, getHeapStatistics().used_heap_size)
    try {
      const { openConnections, walBytes } = this.gauges()
      this.connectionsMax = Math.max(this.connectionsMax ?? 0, openConnections)
      if (walBytes !== null) this.walMax = Math.max(this.walMax ?? 0, walBytes)
    } catch {
      // A gauge is no reason to bring an engine down; the summary says that it is missing.
      this.gaugeFailed = true
    }
  }

  private sampleRss(): void {
    try {
      this.rssMax = Math.max(this.rssMax, process.memoryUsage.rss())
    } catch {
      // It opens a file, and an engine that is out of descriptors has to live on.
      this.rssFailed = true
    }
  }

  reset(): void {
    this.rssMax = 0
    this.rssFailed = false
    this.heapMax = 0
    this.connectionsMax = null
    this.walMax = null
    this.gaugeFailed = false
    this.delay.reset()
    this.cpuStart = this.cpu()
    this.sample()
  }

  summary(): ResourceSummary {
    this.sample()
    const cpu = this.cpu()
    const walReason = this.gaugeFailed ? nullReasons.gauges : nullReasons.wal
    // Gauges that failed once may have missed their maximum, so none is given.
    const connections = this.gaugeFailed ? null : this.connectionsMax
    const wal = this.gaugeFailed ? null : this.walMax
    const delayed = this.delay.count > 0
    const rssKnown = this.scope === 'process' && !this.rssFailed
    return {
      rssMaxBytes: rssKnown ? this.rssMax : null,
      heapMaxBytes: this.heapMax,
      cpuUs: cpu.user + cpu.system - this.cpuStart.user - this.cpuStart.system,
      eventLoopP99Ms: delayed ? Math.max(0, this.delay.percentile(99) / 1e6 - monitorResolutionMs) : null,
      openConnectionsMax: connections,
      walBytesMax: wal,
      nullReasons: {
        ...(rssKnown ? {} : { rssMaxBytes: this.scope === 'thread' ? nullReasons.rss : nullReasons.rssFailed }),
        ...(delayed ? {} : { eventLoopP99Ms: nullReasons.delay }),
        ...(connections === null ? { openConnectionsMax: nullReasons.gauges } : {}),
        ...(wal === null ? { walBytesMax: walReason } : {}),
      },
    }
  }

  stop(): void {
    this.cancel()
    this.delay.disable()
  }
}

/** Starts at once; the first round begins with `reset()`. `scheduler` is the system's unless a test drives time. */
export function startResourceSampler(
  scope: ResourceScope,
  gauges: () => ResourceGauges,
  scheduler: Scheduler = systemScheduler,
): ResourceSampler {
  return new TimedSampler(scope, gauges, scheduler)
}
