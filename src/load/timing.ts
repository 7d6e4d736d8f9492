/**
 * Time as a load generator sees it: a clock, timers, and the next turn of the event loop. All three are
 * parameters, so that a whole load session runs on virtual time in tests. Also the gauge of the generator
 * itself: CPU of its own thread and the delay of its own event loop, for the self-audit.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock, systemScheduler, type Clock, type Scheduler } from '../platform/clock.ts'

export interface Timing {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Runs in the next turn of the event loop, after what the sockets have to say. */
  soon(run: () => void): void
}

export function systemTiming(originSeconds: number): Timing {
  return { clock: systemClock(originSeconds), scheduler: systemScheduler, soon: (run) => void setImmediate(run) }
}

export interface GeneratorGauge {
  /** CPU of the generator's thread so far, user and system, in microseconds. */
  cpuUs(): number
  resetEventLoop(): void
  /** 99th percentile since the last reset of how late the event loop came to its timer. */
  eventLoopP99Ms(): number
  close(): void
}

const samplingMs = 5

export function systemGauge(): GeneratorGauge {
  const monitor = monitorEventLoopDelay({ resolution: samplingMs })
  monitor.enable()
  return {
    cpuUs() {
      const usage = process.threadCpuUsage()
      return usage.user + usage.system
    },
    resetEventLoop: () => monitor.reset(),
    // The monitor records whole intervals between its samples; what exceeds the interval is the delay.
    eventLoopP99Ms: () => (monitor.count === 0 ? 0 : Math.max(0, monitor.percentile(99) / 1e6 - samplingMs)),
    close: () => void monitor.disable(),
  }
}
