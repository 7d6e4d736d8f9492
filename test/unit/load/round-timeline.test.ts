/** A round told second by second, and what followed a mark, from times that are known. */
import { describe, expect, it } from 'vitest'
import { FailureTimes, markOf, timelineOf } from '../../../src/load/round-timeline.ts'
import type { RoundPlan } from '../../../src/load/round-plan.ts'
import { bench, planOf } from './session-fixture.ts'

const never = Number.NaN
const seconds = (...times: number[]): Float64Array => Float64Array.from(times, (time) => time * 1e9)

describe('the timeline of a round', () => {
  const input = {
    scheduledAtNs: seconds(0.1, 0.2, 1.1, 2.5, 2.6),
    sentAtNs: seconds(0.1, 0.2, 1.1, 2.5, never),
    resultAtNs: seconds(0.3, never, 3.2, never, never),
    refusedAtNs: new Map([[3, 2.7e9]]),
    overdueNs: 2e9,
    durationNs: 3e9,
    endNs: 4e9,
  }

  it('counts by the second of the schedule and by the second of the result', () => {
    const { scheduled, completed, results } = timelineOf(input)
    expect(scheduled).toEqual([2, 1, 2])
    expect(completed).toEqual([1, 1, 0])
    expect(results).toEqual([1, 0, 0, 1])
  })

  it('counts what waits at the end of each second, until result, refusal or deadline', () => {
    // Exchange 1 waits until its deadline at 2.2 s, exchange 2 until 3.2 s, exchange 3 was refused within its second.
    expect(timelineOf(input).backlog).toEqual([1, 2, 1, 0])
  })
})

describe('a mark', () => {
  const sent = seconds(0.5, 1.2, 1.4, 3)
  const results = seconds(2.1, 1.9, never, 3.2)

  it('finds the first success of what was sent later, not of what was under way', () => {
    expect(markOf({ name: 'healed', atNs: 1e9 }, sent, results, 2e9, new FailureTimes())).toEqual({
      name: 'healed',
      atMs: 1000,
      firstFailureMs: 3400,
      firstSuccessMs: 1900,
    })
  })

  it('finds the first failure at or after it, to 10 ms', () => {
    const failures = new FailureTimes()
    for (const atMs of [900, 1500, 1501, 1700]) failures.note(atMs * 1e6)
    const at = (atMs: number) => markOf({ name: 'm', atNs: atMs * 1e6 }, sent, results, 9e9, failures).firstFailureMs
    expect([at(0), at(1000), at(1600), at(1800)]).toEqual([900, 1500, 1700, 10_400])
  })

  it('is null where nothing followed', () => {
    const mark = markOf({ name: 'm', atNs: 9e9 }, sent, results, 2e9, new FailureTimes())
    expect([mark.firstFailureMs, mark.firstSuccessMs]).toEqual([null, null])
  })
})

describe('a session that is asked for a timeline', () => {
  const phases: RoundPlan['phases'] = [
    { durationMs: 1000, agents: 2, ratePerSecond: 50 },
    { durationMs: 1000, agents: 10, ratePerSecond: 500 },
    { durationMs: 1000, agents: 2, ratePerSecond: 50 },
  ]

  it('gives one that adds up to its counts, with the rates of its phases', async () => {
    const { run } = await bench()
    const { evidence } = await run(planOf({ durationMs: 3000, phases, timeline: true }))
    const sum = (list: readonly number[] = []) => list.reduce((total, each) => total + each, 0)
    const { timeline, counts } = evidence
    expect(sum(timeline?.scheduled)).toBe(counts.scheduled)
    expect(sum(timeline?.completed)).toBe(counts.completed)
    expect(sum(timeline?.results)).toBe(counts.completed)
    expect(timeline?.backlog.at(-1)).toBe(0)
    const [before = 0, during = 0, after = 0] = timeline?.scheduled ?? []
    expect(during).toBeGreaterThan(5 * Math.max(before, after))
  })

  it('marks a moment of the round under way and tells its start', async () => {
    const starts: number[] = []
    const { run, session, time } = await bench({}, { onRoundStart: (_round, startNs) => starts.push(startNs) })
    time.scheduler.after(500, () => session.mark('half', time.clock.nowNs()))
    const { evidence } = await run(planOf({ durationMs: 1000 }))
    expect(evidence.timeline).toBeUndefined()
    expect(starts).toHaveLength(1)
    const [mark] = evidence.marks ?? []
    expect(mark?.name).toBe('half')
    expect(mark?.firstFailureMs).toBeNull()
    expect(mark?.firstSuccessMs).toBeGreaterThan(mark?.atMs ?? Infinity)
  })
})
