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
  /** Starts watching; between rounds nothing is watched, since an idle generator must not wake the machine. */
  start(): void
  /** Stops watching and gives the figures since `start`. */
  stop(): GeneratorReading
}

export interface GeneratorReading {
  /** CPU of the generator's thread, user and system. */
  readonly cpuUs: number
  /** 99th percentile of how late the event loop came to its timer. */
  readonly eventLoopP99Ms: number
}

const samplingMs = 5

export function systemGauge(): GeneratorGauge {
  const monitor = monitorEventLoopDelay({ resolution: samplingMs })
  let startedUs = 0
  return {
    start() {
      monitor.reset()
      monitor.enable()
      startedUs = threadCpuUs()
    },
    stop() {
      monitor.disable()
      // The monitor records whole intervals between its samples; what exceeds the interval is the delay.
      const intervalP99Ms = monitor.count === 0 ? samplingMs : monitor.percentile(99) / 1e6
      return { cpuUs: threadCpuUs() - startedUs, eventLoopP99Ms: Math.max(0, intervalP99Ms - samplingMs) }
    },
  }
}

function threadCpuUs(): number {
  const usage = process.threadCpuUsage()
  return usage.user + usage.system
}
