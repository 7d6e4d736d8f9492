import { describe, expect, it } from 'vitest'
import type { RoundPlan } from '../../../src/load/round-plan.ts'
import type { RoundAudit } from '../../../src/measurement/round-evidence.ts'
import { withNoise, type PlayedRound } from '../../../src/suites/arm.ts'
import {
  maximumRepeats,
  playComparison,
  type ComparisonPlan,
  type PlayableArm,
} from '../../../src/suites/comparison.ts'
import { drawOrder } from '../../../src/suites/comparison-plan.ts'

const audit: RoundAudit = {
  valid: true,
  reasons: [],
  scheduled: 10,
  sent: 10,
  achievedRatio: 1,
  latenessP99Ms: 0.1,
  eventLoopP99Ms: 1,
  cpuPercent: 5,
  stealPercent: null,
  foreignCpuPercent: null,
}

const counts = {
  ...{ scheduled: 10, completed: 10, refused: 0, timedOut: 0, lost: 0, duplicated: 0, wireDuplicates: 0 },
  ...{ phantom: 0, misdelivered: 0, reordered: 0, doubleTerminal: 0, corrupt: 0, late: 0, unexpected: 0 },
}

const resources = {
  ...{ rssMaxBytes: null, heapMaxBytes: null, cpuUs: null, eventLoopP99Ms: null, openConnectionsMax: null },
  ...{ walBytesMax: null, nullReasons: {} },
}

/** A clock that only moves when a round is played, and arms that write down what they were told. */
class Stage {
  readonly played: { engine: string; plan: RoundPlan }[] = []
  readonly aborted: string[] = []
  nowMs = 0
  isValid: (engine: string, plan: RoundPlan) => boolean = () => true
  onPlay: (plan: RoundPlan) => void = () => undefined
  readonly clock = { nowNs: () => this.nowMs * 1e6, wallMs: () => this.nowMs }

  arm(label: string): PlayableArm {
    return {
      label,
      drainGraceMs: 100,
      play: (plan) => {
        this.played.push({ engine: label, plan })
        this.nowMs += plan.durationMs
        this.onPlay(plan)
        return Promise.resolve(this.round(label, plan))
      },
      abort: () => {
        this.aborted.push(label)
        return Promise.resolve()
      },
    }
  }

  private round(engine: string, plan: RoundPlan): PlayedRound {
    const valid = this.isValid(engine, plan)
    const evidence = {
      ...{ schemaVersion: 1 as const, round: plan.round, attempt: plan.attempt, engine, startedAtMs: 0, drainMs: 0 },
      ...{ durationMs: plan.durationMs, counts, ledger: { state: 'COMPLETE' as const, reasons: [] }, anomalies: [] },
      ...{ samples: { negative: 0, outOfRange: 0 }, client: {}, engineStats: {}, resources },
      audit: { ...audit, valid, reasons: valid ? [] : ['planted'] },
    }
    return { evidence, hlog: '', stages: [] }
  }
}

function plan(overrides: Partial<ComparisonPlan> = {}): ComparisonPlan {
  return {
    rounds: 4,
    roundDurationMs: 1000,
    warmupMs: 200,
    workload: {
      ...{ name: 'test', agents: 4, ratePerSecond: 10, pattern: 'pairs', arrivals: 'poisson', payloadBytes: 100 },
      ...{ answers: { accept: 1, decline: 0, cancel: 0 }, deadlineMs: 1000 },
    },
    ...{ pacing: 'timer', loadModel: 'open', seed: 'seed', runId: 'run-20260101-000000-abcd', latenessBoundMs: 2 },
    order: drawOrder(['old', 'new'], 4, 'seed'),
    ...{ repeatUntilMs: null, budgetMs: null },
    ...overrides,
  }
}

interface Told {
  readonly rounds: PlayedRound[]
  readonly warmups: string[]
}

async function play(
  stage: Stage,
  given: ComparisonPlan,
  signal = new AbortController().signal,
): Promise<Told & { ended: string }> {
  const told: Told = { rounds: [], warmups: [] }
  const hooks = {
    onRoundStart: () => undefined,
    onRound: (round: PlayedRound) => void told.rounds.push(round),
    onWarmup: (engine: string) => void told.warmups.push(engine),
  }
  const outcome = await playComparison(given, [stage.arm('old'), stage.arm('new')], hooks, stage.clock, signal)
  return { ...told, ended: outcome.ended }
}

describe('playing a comparison', () => {
  it('warms every engine up unmeasured, then plays each once per round in the planned order', async () => {
    const stage = new Stage()
    const { rounds, warmups, ended } = await play(stage, plan())
    expect(ended).toBe('complete')
    expect(warmups).toEqual(['old', 'new'])
    expect(stage.played.slice(0, 2).map(({ plan: played }) => played.durationMs)).toEqual([200, 200])
    expect(rounds.map(({ evidence }) => evidence.engine)).toEqual(plan().order.flat())
  })

  it('gives both engines of a round the same arrivals and every attempt a nonce of its own', async () => {
    const stage = new Stage()
    await play(stage, plan())
    const measured = stage.played.slice(2)
    for (let round = 0; round < 4; round++) {
      const seeds = new Set(
        measured.filter(({ plan: played }) => played.round === round).map(({ plan: played }) => played.seed),
      )
      expect(seeds.size).toBe(1)
    }
    for (const engine of ['old', 'new']) {
      const nonces = stage.played.filter((entry) => entry.engine === engine).map(({ plan: played }) => played.nonce)
      expect(new Set(nonces).size).toBe(nonces.length)
      for (const nonce of nonces) expect(nonce).toMatch(/^[a-z0-9-]{1,24}$/)
    }
  })

  it('repeats an invalid round at once, and keeps the invalid one on record', async () => {
    const stage = new Stage()
    stage.isValid = (engine, played) => !(engine === 'new' && played.round === 1 && played.attempt === 0)
    const { rounds } = await play(stage, plan())
    const seeds = stage.played.filter(({ plan: played }) => played.durationMs === 1000 && played.round === 1)
    expect(new Set(seeds.map(({ plan: played }) => played.seed)).size).toBe(1)
    expect(new Set(seeds.map(({ plan: played }) => played.nonce)).size).toBe(2)
    const second = rounds.filter(({ evidence }) => evidence.engine === 'new' && evidence.round === 1)
    expect(second.map(({ evidence }) => [evidence.attempt, evidence.audit.valid])).toEqual([
      [0, false],
      [1, true],
    ])
  })

  it('repeats five times at most in a run', async () => {
    const stage = new Stage()
    stage.isValid = () => false
    const { rounds } = await play(stage, plan())
    expect(rounds).toHaveLength(8 + maximumRepeats)
  })

  it('repeats nothing once the time for repeats is over, and ends when the budget is', async () => {
    const late = new Stage()
    late.isValid = () => false
    expect((await play(late, plan({ repeatUntilMs: 0 }))).rounds).toHaveLength(8)
    const { rounds, ended } = await play(new Stage(), plan({ budgetMs: 3000 }))
    expect(ended).toBe('time-budget')
    expect(rounds.length).toBeGreaterThan(0)
    expect(rounds.length).toBeLessThan(8)
  })

  it('stops at an interruption and tells every arm', async () => {
    const stage = new Stage()
    const controller = new AbortController()
    stage.onPlay = (played) => {
      if (played.round === 1) controller.abort()
    }
    const { rounds, ended } = await play(stage, plan(), controller.signal)
    expect(ended).toBe('interrupted')
    expect(rounds).toHaveLength(3)
    expect(stage.aborted).toEqual(['old', 'new'])
  })
})

describe('a machine that was taken away', () => {
  it('makes the round invalid, with the figure and the limit', () => {
    const stolen = withNoise(audit, { stealPercent: 12.3, foreignCpuPercent: 0 })
    expect(stolen.valid).toBe(false)
    expect(stolen.reasons).toEqual(['The hypervisor took 12.3 % of the machine, more than 5 %.'])
    expect(withNoise(audit, { stealPercent: 0, foreignCpuPercent: 60 }).reasons[0]).toContain('60.0 %')
  })

  it('does not make a round valid that was not', () => {
    expect(
      withNoise({ ...audit, valid: false, reasons: ['late'] }, { stealPercent: 0, foreignCpuPercent: 0 }).valid,
    ).toBe(false)
  })

  it('leaves a quiet round and an unknown machine alone', () => {
    expect(withNoise(audit, { stealPercent: 0.1, foreignCpuPercent: 3 })).toMatchObject({ valid: true, reasons: [] })
    expect(withNoise(audit, { stealPercent: null, foreignCpuPercent: null })).toMatchObject({
      valid: true,
      stealPercent: null,
    })
  })
})
