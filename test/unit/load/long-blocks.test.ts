/** Histograms of a long round may be kept by longer blocks: the same samples, in fewer lines. */
import { describe, expect, it } from 'vitest'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { mergeDistributions } from '../../../src/statistics/distribution.ts'
import { bench, planOf } from './session-fixture.ts'

async function logOf(blockMs?: number) {
  const { run } = await bench()
  const { hlog } = await run(planOf({ durationMs: 4500, ...(blockMs === undefined ? {} : { blockMs }) }))
  return readHistogramLog(hlog)
}

describe('blocks of a round', () => {
  it('are of a second unless the plan names longer ones, and hold the same exchanges', async () => {
    const bySecond = await logOf()
    const longer = await logOf(2000)
    for (const tag of ['delivery', 'roundTrip', 'serviceTime']) {
      const [seconds = [], blocks = []] = [bySecond.get(tag), longer.get(tag)]
      expect([seconds.length, blocks.length]).toEqual([5, 3])
      expect(mergeDistributions(blocks)).toEqual(mergeDistributions(seconds))
      expect(blocks[1]?.n).toBe((seconds[2]?.n ?? NaN) + (seconds[3]?.n ?? NaN))
    }
  })

  it('bound the length of a round by their number', async () => {
    const { run } = await bench()
    await expect(run(planOf({ durationMs: 601_000 }))).rejects.toThrow(/longer than 600 s/)
    await expect(run(planOf({ durationMs: 601_000, blockMs: 100 }))).rejects.toThrow(/longer than 60 s/)
  })
})
