/**
 * Can this machine tell and keep time well enough to measure with? Three questions, answered within a window of seconds:
 *
 * - the smallest step of the monotonic clock, over many reads: shorter durations are not told apart;
 * - whether the wall clock runs at the rate of the monotonic one. The kernel slews both alike, so an honest pair never differs by
 *   more than a step of the wall clock (NTP, an operator, a resumed machine); a lasting difference of rate means that
 *   durations themselves are wrong;
 * - how late a send would leave that becomes due at a random instant, from timers of 1 ms as the load generator sets
 *   them. A stall of 50 ms is one timer in many and yet 5 % of a second, so gaps count by their length: of the arrivals in a gap of g,
 *   the share (g − x)/g waits longer than x.
 */
import type { Clock, Scheduler } from '../platform/clock.ts'

/** How many reads look for the smallest step: about a millisecond. */
const reads = 20_000
/** Ticks that a window may record, far above 1 per millisecond of the longest window. */
const mostTicks = 100_000
/** The wall clock is read in whole milliseconds; beyond this in half a window it did not keep pace. */
const wallToleranceMs = 5

/** Nanoseconds; null where the clock never moved. */
export function smallestStepNs(clock: Clock, count: number = reads): number | null {
  let smallest = Infinity
  let previous = clock.nowNs()
  for (let read = 0; read < count; read++) {
    const now = clock.nowNs()
    if (now > previous && now - previous < smallest) smallest = now - previous
    previous = now
  }
  return smallest === Infinity ? null : smallest
}

/** One firing of a timer. */
export interface Tick {
  readonly nowNs: number
  readonly wallMs: number
}

/** Fires every millisecond for `windowMs`, and gives every firing, the start first. Ends early when `signal` aborts. */
export function watchTimer(
  clock: Clock,
  scheduler: Scheduler,
  windowMs: number,
  signal: AbortSignal,
): Promise<readonly Tick[]> {
  return new Promise((resolve) => {
    const ticks: Tick[] = []
    const tick = (): Tick => {
      const now = { nowNs: clock.nowNs(), wallMs: clock.wallMs() }
      ticks.push(now)
      return now
    }
    const endNs = tick().nowNs + windowMs * 1e6
    const cancel = scheduler.every(1, () => {
      if (tick().nowNs < endNs && ticks.length < mostTicks && !signal.aborted) return
      cancel()
      resolve(ticks)
    })
  })
}

/** Milliseconds; the `share` quantile of the wait for the next firing from a random instant. Null without a gap. */
export function sendLatenessMs(ticks: readonly Pick<Tick, 'nowNs'>[], share: number): number | null {
  const gaps = ticks
    .slice(1)
    .map(({ nowNs }, index) => nowNs - (ticks[index]?.nowNs ?? nowNs))
    .filter((gap) => gap > 0)
    .sort((a, b) => b - a)
  const totalNs = gaps.reduce((sum, gap) => sum + gap, 0)
  if (totalNs === 0) return null
  // Waiting longer than x: Σ max(0, g − x) = (1 − share) · Σ g, which is linear in x between two gaps.
  const excessNs = (1 - share) * totalNs
  let sumNs = 0
  for (const [index, gap] of gaps.entries()) {
    sumNs += gap
    const lateNs = (sumNs - excessNs) / (index + 1)
    if (lateNs >= (gaps[index + 1] ?? 0)) return Math.max(0, lateNs) / 1e6
  }
  return 0
}

export interface ClockAgreement {
  readonly state: 'agree' | 'stepped' | 'different-rates'
  /** What the wall clock gained on the monotonic one in the window. */
  readonly gainedMs: number
}

/** Null for fewer than three ticks. A gain of one sign in both halves is a rate; in one half only it is a step. */
export function compareClocks(ticks: readonly Tick[]): ClockAgreement | null {
  const first = ticks[0]
  const last = ticks.at(-1)
  if (first === undefined || last === undefined || ticks.length < 3) return null
  const middleNs = (first.nowNs + last.nowNs) / 2
  const middle = ticks.find(({ nowNs }) => nowNs >= middleNs) ?? last
  const gained = (from: Tick, to: Tick): number => to.wallMs - from.wallMs - (to.nowNs - from.nowNs) / 1e6
  const halves = [gained(first, middle), gained(middle, last)] as const
  const gainedMs = gained(first, last)
  const rate = halves.every((half) => half > wallToleranceMs) || halves.every((half) => half < -wallToleranceMs)
  const step = halves.some((half) => Math.abs(half) > wallToleranceMs)
  return { state: rate ? 'different-rates' : step ? 'stepped' : 'agree', gainedMs }
}
