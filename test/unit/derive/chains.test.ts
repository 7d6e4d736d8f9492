/** What a timeout cascade comes to, from counts by second that are known. */
import { describe, expect, it } from 'vitest'
import type { ChainEvidence, CoordinationPlan } from '../../../src/measurement/coordination-evidence.ts'
import { chainResult } from '../../../src/measurement/derive-chains.ts'

const plan: CoordinationPlan = {
  pattern: { kind: 'chain', callers: 10, links: 50, depth: 3, attempts: 3, deadlines: 'ignored' },
  instancesPerSecond: 10,
  arrivals: 'poisson',
  payloadBytes: 300,
  workMs: 0,
  deadlineMs: 800,
}

/** Seconds 0 to 9; the fault lasts from 4.5 to 7.5 s, so its whole seconds are 5 and 6. */
const window = { fromMs: 4500, untilMs: 7500 }
const chain: ChainEvidence = {
  begun: [10, 10, 10, 10, 10, 10, 20, 10, 10, 10],
  completed: [10, 10, 10, 8, 6, 4, 8, 8, 10, 10],
  asked: [30, 30, 45, 50, 60, 120, 180, 90, 30, 30],
  askedInVain: [0, 0, 5, 9, 20, 40, 50, 20, 0, 0],
}

describe('what a timeout cascade comes to', () => {
  it('is told of the chains that began in the whole seconds of the fault', () => {
    expect(chainResult(chain, plan, window)).toEqual({
      depth: 3,
      begun: 30,
      failed: 18,
      // 300 questions of 30 chains that need 90.
      questionRatio: 3.33333,
      // Seconds 0 and 1 end more than three deadlines before the fault: 60 of 60.
      questionRatioBefore: 1,
      inVainShare: 0.3,
    })
  })

  it('is not known of a fault without a whole second, or right after the start', () => {
    const short = chainResult(chain, plan, { fromMs: 500, untilMs: 900 })
    expect(short).toMatchObject({
      begun: 0,
      failed: 0,
      questionRatio: null,
      questionRatioBefore: null,
      inVainShare: null,
    })
  })

  it('is nothing where no chains were played', () => {
    expect(chainResult(undefined, plan, window)).toBeNull()
    expect(chainResult(chain, undefined, window)).toBeNull()
  })
})
