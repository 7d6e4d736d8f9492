/**
 * The clocks. Everything that measures or waits takes one of these as a parameter, so that tests run
 * on virtual time. Monotonic readings come from `process.hrtime`, which agrees between the threads
 * and processes of one machine; `performance.now()` does not and is never used across them.
 */

export interface Clock {
  /** Monotonic nanoseconds since an origin that all processes of a run share. */
  nowNs(): number
  /** Wall-clock milliseconds since the epoch, for names and time stamps only. */
  wallMs(): number
}

/** Timer functions, so that protocol code can be driven by virtual time. `ms` must lie in 0 … 2³¹−1. */
export interface Scheduler {
  after(ms: number, run: () => void): Cancel
  every(ms: number, run: () => void): Cancel
}

export type Cancel = () => void

/** The origin to hand to other processes of the same run: whole seconds of `process.hrtime`. */
export function clockOrigin(): number {
  return process.hrtime()[0]
}

/** A clock whose zero is `originSeconds` on this machine's `process.hrtime`; exact to 1 ns for 104 days. */
export function systemClock(originSeconds: number = clockOrigin()): Clock {
  return {
    nowNs() {
      const time = process.hrtime()
      return (time[0] - originSeconds) * 1e9 + time[1]
    },
    wallMs: () => Date.now(),
  }
}

export const systemScheduler: Scheduler = {
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  every(ms, run) {
    const timer = setInterval(run, ms)
    return () => clearInterval(timer)
  },
}

/** Wall-clock milliseconds of the start of this process, or of this thread. */
export function startedAtMs(): number {
  return Math.round(performance.timeOrigin)
}

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
