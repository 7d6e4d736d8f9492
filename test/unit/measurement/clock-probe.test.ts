/** The clock's checks against clocks and timers whose faults are planted. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareClocks,
  sendLatenessMs,
  smallestStepNs,
  watchTimer,
  type Tick,
} from '../../../src/measurement/clock-probe.ts'
import type { Clock } from '../../../src/platform/clock.ts'
import { VirtualTime } from '../load/virtual-time.ts'

/** A clock that shows only whole steps of what passes at each reading. */
function coarse(stepNs: number, perReadNs: number): Clock {
  let nowNs = 0
  return { nowNs: () => Math.floor((nowNs += perReadNs) / stepNs) * stepNs, wallMs: () => nowNs / 1e6 }
}

const ticksOf = (gapsMs: readonly number[]): Tick[] => {
  let nowMs = 0
  return [0, ...gapsMs].map((gap) => ({ nowNs: (nowMs += gap) * 1e6, wallMs: nowMs }))
}

describe('the smallest step', () => {
  it.each([
    [1, 40, 40],
    [1_000_000, 40, 1_000_000],
    [15_625_000, 1000, 15_625_000],
  ])('of a clock of %i ns, read every %i ns, is %i ns', (stepNs, perReadNs, smallest) => {
    expect(smallestStepNs(coarse(stepNs, perReadNs), 50_000)).toBe(smallest)
  })

  it('is unknown where the clock stands still or runs backwards', () => {
    expect(smallestStepNs({ nowNs: () => 5, wallMs: () => 0 })).toBeNull()
    let nowNs = 1e9
    expect(smallestStepNs({ nowNs: () => (nowNs -= 7), wallMs: () => 0 })).toBeNull()
  })
})

describe('send lateness', () => {
  it('of timers that fire each millisecond is nearly a millisecond', () => {
    // Arrivals fall evenly into gaps of 1 ms: 1 % of them in the first hundredth of a gap.
    expect(sendLatenessMs(ticksOf(Array.from({ length: 1000 }, () => 1)), 0.99)).toBeCloseTo(0.99, 9)
  })

  it('counts a stall by its length: one timer in a thousand may be 5 % of the time', () => {
    const gaps = [...Array.from({ length: 950 }, () => 1), 50]
    // 1 % of 1,000 ms are the first 10 ms of the stall, whose arrivals wait 40 to 50 ms.
    expect(sendLatenessMs(ticksOf(gaps), 0.99)).toBeCloseTo(40, 9)
  })

  it('agrees with arrivals counted one by one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }),
        fc.constantFrom(0.5, 0.9, 0.99),
        (gaps, share) => {
          const perMs = 100
          const waits = gaps
            .flatMap((gap) => Array.from({ length: gap * perMs }, (_, index) => gap - (index + 0.5) / perMs))
            .sort((a, b) => a - b)
          const counted = waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? NaN
          expect(Math.abs((sendLatenessMs(ticksOf(gaps), share) ?? NaN) - counted)).toBeLessThanOrEqual(2 / perMs)
        },
      ),
    )
  })

  it('is unknown without a gap', () => {
    expect(sendLatenessMs([], 0.99)).toBeNull()
    expect(sendLatenessMs(ticksOf([]), 0.99)).toBeNull()
    expect(sendLatenessMs(ticksOf([0, 0]), 0.99)).toBeNull()
  })
})

describe('the wall clock beside the monotonic one', () => {
  /** 2 s of ticks; `wall` gives the wall clock at a monotonic millisecond. */
  const watched = (wall: (ms: number) => number): Tick[] =>
    Array.from({ length: 2001 }, (_, ms) => ({ nowNs: ms * 1e6, wallMs: Math.floor(wall(ms)) }))

  it.each([
    ['keeps pace, read in whole milliseconds', (ms: number) => 1e12 + ms + 0.9, 'agree', 0],
    ['is slewed by 500 ppm', (ms: number) => ms * 1.0005, 'agree', 1],
    ['is set forward', (ms: number) => (ms < 700 ? ms : ms + 3600), 'stepped', 3600],
    ['is set back', (ms: number) => (ms < 1500 ? ms : ms - 40), 'stepped', -40],
    ['runs fast', (ms: number) => ms * 1.02, 'different-rates', 40],
    ['runs slow', (ms: number) => ms * 0.9, 'different-rates', -200],
    ['stands still', () => 5, 'different-rates', -2000],
  ])('%s', (_name, wall, state, gainedMs) => {
    expect(compareClocks(watched(wall))).toEqual({ state, gainedMs })
  })

  it('is unknown for fewer than three readings', () => {
    expect(compareClocks([])).toBeNull()
    expect(compareClocks(ticksOf([1]))).toBeNull()
  })
})

describe('the timer', () => {
  it('fires each millisecond until the window is over', async () => {
    const time = new VirtualTime()
    const ticks = await time.drive(watchTimer(time.clock, time.scheduler, 250, new AbortController().signal))
    expect(ticks).toHaveLength(251)
    expect((ticks.at(-1)?.nowNs ?? 0) - (ticks[0]?.nowNs ?? 0)).toBe(250e6)
  })

  it('stops when told to, and when the clock stands still', async () => {
    const time = new VirtualTime()
    const controller = new AbortController()
    time.scheduler.after(100, () => controller.abort())
    const ticks = await time.drive(watchTimer(time.clock, time.scheduler, 60_000, controller.signal))
    expect(ticks.length).toBeLessThan(105)
    const still = await time.drive(
      watchTimer({ nowNs: () => 0, wallMs: () => 0 }, time.scheduler, 250, new AbortController().signal),
      200_000,
    )
    expect(still).toHaveLength(100_000)
  })
})
