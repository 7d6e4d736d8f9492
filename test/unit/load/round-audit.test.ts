/**
 * The self-audit: each limit alone turns a round invalid, with its figure in the reason, and the limit itself
 * does not.
 */
import { describe, expect, it } from 'vitest'
import { auditRound, type AuditFacts } from '../../../src/load/round-audit.ts'

const sound: AuditFacts = {
  loadModel: 'open',
  pacing: 'timer',
  scheduled: 1000,
  sentInTime: 1000,
  unsent: 0,
  latenessP99Ms: 1.2,
  latenessBoundMs: 2,
  cpuPercent: 40,
  eventLoopP99Ms: 1,
  negativeSamples: 0,
  outOfRangeSamples: 0,
  interrupted: false,
}

describe('auditRound', () => {
  it('passes a sound round and gives its figures', () => {
    expect(auditRound(sound)).toEqual({
      valid: true,
      reasons: [],
      scheduled: 1000,
      sent: 1000,
      achievedRatio: 1,
      latenessP99Ms: 1.2,
      eventLoopP99Ms: 1,
      cpuPercent: 40,
      stealPercent: null,
      foreignCpuPercent: null,
    })
  })

  it.each<[Partial<AuditFacts>, string]>([
    [{ sentInTime: 989 }, 'The generator sent 989 of 1000 exchanges in time (98.90 %), less than 99 %.'],
    [
      { scheduled: 100_000, sentInTime: 98_999 },
      'The generator sent 98999 of 100000 exchanges in time (98.99 %), less than 99 %.',
    ],
    [{ unsent: 1 }, '1 of 1000 exchanges were never sent.'],
    [{ cpuPercent: 90.1 }, 'The generator used 90.1 % of its core, more than 90 %.'],
    [{ latenessP99Ms: 2.01 }, 'Sends were late by 2.01 ms at p99, more than 2.00 ms.'],
    [{ negativeSamples: 3 }, '3 durations were negative: two clocks disagree.'],
    [{ outOfRangeSamples: 2 }, '2 durations were longer than the histograms hold.'],
    [{ interrupted: true }, 'The round was interrupted.'],
    [{ scheduled: 0, sentInTime: 0 }, 'The schedule of the round holds no exchange.'],
  ])('%j makes it invalid', (change, reason) => {
    expect(auditRound({ ...sound, ...change })).toMatchObject({ valid: false, reasons: [reason] })
  })

  it.each<Partial<AuditFacts>>([{ sentInTime: 990 }, { cpuPercent: 90 }, { latenessP99Ms: 2 }])(
    '%j is still valid',
    (change) => {
      expect(auditRound({ ...sound, ...change }).valid).toBe(true)
    },
  )

  it('lists every reason', () => {
    expect(auditRound({ ...sound, sentInTime: 500, unsent: 500, cpuPercent: 99 }).reasons).toHaveLength(3)
  })

  it('does not hold its core against a spinning generator, but its lateness', () => {
    expect(auditRound({ ...sound, pacing: 'spin', cpuPercent: 99.9 }).valid).toBe(true)
    expect(auditRound({ ...sound, pacing: 'spin', cpuPercent: 99.9, latenessP99Ms: 5 }).reasons).toHaveLength(1)
  })

  it('does not hold a closed loop to the arrivals', () => {
    expect(auditRound({ ...sound, loadModel: 'closed', sentInTime: 500, unsent: 500 }).valid).toBe(true)
  })
})
