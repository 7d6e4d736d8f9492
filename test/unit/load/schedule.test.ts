/**
 * The schedule: reproducible, open, and independent of the engine.
 */
import { describe, expect, it } from 'vitest'
import { buildSchedule, recipientOf, type ScheduleInput } from '../../../src/load/schedule.ts'

const input: ScheduleInput = {
  agents: 100,
  ratePerSecond: 2000,
  pattern: 'pairs',
  arrivals: 'poisson',
  answers: { accept: 0.7, decline: 0.2, cancel: 0.1 },
}

describe('recipientOf', () => {
  it.each([
    ['pairs', 0, 10, 1],
    ['pairs', 1, 10, 0],
    ['pairs', 8, 10, 9],
    ['pairs', 9, 10, 8],
    ['ring', 0, 10, 1],
    ['ring', 9, 10, 0],
    ['ring', 1, 3, 2],
    ['ring', 2, 3, 0],
  ] as const)('%s: agent %i of %i asks %i', (pattern, requester, agents, recipient) => {
    expect(recipientOf(pattern, requester, agents)).toBe(recipient)
    expect(recipientOf(pattern, requester, agents)).not.toBe(requester)
  })
})

describe('buildSchedule', () => {
  it('gives the same schedule for the same seed and another for another', () => {
    const [one, two] = [buildSchedule(input, 'a', 5000, 256), buildSchedule(input, 'a', 5000, 256)]
    expect(one).toEqual(two)
    expect(buildSchedule(input, 'b', 5000, 256).scheduledAtNs).not.toEqual(one.scheduledAtNs)
  })

  it('draws each aspect from a stream of its own', () => {
    const one = buildSchedule(input, 'a', 5000, 256)
    const ring = buildSchedule({ ...input, pattern: 'ring' }, 'a', 5000, 256)
    const answers = buildSchedule({ ...input, answers: { accept: 1, decline: 0, cancel: 0 } }, 'a', 5000, 256)
    expect(ring.scheduledAtNs).toEqual(one.scheduledAtNs)
    expect(ring.requester).toEqual(one.requester)
    expect(answers.bodyIndex).toEqual(one.bodyIndex)
    expect(new Set(answers.action)).toEqual(new Set([0]))
  })

  it('keeps its first arrivals when the round gets longer', () => {
    const short = buildSchedule(input, 'a', 1000, 256)
    const long = buildSchedule(input, 'a', 2000, 256)
    expect(long.scheduledAtNs.slice(0, short.count)).toEqual(short.scheduledAtNs)
    expect(long.recipient.slice(0, short.count)).toEqual(short.recipient)
  })

  it('has Poisson arrivals: mean count, and gaps whose variance is the square of their mean', () => {
    const { count, scheduledAtNs } = buildSchedule(input, 'a', 20_000, 256)
    // 40,000 expected, standard deviation 200: five of them.
    expect(Math.abs(count - 40_000)).toBeLessThan(1000)
    const gaps = Array.from(scheduledAtNs.slice(1), (at, index) => at - (scheduledAtNs[index] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
    expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.97)
    expect(Math.sqrt(variance) / mean).toBeLessThan(1.03)
  })

  it('has even arrivals on request', () => {
    const { count, scheduledAtNs } = buildSchedule(
      { ...input, arrivals: 'uniform', ratePerSecond: 1000 },
      'a',
      1000,
      256,
    )
    expect(count).toBe(1000)
    for (let index = 1; index < count; index++) {
      expect(Math.abs((scheduledAtNs[index] ?? 0) - (scheduledAtNs[index - 1] ?? 0) - 1e6)).toBeLessThanOrEqual(1)
    }
  })

  it('fills a round with phases: each at its rate, asked by its agents, the first as if it were alone', () => {
    const phases = [
      { durationMs: 2000, agents: 20, ratePerSecond: 200 },
      { durationMs: 1000, agents: 100, ratePerSecond: 4000 },
      { durationMs: 2000, agents: 20, ratePerSecond: 200 },
    ]
    const { count, scheduledAtNs, requester, recipient } = buildSchedule(input, 'a', 5000, 256, phases)
    const within = (from: number, to: number) =>
      [...scheduledAtNs.keys()].filter((index) => {
        const at = (scheduledAtNs[index] ?? 0) / 1e6
        return at >= from && at < to
      })
    const stretches = [within(0, 2000), within(2000, 3000), within(3000, 5000)]
    expect(stretches.flat()).toHaveLength(count)
    for (const [index, expected] of [400, 4000, 400].entries()) {
      expect(Math.abs((stretches[index]?.length ?? 0) - expected)).toBeLessThan(5 * Math.sqrt(expected))
      const most = phases[index]?.agents ?? 0
      expect(stretches[index]?.every((exchange) => (requester[exchange] ?? most) < most)).toBe(true)
    }
    expect([...requester.keys()].every((each) => recipient[each] === ((requester[each] ?? 0) ^ 1))).toBe(true)
    const alone = buildSchedule({ ...input, agents: 20, ratePerSecond: 200 }, 'a', 2000, 256)
    expect(scheduledAtNs.slice(0, alone.count)).toEqual(alone.scheduledAtNs)
    expect([...scheduledAtNs]).toEqual([...scheduledAtNs].toSorted((a, b) => a - b))
  })

  it.each([
    [[{ durationMs: 999, agents: 2, ratePerSecond: 1 }], 'last 999 ms, the round 1000 ms'],
    [[{ durationMs: 1000, agents: 101, ratePerSecond: 1 }], 'a phase of 101 agents'],
    [[{ durationMs: 1000, agents: 0, ratePerSecond: 1 }], 'a phase of 0 agents'],
    [[{ durationMs: 1000, agents: 2, ratePerSecond: 0 }], 'a rate of 0'],
  ])('refuses the phases %j', (phases, message) => {
    expect(() => buildSchedule(input, 'a', 1000, 256, phases)).toThrow(message)
  })

  it('keeps to the shares of answers', () => {
    const { action, count } = buildSchedule(input, 'a', 20_000, 256)
    const shares = [0, 1, 2].map((code) => action.filter((value) => value === code).length / count)
    // Five standard deviations of a share of 0.5 among 40,000.
    for (const [index, share] of [0.7, 0.2, 0.1].entries()) {
      expect(Math.abs((shares[index] ?? 0) - share)).toBeLessThan(0.0125)
    }
  })

  it.each([
    [{ agents: 1 }, 1000, '1 agents cannot exchange messages'],
    [{ agents: 7 }, 1000, 'even number of agents, not 7'],
    [{ ratePerSecond: 0 }, 1000, 'a rate of 0'],
    [{ ratePerSecond: Number.NaN }, 1000, 'a rate of NaN'],
    [{}, 0, 'a duration of 0 ms'],
    [{ ratePerSecond: 1e6 }, 60_000, 'more than the 20000000'],
    [{ answers: { accept: 0.5, decline: 0.2, cancel: 0.1 } }, 1000, 'do not sum to 1'],
    [{ answers: { accept: 1.5, decline: -0.5, cancel: 0 } }, 1000, 'do not sum to 1'],
  ])('refuses %j over %i ms', (change, durationMs, message) => {
    expect(() => buildSchedule({ ...input, ...change }, 'a', durationMs, 256)).toThrow(message)
  })
})
