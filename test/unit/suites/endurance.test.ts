/** The plan of an endurance run, and 72 hours of it on a clock that only moves when an interval is played: crash, gap and resume included. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RoundPlan } from '../../../src/load/round-plan.ts'
import { claimsText } from '../../../src/measurement/claims-file.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import { histogramLogHeader, histogramLogLine, seriesLines } from '../../../src/measurement/histogram-log.ts'
import { createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { readProcess } from '../../../src/measurement/process-reading.ts'
import { createRunDirectory, openRunDirectory, type RunDirectory } from '../../../src/measurement/run-directory.ts'
import { targetsText } from '../../../src/measurement/targets-file.ts'
import type { PlayedRound } from '../../../src/suites/arm.ts'
import type { PlayableArm } from '../../../src/suites/comparison.ts'
import { estimateEndurance, planEndurance, type EnduranceSizes } from '../../../src/suites/endurance.ts'
import { playIntervals } from '../../../src/suites/run-endurance.ts'
import { enduranceRun, hourMs } from '../derive/endurance-run.ts'

const full: EnduranceSizes = { agents: 5000, ratePerSecond: 500, durationMs: 72 * hourMs, intervalMs: 600_000 }
const one = [{ label: 'elicitation', drainGraceMs: 1000, longestTtlMs: 120_000, exchangesKept: 447_393 }]
const two = [{ label: 'polling', drainGraceMs: 2000, longestTtlMs: 60_000, exchangesKept: 0 }, ...one]

describe('the plan', () => {
  it('cuts 72 hours into intervals of ten minutes, with blocks that can be read back', () => {
    const { cases, order, blockMs } = planEndurance(full, one, 'seed')
    const [plan] = cases
    expect(plan).toMatchObject({ rounds: 432, roundDurationMs: 600_000, agents: 5000, firstRound: 0 })
    expect(plan.endurance).toMatchObject({ longestTtlMs: { elicitation: 120_000 } })
    expect(plan.endurance?.leastWarmUpMs).toBeCloseTo((447_393 / 500) * 1000 * (600_600 / 600_000), -1)
    expect(order).toHaveLength(432)
    // Days of full histograms have to fit into what a reader may hold.
    expect(blockMs).toBe(600_000)
    expect(estimateEndurance({ cases, order, blockMs }, one, 0).durationMs).toBeGreaterThan(72 * hourMs)
    expect(estimateEndurance({ cases, order, blockMs }, one, 0).durationMs).toBeLessThan(72.5 * hourMs)
  })

  it('shares the time among engines, who take turns', () => {
    const { cases, order } = planEndurance(full, two, 'seed')
    expect(cases[0].rounds).toBe(216)
    expect(cases[0].endurance?.everyMs).toBeGreaterThan(1_200_000)
    for (const labels of order) expect(labels.toSorted()).toEqual(['elicitation', 'polling'])
    const firsts = new Set(order.map((labels) => labels[0]))
    expect(firsts.size).toBe(2)
  })

  it('scales the least warm-up of a short run, and keeps blocks of a second where there are few', () => {
    const standard = { agents: 100, ratePerSecond: 1200, durationMs: 792_000, intervalMs: 12_000 }
    const nothingKept = one.map((place) => ({ ...place, exchangesKept: 0 }))
    const { cases, blockMs } = planEndurance(standard, nothingKept, 'seed')
    expect(cases[0]).toMatchObject({ rounds: 66, endurance: { leastWarmUpMs: 79_200 } })
    expect(blockMs).toBe(1000)
  })

  it('does not end the warm-up before what the engine keeps by number is full, and leaves 30 readings of a standard run', () => {
    const standard = { agents: 100, ratePerSecond: 1200, durationMs: 792_000, intervalMs: 12_000 }
    const { endurance, rounds } = planEndurance(standard, one, 'seed').cases[0]
    // At 1,200/s, and the rests between intervals.
    expect(endurance?.leastWarmUpMs).toBeCloseTo((447_393 / 1200) * 1000 * (12_600 / 12_000), -1)
    expect(rounds - Math.ceil((endurance?.leastWarmUpMs ?? 0) / (endurance?.everyMs ?? 1))).toBeGreaterThanOrEqual(34)
    const shared = planEndurance(standard, two, 'seed').cases[0].endurance
    expect(shared?.leastWarmUpMs).toBeCloseTo(2 * (endurance?.leastWarmUpMs ?? 0), -1)
  })

  it('keeps as many blocks as can be read back', () => {
    const day = { ...full, durationMs: 24 * hourMs }
    const { cases, blockMs } = planEndurance(day, one, 'seed')
    expect(cases[0].rounds).toBe(144)
    expect(blockMs).toBe(150_000)
  })

  it.each([
    ['too short for two intervals', { durationMs: 1_000_000 }, /holds 1 intervals of 600 s for each of 1 engines/],
    [
      'with more intervals than can be read back',
      { intervalMs: 20_000 },
      /12960 intervals of about 10000 exchanges cannot be read back in bounded memory; 576 can/,
    ],
  ])('is refused when %s', (_what, changes, message) => {
    expect(() => planEndurance({ ...full, ...changes }, one, 'seed')).toThrow(message)
  })
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-endurance-test-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const perInterval = 1000

function recorded(): { encoded: string; empty: string } {
  const recorder = createLatencyRecorder({ unit: 'us', highest: 600_000_000 })
  const empty = recorder.encode()
  for (let index = 0; index < perInterval; index++) recorder.record(1500 + (index % 100) * 10)
  const encoded = recorder.encode()
  recorder.destroy()
  return { encoded, empty }
}

/** Everything outside the player: a clock, an arm that advances it, a directory, and what is still held of earlier intervals. */
class World {
  nowMs = 0
  readonly clock = { nowNs: () => this.nowMs * 1e6, wallMs: () => 1_700_000_000_000 + this.nowMs }
  readonly plan = planEndurance(full, one, 'seed')
  readonly run = enduranceRun({ rounds: 1, perRound: perInterval })
  readonly directory: RunDirectory
  readonly done = new Set<string>()
  readonly played: RoundPlan[] = []
  crashAt: number | null = null
  /** A planted leak of the harness. */
  hoard: PlayedRound[] | null = null
  private lifeMs = 0
  private readonly kept: WeakRef<PlayedRound>[] = []
  private readonly log: string

  constructor() {
    const { encoded, empty } = recorded()
    const { blockMs } = this.plan
    const blocks = [encoded, ...Array.from({ length: Math.ceil(600_000 / blockMs) - 1 }, () => empty)]
    const lines = ['delivery', 'roundTrip', 'serviceTime'].map((tag) => seriesLines(tag, blocks, 600_000, blockMs))
    const lateness = histogramLogLine({ tag: 'lateness', startMs: 0, intervalMs: 600_000, histogram: empty })
    this.log = [histogramLogHeader(0), ...lines, lateness].join('')
    this.directory = createRunDirectory(folder, 'run-20260102-030405-7f3a')
    const { manifest, targets, claims } = this.run
    const { cases, order } = this.plan
    const sizes = { rounds: 432, minimumRounds: 346, cases, order, agents: 5000, ratePerSecond: 500 }
    this.directory.start(
      { ...manifest, runId: 'run-20260102-030405-7f3a', plan: { ...manifest.plan, ...sizes } },
      targetsText(targets),
      claimsText(claims),
    )
  }

  /** Plays until the end or the planted crash. */
  start(): Promise<string> {
    this.lifeMs = this.nowMs
    return playIntervals({
      request: {
        profile: 'full',
        workload: {
          ...{ name: 'pairs', agents: 2, ratePerSecond: 1, pattern: 'pairs', arrivals: 'poisson', payloadBytes: 300 },
          ...{ answers: { accept: 1, decline: 0, cancel: 0 }, deadlineMs: 5000 },
        },
        sizes: full,
        warmupMs: 0,
        pacing: 'timer',
        seed: 'seed',
        targets: { source: 'targets.yaml', items: this.run.targets },
        timeBudgetMs: null,
      },
      outline: { ...this.plan, durationMs: 72 * hourMs },
      run: {
        runId: 'run-20260102-030405-7f3a',
        clock: this.clock,
        has: (engine, round) => this.done.has(`${round} ${engine}`),
        keep: (round) => {
          this.hoard?.push(round)
          this.directory.writeRound(round.evidence, round.hlog)
          this.done.add(`${round.evidence.round} ${round.evidence.engine}`)
        },
      },
      arms: [this.arm()],
      events: { stage: () => undefined, roundStart: () => undefined },
      signal: new AbortController().signal,
    })
  }

  /** Intervals that something still holds, garbage collected. */
  async held(): Promise<number> {
    await readProcess()
    return this.kept.filter((each) => each.deref() !== undefined).length
  }

  private arm(): PlayableArm {
    return {
      label: 'elicitation',
      drainGraceMs: 1000,
      abort: () => Promise.resolve(),
      play: async (plan) => {
        if (plan.round === this.crashAt) throw new Error('planted crash')
        this.played.push(plan)
        const startedAtMs = this.clock.wallMs()
        this.nowMs += plan.durationMs + 400
        if (plan.round % 100 === 99) expect(await this.held()).toBeLessThanOrEqual(2)
        const round = this.round(plan, startedAtMs)
        this.kept.push(new WeakRef(round))
        return round
      },
    }
  }

  private round({ round, attempt, durationMs }: RoundPlan, startedAtMs: number): PlayedRound {
    const template = this.run.rounds[0]?.evidence
    if (template?.rest === undefined) throw new Error('a synthetic interval has a reading at rest')
    const process = { ...template.rest.engine, startedAtMs: this.lifeMs }
    const rest = { ...template.rest, engine: process, atMs: durationMs + 50 }
    const evidence = { ...template, round, attempt, durationMs, startedAtMs, rest }
    return { evidence, hlog: this.log, stages: [] }
  }
}

describe('72 hours on a virtual clock', () => {
  it('with a crash after 33 hours and two and a half hours of silence: every interval once, the gap counted, nothing held', async () => {
    const world = new World()
    world.crashAt = 200
    await expect(world.start()).rejects.toThrow('planted crash')
    const partial = openRunDirectory(world.directory.path)
    expect(partial.rounds.map(({ evidence }) => evidence.round)).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    )

    world.crashAt = null
    world.nowMs += 2.5 * hourMs
    expect(await world.start()).toBe('complete')
    expect(world.played.map(({ round }) => round)).toEqual(Array.from({ length: 432 }, (_, index) => index))
    expect(new Set(world.played.map(({ nonce }) => nonce)).size).toBe(432)
    expect(new Set(world.played.map(({ seed }) => seed)).size).toBe(432)
    expect(
      world.played.every(({ workload, blockMs }) => workload.agents === 5000 && blockMs === world.plan.blockMs),
    ).toBe(true)

    const whole = openRunDirectory(world.directory.path)
    expect(whole.rounds).toHaveLength(432)
    const results = deriveResults(whole)
    const engine = results.endurance?.engines[0]
    expect(engine?.lives).toBe(2)
    // As many fit into two and a half hours, the one that was begun included.
    expect(engine?.coverage).toEqual({
      dueIntervals: 432 + 15,
      measuredIntervals: 432,
      missedIntervals: 15,
      share: 0.966443,
    })
    const verdicts = Object.fromEntries(results.targets.map(({ title, verdict }) => [title, verdict]))
    expect(verdicts).toMatchObject({
      'P99 over 72 h': 'MET',
      'No leak': 'MET',
      'No leak over 72 h': 'NOT_DEMONSTRATED',
    })
  }, 60_000)
})

it('a harness that holds on to what it played is found out', async () => {
  const world = new World()
  world.hoard = []
  await expect(world.start()).rejects.toThrow(/less than or equal to 2/)
  expect(world.played).toHaveLength(100)
}, 60_000)

describe('a directory as large as a run may be', () => {
  it('of 750 intervals is read and derived', () => {
    const run = enduranceRun({ rounds: 750, perRound: 300 })
    const results = deriveResults(run)
    expect(results.endurance?.engines[0]?.coverage.measuredIntervals).toBe(750)
    expect(results.endurance?.engines[0]?.held.every(({ n }) => n === 72)).toBe(true)
  }, 60_000)
})
