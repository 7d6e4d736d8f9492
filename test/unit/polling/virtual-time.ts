/** A clock and scheduler whose time moves only when a test says so. Timers fire in order of time, then of making. */
import type { Clock, Scheduler } from '../../../src/platform/clock.ts'

export interface VirtualTime extends Clock, Scheduler {
  advance(ms: number): void
  timers(): number
}

export function virtualTime(): VirtualTime {
  let nowMs = 0
  let made = 0
  const pending: { at: number; order: number; run: () => void }[] = []
  return {
    nowNs: () => nowMs * 1e6,
    wallMs: () => nowMs,
    after(ms, run) {
      const timer = { at: nowMs + ms, order: made++, run }
      pending.push(timer)
      return () => {
        const index = pending.indexOf(timer)
        if (index !== -1) pending.splice(index, 1)
      }
    },
    every() {
      throw new Error('nothing here repeats by timer')
    },
    advance(ms) {
      const end = nowMs + ms
      for (;;) {
        const due = pending.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at || a.order - b.order)[0]
        if (due === undefined) break
        pending.splice(pending.indexOf(due), 1)
        nowMs = Math.max(nowMs, due.at)
        due.run()
      }
      nowMs = end
    },
    timers: () => pending.length,
  }
}
