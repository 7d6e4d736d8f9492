/** What a contention run will do, decided before anything starts: which store plays which load, how long rounds are, what is refused. */
import { describe, expect, it } from 'vitest'
import { contentionRequest, parseNumbers, type ContentionFlags } from '../../../src/configuration/contention-request.ts'
import { readSettings } from '../../../src/command-flags.ts'
import { heldCase } from '../../../src/measurement/contention-figures.ts'
import type { ArmSpec } from '../../../src/suites/comparison-plan.ts'
import { planContention, type ContentionSizes } from '../../../src/suites/contention.ts'
import { outlineContention } from '../../../src/suites/run-contention.ts'
import { storeSettings } from '../../../src/suites/store-options.ts'

const sizes: ContentionSizes = {
  writers: [10, 50, 200],
  ratePerWriterPerSecond: 10,
  rounds: 6,
  roundDurationMs: 3000,
  fullQuantiles: true,
  pools: [5, 20],
  poolWriters: 50,
  poolRounds: 3,
  poolRoundDurationMs: 2000,
  probes: 5,
  probeDurationMs: 1500,
}
const store = (name: string, options: Record<string, string> = {}): ArmSpec => ({
  label: [name, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(':'),
  name,
  options,
})
const embedded = [store('sqlite', { batching: 'off' }), store('sqlite')]
const both = [...embedded, store('postgres', { batching: 'off' }), store('postgres')]

describe('the plan', () => {
  it('has levels, the held rate and a search for embedded stores, and pools only for a server', () => {
    expect(planContention(sizes, embedded, 's').cases.map(({ name }) => name)).toEqual([
      'saturation',
      'writers-10',
      'writers-50',
      heldCase,
      'writers-200',
    ])
    expect(planContention(sizes, both, 's').cases.slice(0, 2)).toMatchObject([
      { name: 'pool-5', poolSize: 5, agents: 50, ratePerSecond: 500, engines: ['postgres'] },
      { name: 'pool-20', poolSize: 20, engines: ['postgres'] },
    ])
  })

  it('puts stores without batching to the outer levels and the held rate alone', () => {
    const { cases, order } = planContention(sizes, both, 's')
    const players = new Map(
      cases.map(({ name, firstRound }) => [name, (order[firstRound] ?? []).toSorted((a, b) => a.localeCompare(b))]),
    )
    const all = both.map(({ label }) => label).toSorted((a, b) => a.localeCompare(b))
    expect(players.get('writers-50')).toEqual(['postgres', 'sqlite'])
    for (const name of ['writers-10', heldCase, 'writers-200']) expect(players.get(name), name).toEqual(all)
    for (const { firstRound, rounds, engines } of cases) {
      for (let round = firstRound; round < firstRound + rounds; round++) {
        expect(order[round]?.toSorted((a, b) => a.localeCompare(b))).toEqual(
          (engines ?? all).toSorted((a, b) => a.localeCompare(b)),
        )
      }
    }
  })

  it('divides its rounds into cases without gap, and the last is the largest level', () => {
    const { cases, order } = planContention(sizes, both, 's')
    let next = 0
    for (const { firstRound, rounds } of cases) {
      expect(firstRound).toBe(next)
      next += rounds
    }
    expect(order.length).toBe(next)
    expect(cases.at(-1)).toMatchObject({ name: 'writers-200', agents: 200, ratePerSecond: 2000, roundDurationMs: 3000 })
    expect(cases.at(-1)?.engines).toBeUndefined()
  })

  it('makes rounds of few writers long enough for a p99 of their own, unless told not to', () => {
    const duration = (name: string, plan: ContentionSizes): number =>
      planContention(plan, embedded, 's').cases.find((each) => each.name === name)?.roundDurationMs ?? 0
    for (const { name, ratePerSecond, roundDurationMs } of planContention(sizes, embedded, 's').cases) {
      if (name !== 'saturation') expect((ratePerSecond * roundDurationMs) / 1000, name).toBeGreaterThanOrEqual(1100)
    }
    expect(duration('writers-10', { ...sizes, fullQuantiles: false })).toBe(3000)
  })

  it('offers more than 50,000 a minute by at least three standard deviations of a round', () => {
    const held = planContention(sizes, embedded, 's').cases.find(({ name }) => name === heldCase)
    const writes = ((held?.ratePerSecond ?? 0) * (held?.roundDurationMs ?? 0)) / 1000
    const asked = (50_000 / 60) * ((held?.roundDurationMs ?? 0) / 1000)
    expect(writes - 3 * Math.sqrt(writes)).toBeGreaterThan(asked)
  })

  it.each([
    [{ ...sizes, writers: [50, 10] }, /--writers 50,10/],
    [{ ...sizes, writers: [] }, /--writers \(none\)/],
    [{ ...sizes, writers: [1, 10] }, /--writers 1,10/],
    [{ ...sizes, pools: [5, 5] }, /--pools 5,5/],
    [{ ...sizes, pools: [5, 500] }, /--pools 5,500/],
  ])('refuses lists that are none', (wrong, message) => {
    expect(() => planContention(wrong, both, 's')).toThrow(message)
  })
})

const flags: ContentionFlags = { 'start-postgres': false }
const request = (given: Partial<ContentionFlags> = {}, profile = 'smoke') =>
  contentionRequest({ ...flags, ...given }, readSettings({ profile, host: 'process' }), '/nowhere')

describe('the settings', () => {
  it('stay within half a minute in a smoke run and ten minutes in a standard run, server included', () => {
    const seconds = (profile: string, server: boolean): number =>
      outlineContention(request(server ? { store: 'postgres://someone@127.0.0.1:5999/bench' } : {}, profile))
        .durationMs / 1000
    for (const server of [false, true]) {
      expect(seconds('smoke', server)).toBeLessThan(30)
      expect(seconds('standard', server)).toBeLessThan(600)
    }
  })

  it('judge the last store, and skip a store without a server by name', () => {
    const outline = outlineContention(request({ stores: 'postgres,sqlite' }))
    expect(outline.arms.map(({ label, role }) => [label, role])).toEqual([['sqlite', 'candidate']])
    expect(outline.skippedCases).toEqual([
      { name: 'postgres', reason: expect.stringMatching(/no server is named .*--start-postgres/) as string },
    ])
    expect(() => outlineContention(request({ stores: 'postgres' }))).toThrow(/no store is left/)
    const served = outlineContention(request({ store: 'postgres://someone@127.0.0.1:5999/bench' }))
    expect(served.arms.at(-1)).toMatchObject({ label: 'postgres', role: 'candidate' })
    expect(served.skippedCases).toEqual([])
  })

  it('refuse a password in the URL without repeating it, a store in memory, and options that a store lacks', () => {
    const refusal = (given: Partial<ContentionFlags>): string => {
      try {
        outlineContention(request(given))
      } catch (error) {
        return error instanceof Error ? error.message : ''
      }
      return ''
    }
    const withSecret = refusal({ store: 'postgres://someone:hunter2@127.0.0.1/bench' })
    expect(withSecret).toMatch(/holds a password/)
    expect(withSecret).not.toContain('hunter2')
    expect(refusal({ durability: 'memory' })).toMatch(/durability memory has none/)
    expect(refusal({ stores: 'sqlite:poolSize=4' })).toMatch(/there is no option 'poolSize'/)
    expect(refusal({ stores: 'sqlite:batching=turn' })).toMatch(/batching is 'turn'/)
    expect(refusal({ stores: 'sqlite:connections=0' })).toMatch(/connections is '0'/)
    expect(refusal({ stores: 'sqlit' })).toMatch(/sqlit/)
    expect(() => parseNumbers('5,x', 'pools')).toThrow(/'x' in --pools/)
    expect(parseNumbers('0', 'pools')).toEqual([])
  })

  it('of a store have defaults', () => {
    expect(storeSettings(store('sqlite'))).toEqual({ batching: 'thread', connections: 1, poolSize: null })
    expect(storeSettings(store('postgres', { poolSize: '20', batching: 'off' }))).toEqual({
      batching: 'off',
      connections: 1,
      poolSize: 20,
    })
  })
})
