import { describe, expect, it } from 'vitest'
import {
  decide,
  requiredRounds,
  stopClasses,
  type DecisionInput,
  type DeliveryCounts,
  type JudgedTarget,
} from '../../../src/statistics/decision.ts'
import type { TargetVerdict } from '../../../src/statistics/verdict.ts'

const clean: DeliveryCounts = {
  duplicated: 0,
  misdelivered: 0,
  phantom: 0,
  corrupt: 0,
  unexpected: 0,
  doubleTerminal: 0,
  reordered: 0,
  lost: 0,
}

function target(verdict: TargetVerdict, mandatory = true): JudgedTarget {
  return {
    expression: 'candidate.roundTrip.p99 < 300ms',
    title: 'P99',
    verdict,
    mandatory,
    measured: '1 ms',
    reason: 'why',
  }
}

function input(change: Partial<DecisionInput> = {}): DecisionInput {
  return {
    candidate: 'elicitation',
    candidateRounds: [{ round: 0, attempt: 0, counts: clean, drained: true }],
    orderDeclared: true,
    validRounds: 10,
    requiredRounds: 8,
    plannedRounds: 10,
    unknownLedger: [],
    targets: [target('MET')],
    ...change,
  }
}

const withCounts = (change: Partial<DeliveryCounts>, drained = true): Partial<DecisionInput> => ({
  candidateRounds: [{ round: 2, attempt: 1, counts: { ...clean, ...change }, drained }],
})

describe('decide', () => {
  it('approves a run without a flaw', () => {
    expect(decide(input())).toMatchObject({ decision: 'APPROVED', exitCode: 0, conditions: [] })
  })

  it.each(stopClasses)('stops at one %s, whatever else', (name) => {
    const { decision, exitCode, reasons } = decide(input({ ...withCounts({ [name]: 1 }), validRounds: 0, targets: [] }))
    expect({ decision, exitCode }).toEqual({ decision: 'EMERGENCY_STOP', exitCode: 22 })
    expect(reasons).toEqual([`elicitation, round 3, attempt 2: 1 ${name}`])
  })

  it('stops at a loss only once the round was drained, at reordering only where order is declared', () => {
    expect(decide(input(withCounts({ lost: 1 }))).decision).toBe('EMERGENCY_STOP')
    expect(decide(input(withCounts({ lost: 1 }, false))).decision).toBe('APPROVED')
    expect(decide(input(withCounts({ reordered: 1 }))).decision).toBe('EMERGENCY_STOP')
    expect(decide(input({ ...withCounts({ reordered: 1 }), orderDeclared: false })).decision).toBe('APPROVED')
    expect(decide(input(withCounts({ corrupt: NaN }))).decision).toBe('EMERGENCY_STOP')
  })

  it('asks for review before it speaks of targets missed', () => {
    const missed = [target('NOT_MET')]
    const review = { decision: 'NEEDS_FURTHER_REVIEW', exitCode: 23 }
    expect(decide(input({ validRounds: 7, targets: missed }))).toMatchObject(review)
    expect(decide(input({ validRounds: NaN }))).toMatchObject(review)
    expect(decide(input({ unknownLedger: ['drain timed out'], targets: missed }))).toMatchObject(review)
    expect(decide(input({ targets: [...missed, target('NOT_DEMONSTRATED')] }))).toMatchObject(review)
    expect(decide(input({ targets: [] }))).toMatchObject(review)
    expect(decide(input({ targets: [target('MET', false)] }))).toMatchObject(review)
  })

  it('is not held up by an optional target that was not demonstrated', () => {
    expect(decide(input({ targets: [target('MET'), target('NOT_DEMONSTRATED', false)] })).decision).toBe('APPROVED')
    expect(decide(input({ targets: [target('MET'), target('MARGINAL', false)] })).decision).toBe('APPROVED')
  })

  it('asks for remediation of a mandatory target missed, even beside conditions', () => {
    const judged = decide(input({ targets: [target('MARGINAL'), target('NOT_MET'), target('NOT_MET', false)] }))
    expect(judged).toMatchObject({ decision: 'REQUIRES_REMEDIATION', exitCode: 21, conditions: [] })
    expect(judged.reasons).toHaveLength(1)
  })

  it('approves under conditions, numbered, for a marginal mandatory and a missed optional target', () => {
    const judged = decide(input({ targets: [target('MARGINAL'), target('NOT_MET', false), target('MET')] }))
    expect(judged).toMatchObject({ decision: 'CONDITIONALLY_APPROVED', exitCode: 20 })
    expect(judged.conditions.map(({ id }) => id)).toEqual(['C1', 'C2'])
    expect(judged.conditions[0]?.text).toContain('candidate.roundTrip.p99 < 300ms')
  })
})

describe('requiredRounds', () => {
  it('is 3 in a smoke run, else 6 or 80 %', () => {
    expect(requiredRounds('smoke', 3)).toBe(3)
    expect(requiredRounds('smoke', 100)).toBe(3)
    expect(requiredRounds('standard', 10)).toBe(8)
    expect(requiredRounds('standard', 5)).toBe(6)
    expect(requiredRounds('full', 11)).toBe(9)
    expect(requiredRounds('full', 20)).toBe(16)
  })
})
