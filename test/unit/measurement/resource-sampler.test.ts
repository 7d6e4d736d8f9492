/** What the sampler says of known gauges, of known work and of what it cannot see. */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import {
  sampleIntervalMs,
  startResourceSampler,
  type ResourceGauges,
} from '../../../src/measurement/resource-sampler.ts'
import type { ResourceSummary } from '../../../src/measurement/round-evidence.ts'
import type { Scheduler } from '../../../src/platform/clock.ts'

/** A scheduler whose ticks the test makes. */
function manual(): { scheduler: Scheduler; tick: () => void; intervals: number[]; cancelled: () => boolean } {
  let run: () => void = () => {}
  let cancelled = false
  const intervals: number[] = []
  const every = (ms: number, next: () => void): (() => void) => {
    intervals.push(ms)
    run = next
    return () => {
      cancelled = true
    }
  }
  return { scheduler: { every, after: every }, tick: () => run(), intervals, cancelled: () => cancelled }
}

describe('ResourceSampler', () => {
  it('gives the maxima of the samples since the last reset', () => {
    const time = manual()
    let gauges: ResourceGauges = { openConnections: 900, walBytes: 9000 }
    const sampler = startResourceSampler('process', () => gauges, time.scheduler)
    gauges = { openConnections: 3, walBytes: 100 }
    sampler.reset()
    gauges = { openConnections: 7, walBytes: 400 }
    time.tick()
    gauges = { openConnections: 2, walBytes: 50 }
    const summary = sampler.summary()
    sampler.stop()
    expect([summary.openConnectionsMax, summary.walBytesMax]).toEqual([7, 400])
    expect(time.intervals).toEqual([sampleIntervalMs])
    expect(time.cancelled()).toBe(true)
  })

  it('names why a figure is null, key by key', () => {
    const thread = startResourceSampler('thread', () => ({ openConnections: 0, walBytes: null }), manual().scheduler)
    const summary = thread.summary()
    thread.stop()
    const nulls = Object.entries(summary).filter(([, value]) => value === null)
    expect(nulls.map(([key]) => key).sort()).toEqual(Object.keys(summary.nullReasons).sort())
    expect(summary.rssMaxBytes).toBeNull()
    expect(summary.openConnectionsMax).toBe(0)
  })

  it('survives a gauge that throws, and then gives no maximum that may be too low', () => {
    const time = manual()
    let failing = false
    const sampler = startResourceSampler(
      'process',
      () => {
        if (failing) throw new Error('store closed')
        return { openConnections: 5, walBytes: 10 }
      },
      time.scheduler,
    )
    failing = true
    time.tick()
    failing = false
    const summary = sampler.summary()
    sampler.reset()
    const afterReset = sampler.summary()
    sampler.stop()
    expect([summary.openConnectionsMax, summary.walBytesMax]).toEqual([null, null])
    expect(summary.nullReasons['openConnectionsMax']).toMatch(/gauges/)
    expect([afterReset.openConnectionsMax, afterReset.walBytesMax]).toEqual([5, 10])
  })

  it('survives a process without descriptors, which cannot ask for its memory, and then gives none', () => {
    const time = manual()
    const sampler = startResourceSampler('process', () => ({ openConnections: 1, walBytes: 1 }), time.scheduler)
    const rss = vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => {
      throw new Error('EMFILE: too many open files, uv_resident_set_memory')
    })
    expect(() => time.tick()).not.toThrow()
    rss.mockRestore()
    const summary = sampler.summary()
    sampler.reset()
    const afterReset = sampler.summary()
    sampler.stop()
    expect(summary.rssMaxBytes).toBeNull()
    expect(summary.nullReasons['rssMaxBytes']).toMatch(/descriptor/)
    expect(summary.heapMaxBytes).toBeGreaterThan(0)
    expect(afterReset.rssMaxBytes).toBeGreaterThan(0)
  })

  it('counts the CPU that its own thread used, at least as much as a neighbouring counter saw', () => {
    for (const scope of ['thread', 'process'] as const) {
      const sampler = startResourceSampler(scope, () => ({ openConnections: 0, walBytes: null }), manual().scheduler)
      sampler.reset()
      const before = process.threadCpuUsage()
      let sum = 0
      for (let index = 0; index < 2e6; index++) sum += Math.sqrt(index)
      const spent = process.threadCpuUsage(before)
      const summary = sampler.summary()
      sampler.stop()
      expect(sum).toBeGreaterThan(0)
      expect(summary.cpuUs).toBeGreaterThanOrEqual(spent.user + spent.system)
      expect(summary.heapMaxBytes).toBeGreaterThan(0)
      expect(summary.rssMaxBytes === null).toBe(scope === 'thread')
    }
  })

  it('sees a blocked event loop', async () => {
    const sampler = startResourceSampler('thread', () => ({ openConnections: 0, walBytes: null }), manual().scheduler)
    const turn = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
    await turn(30)
    sampler.reset()
    await turn(30)
    const until = process.hrtime.bigint() + 150_000_000n
    while (process.hrtime.bigint() < until);
    await turn(30)
    const summary = sampler.summary()
    sampler.stop()
    // The loop stood still for 150 ms by construction, so fewer than 100 samples exist and p99 is the worst of them.
    expect(summary.eventLoopP99Ms).toBeGreaterThan(100)
  })

  it('sees its own worker thread, not the thread that started it', async () => {
    const worker = new Worker(join(import.meta.dirname, 'sampler-worker.ts'))
    const [summary] = (await once(worker, 'message', { signal: AbortSignal.timeout(10_000) })) as [ResourceSummary]
    await worker.terminate()
    expect(summary.eventLoopP99Ms).toBeGreaterThan(100)
    expect(summary.cpuUs).toBeGreaterThan(0)
    expect([summary.rssMaxBytes, summary.openConnectionsMax]).toEqual([null, 1])
  })
})
