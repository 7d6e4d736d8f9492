/** The state machine: what promotes, what waits, what goes back, and that going back is possible from everywhere. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Migration, type Input } from '../../../src/migration/state-machine.ts'
import { observation, Played, planOf, type PlantedInterval } from './planted.ts'

const soak = 60

const entering = (phase: string, percentage: number) => {
  return { kind: 'enter', phase, percentage, switches: {}, gates: expect.any(Array) as unknown }
}

describe('a phase', () => {
  it('ends after its soak when its gates are met, and not an interval before', () => {
    const played = new Played()
    expect(played.intervals(soak - 1)).toEqual([])
    expect(played.intervals(1)).toEqual([entering('half', 50)])
    expect(played.migration.percentage).toBe(50)
  })

  it('waits for a person where the plan says so, and goes on with the word', () => {
    const played = new Played()
    played.intervals(soak)
    const [await_] = played.intervals(soak)
    expect(await_).toMatchObject({ kind: 'awaitApproval', phase: 'half', gates: [{ verdict: 'MET' }] })
    expect(played.intervals(100)).toEqual([])
    expect(played.migration.take({ type: 'approved' })).toEqual([entering('all', 100)])
    expect(played.intervals(soak)).toMatchObject([
      { kind: 'complete', gates: [{ verdict: 'MET' }, { verdict: 'MET', trials: soak * 100 - 100 }] },
    ])
    expect(played.migration.status).toBe('completed')
  })

  it.each([
    ['nothing was delivered', () => ({ due: 0 })],
    ['as many were slow as are allowed', () => ({ slow: { count: 1, ms: 400 } })],
    ['too few were delivered', (index: number) => ({ due: index % 10 === 0 ? 1 : 0 })],
  ] as [string, (index: number) => PlantedInterval][])(
    'does not end by itself when %s, and is held in the end',
    (_what, planted) => {
      const played = new Played()
      expect(played.intervals(2 * soak - 1, planted).filter(({ kind }) => kind !== 'investigate')).toEqual([])
      const [hold] = played.intervals(1, planted)
      expect(hold).toMatchObject({ kind: 'hold', phase: 'canary' })
      expect(played.migration.status).toBe('held')
      expect(played.intervals(500)).toEqual([])
      expect(played.migration.take({ type: 'approved' })).toEqual([])
      expect(played.migration.take({ type: 'resumed' })).toEqual([entering('canary', 5)])
      expect(played.intervals(soak)).toMatchObject([{ kind: 'enter', phase: 'half' }])
    },
  )

  it('takes time that was not observed for missing, not for good', () => {
    const migration = new Migration(planOf())
    migration.take({ type: 'started', atMs: 0 })
    const observed = (sequence: number) => migration.take({ type: 'observed', observation: observation(sequence) })
    for (let sequence = 0; sequence < 30; sequence++) expect(observed(sequence)).toEqual([])
    // A gap of five minutes: the soak is over, half of it was seen.
    for (let sequence = 60; sequence < 86; sequence++) expect(observed(sequence), `${sequence}`).toEqual([])
    expect(observed(86)).toMatchObject([{ kind: 'enter', phase: 'half' }])
  })

  it('does not count what began before it', () => {
    const played = new Played()
    played.intervals(soak)
    const before = observation(1, { slow: { count: 100, ms: 5000 } }, played.nowMs - 20_000)
    expect(played.migration.take({ type: 'observed', observation: before })).toEqual([])
    expect(played.migration.gateReadings()[0]).toMatchObject({ trials: 0, hits: 0 })
  })
})

describe('what a phase requires', () => {
  const title = 'a valid certificate of scaling that says APPROVED, at least 10000 agents, this commit'
  const required = () => {
    const [first, ...others] = planOf().phases
    if (first === undefined) throw new Error('a plan has phases')
    const scale = { suite: 'scaling', decision: 'APPROVED', minAgents: 10_000, minRate: null, maxAgeMs: null } as const
    const requires = [{ kind: 'certificate', title, ...scale, sameCommit: true } as const]
    return new Played({ ...planOf(), phases: [{ ...first, requires }, ...others] })
  }

  it('has to have been found, in the present phase', () => {
    const played = required()
    expect(played.intervals(soak + 5)).toEqual([])
    played.migration.take({ type: 'looked', findings: [{ title, found: false, reason: 'there is none' }] })
    expect(played.intervals(5)).toEqual([])
    played.migration.take({ type: 'looked', findings: [{ title: 'another', found: true, reason: '' }] })
    expect(played.intervals(5)).toEqual([])
    played.migration.take({ type: 'looked', findings: [{ title, found: true, reason: 'LH-1' }] })
    expect(played.intervals(1)).toEqual([entering('half', 50)])
    expect(played.migration.lastFindings).toEqual([])
  })

  it('holds the phase in the end when it never is', () => {
    const played = required()
    expect(played.intervals(2 * soak)).toMatchObject([{ kind: 'hold' }])
  })
})

describe('after the last phase', () => {
  it('is over when the time in which trips stay armed is', () => {
    const played = new Played({ ...planOf(), watchAfterMs: 20 * 10_000 })
    played.intervals(2 * soak)
    played.migration.take({ type: 'approved' })
    played.intervals(soak)
    expect([played.migration.status, played.migration.isOver]).toEqual(['completed', false])
    played.intervals(19)
    expect(played.migration.isOver).toBe(false)
    played.intervals(1)
    expect(played.migration.isOver).toBe(true)
  })
})

describe('what is no evidence', () => {
  it('is, for a promotion, what was measured while nobody watched; for going back it is', () => {
    const played = new Played()
    expect(played.intervals(2 * soak, () => ({ watched: false }))).toMatchObject([{ kind: 'hold' }])
    expect(played.migration.gateReadings()[0]).toMatchObject({ trials: 0 })
    const other = new Played()
    const slow = { watched: false, slow: { count: 10, ms: 2000 } }
    expect(other.intervals(2, () => slow).at(-1)).toMatchObject({ kind: 'rollBack' })
  })

  it('is time in which nothing came to an end', () => {
    const played = new Played()
    played.intervals(40)
    expect(played.intervals(2 * soak - 41, () => ({ due: 0 }))).toEqual([])
    expect(played.intervals(1, () => ({ due: 0 }))).toMatchObject([{ kind: 'hold' }])
  })

  it.each([
    ['one that was given before', observation(3)],
    ['one that overlaps the last', observation(9, {}, 15_000)],
    ['one that ends before it begins', { ...observation(9), toMs: 10 }],
    ['one longer than any interval', { ...observation(9), toMs: 1e9 }],
    ['one without an end', { ...observation(9), toMs: NaN }],
    ['one that lost no number', { ...observation(9), lost: NaN }],
    ['one in which more failed than were due', observation(9, { due: 5, failed: 6 })],
  ])('is %s', (_what, odd) => {
    const migration = new Migration(planOf())
    migration.take({ type: 'started', atMs: 0 })
    for (let sequence = 0; sequence < 4; sequence++)
      migration.take({ type: 'observed', observation: observation(sequence) })
    expect(migration.take({ type: 'observed', observation: odd })).toEqual([])
    expect(migration.gateReadings()[0]).toMatchObject({ trials: 400 })
    expect(migration.take({ type: 'observed', observation: observation(10, { lost: 1 }) })).toMatchObject([
      { kind: 'rollBack' },
    ])
  })

  it('is a word that comes after the gates are lost', () => {
    const played = new Played()
    played.intervals(2 * soak)
    expect(played.migration.status).toBe('awaitingApproval')
    const came = played.intervals(60, () => ({ slow: { count: 5, ms: 400 } }))
    expect(came.map(({ kind }) => kind)).toContain('withdrawQuestion')
    expect(played.migration.take({ type: 'approved' })).toEqual([])
    expect(played.migration.percentage).toBe(50)
  })

  it('has to be stronger with each attempt at a phase, so that all attempts together keep its error', () => {
    const untilPromoted = (played: Played): number => {
      for (let count = 1; count < 2 * soak; count++)
        if (played.intervals(1, () => ({ due: 9 })).some(({ kind }) => kind === 'enter')) return count
      return Infinity
    }
    const again = new Played()
    again.intervals(2 * soak, () => ({ due: 0 }))
    expect(again.migration.take({ type: 'resumed' })).toMatchObject([{ kind: 'enter', phase: 'canary' }])
    // 522 deliveries without a miss show a P99 at 1 %, and at 0.15 % more than 600 are needed.
    const first = untilPromoted(new Played())
    expect(first).toBeLessThan(soak + 10)
    expect(untilPromoted(again)).toBeGreaterThan(first + 5)
  })
})

describe('going back', () => {
  const slow = { slow: { count: 10, ms: 2000 } }

  it('comes with evidence against a trip, after two intervals at least', () => {
    const played = new Played()
    expect(played.intervals(1, () => ({ slow: { count: 100, ms: 2000 } }))).toEqual([])
    expect(played.intervals(1, () => slow)).toMatchObject([
      {
        kind: 'rollBack',
        reasons: ['candidate.delivery.p99 <= 1000ms is shown not to hold'],
      },
    ])
    expect([played.migration.status, played.migration.percentage, played.migration.phase]).toEqual([
      'rolledBack',
      0,
      null,
    ])
    expect(played.intervals(10, () => slow)).toEqual([])
  })

  it('does not come from one stall, however bad', () => {
    const played = new Played()
    played.intervals(20)
    expect(
      played.intervals(1, () => ({ slow: { count: 60, ms: 9000 } })).filter(({ kind }) => kind === 'rollBack'),
    ).toEqual([])
    expect(played.intervals(30).filter(({ kind }) => kind === 'rollBack')).toEqual([])
  })

  it('does not wait for what went well before to be outweighed', () => {
    const long = planOf().phases.map((phase) => ({ ...phase, soakMs: 1e9 }))
    const played = new Played({ ...planOf(), phases: long })
    played.intervals(20_000)
    const started = played.nowMs
    played.intervals(60, () => slow)
    const back = played.decisions.find(({ decision }) => decision.kind === 'rollBack')
    expect(((back?.after ?? Infinity) + 1) * 10_000 - started).toBeLessThanOrEqual(120_000)
  })

  it.each([
    ['one exchange was acknowledged and lost', { lost: 1 }, 1, /1 acknowledged and lost/],
    ['one security violation', { securityViolations: 1 }, 1, /1 security violations/],
    ['three health checks failed in a row', { healthy: false }, 3, /3 health checks failed in a row/],
  ])('comes at once when %s', (_what, planted, intervals, reason) => {
    const played = new Played()
    played.intervals(5)
    if (intervals > 1) expect(played.intervals(intervals - 1, () => planted)).toEqual([])
    const [back] = played.intervals(1, () => planted)
    expect(back).toMatchObject({ kind: 'rollBack', reasons: [expect.stringMatching(reason)] })
  })

  it('does not come from health checks that fail now and then', () => {
    const played = new Played()
    expect(
      played.intervals(50, (index) => ({ healthy: index % 3 !== 0 })).filter(({ kind }) => kind === 'rollBack'),
    ).toEqual([])
  })

  it.each([
    ['while it is paused', (played: Played) => void played.migration.take({ type: 'paused' })],
    ['while somebody is asked', (played: Played) => void played.intervals(2 * soak)],
    ['while it is held', (played: Played) => void played.intervals(2 * soak, () => ({ due: 0 }))],
    [
      'after the last phase',
      (played: Played) => {
        played.intervals(2 * soak)
        played.migration.take({ type: 'approved' })
        played.intervals(soak)
        expect(played.migration.status).toBe('completed')
      },
    ],
  ])('comes %s too', (_what, bring) => {
    const played = new Played()
    bring(played)
    played.intervals(40, () => slow)
    expect(played.kinds().at(-1)).toBe('rollBack')
    expect(played.migration.status).toBe('rolledBack')
  })

  it('comes by word, from everywhere', () => {
    for (const intervals of [0, 10, soak, 2 * soak, 3 * soak]) {
      const played = new Played()
      played.intervals(intervals)
      expect(played.migration.take({ type: 'rollbackAsked', reason: 'ada: no', mode: 'full' })).toMatchObject([
        { kind: 'rollBack', mode: 'full', reasons: ['ada: no'], through: [0] },
      ])
    }
  })

  it('goes step by step through the shares of the phases before, when that is asked for', () => {
    const played = new Played()
    played.intervals(2 * soak)
    played.migration.take({ type: 'approved' })
    const [back] = played.migration.take({ type: 'rollbackAsked', reason: 'no', mode: 'stepped' })
    expect(back).toMatchObject({ through: [50, 5, 0] })
    expect([played.migration.status, played.migration.percentage]).toEqual(['rolledBack', 0])
    const planned = new Played({ ...planOf(), rollback: 'stepped' })
    planned.intervals(soak)
    planned.intervals(40, () => slow)
    expect(planned.decisions.at(-1)?.decision).toMatchObject({ kind: 'rollBack', through: [5, 0] })
  })

  it('leaves the canary, with its trips armed, until somebody resumes', () => {
    const played = new Played()
    expect(played.migration.take({ type: 'rollbackAsked', reason: 'no', mode: 'canary' })).toEqual([])
    played.intervals(soak)
    const [back] = played.migration.take({ type: 'rollbackAsked', reason: 'no', mode: 'canary' })
    expect(back).toMatchObject({ kind: 'rollBack', through: [5] })
    expect([played.migration.status, played.migration.percentage]).toEqual(['held', 5])
    expect(played.intervals(5 * soak)).toEqual([])
    expect(played.migration.take({ type: 'resumed' })).toEqual([entering('canary', 5)])
    expect(played.migration.progress.attempt).toBe(3)
    expect(played.intervals(40, () => slow).at(-1)).toMatchObject({ kind: 'rollBack', through: [0] })
    const held = new Played()
    held.intervals(soak)
    held.migration.take({ type: 'rollbackAsked', reason: 'no', mode: 'canary' })
    expect(held.intervals(40, () => slow).at(-1)).toMatchObject({ kind: 'rollBack', mode: 'full' })
  })

  it('says what each trip had seen', () => {
    const played = new Played()
    const [, back] = [played.intervals(1, () => slow), played.intervals(1, () => slow)]
    expect(back[0]).toMatchObject({
      trips: [
        { expression: 'candidate.errorRate <= 5%', fires: false, phase: { trials: 200, hits: 0 } },
        { expression: 'candidate.delivery.p99 <= 1000ms', fires: true, phase: { trials: 200, hits: 20 } },
      ],
    })
  })

  it('is told of before, once a phase', () => {
    const played = new Played()
    const told = played.intervals(40, () => ({ slow: { count: 4, ms: 600 } }))
    expect(told.map(({ kind }) => kind)).toEqual(['investigate'])
  })
})

describe('whatever comes in', () => {
  const planted = fc.record(
    {
      due: fc.nat(200),
      failed: fc.nat(3),
      slow: fc.record({ count: fc.nat(20), ms: fc.constantFrom(0, 400, 700, 2000) }),
      lost: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
      healthy: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.tuple(fc.constant('intervals' as const), fc.integer({ min: 1, max: 70 }), planted) },
    { weight: 2, arbitrary: fc.constantFrom(['approved'] as const, ['paused'] as const, ['resumed'] as const) },
  )

  it('shares grow by one phase at a time, nothing is promoted while paused, and what has gone back stays', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (script) => {
        const plan = planOf()
        const migration = new Migration(plan)
        migration.take({ type: 'started', atMs: 0 })
        let phase = 0
        let sequence = 0
        const inputs: Input[] = [{ type: 'started', atMs: 0 }]
        const take = (input: Input): void => {
          const [wasPaused, was] = [migration.paused, migration.status]
          inputs.push(input)
          for (const decision of migration.take(input)) {
            expect(was).not.toBe('rolledBack')
            if (decision.kind !== 'enter') continue
            const next = plan.phases.findIndex(({ name }) => name === decision.phase)
            expect(next === phase + 1 || (next === phase && was === 'held')).toBe(true)
            expect(wasPaused && input.type !== 'resumed').toBe(false)
            phase = next
          }
        }
        for (const [type, count, each] of script) {
          if (type !== 'intervals') take({ type })
          else
            for (let index = 0; index < count; index++) {
              const { due = 100, failed = 0 } = each
              take({
                type: 'observed',
                observation: observation(sequence++, { ...each, due, failed: Math.min(due, failed) }),
              })
            }
        }
        // Played again, it comes to the same.
        const again = new Migration(plan)
        for (const input of inputs) again.take(input)
        expect([again.status, again.percentage, again.paused]).toEqual([
          migration.status,
          migration.percentage,
          migration.paused,
        ])
      }),
      { numRuns: 60 },
    )
  })
})
