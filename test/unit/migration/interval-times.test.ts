/** Where intervals lie on a migration's clock: never before it, never over each other, and never in the future. */
import { describe, expect, it } from 'vitest'
import { IntervalTimes, type PlacedTime } from '../../../src/migration/interval-times.ts'

/** Intervals of one second, the last of which ended `lastEndedAgoMs` before they were read. */
function place(
  times: IntervalTimes,
  sequences: readonly number[],
  { stream = 'a', readMs, lastEndedAgoMs = 0 }: { stream?: string; readMs: number; lastEndedAgoMs?: number },
): (PlacedTime | null)[] {
  const last = sequences.at(-1) ?? 0
  return sequences.map((sequence) => {
    const endedAgoMs = lastEndedAgoMs + (last - sequence) * 1000
    return times.place({ stream, sequence, durationMs: 1000, endedAgoMs }, readMs)
  })
}

describe('what a system has kept from before a migration', () => {
  it('is not of it, however much it is, and moves nothing that is', () => {
    const times = new IntervalTimes(0)
    const history = Array.from({ length: 360 }, (_, index) => index)
    expect(place(times, history, { readMs: 10, lastEndedAgoMs: 300 }).filter((each) => each !== null)).toEqual([])
    expect(times.lastPlace).toMatchObject({ stream: 'a', sequence: 359 })
    // Began before the migration and ended in it, then one that is of it as a whole.
    expect(place(times, [360], { readMs: 750, lastEndedAgoMs: 40 })).toEqual([null])
    expect(place(times, [361], { readMs: 1750, lastEndedAgoMs: 40 })).toEqual([{ fromMs: 710, toMs: 1710 }])
  })

  it('is not of it either when the system counts anew and still knows what was before', () => {
    const times = new IntervalTimes(0)
    place(times, [7], { readMs: 1000 })
    expect(place(times, [0, 1, 2, 3], { stream: 'b', readMs: 3000 })).toEqual([
      null,
      null,
      { fromMs: 1000, toMs: 2000 },
      { fromMs: 2000, toMs: 3000 },
    ])
  })
})

describe('intervals of a migration', () => {
  it('follow each other without gaps, whatever the delay with which each was read', () => {
    const times = new IntervalTimes(0)
    expect(place(times, [0], { readMs: 1000 })).toEqual([{ fromMs: 0, toMs: 1000 }])
    expect(place(times, [1], { readMs: 2090 })).toEqual([{ fromMs: 1000, toMs: 2000 }])
    expect(place(times, [1], { readMs: 2100 })).toEqual([null])
    // Two are missing: from here on it is placed anew.
    expect(place(times, [4], { readMs: 5020 })).toEqual([{ fromMs: 4020, toMs: 5020 }])
  })
})
