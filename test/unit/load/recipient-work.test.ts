/** Work that ends in the order of its times, not of its questions, and never early. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecipientWork } from '../../../src/load/recipient-work.ts'
import { VirtualTime } from './virtual-time.ts'

function workOf(workMs: readonly number[]) {
  const time = new VirtualTime()
  const startNs = time.nowNs
  const answered: { readonly exchange: number; readonly atMs: number }[] = []
  const work = new RecipientWork({
    workNs: Float64Array.from(workMs, (ms) => ms * 1e6),
    scheduler: time.scheduler,
    nowNs: () => time.nowNs,
    answer: (exchange) => answered.push({ exchange, atMs: (time.nowNs - startNs) / 1e6 }),
  })
  const wait = (ms: number): Promise<void> => time.drive(new Promise((resolve) => time.scheduler.after(ms, resolve)))
  return { work, answered, wait }
}

describe('the work of recipients', () => {
  it('ends at its own time, at most a millisecond later, whatever the order of the questions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.integer({ min: 0, max: 200_000 }).map((us) => us / 1000),
          { minLength: 1 },
        ),
        async (workMs) => {
          const { work, answered, wait } = workOf(workMs)
          for (const exchange of workMs.keys()) work.keep(exchange)
          await wait(300)
          expect(answered.map(({ exchange }) => exchange).toSorted((a, b) => a - b)).toEqual([...workMs.keys()])
          for (const { exchange, atMs } of answered) {
            expect(atMs).toBeGreaterThanOrEqual((workMs[exchange] ?? NaN) - 1e-6)
            expect(atMs).toBeLessThanOrEqual((workMs[exchange] ?? NaN) + 1 + 1e-6)
          }
          const times = answered.map(({ exchange }) => workMs[exchange] ?? NaN)
          expect(times).toEqual(times.toSorted((a, b) => a - b))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('goes on with what comes while others work, and ends when the round does', async () => {
    const { work, answered, wait } = workOf([50, 10, 500])
    work.keep(0)
    work.keep(2)
    await wait(45)
    work.keep(1)
    await wait(20)
    expect(answered.map(({ exchange }) => exchange)).toEqual([0, 1])
    work.stop()
    await wait(1000)
    expect(answered).toHaveLength(2)
  })
})
