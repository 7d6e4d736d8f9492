/** From flags to the sizes of a memory run, and what is wrong with lists that are none. */
import { describe, expect, it } from 'vitest'
import { readSettings } from '../../../src/command-flags.ts'
import { memoryRequest, parseAgents, parseCaps, parsePayloads } from '../../../src/configuration/memory-request.ts'
import { estimateMemory, planMemory } from '../../../src/suites/memory-pressure.ts'

const requestOf = (flags: Parameters<typeof memoryRequest>[0] & { readonly profile: string }) =>
  memoryRequest({ seed: 's', ...flags }, readSettings({ ...flags, host: 'process' }), '/tmp')

describe('the sizes of a memory run', () => {
  it.each([
    ['smoke', 50_000],
    ['standard', 15 * 60_000],
  ] as const)('%s fits its time by estimate', (profile, limitMs) => {
    const { sizes, seed, arms } = requestOf({ profile })
    const plan = planMemory(
      sizes,
      arms.map(({ label }) => label),
      seed,
      new Map(),
    )
    const { durationMs } = estimateMemory(plan, [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }], sizes)
    expect(durationMs).toBeLessThan(limitMs)
  })

  it('are those of the seeds in full: 50 agents, 10 a second each, for 30 minutes, and idle ones up to 10,000', () => {
    const { sizes } = requestOf({ profile: 'full' })
    expect(sizes.sustained).toMatchObject({ agents: 50, ratePerSecond: 500, durationMs: 1_800_000 })
    // Half a minute apart, a third of them within the warm-up: more than the 30 that a verdict takes.
    expect(1_200_000 / (sizes.sustained?.readEveryMs ?? Infinity)).toBeGreaterThanOrEqual(30)
    expect(sizes.idleAgents.at(-1)).toBe(10_000)
    expect(sizes.payloads).toEqual([200, 2000, 20_000])
    expect(sizes.caps).toEqual([1.5, 1.2, 1, 0.8])
  })

  it('give the control the exchanges that a bound of p99 takes, and the slope the points that an interval takes', () => {
    for (const profile of ['smoke', 'standard', 'full'] as const) {
      const { sizes, minimumRounds } = requestOf({ profile })
      const { ratePerSecond, durationMs } = sizes.control
      expect((minimumRounds * ratePerSecond * durationMs) / 1000).toBeGreaterThanOrEqual(299)
      expect(sizes.idleAgents.length * sizes.idleRounds).toBeGreaterThanOrEqual(3)
    }
  })

  it('are overridden by flags', () => {
    const { sizes, targets } = requestOf({
      profile: 'smoke',
      'agents-list': '10,20',
      'payload-list': '500',
      caps: '0.9',
      sustained: 5000,
      agents: 6,
      rate: 12,
      rounds: 4,
      'round-duration': 700,
    })
    expect(sizes).toMatchObject({ idleAgents: [10, 20], payloads: [500], caps: [0.9], controlRounds: 4 })
    expect(sizes.control).toEqual({ agents: 6, ratePerSecond: 12, durationMs: 700 })
    expect(sizes.sustained).toMatchObject({ agents: 6, durationMs: 5000 })
    expect(targets.source).toBe('fixtures/targets/memory.yaml')
  })
})

describe('lists', () => {
  it('of agents, payloads and caps are read', () => {
    expect(parseAgents('100,500')).toEqual([100, 500])
    expect(parsePayloads('200,2000')).toEqual([200, 2000])
    expect(parseCaps('1.5,1,0.8')).toEqual([1.5, 1, 0.8])
    expect(parseCaps(' none ')).toEqual([])
  })

  it.each(['100', '500,100', '3,5', 'x,10', '', '2,4,nan'])('of agents are not: %s', (text) => {
    expect(() => parseAgents(text)).toThrow(/--agents-list/)
  })

  it.each(['100', '200,40000', '2000,200', '200.5', ''])('of payloads are not: %s', (text) => {
    expect(() => parsePayloads(text)).toThrow(/--payload-list/)
  })

  it.each(['0', '11', '1,1.001', '-1', 'all', ''])('of caps are not: %s', (text) => {
    expect(() => parseCaps(text)).toThrow(/--caps/)
  })
})
