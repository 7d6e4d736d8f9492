/**
 * Chains of questions on virtual time, against an engine in memory whose hops are known: who asks whom, what a retry leads to, and that
 * what is asked in vain is counted, no more and no less.
 */
import { describe, expect, it } from 'vitest'
import { chainSize, chainTree } from '../../../src/load/chain.ts'
import { buildCoordination } from '../../../src/load/coordination.ts'
import type { LateAnswerPlan } from '../../../src/load/round-plan.ts'
import type {
  ChainEvidence,
  CoordinationEvidence,
  CoordinationPlan,
} from '../../../src/measurement/coordination-evidence.ts'
import type { ExchangeCounts } from '../../../src/measurement/results-document.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { maximum, mergeDistributions } from '../../../src/statistics/distribution.ts'
import type { MemoryEngineOptions } from './memory-engine.ts'
import { bench, planOf, workload } from './session-fixture.ts'

const callers = 2
const links = 8
const deadlineMs = 100
/** Four hops of 1 ms take an exchange: ask, question, answer, result. */
const roundTripUs = 4000

interface Shape {
  readonly depth: number
  readonly attempts?: number
  readonly deadlines?: 'heeded' | 'ignored'
}

function chainsOf({ depth, attempts = 2, deadlines = 'ignored' }: Shape): CoordinationPlan {
  const pattern = { kind: 'chain', callers, links, depth, attempts, deadlines } as const
  return { pattern, instancesPerSecond: 20, arrivals: 'poisson', payloadBytes: 300, workMs: 0, deadlineMs }
}

interface Played {
  readonly counts: ExchangeCounts
  readonly coordination: CoordinationEvidence
  readonly sum: Record<keyof ChainEvidence, number>
  readonly slowestUs: number | null
  readonly ledger: string
}

async function play(shape: Shape, late?: LateAnswerPlan, engine: MemoryEngineOptions = {}): Promise<Played> {
  const { run } = await bench(engine)
  const report = await run(
    planOf({
      coordination: chainsOf(shape),
      workload: { ...workload, agents: callers + links, deadlineMs },
      ...(late === undefined ? {} : { lateAnswers: late }),
    }),
  )
  const { coordination, counts, ledger } = report.evidence
  const chain = coordination?.chain
  if (coordination === undefined || chain === undefined) throw new Error('no chain was recorded')
  const total = (key: keyof ChainEvidence): number => chain[key].reduce((sum, each) => sum + each, 0)
  return {
    counts,
    coordination,
    sum: {
      begun: total('begun'),
      completed: total('completed'),
      asked: total('asked'),
      askedInVain: total('askedInVain'),
    },
    slowestUs: maximum(mergeDistributions(readHistogramLog(report.hlog).get('pattern') ?? [])),
    ledger: ledger.state,
  }
}

const everyLink: LateAnswerPlan = { firstAgent: callers, agents: links, delayMs: 150 }
const oneLink: LateAnswerPlan = { firstAgent: callers, agents: 1, delayMs: 150 }

describe('the tree of a chain', () => {
  it('has a place for every attempt of every attempt', () => {
    expect(chainSize({ depth: 1, attempts: 3 })).toBe(3)
    expect(chainSize({ depth: 5, attempts: 3 })).toBe(363)
    const { parent, firstChild, level, isLastAttempt } = chainTree({ depth: 3, attempts: 2 })
    expect([...level]).toEqual([1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    expect([...parent]).toEqual([-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    expect([...firstChild]).toEqual([2, 4, 6, 8, 10, 12, -1, -1, -1, -1, -1, -1, -1, -1])
    expect([...isLastAttempt]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
  })

  it('lets nobody ask itself, and whoever was asked asks on', () => {
    const { seed, durationMs } = planOf()
    const graph = buildCoordination(chainsOf({ depth: 3, attempts: 3 }), seed, durationMs, 256)
    const { chain, requester, recipient, count } = graph
    if (chain === null) throw new Error('no chain')
    expect(count).toBe(graph.arrivalNs.length * chain.size)
    for (let exchange = 0; exchange < count; exchange++) {
      const node = exchange % chain.size
      const parent = chain.parent[node] as number
      expect(recipient[exchange]).toBeGreaterThanOrEqual(callers)
      expect(recipient[exchange]).not.toBe(requester[exchange])
      if (parent === -1) expect(requester[exchange]).toBeLessThan(callers)
      else expect(requester[exchange]).toBe(recipient[exchange - node + parent])
    }
  })
})

describe('chains on an even engine', () => {
  it.each([1, 2, 3, 4, 5])('take as many questions as they are deep, one within the other: %i', async (depth) => {
    const { sum, coordination, counts, slowestUs } = await play({ depth })
    expect(sum.begun).toBeGreaterThan(15)
    expect(sum).toEqual({ begun: sum.begun, completed: sum.begun, asked: sum.begun * depth, askedInVain: 0 })
    expect(coordination.instances).toEqual({ scheduled: sum.begun, completed: sum.begun, failed: 0 })
    expect(coordination.neverOffered).toBe(0)
    expect(counts).toMatchObject({ scheduled: sum.asked, completed: sum.asked, reordered: 0, late: 0 })
    // Every hop waits for the one below it; a timer's millisecond comes on top of the arrival.
    expect(slowestUs ?? NaN).toBeGreaterThanOrEqual(depth * roundTripUs * 0.999)
    expect(slowestUs ?? NaN).toBeLessThanOrEqual((depth * roundTripUs + 2000) * 1.001)
  })
})

describe('agents that are all too slow', () => {
  it('make every possible attempt when nobody heeds deadlines', async () => {
    const { sum, coordination, counts, ledger } = await play({ depth: 2 }, everyLink)
    // Of each chain: two attempts of the caller, and two of the link for each of them, which nobody waits for.
    expect(sum).toEqual({ begun: sum.begun, completed: 0, asked: 6 * sum.begun, askedInVain: 4 * sum.begun })
    expect(coordination.neverOffered).toBe(0)
    expect(counts).toMatchObject({ scheduled: sum.asked, timedOut: sum.asked, lost: 0, late: 0 })
    expect(ledger).toBe('COMPLETE')
  })

  it('are asked by the caller alone when deadlines are heeded', async () => {
    const { sum, coordination } = await play({ depth: 2, deadlines: 'heeded' }, everyLink)
    expect(sum).toEqual({ begun: sum.begun, completed: 0, asked: 2 * sum.begun, askedInVain: 0 })
    // The second level of every chain.
    expect(coordination.neverOffered).toBe(sum.begun)
  })
})

describe('one slow agent among others', () => {
  it('is got around by asking again, at the price of questions in vain', async () => {
    const ignored = await play({ depth: 3 }, oneLink)
    const heeded = await play({ depth: 3, deadlines: 'heeded' }, oneLink)
    for (const { sum, counts, ledger } of [ignored, heeded]) {
      expect(sum.completed).toBeGreaterThan(sum.begun / 2)
      expect(sum.asked).toBe(counts.scheduled)
      expect(sum.asked).toBeGreaterThan(3 * sum.completed)
      expect(counts).toMatchObject({ lost: 0, duplicated: 0, late: 0, unexpected: 0 })
      expect(ledger).toBe('COMPLETE')
    }
    expect(heeded.sum.begun).toBe(ignored.sum.begun)
    expect(heeded.sum.askedInVain).toBe(0)
    expect(ignored.sum.askedInVain).toBeGreaterThan(0)
    expect(ignored.sum.asked).toBeGreaterThan(heeded.sum.asked)
  })

  it('leaves chains alone that come when it is not slow', async () => {
    const { sum } = await play({ depth: 3 }, { ...oneLink, fromMs: 5000 })
    expect(sum).toMatchObject({ completed: sum.begun, asked: 3 * sum.begun, askedInVain: 0 })
  })
})

describe('an engine that keeps no deadlines itself', () => {
  it('is given up on, and the next attempt follows', async () => {
    const { sum, counts } = await play({ depth: 1 }, everyLink, { expiry: 'client' })
    expect(sum).toEqual({ begun: sum.begun, completed: 0, asked: 2 * sum.begun, askedInVain: 0 })
    expect(counts.timedOut).toBe(sum.asked)
  })
})
