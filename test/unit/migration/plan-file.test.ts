/** Plans: the shipped ones say what they are meant to, and what can never be decided is refused by line. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { outlinePlan } from '../../../src/migration/outline.ts'
import { parsePlan, readPlanFile } from '../../../src/migration/plan-file.ts'
import { planSha256 } from '../../../src/migration/plan.ts'

const shipped = (name: string): string => new URL(`../../../fixtures/migration/${name}.yaml`, import.meta.url).pathname
const hour = 3_600_000

describe('the shipped plans', () => {
  it('the runsheet: a week of baseline, a canary of 5 % for 48 h under 300 ms, then in quarters, then the end of the old path', () => {
    const plan = readPlanFile(shipped('runsheet'))
    expect(plan.phases.map(({ name, percentage, soakMs }) => [name, percentage, soakMs / hour])).toEqual([
      ['baseline', 0, 168],
      ['canary-5', 5, 48],
      ['quarter', 25, 168],
      ['half', 50, 168],
      ['three-quarters', 75, 168],
      ['all', 100, 168],
      ['legacy-off', 100, 168],
    ])
    expect(plan.phases[0]?.requires).toMatchObject([
      { kind: 'run', suite: 'comparison', decision: 'valid' },
      {
        kind: 'certificate',
        suite: 'scaling',
        decision: 'APPROVED',
        minAgents: 10_000,
        maxAgeMs: 7 * 24 * hour,
        sameCommit: true,
      },
    ])
    expect(plan.phases.map(({ switches }) => switches).slice(-2)).toEqual([{ deprecation: true }, { legacyOff: true }])
    expect(plan.phases[1]?.gates.map(({ expression }) => expression)).toEqual([
      'candidate.delivery.p99 < 300ms over 48h',
      'candidate.errorRate < 0.1% over 48h',
    ])
    expect(plan.trips.map(({ expression }) => expression)).toEqual([
      'candidate.errorRate <= 5%',
      'candidate.delivery.p99 <= 1000ms',
    ])
    expect(plan.counted).toEqual({ lost: 1, securityViolations: 1, failedHealthChecks: 3 })
  })

  it('the quick one names no time that its soaks do not have', () => {
    const plan = readPlanFile(shipped('quick'))
    expect(plan.phases.map(({ percentage }) => percentage)).toEqual([0, 5, 25, 50, 75, 100])
    for (const { gates } of plan.phases) for (const { expression } of gates) expect(expression).not.toContain('over')
    expect(outlinePlan(plan, null).shortestMs).toBe(170_000)
  })

  it('have a digest of what they say, not of how it is laid out', () => {
    const text = readFileSync(shipped('quick'), 'utf8')
    const digest = planSha256(parsePlan(text, 'one'))
    expect(
      planSha256(parsePlan(`# another comment\n${text.replaceAll('  - candidate', '  -   candidate')}`, 'two')),
    ).toBe(digest)
    expect(planSha256(parsePlan(text.replace('percentage: 5\n', 'percentage: 6\n'), 'three'))).not.toBe(digest)
    expect(planSha256(parsePlan(text.replace('300ms', '301ms'), 'four'))).not.toBe(digest)
  })
})

describe('an outline', () => {
  it('says how many deliveries a gate needs, and how many the soak has', () => {
    const [baseline, canary] = outlinePlan(readPlanFile(shipped('runsheet')), 200).phases
    expect(canary?.deliveriesInSoak).toBe(200 * 0.05 * 48 * 3600)
    expect(baseline?.deliveriesInSoak).toBe(200 * 168 * 3600)
    const [latency, errors] = canary?.gates ?? []
    // Fewer than 299 deliveries could not show a P99 even in one look; looking after each costs more.
    expect(latency?.leastDeliveries).toBeGreaterThan(299)
    expect(latency?.leastDeliveries).toBeLessThan(1000)
    expect(latency?.usualDeliveries).toBeGreaterThan(latency?.leastDeliveries ?? Infinity)
    expect(errors?.leastDeliveries).toBeGreaterThan(2995)
  })
})

describe('a plan is refused', () => {
  const base = `name: p
phases:
  - name: one
    percentage: 5
    soak: 1h
    gates: [candidate.delivery.p99 < 300ms]
  - name: two
    percentage: 25
    soak: 1h
    gates: [candidate.errorRate < 1%]
`
  it.each([
    ['with a share that shrinks', base.replace('percentage: 25', 'percentage: 1'), /p\.yaml:7: two has 1 % after 5 %/],
    ['with two phases of one name', base.replace('name: two', 'name: one'), /p\.yaml:7: there are two phases one/],
    [
      'with a soak shorter than an interval',
      base.replace('soak: 1h', 'soak: 1s'),
      /one soaks for less than one interval/,
    ],
    [
      'with a gate that nothing measures',
      base.replace('delivery.p99', 'roundTrip.p99'),
      /p\.yaml:6: a migration does not measure candidate\.roundTrip\.p99/,
    ],
    ['with a speed-up as gate', base.replace('candidate.delivery.p99 < 300ms', 'speedup.p99 >= 2'), /does not measure/],
    ['with another engine as subject', base.replace('candidate.', 'polling.'), /unknown subject "polling"/],
    [
      'with a rate of zero',
      base.replace('candidate.delivery.p99 < 300ms', 'candidate.errorRate <= 0%'),
      /no number of observations shows a rate of zero/,
    ],
    ['with a gate about nobody', base.replace('percentage: 5', 'percentage: 0'), /nobody is on the new path in one/],
    [
      'with a gate about the old path when all have left it',
      base
        .replace('percentage: 25', 'percentage: 100')
        .replace('[candidate.errorRate < 1%]', '[candidate.errorRate < 1%, baseline.errorRate < 1%]'),
      /nobody is on the old path in two/,
    ],
    ['with a trip about a number of agents', `${base}trips: [candidate.agents >= 10]\n`, /is about a number of agents/],
    [
      'with an investigation about a number of agents',
      `${base}investigate: [candidate.agents >= 10]\n`,
      /is about a number of agents/,
    ],
    ['with a trip about the old path', `${base}trips: [baseline.errorRate <= 5%]\n`, /is about the old path/],
    ['with a trip that names a time', `${base}trips: [candidate.errorRate <= 5% over 48h]\n`, /names a time/],
    [
      'with a trip tighter than a gate',
      `${base}trips: [candidate.delivery.p99 <= 100ms]\n`,
      /is tighter than the gate/,
    ],
    [
      'with a gate that asks for more time than it is granted',
      base.replace('< 300ms', '< 300ms over 48h'),
      /asks for more time than one is ever granted/,
    ],
    [
      'with a phase that nothing about the new path ends',
      base.replace('[candidate.errorRate < 1%]', '[candidate.agents >= 5]'),
      /nothing about how the new path does ends two/,
    ],
    [
      'with nobody on the new path',
      'name: p\nphases: [{ name: a, percentage: 0, soak: 1h }]\n',
      /no phase puts anybody on the new path/,
    ],
    ['with an error rate of 95 %', base.replace('< 1%', '< 95%'), /an error rate of 95 % is no bar/],
    ['with a latency of nothing', base.replace('300ms', '0ms'), /nothing takes no time at all/],
    ['with a share finer than flags have', base.replace('percentage: 25', 'percentage: 25.001'), /steps of 0\.01/],
    ['with a window of one interval', `${base}evidence: { window: 10s }\n`, /a window holds fewer than/],
    ['with an error that allows anything', `${base}evidence: { promoteAlpha: 0.5 }\n`, /p\.yaml:11/],
    ['with a key that is misspelt', base.replace('percentage: 25', 'percentag: 25'), /unknown key "percentag"/],
    ['with a duration that is none', base.replace('soak: 1h', 'soak: soon'), /must be a duration/],
    ['without phases', 'name: p\nphases: []\n', /phases/],
  ])('%s', (_what, text, message) => {
    expect(() => parsePlan(text, 'p.yaml')).toThrow(message)
  })

  it('and taken as it is otherwise', () => {
    expect(parsePlan(base, 'p.yaml').phases.map(({ name }) => name)).toEqual(['one', 'two'])
  })
})
