import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { burstRequest, parseSteps, type BurstFlags } from '../../../src/configuration/burst-request.ts'
import { readSettings } from '../../../src/command-flags.ts'
import { buildSchedule } from '../../../src/load/schedule.ts'
import { estimateBurst, planBurst, type BurstSizes } from '../../../src/suites/burst.ts'
import { drainGraceMs } from '../../../src/suites/arm-timing.ts'

const sizes: BurstSizes = {
  agents: 200,
  calmAgents: 20,
  ratePerSecond: 400,
  steps: [2, 5, 10],
  beforeMs: 3000,
  burstMs: 2000,
  afterMs: 7000,
  rounds: 6,
  controlRounds: 8,
  controlMs: 1000,
}
const labels = ['polling', 'elicitation']
const projectFolder = fileURLToPath(new URL('../../..', import.meta.url))
const request = (flags: BurstFlags & { profile?: string } = {}) =>
  burstRequest(flags, readSettings(flags), projectFolder)

describe('the plan of a burst run', () => {
  it('has a case of agents, one of steps, and the control last', () => {
    const { cases, order } = planBurst(sizes, labels, 's')
    expect(
      cases.map(({ name, firstRound, rounds, roundDurationMs }) => [name, firstRound, rounds, roundDurationMs]),
    ).toEqual([
      ['agents-20-200-20', 0, 6, 12_000],
      ['rate-1-2-5-10-1', 6, 6, 16_000],
      ['control', 12, 8, 1000],
    ])
    expect(cases.map(({ agents, ratePerSecond }) => [agents, ratePerSecond])).toEqual([
      [200, 4000],
      [200, 4000],
      [200, 400],
    ])
    expect(cases.at(-1)?.phases).toBeUndefined()
    expect(order).toHaveLength(20)
    expect(order.map((each) => each.toSorted())).toEqual(Array.from({ length: 20 }, () => labels.toSorted()))
    expect(planBurst(sizes, labels, 's')).toEqual({ cases, order })
  })

  it('raises the rate with the agents, each asking as often as before, or asks all of them more often', () => {
    const [agents, steps] = planBurst(sizes, labels, 's').cases
    expect(agents?.phases?.map((phase) => [phase.durationMs, phase.agents, phase.ratePerSecond])).toEqual([
      [3000, 20, 400],
      [2000, 200, 4000],
      [7000, 20, 400],
    ])
    expect(agents?.phases?.map((phase) => phase.ratePerSecond / phase.agents)).toEqual([20, 20, 20])
    expect(steps?.phases?.map((phase) => [phase.durationMs, phase.agents, phase.ratePerSecond])).toEqual([
      [3000, 200, 400],
      [2000, 200, 800],
      [2000, 200, 2000],
      [2000, 200, 4000],
      [7000, 200, 400],
    ])
  })

  it('gives rounds whose schedules hold the burst, and nobody else asks while it is calm', () => {
    const [agents] = planBurst(sizes, labels, 's').cases
    if (agents?.phases === undefined) throw new Error('no phases')
    const workload = { ...request().workload, agents: agents.agents, ratePerSecond: agents.ratePerSecond }
    const schedule = buildSchedule(workload, 'r', agents.roundDurationMs, 10, agents.phases)
    const perSecond = Array.from({ length: 12 }, () => 0)
    const askers = perSecond.map(() => new Set<number>())
    for (const [exchange, atNs] of schedule.scheduledAtNs.entries()) {
      const second = Math.floor(atNs / 1e9)
      perSecond[second] = (perSecond[second] ?? 0) + 1
      askers[second]?.add(schedule.requester[exchange] ?? -1)
    }
    // Six standard deviations of a Poisson count.
    for (const [second, n] of perSecond.entries()) {
      const due = second === 3 || second === 4 ? 4000 : 400
      expect(Math.abs(n - due), `second ${second}`).toBeLessThan(6 * Math.sqrt(due))
      expect(Math.max(...(askers[second] ?? []))).toBeLessThan(due === 4000 ? 200 : 20)
    }
    expect(askers[3]?.size).toBe(200)
  })

  it('leaves the steps out where none are named', () => {
    const { cases } = planBurst({ ...sizes, steps: [] }, labels, 's')
    expect(cases.map(({ name, firstRound }) => [name, firstRound])).toEqual([
      ['agents-20-200-20', 0],
      ['control', 6],
    ])
  })

  it.each<readonly [string, Partial<BurstSizes>, RegExp]>([
    ['no more agents than before', { calmAgents: 200 }, /from 200 to 200 agents is none/],
    ['steps that fall', { steps: [5, 2] }, /not ascending multiples/],
    ['a step of one', { steps: [1] }, /not ascending multiples/],
    ['a broken step', { steps: [2.5] }, /not ascending multiples/],
    ['too large a step', { steps: [1001] }, /not ascending multiples/],
    ['too many steps', { steps: [2, 3, 4, 5, 6, 7, 8, 9, 10] }, /not ascending multiples/],
    ['half a second', { burstMs: 1500 }, /--burst-duration 1500ms: a round is told second by second/],
    ['an aftermath too short for two seconds', { afterMs: 1000 }, /--after-duration 1000ms/],
  ])('refuses %s', (_what, change, message) => {
    expect(() => planBurst({ ...sizes, ...change }, labels, 's')).toThrow(message)
  })

  it('takes at least its rounds and drains, and a start', () => {
    const arms = [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }]
    const plan = planBurst(sizes, labels, 's')
    const rounds = 2 * (6 * 12_000 + 6 * 16_000 + 8 * 1000) + 20 * 3000
    const { durationMs, diskBytes } = estimateBurst(plan, arms, sizes, 0)
    expect(durationMs).toBeGreaterThan(rounds)
    expect(durationMs).toBeLessThan(rounds + 15_000)
    expect(estimateBurst(plan, arms, sizes, 1000).durationMs - durationMs).toBe(2 * 1000 + 3000)
    expect(diskBytes).toBeGreaterThan(0)
  })
})

describe('the profiles', () => {
  const minutesOf = (profile: string): number => {
    const { arms, sizes: own, warmupMs, seed } = request({ profile })
    const plan = planBurst(own, labels, seed)
    const graces = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
    return estimateBurst(plan, graces, own, warmupMs).durationMs / 60_000
  }

  it('take seconds, minutes, and what the documents ask for', () => {
    expect(minutesOf('smoke')).toBeLessThan(0.5)
    expect(minutesOf('standard')).toBeLessThan(10)
    const { sizes: full } = request({ profile: 'full' })
    expect([full.calmAgents, full.agents, full.beforeMs, full.burstMs, full.afterMs]).toEqual([
      ...[20, 200, 60_000, 30_000, 60_000],
    ])
    expect(full.steps.at(-1)).toBe(10)
  })

  it.each(['standard', 'full'])(
    'have rounds for an interval and exchanges for a p99 before the burst: %s',
    (profile) => {
      const { sizes: own, minimumRounds } = request({ profile })
      expect(own.rounds).toBeGreaterThanOrEqual(6)
      expect(minimumRounds).toBe(6)
      // Six standard deviations above the 1,000 that the p99 of a round needs would be 1,190.
      expect((own.ratePerSecond * own.beforeMs) / 1000).toBeGreaterThanOrEqual(1190)
      expect((own.ratePerSecond * own.controlMs * own.controlRounds) / 1000).toBeGreaterThanOrEqual(2990)
    },
  )

  it('let given values win', () => {
    const flags: BurstFlags = {
      ...{ agents: 50, 'calm-agents': 10, rate: 100, rounds: 7, 'round-duration': 500, warmup: 10 },
      ...{ steps: '3', 'before-duration': 4000, 'burst-duration': 5000, 'after-duration': 6000 },
    }
    expect(request(flags)).toMatchObject({
      warmupMs: 10,
      minimumRounds: 6,
      workload: { agents: 50, ratePerSecond: 100 },
      targets: { source: 'fixtures/targets/burst.yaml' },
      sizes: {
        ...{ agents: 50, calmAgents: 10, ratePerSecond: 100, steps: [3], rounds: 7, controlRounds: 7 },
        ...{ beforeMs: 4000, burstMs: 5000, afterMs: 6000, controlMs: 500 },
      },
    })
  })

  it('refuse steps that are no numbers', () => {
    expect(parseSteps('2, 5')).toEqual([2, 5])
    expect(parseSteps('none')).toEqual([])
    for (const text of ['', '2,', 'x', '1e99', '2.5']) expect(() => parseSteps(text)).toThrow(/not a whole number/)
  })
})
