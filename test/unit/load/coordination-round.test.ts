/**
 * Whole coordination rounds on virtual time, against an engine in memory whose hops are known: how long instances take, what follows
 * from what, what is withdrawn, and that every planted fault shows.
 */
import { describe, expect, it } from 'vitest'
import { buildCoordination, rolesOf } from '../../../src/load/coordination.ts'
import { fairnessOf } from '../../../src/load/coordination-round.ts'
import { LoadSession } from '../../../src/load/load-session.ts'
import type { RoundReport } from '../../../src/load/round-plan.ts'
import type {
  CoordinationEvidence,
  CoordinationPattern,
  CoordinationPlan,
} from '../../../src/measurement/coordination-evidence.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { maximum, mergeDistributions, quantile, type Distribution } from '../../../src/statistics/distribution.ts'
import { faultsAt, MemoryEngine, type MemoryEngineOptions } from './memory-engine.ts'
import { planOf, workload } from './session-fixture.ts'
import { fixedGauge, VirtualTime } from './virtual-time.ts'

const fanOut: CoordinationPattern = { kind: 'fan-out', orchestrators: 2, workers: 8, fanOut: 4 }
const pipeline: CoordinationPattern = { kind: 'pipeline', coordinators: 2, agentsPerStage: 2, depth: 4 }
const quorum: CoordinationPattern = { kind: 'quorum', broadcasters: 2, members: 8, audience: 6, quorum: 3 }
const review: CoordinationPattern = {
  kind: 'review',
  authors: 4,
  reviewers: 6,
  approvals: 3,
  declineShare: 0.5,
  cancelShare: 0.1,
  maximumRounds: 3,
}
/** Four hops of 1 ms take an exchange: ask, question, answer, result. */
const roundTripUs = 4000

function coordinationOf(pattern: CoordinationPattern, workMs = 0): CoordinationPlan {
  return { pattern, instancesPerSecond: 40, arrivals: 'poisson', payloadBytes: 300, workMs, deadlineMs: 2000 }
}

interface Played extends RoundReport {
  readonly coordination: CoordinationEvidence
  readonly pattern: Distribution
  readonly engine: MemoryEngine
}

async function play(
  pattern: CoordinationPattern,
  engineOptions: MemoryEngineOptions = {},
  workMs = 0,
): Promise<Played> {
  const time = new VirtualTime()
  const engines: MemoryEngine[] = []
  const session = new LoadSession({
    createClient: (handlers) => {
      const engine = new MemoryEngine(time, handlers, engineOptions)
      engines.push(engine)
      return engine
    },
    timing: time,
    gauge: fixedGauge(),
  })
  await time.drive(session.connect(10, 4))
  const plan = planOf({ coordination: coordinationOf(pattern, workMs), workload: { ...workload, agents: 10 } })
  const report = await time.drive(session.runRound(plan))
  const [engine] = engines
  const { coordination } = report.evidence
  if (coordination === undefined || engine === undefined) throw new Error('no coordination was recorded')
  const pattern_ = mergeDistributions(readHistogramLog(report.hlog).get('pattern') ?? [])
  return { ...report, coordination, pattern: pattern_, engine }
}

function graphOf(pattern: CoordinationPattern): ReturnType<typeof buildCoordination> {
  const { seed, durationMs } = planOf()
  return buildCoordination(coordinationOf(pattern), seed, durationMs, 256)
}

/** A histogram of three digits holds a value to 0.1 %; arrivals are met within the timer's millisecond and a half. */
function expectWithin(us: number | null, low: number, high: number): void {
  expect(us ?? NaN).toBeGreaterThanOrEqual(low * 0.999)
  expect(us ?? NaN).toBeLessThanOrEqual(high * 1.001)
}

describe('an instance on an even engine', () => {
  it('takes one exchange in a fan-out, however many are asked', async () => {
    const { evidence, coordination, pattern } = await play(fanOut)
    const instances = graphOf(fanOut).arrivalNs.length
    expect(instances).toBeGreaterThan(30)
    expect(coordination).toMatchObject({
      instances: { scheduled: instances, completed: instances, failed: 0 },
      withdrawals: { asked: 0, withdrawn: 0 },
      neverOffered: 0,
    })
    expect(evidence.counts).toMatchObject({ scheduled: instances * 4, completed: instances * 4, reordered: 0 })
    expect(evidence.audit).toMatchObject({ valid: true, reasons: [], sent: instances * 4 })
    expect(pattern.n).toBe(instances)
    expectWithin(quantile(pattern, 0.5), roundTripUs, roundTripUs + 1500)
  })

  it('takes the sum of its stages in a pipeline, and each exchange only its own', async () => {
    const { pattern, hlog, evidence } = await play(pipeline)
    const trips = mergeDistributions(readHistogramLog(hlog).get('roundTrip') ?? [])
    expect(pattern.n * 4).toBe(evidence.counts.completed)
    expect(trips.n).toBe(evidence.counts.completed)
    expectWithin(quantile(pattern, 0.5), 4 * roundTripUs, 4 * roundTripUs + 2000)
    // Counted from the answer that released it, not from the arrival of its instance.
    expectWithin(maximum(trips), roundTripUs, roundTripUs + 2000)
  })

  it('is filed under the second of its arrival with all its exchanges', async () => {
    const { hlog } = await play(pipeline)
    const log = readHistogramLog(hlog)
    const perSecond = (tag: string): number[] => (log.get(tag) ?? []).map(({ n }) => n)
    expect(perSecond('roundTrip')).toEqual(perSecond('pattern').map((n) => n * 4))
  })

  it('goes through the rounds that its review was drawn to have', async () => {
    const graph = graphOf(review)
    const { coordination, evidence } = await play(review)
    const instances = graph.arrivalNs.length
    expect(coordination.instances).toEqual({ scheduled: instances, completed: instances, failed: 0 })
    const { asked, withdrawn } = coordination.withdrawals
    expect(evidence.counts.scheduled + withdrawn).toBe(graph.count)
    expect(evidence.counts.completed).toBe(evidence.counts.scheduled)
    expect(asked).toBeGreaterThanOrEqual(withdrawn)
    expect(evidence.ledger.state).toBe('COMPLETE')
  })
})

describe('a quorum', () => {
  it('is reached without those who are slow; they are withdrawn, and that is neither failure nor success', async () => {
    // Agent 2 is the first member, and is in most audiences.
    const { coordination, evidence, pattern } = await play(quorum, { slow: { agent: 2, byMs: 500 } })
    const { asked, withdrawn } = coordination.withdrawals
    const graph = graphOf(quorum)
    const slow = graph.recipient.filter((agent) => agent === 2).length
    expect(slow).toBeGreaterThan(10)
    expect(withdrawn).toBeGreaterThanOrEqual(slow)
    expect(asked).toBeGreaterThanOrEqual(withdrawn)
    expect(evidence.counts.scheduled).toBe(graph.count - withdrawn)
    expect(evidence.counts).toMatchObject({
      refused: 0,
      timedOut: 0,
      lost: 0,
      unexpected: 0,
      doubleTerminal: 0,
      late: 0,
    })
    expect(evidence.audit.valid).toBe(true)
    expect(coordination.instances.failed).toBe(0)
    expectWithin(maximum(pattern), roundTripUs, roundTripUs + 2000)
  })

  it('counts what an engine does not withdraw as answered, and waits for it before the round ends', async () => {
    const { coordination, evidence } = await play(quorum, { slow: { agent: 2, byMs: 500 }, ignoresWithdrawals: true })
    expect(coordination.withdrawals.asked).toBeGreaterThan(10)
    expect(coordination.withdrawals.withdrawn).toBe(0)
    expect(evidence.counts.completed).toBe(graphOf(quorum).count)
  })

  it('is missed when too many fail', async () => {
    const graph = graphOf(quorum)
    const faults = new Map([0, 1, 2, 3].map((exchange) => [exchange, 'refuse'] as const))
    const { coordination, evidence } = await play(quorum, { faults })
    expect(coordination.instances).toMatchObject({ scheduled: graph.arrivalNs.length, failed: 1 })
    expect(evidence.counts.refused).toBe(4)
    const held = await play(quorum, { faults: faultsAt(0, 'refuse') })
    expect(held.coordination.instances.failed).toBe(0)
  })
})

describe('recipients that work before they answer', () => {
  it('make an instance as long as the work that it waited for, the same whatever the engine', async () => {
    const graph = buildCoordination(coordinationOf(fanOut, 30), planOf().seed, planOf().durationMs, 256)
    const slowest = [...graph.arrivalNs].map((_, instance) => {
      const stage = graph.firstStage[instance] ?? NaN
      return Math.max(...(graph.workNs ?? []).slice(graph.firstExchange[stage], graph.firstExchange[stage + 1]))
    })
    const { pattern, coordination } = await play(fanOut, {}, 30)
    expect(coordination.instances.failed).toBe(0)
    const longestUs = Math.max(...slowest) / 1000
    expectWithin(maximum(pattern), roundTripUs + longestUs, roundTripUs + longestUs + 3000)
    const meanMs = [...(graph.workNs ?? [])].reduce((sum, ns) => sum + ns / 1e6, 0) / graph.count
    expect(Math.abs(meanMs / 30 - 1)).toBeLessThan(0.3)
  })

  it('are withdrawn from once a quorum is there, and the account still adds up', async () => {
    const graph = graphOf(quorum)
    const { coordination, evidence } = await play(quorum, {}, 30)
    const { asked, withdrawn } = coordination.withdrawals
    expect(asked).toBe(graph.count - 3 * graph.arrivalNs.length)
    expect(withdrawn).toBeGreaterThan(asked / 2)
    expect(evidence.counts).toMatchObject({ scheduled: graph.count - withdrawn, completed: graph.count - withdrawn })
    expect(evidence.counts).toMatchObject({ unexpected: 0, phantom: 0, doubleTerminal: 0, late: 0, lost: 0 })
    expect(evidence.audit.reasons).toEqual([])
    expect(evidence.audit).toMatchObject({ sent: evidence.counts.scheduled, scheduled: evidence.counts.scheduled })
    // Nobody told the recipients, so they answered, and the engine refused that.
    expect(evidence.client['refused.answer.EXPIRED']).toBeGreaterThan(0)
  })
})

describe('a step that fails', () => {
  it.each(['refuse', 'dropQuestion', 'dropAskUnacknowledged'] as const)(
    'fails its instance and releases nothing (%s, told by nobody)',
    async (fault) => {
      const graph = graphOf(pipeline)
      const { coordination, evidence } = await play(pipeline, { faults: faultsAt(1, fault) })
      expect(coordination).toMatchObject({
        instances: { scheduled: graph.arrivalNs.length, failed: 1 },
        // Of its four stages the second failed.
        neverOffered: 2,
      })
      expect(evidence.counts.scheduled).toBe(graph.count - 2)
      expect(evidence.counts.completed).toBe(graph.count - 3)
      expect(evidence.audit.reasons).toEqual([])
      expect(evidence.ledger.state).toBe('COMPLETE')
    },
  )

  it('fails its instance where the client decides on expiry, which tells nobody', async () => {
    const { coordination, evidence } = await play(pipeline, { expiry: 'client', faults: faultsAt(1, 'dropQuestion') })
    expect(coordination).toMatchObject({ instances: { failed: 1 }, neverOffered: 2 })
    expect(evidence.counts.lost).toBe(1)
  })

  it('does not fail a gather twice', async () => {
    const faults = new Map([0, 1].map((exchange) => [exchange, 'refuse'] as const))
    const { coordination, evidence } = await play(fanOut, { faults })
    expect(coordination.instances.failed).toBe(1)
    expect(evidence.counts.refused).toBe(2)
  })
})

describe('a stall of the engine', () => {
  it('is in the time of every instance that it met, of those too that arrived meanwhile', async () => {
    const { pattern, evidence } = await play(pipeline, { stall: { fromMs: 300, toMs: 700 } })
    const arrivals = [...graphOf(pipeline).arrivalNs].map((ns) => ns / 1e6)
    const first = arrivals[0] ?? NaN
    const met = arrivals.filter((ms) => ms > first + 300 && ms < first + 500).length
    expect(met).toBeGreaterThan(2)
    // Whoever arrived in its first half waited for its second.
    expect(quantile(pattern, 1 - met / pattern.n) ?? 0).toBeGreaterThan(200_000)
    expect(evidence.audit.valid).toBe(true)
  })
})

describe('fairness', () => {
  it('is 1 on an even engine, by delivery to the asked and by round trip of the askers', async () => {
    const { coordination } = await play(fanOut)
    expect(coordination.fairness.map(({ role, measure, agents }) => [role, measure, agents])).toEqual([
      ['worker', 'delivery', 8],
      ['orchestrator', 'roundTrip', 2],
    ])
    for (const { index, worstToMedian, served, agents } of coordination.fairness) {
      expect([index, worstToMedian]).toEqual([1, 1])
      expect(served).toBe(agents)
    }
  })

  it('knows nothing of the timers of the load: whoever is asked first is served like those who are asked later', async () => {
    const { coordination } = await play(pipeline)
    const [stages] = coordination.fairness
    expect(stages).toMatchObject({ role: 'stage', index: 1, worstToMedian: 1, medianMs: 2 })
  })

  it('compares agents of a pipeline with those of their own stage alone', () => {
    const graph = graphOf(pipeline)
    const sentAtNs = new Float64Array(graph.count)
    // Agents 2 and 3 are the first stage, 4 and 5 the second, and so on: the first finds everybody asleep.
    const takesMs = (agent: number, worse: number): number => (agent < 4 ? 10 : 1) * (agent === worse ? 3 : 1)
    const fairness = (worse: number) => {
      const deliveredAtNs = Float64Array.from(graph.recipient, (agent) => takesMs(agent, worse) * 1e6)
      return fairnessOf(rolesOf(pipeline), graph, { sentAtNs, deliveredAtNs, resultAtNs: deliveredAtNs }, 2)[0]
    }
    expect(fairness(-1)).toMatchObject({ index: 1, worstToMedian: 1 })
    // One of two takes three times as long as the other: about 1.5 and 0.5 of their mean, by how often each is asked.
    for (const worse of [2, 5, 9]) expect(fairness(worse)?.worstToMedian).toBeGreaterThan(1.25)
  })

  it('falls by as much as one agent waits longer than all others', async () => {
    const { coordination } = await play(fanOut, { slow: { agent: 5, byMs: 198 } })
    const [workers] = coordination.fairness
    // Seven at 2 ms and one at 200 ms: (214)² / (8 × 40,028) = 0.143.
    expect(workers?.index).toBeGreaterThan(0.14)
    expect(workers?.index).toBeLessThan(0.16)
    expect(workers?.worstToMedian).toBeGreaterThan(50)
    expect(workers?.worstMs).toBeGreaterThan(199)
  })
})

it('an interrupted round is invalid, and its open instances have failed', async () => {
  const time = new VirtualTime()
  const session = new LoadSession({
    createClient: (handlers) => new MemoryEngine(time, handlers),
    timing: time,
    gauge: fixedGauge(),
  })
  await time.drive(session.connect(10, 4))
  const plan = planOf({ coordination: coordinationOf(pipeline), workload: { ...workload, agents: 10 } })
  const interruption = new AbortController()
  time.scheduler.after(500, () => interruption.abort())
  const { evidence } = await time.drive(session.runRound(plan, interruption.signal))
  const { scheduled, completed, failed } = evidence.coordination?.instances ?? { scheduled: 0, completed: 0, failed: 0 }
  expect(evidence.audit.valid).toBe(false)
  expect(completed + failed).toBe(scheduled)
  expect(failed).toBeGreaterThan(0)
  expect(completed).toBeGreaterThan(0)
})
