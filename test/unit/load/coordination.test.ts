/**
 * The graphs of coordination patterns: who is asked, in which stages, and what ends a stage, for every pattern and any seed.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  agentsOf,
  buildCoordination,
  exchangesPerInstance,
  maximumStages,
  rolesOf,
  type CoordinationGraph,
} from '../../../src/load/coordination.ts'
import type { CoordinationPattern, CoordinationPlan } from '../../../src/measurement/coordination-evidence.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

const patterns: readonly CoordinationPattern[] = [
  { kind: 'fan-out', orchestrators: 3, workers: 12, fanOut: 5 },
  { kind: 'pipeline', coordinators: 3, agentsPerStage: 4, depth: 6 },
  { kind: 'review', authors: 4, reviewers: 8, approvals: 3, declineShare: 0.4, cancelShare: 0.1, maximumRounds: 3 },
  { kind: 'quorum', broadcasters: 2, members: 9, audience: 7, quorum: 4 },
  { kind: 'expert-pool', workers: 20, experts: 5, declineShare: 0.3, maximumAttempts: 4 },
  { kind: 'hot-spot', workers: 10, peers: 5, hotShare: 0.5 },
]

function planOf(pattern: CoordinationPattern, instancesPerSecond = 300): CoordinationPlan {
  return { pattern, instancesPerSecond, arrivals: 'poisson', payloadBytes: 300, workMs: 0, deadlineMs: 1000 }
}

function build(pattern: CoordinationPattern, seed = 'seed', durationMs = 2000): CoordinationGraph {
  return buildCoordination(planOf(pattern), seed, durationMs, 256)
}

interface Stage {
  readonly exchanges: readonly number[]
  readonly recipients: readonly number[]
  readonly actions: readonly number[]
  readonly needed: number
  readonly decider: number
}

function stagesOf(graph: CoordinationGraph, instance: number): Stage[] {
  const from = graph.firstStage[instance] ?? NaN
  const to = graph.firstStage[instance + 1] ?? NaN
  return Array.from({ length: to - from }, (_, index): Stage => {
    const stage = from + index
    const first = graph.firstExchange[stage] ?? NaN
    const end = graph.firstExchange[stage + 1] ?? NaN
    return {
      exchanges: Array.from({ length: end - first }, (__, place) => first + place),
      recipients: [...graph.recipient.slice(first, end)],
      actions: [...graph.action.slice(first, end)],
      needed: graph.needed[stage] ?? NaN,
      decider: graph.decider[stage] ?? NaN,
    }
  })
}

function instancesOf(graph: CoordinationGraph): Stage[][] {
  return Array.from({ length: graph.arrivalNs.length }, (_, instance) => stagesOf(graph, instance))
}

describe.each(patterns.map((pattern) => [pattern.kind, pattern] as const))('the graph of %s', (_, pattern) => {
  it('is drawn from the seed alone', () => {
    expect(build(pattern)).toEqual(build(pattern))
    expect(build(pattern, 'other').arrivalNs).not.toEqual(build(pattern).arrivalNs)
  })

  it('divides exchanges into stages and stages into instances, each of one asker and of different recipients', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), (seed) => {
        const graph = build(pattern, seed, 500)
        const { askers } = rolesOf(pattern)
        const all = instancesOf(graph)
        expect(all.flat().flatMap(({ exchanges }) => exchanges)).toEqual(
          Array.from({ length: graph.count }, (__, exchange) => exchange),
        )
        for (const [instance, stages] of all.entries()) {
          expect(stages.length).toBeGreaterThan(0)
          expect(stages.length).toBeLessThanOrEqual(maximumStages(pattern))
          const exchanges = stages.flatMap((stage) => stage.exchanges)
          expect(new Set(exchanges.map((exchange) => graph.requester[exchange])).size).toBe(1)
          expect(graph.requester[exchanges[0] ?? NaN]).toBeLessThan(askers.agents)
          for (const stage of stages) {
            expect(new Set(stage.recipients).size).toBe(stage.recipients.length)
            for (const agent of stage.recipients) {
              expect(agent).toBeGreaterThanOrEqual(askers.agents)
              expect(agent).toBeLessThan(agentsOf(pattern))
            }
            expect(stage.needed).toBeLessThanOrEqual(stage.exchanges.length)
            expect(stage.exchanges).toContain(stage.decider)
            for (const exchange of stage.exchanges) {
              expect(graph.instanceOf[graph.stageOf[exchange] ?? NaN]).toBe(instance)
            }
          }
        }
      }),
      { numRuns: 30 },
    )
  })

  it('numbers its pairs densely, one number for each requester and recipient', () => {
    const { pairs, requester, recipient } = build(pattern)
    const named = new Map<string, number>()
    for (const [exchange, pair] of pairs.of.entries()) {
      const name = `${requester[exchange]} ${recipient[exchange]}`
      expect(named.get(name) ?? pair).toBe(pair)
      named.set(name, pair)
    }
    expect(named.size).toBe(pairs.count)
    expect(new Set(named.values()).size).toBe(pairs.count)
  })

  it('has as many exchanges per instance as are announced', () => {
    const graph = build(pattern, 'seed', 20_000)
    const mean = graph.count / graph.arrivalNs.length
    // 6,000 instances: four standard errors are below 4 % of any of these means.
    expect(Math.abs(mean / exchangesPerInstance(pattern) - 1)).toBeLessThan(0.04)
  })

  it('is due nowhere before it is played', () => {
    expect(build(pattern).scheduledAtNs.every(Number.isNaN)).toBe(true)
  })
})

describe('what ends a stage', () => {
  it('is every answer of a fan-out, and a quorum of a broadcast', () => {
    for (const [stage] of instancesOf(build(patterns[0] as CoordinationPattern))) expect(stage?.needed).toBe(5)
    for (const [stage] of instancesOf(build(patterns[3] as CoordinationPattern))) expect(stage?.needed).toBe(4)
  })

  it('is the one who declines or cancels a review; only a decline starts a new round, and with the same reviewers', () => {
    const all = instancesOf(build(patterns[2] as CoordinationPattern))
    const lengths = new Set(all.map((stages) => stages.length))
    expect(lengths).toEqual(new Set([1, 2, 3]))
    let cancelled = 0
    for (const stages of all) {
      for (const [round, { actions, needed, decider, exchanges, recipients }] of stages.entries()) {
        expect(recipients).toEqual(stages[0]?.recipients)
        const isLast = round === stages.length - 1
        const decisive = actions[exchanges.indexOf(decider)]
        if (needed > 0) expect([needed, isLast, actions]).toEqual([3, true, [0, 0, 0]])
        else {
          expect(actions.filter((action) => action !== 0)).toEqual([isLast ? 2 : 1])
          expect(decisive).toBe(isLast ? 2 : 1)
          if (isLast) cancelled++
        }
      }
    }
    expect(cancelled).toBeGreaterThan(0)
  })

  it('is any answer of an expert; who declines is not asked again', () => {
    for (const stages of instancesOf(build(patterns[4] as CoordinationPattern))) {
      const asked = stages.flatMap(({ recipients }) => recipients)
      expect(new Set(asked).size).toBe(asked.length)
      const actions = stages.flatMap((stage) => stage.actions)
      expect(actions).toEqual([...actions.slice(1).map(() => 1), 0])
    }
  })

  it('is in order of the stages of a pipeline', () => {
    for (const stages of instancesOf(build(patterns[1] as CoordinationPattern))) {
      expect(stages.map(({ recipients }) => Math.floor(((recipients[0] ?? NaN) - 3) / 4))).toEqual([0, 1, 2, 3, 4, 5])
    }
  })

  it('is the hot peer as often as its share says', () => {
    const { recipient } = build(patterns[5] as CoordinationPattern, 'seed', 20_000)
    const hot = recipient.filter((agent) => agent === 10).length / recipient.length
    expect(Math.abs(hot - 0.5)).toBeLessThan(0.03)
  })
})

it('refuses more exchanges than a round may hold', () => {
  const pattern = patterns[0] as CoordinationPattern
  expect(() => buildCoordination(planOf(pattern, 100_000), 'seed', 60_000, 256)).toThrow(LighthouseError)
})
