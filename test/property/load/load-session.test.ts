/**
 * Whatever faults an engine has, in any number and combination, a round ends within its bound and its account
 * adds up: in the ledger, in the histograms and in the audit.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { mergeDistributions } from '../../../src/statistics/distribution.ts'
import type { Fault } from '../../unit/load/memory-engine.ts'
import { bench, planOf, workload } from '../../unit/load/session-fixture.ts'

const anyFault = fc.constantFrom<Fault>(
  'dropQuestion',
  'dropAskUnacknowledged',
  'dropResult',
  'duplicateQuestion',
  'duplicateResult',
  'wireDuplicate',
  'refuse',
  'refuseAnswer',
  'phantom',
  'misdeliverQuestion',
  'misdeliverResult',
  'delayQuestion',
  'delayResult',
  'doubleTerminal',
  'corruptQuestion',
  'corruptResult',
  'forge',
  'strayEarlier',
  'strayForeign',
  'loseSession',
)

const situations = fc.record({
  faults: fc.array(fc.tuple(fc.integer({ min: 0, max: 120 }), anyFault), { maxLength: 40 }),
  expiry: fc.constantFrom('engine' as const, 'client' as const),
  loadModel: fc.constantFrom('open' as const, 'closed' as const),
  pattern: fc.constantFrom('pairs' as const, 'ring' as const),
  pacing: fc.constantFrom('timer' as const, 'spin' as const),
  hopMs: fc.integer({ min: 0, max: 200 }),
  delayMs: fc.integer({ min: 0, max: 1500 }),
  stallFromMs: fc.integer({ min: 0, max: 400 }),
  stallMs: fc.integer({ min: 0, max: 800 }),
  abortAfterMs: fc.option(fc.integer({ min: 1, max: 800 }), { freq: 6 }),
  seed: fc.nat(),
})

describe('any combination of faults', () => {
  it('ends within the bound and adds up', async () => {
    await fc.assert(
      fc.asyncProperty(situations, async (situation) => {
        const { expiry, hopMs, delayMs, stallFromMs, stallMs, loadModel, pattern, pacing, abortAfterMs } = situation
        const stall = { fromMs: stallFromMs, toMs: stallFromMs + stallMs }
        const { run, time } = await bench({ expiry, hopMs, delayMs, stall, faults: new Map(situation.faults) })
        const plan = planOf({
          durationMs: 600,
          seed: String(situation.seed),
          loadModel,
          pacing,
          drainGraceMs: 400,
          workload: { ...workload, pattern, deadlineMs: 700 },
        })
        const controller = new AbortController()
        if (abortAfterMs !== null) time.scheduler.after(abortAfterMs, () => controller.abort())
        const { evidence, hlog } = await run(plan, controller.signal)
        const { counts, audit } = evidence
        expect(counts.completed + counts.refused + counts.timedOut + counts.lost).toBe(counts.scheduled)
        expect(evidence.drainMs).toBeLessThanOrEqual(700 + 400 + 20)
        const series = readHistogramLog(hlog)
        const samples = (tag: string): number => mergeDistributions(series.get(tag) ?? []).n
        expect(samples('roundTrip')).toBe(counts.completed)
        expect(samples('serviceTime')).toBe(counts.completed)
        expect(samples('delivery')).toBeGreaterThanOrEqual(counts.completed)
        expect(samples('delivery')).toBeLessThanOrEqual(counts.scheduled)
        expect(evidence.samples).toEqual({ negative: 0, outOfRange: 0 })
        expect(audit.scheduled).toBe(counts.scheduled)
        expect(audit.sent).toBeLessThanOrEqual(counts.scheduled)
        const interrupted = abortAfterMs !== null && abortAfterMs < 600
        expect(interrupted && audit.valid).toBe(false)
        expect(evidence.ledger.state === 'COMPLETE' && interrupted).toBe(false)
      }),
      { numRuns: 40 },
    )
  })
})
