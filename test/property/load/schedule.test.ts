/**
 * Properties of every schedule: sorted, inside the round, never to oneself, one recipient per requester, and a
 * function of workload and seed alone.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildSchedule, type ScheduleInput } from '../../../src/load/schedule.ts'

const inputs: fc.Arbitrary<ScheduleInput> = fc
  .record({
    pairs: fc.boolean(),
    half: fc.integer({ min: 1, max: 50 }),
    ratePerSecond: fc.double({ min: 0.5, max: 5000, noNaN: true }),
    arrivals: fc.constantFrom('poisson' as const, 'uniform' as const),
    accept: fc.integer({ min: 0, max: 10 }),
    decline: fc.integer({ min: 0, max: 10 }),
  })
  .map(({ pairs, half, ratePerSecond, arrivals, accept, decline }) => {
    const total = accept + decline + 1
    return {
      agents: pairs ? 2 * half : 2 * half + 1,
      ratePerSecond,
      pattern: pairs ? ('pairs' as const) : ('ring' as const),
      arrivals,
      answers: { accept: accept / total, decline: decline / total, cancel: 1 / total },
    }
  })

describe('every schedule', () => {
  it('is sorted, in range and never addresses its own requester', () => {
    fc.assert(
      fc.property(inputs, fc.string(), fc.integer({ min: 1, max: 3000 }), (input, seed, durationMs) => {
        const schedule = buildSchedule(input, seed, durationMs, 256)
        const recipients = new Map<number, number>()
        let previous = 0
        for (let exchange = 0; exchange < schedule.count; exchange++) {
          const at = schedule.scheduledAtNs[exchange] ?? Number.NaN
          const requester = schedule.requester[exchange] ?? -1
          const recipient = schedule.recipient[exchange] ?? -1
          expect(Number.isInteger(at) && at >= previous && at < durationMs * 1e6).toBe(true)
          previous = at
          expect(requester).toBeLessThan(input.agents)
          expect(recipient).toBeLessThan(input.agents)
          expect(recipient).not.toBe(requester)
          expect(recipients.get(requester) ?? recipient).toBe(recipient)
          recipients.set(requester, recipient)
          expect(schedule.bodyIndex[exchange]).toBeLessThan(256)
          expect(schedule.action[exchange]).toBeLessThan(3)
        }
        expect(buildSchedule(input, seed, durationMs, 256)).toEqual(schedule)
      }),
      { numRuns: 60 },
    )
  })
})
