/** One decision over several runs: never better than its worst part, whatever the order. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { combineDecisions, type DecisionPart } from '../../../src/statistics/combined-decision.ts'
import { decisions, type Decision } from '../../../src/statistics/verdict.ts'

/** Written out again, so that a slip in the table of the program shows. */
const badness: Readonly<Record<Decision, number>> = {
  APPROVED: 0,
  CONDITIONALLY_APPROVED: 1,
  NEEDS_FURTHER_REVIEW: 2,
  REQUIRES_REMEDIATION: 3,
  EMERGENCY_STOP: 4,
}
const part = (name: string, decision: Decision | null, open = ''): DecisionPart => ({
  name,
  decision,
  open,
  reasons: decision === null ? [] : [`because of ${name}`],
  conditions: decision === 'CONDITIONALLY_APPROVED' ? [{ id: 'C1', text: 'do it' }] : [],
})
const anyPart = fc
  .record({
    decision: fc.constantFrom(...decisions, null),
    open: fc.constantFrom('', 'it was cut short'),
  })
  .map(({ decision, open }) => ({ decision, open: decision === null ? 'it did not run' : open }))

describe('the combined decision', () => {
  it('is never better than its worst part, and never worse than all parts and doubts make it', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 9 }), fc.boolean(), (drawn, doubtful) => {
        const parts = drawn.map(({ decision, open }, index) => part(`suite-${index}`, decision, open))
        const combined = combineDecisions(parts, doubtful ? ['a doubt'] : [])
        const got = badness[combined.decision]
        for (const { decision } of parts) if (decision !== null) expect(got).toBeGreaterThanOrEqual(badness[decision])
        const incomplete = doubtful || parts.length === 0 || parts.some(({ open }) => open !== '')
        if (incomplete) expect(got).toBeGreaterThanOrEqual(2)
        const worst = Math.max(...parts.map(({ decision }) => (decision === null ? 0 : badness[decision])), 0)
        expect(got).toBe(Math.max(worst, incomplete ? 2 : 0))
      }),
    )
  })

  it('does not depend on the order of its parts', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { minLength: 1, maxLength: 6 }), (drawn) => {
        const parts = drawn.map(({ decision, open }, index) => part(`suite-${index}`, decision, open))
        expect(combineDecisions(parts.toReversed(), []).decision).toBe(combineDecisions(parts, []).decision)
      }),
    )
  })

  it('names every part that is open, whatever else decides', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { minLength: 1, maxLength: 6 }), (drawn) => {
        const parts = drawn.map(({ decision, open }, index) => part(`suite-${index}`, decision, open))
        const { reasons } = combineDecisions(parts, [])
        for (const { name, open } of parts) {
          if (open !== '')
            expect(reasons.some((reason) => reason.startsWith(`${name}: `) && reason.includes(open))).toBe(true)
        }
      }),
    )
  })

  it('puts the reasons of what decides first and keeps conditions apart', () => {
    const combined = combineDecisions(
      [part('compare', 'APPROVED'), part('scale', 'CONDITIONALLY_APPROVED'), part('burst', 'REQUIRES_REMEDIATION')],
      [],
    )
    expect(combined).toEqual({
      decision: 'REQUIRES_REMEDIATION',
      exitCode: 21,
      reasons: ['burst: because of burst', 'compare: APPROVED', 'scale: CONDITIONALLY_APPROVED'],
      conditions: [{ id: 'scale.C1', text: 'do it' }],
    })
    expect(combineDecisions([part('compare', null, 'it failed: no port')], []).reasons).toEqual([
      'compare: it failed: no port',
    ])
    expect(combineDecisions([], [])).toMatchObject({ decision: 'NEEDS_FURTHER_REVIEW', exitCode: 23 })
  })

  it('repeats a few reasons of each part and says how many more there are', () => {
    const many = {
      ...part('compare', 'EMERGENCY_STOP'),
      reasons: Array.from({ length: 20 }, (_, index) => `r${index}`),
    }
    const { reasons } = combineDecisions([many], [])
    expect(reasons).toHaveLength(4)
    expect(reasons.at(-1)).toBe('compare: and 17 more')
  })
})
