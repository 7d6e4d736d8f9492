/**
 * A whole load session on virtual time: clean rounds, the coordinated-omission test, every planted fault,
 * interruption, saturation and the bounds of the drain.
 */
import { describe, expect, it } from 'vitest'
import { anomalyClasses, type AnomalyClass } from '../../../src/delivery/anomaly-log.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import { countAbove, mergeDistributions, quantile, type Distribution } from '../../../src/statistics/distribution.ts'
import type { RoundProgress, RoundReport } from '../../../src/load/round-plan.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { faultsAt, type Fault } from './memory-engine.ts'
import { bench, planOf, workload } from './session-fixture.ts'
import { fixedGauge } from './virtual-time.ts'

function seriesOf(report: RoundReport, tag: string): Distribution {
  return mergeDistributions(readHistogramLog(report.hlog).get(tag) ?? [])
}

function flippedClasses(report: RoundReport): AnomalyClass[] {
  return anomalyClasses.filter((kind) => report.evidence.counts[kind] > 0)
}

function expectConservation({ evidence: { counts } }: RoundReport): void {
  expect(counts.completed + counts.refused + counts.timedOut + counts.lost).toBe(counts.scheduled)
}

describe('a clean round', () => {
  it('completes every exchange and accounts for it', async () => {
    const { run } = await bench()
    const report = await run()
    const { evidence } = report
    expect(evidence.counts.scheduled).toBeGreaterThan(200)
    expect(evidence.counts.completed).toBe(evidence.counts.scheduled)
    expect(flippedClasses(report)).toEqual([])
    expect(evidence.ledger).toEqual({ state: 'COMPLETE', reasons: [] })
    expect(evidence.audit).toMatchObject({ valid: true, reasons: [], achievedRatio: 1 })
    expect(evidence.samples).toEqual({ negative: 0, outOfRange: 0 })
    expect(evidence.drainMs).toBeLessThan(200)
  })

  it('writes one line per series and second of the schedule, with every completed exchange in it', async () => {
    const { run } = await bench()
    const { hlog, evidence } = await run()
    const series = readHistogramLog(hlog)
    expect([...series].map(([tag, blocks]) => [tag, blocks.length])).toEqual([
      ['delivery', 2],
      ['roundTrip', 2],
      ['serviceTime', 2],
      ['lateness', 1],
    ])
    for (const tag of ['delivery', 'roundTrip', 'serviceTime', 'lateness']) {
      expect(mergeDistributions(series.get(tag) ?? []).n).toBe(evidence.counts.completed)
    }
  })

  it('measures the hops of the wire: two to the recipient, four to the result', async () => {
    const { run } = await bench({ hopMs: 10 })
    const report = await run(planOf({ pacing: 'spin' }))
    // Four hops of 10 ms; HDR keeps three digits, and pacing on virtual time is within a turn of 10 µs.
    for (const [tag, hops] of [
      ['delivery', 2],
      ['roundTrip', 4],
      ['serviceTime', 4],
    ] as const) {
      for (const q of [0.01, 0.5, 1]) {
        const us = quantile(seriesOf(report, tag), q) ?? Number.NaN
        expect(us).toBeGreaterThanOrEqual(hops * 10_000)
        expect(us).toBeLessThan(hops * 10_000 + 100)
      }
    }
  })

  it.each(['engine', 'client'] as const)('repeats itself exactly with expiry by %s', async (expiry) => {
    const [first, second] = [await bench({ expiry }), await bench({ expiry })]
    const [one, two] = [await first.run(), await second.run()]
    expect(one.evidence).toEqual(two.evidence)
    expect(one.hlog).toBe(two.hlog)
  })
})

describe('coordinated omission', () => {
  it('charges a stall of the generator to every exchange scheduled in it, while service stays short', async () => {
    const { run, time } = await bench()
    const stallFromNs = time.nowNs + 10e6 + 500e6
    // The generator's own thread is blocked for 200 ms: no timer of it runs meanwhile.
    time.at(stallFromNs, () => {
      time.nowNs += 200e6
    })
    const report = await run(planOf({ workload: { ...workload, arrivals: 'uniform', ratePerSecond: 1000 } }))
    const response = seriesOf(report, 'roundTrip')
    const service = seriesOf(report, 'serviceTime')
    const longest = quantile(response, 1) ?? 0
    expect(longest).toBeGreaterThan(195_000)
    // 1000/s for 200 ms: the waits of the 200 exchanges fall evenly from 200 ms to 0, so half wait over 100 ms;
    // four hops and the batch timer add up to 5 ms to each, and those in flight at the start wait as well.
    expect(countAbove(response, 100_000)).toBeGreaterThanOrEqual(100)
    expect(countAbove(response, 100_000)).toBeLessThanOrEqual(112)
    expect(countAbove(response, 10_000)).toBeGreaterThanOrEqual(185)
    // Only the few in flight when the thread stopped were served late as well.
    expect(countAbove(service, 10_000)).toBeLessThanOrEqual(6)
    expect(report.evidence.audit.valid).toBe(false)
    expect(report.evidence.audit.reasons.join(' ')).toContain('late')
  })

  it('charges a stall of the engine to every exchange scheduled in it', async () => {
    const { run } = await bench({ stall: { fromMs: 500, toMs: 700 } })
    const report = await run(planOf({ workload: { ...workload, arrivals: 'uniform', ratePerSecond: 1000 } }))
    const response = seriesOf(report, 'roundTrip')
    expect(countAbove(response, 100_000)).toBeGreaterThanOrEqual(100)
    expect(countAbove(response, 100_000)).toBeLessThanOrEqual(112)
    expect(quantile(response, 1)).toBeGreaterThan(195_000)
    expect(report.evidence.audit.valid).toBe(true)
    expect(report.evidence.counts.completed).toBe(report.evidence.counts.scheduled)
  })

  it('the closed loop hides the same stall, which is why it is labelled', async () => {
    const { run } = await bench({ stall: { fromMs: 500, toMs: 700 } })
    const plan = planOf({ loadModel: 'closed', workload: { ...workload, arrivals: 'uniform', ratePerSecond: 1000 } })
    const report = await run(plan)
    const response = seriesOf(report, 'roundTrip')
    expect(countAbove(response, 100_000)).toBeLessThanOrEqual(workload.agents)
    expect(report.evidence.counts.completed).toBe(report.evidence.counts.scheduled)
    expect(report.evidence.counts.scheduled).toBeLessThan(1500)
    expect(report.evidence.audit.valid).toBe(true)
    expectConservation(report)
  })
})

describe('planted faults', () => {
  const cases: readonly [Fault, 'engine' | 'client', AnomalyClass[], Partial<Record<string, number>>][] = [
    ['dropQuestion', 'engine', ['lost'], { lost: 1 }],
    ['dropQuestion', 'client', ['lost'], { lost: 1 }],
    ['dropAskUnacknowledged', 'client', [], { timedOut: 1 }],
    ['dropResult', 'engine', ['lost'], { lost: 1 }],
    ['dropResult', 'client', ['lost'], { lost: 1 }],
    ['duplicateQuestion', 'engine', ['duplicated'], {}],
    ['duplicateResult', 'client', ['duplicated'], {}],
    ['wireDuplicate', 'engine', ['wireDuplicates'], {}],
    ['refuse', 'engine', [], { refused: 1 }],
    ['refuseAnswer', 'engine', [], { timedOut: 1 }],
    ['refuseAnswer', 'client', [], { refused: 1 }],
    ['phantom', 'engine', ['phantom'], { refused: 1 }],
    ['misdeliverQuestion', 'engine', ['misdelivered'], { timedOut: 1 }],
    ['misdeliverResult', 'client', ['misdelivered'], { timedOut: 1 }],
    ['delayResult', 'client', ['late', 'reordered'], { timedOut: 1 }],
    ['delayResult', 'engine', ['late', 'reordered'], {}],
    ['doubleTerminal', 'engine', ['doubleTerminal'], {}],
    ['corruptQuestion', 'engine', ['corrupt'], {}],
    ['corruptResult', 'client', ['corrupt'], {}],
    ['forge', 'engine', ['unexpected'], {}],
    ['strayEarlier', 'client', ['late'], {}],
    ['strayForeign', 'client', ['unexpected'], {}],
  ]
  it.each(cases)('%s with expiry by %s', async (fault, expiry, flipped, ends) => {
    const { run } = await bench({ expiry, faults: faultsAt(20, fault), delayMs: 2600 })
    const report = await run()
    expect(flippedClasses(report).toSorted()).toEqual(flipped.toSorted())
    const { counts } = report.evidence
    expect({ refused: counts.refused, timedOut: counts.timedOut, lost: counts.lost }).toEqual({
      refused: 0,
      timedOut: 0,
      lost: 0,
      ...ends,
    })
    expectConservation(report)
    expect(seriesOf(report, 'roundTrip').n).toBe(counts.completed)
    expect(report.evidence.anomalies.map((text) => text.split(':')[0])).toEqual(expect.arrayContaining(flipped))
  })

  it('counts a refusal by its code and does not ask again', async () => {
    const { run, engine } = await bench({ faults: faultsAt(20, 'refuse') })
    const { evidence } = await run()
    expect(evidence.client['refused.ask.OVERLOADED']).toBe(1)
    expect(engine.asked).toBe(evidence.counts.scheduled)
  })

  it('a question delayed past a later one of its pair is reordered', async () => {
    const { run } = await bench({ faults: faultsAt(20, 'delayQuestion'), delayMs: 400 })
    const report = await run()
    expect(flippedClasses(report)).toEqual(['reordered'])
    expect(report.evidence.counts.completed).toBe(report.evidence.counts.scheduled)
  })
})

describe('a ledger that cannot be trusted', () => {
  it('is UNKNOWN when messages still flow at the end of the drain', async () => {
    const { run } = await bench({ hopMs: 1300, expiry: 'client' })
    const { evidence } = await run()
    expect(evidence.ledger.state).toBe('UNKNOWN')
    expect(evidence.ledger.reasons.join()).toContain('while messages still arrived')
  })

  it('is UNKNOWN when the checker failed its self-test', async () => {
    const { run } = await bench({}, { checkerSelfTest: () => ['clean: counted lost'] })
    const { evidence } = await run()
    expect(evidence.ledger).toEqual({
      state: 'UNKNOWN',
      reasons: ['The checker failed its self-test: clean: counted lost.'],
    })
  })

  it('is UNKNOWN when an agent had no session at the end', async () => {
    const { run } = await bench({ faults: faultsAt(20, 'loseSession') })
    const { evidence } = await run()
    expect(evidence.ledger.reasons).toEqual(['1 of 10 agents had no session when the drain ended.'])
    expect(evidence.client['lostSessions']).toBe(1)
  })
})

describe('the drain', () => {
  it.each(['engine', 'client'] as const)('is bounded by deadline plus grace with expiry by %s', async (expiry) => {
    const { run } = await bench({ expiry, faults: faultsAt(20, 'dropQuestion') })
    const { evidence } = await run()
    expect(evidence.drainMs).toBeGreaterThanOrEqual(2000)
    expect(evidence.drainMs).toBeLessThanOrEqual(3000 + 20)
    expect(evidence.ledger.state).toBe('COMPLETE')
  })
})

describe('interruption', () => {
  it('stops sending, drains nothing and marks the report', async () => {
    const { run, time, engine } = await bench()
    const controller = new AbortController()
    time.scheduler.after(500, () => controller.abort())
    const report = await run(planOf(), controller.signal)
    const { evidence } = report
    expect(engine.asked).toBeLessThan(evidence.counts.scheduled)
    expect(evidence.audit.valid).toBe(false)
    expect(evidence.audit.reasons[0]).toBe('The round was interrupted.')
    expect(evidence.ledger.state).toBe('UNKNOWN')
    expect(evidence.drainMs).toBe(0)
    expectConservation(report)
  })

  it('before the start sends nothing', async () => {
    const { run, engine } = await bench()
    const { evidence } = await run(planOf(), AbortSignal.abort())
    expect(engine.asked).toBe(0)
    expect(evidence.audit.valid).toBe(false)
  })

  it('a later round is unharmed, and what arrived in between is late', async () => {
    const { run, session } = await bench()
    await run(planOf(), AbortSignal.abort())
    session.onResult(3, 1, 'accept', '')
    session.onStray(4, 'foreign', 'other:1:1')
    const report = await run(planOf({ round: 1, nonce: 'r1' }))
    expect(report.evidence.counts).toMatchObject({ late: 1, unexpected: 1 })
    expect(report.evidence.counts.completed).toBe(report.evidence.counts.scheduled)
  })
})

describe('the session', () => {
  it('warms up with a round whose figures are thrown away', async () => {
    const { run, session, time, engine } = await bench({ faults: faultsAt(20, 'strayEarlier') })
    const { scheduled, completed } = await time.drive(session.warmUp(planOf({ nonce: 'warm' })))
    expect(completed).toBe(scheduled)
    const report = await run(planOf({ nonce: 'r1', workload: { ...workload, ratePerSecond: 10 } }))
    expect(flippedClasses(report)).toEqual([])
    expect(engine.nonces).toEqual(['warm', 'r1'])
  })

  it('counts every message between two rounds, also beyond those it keeps as text', async () => {
    const { run, session } = await bench()
    for (let message = 0; message < 1000; message++) session.onStray(1, 'earlier', `old:0:${message}`)
    const { evidence } = await run()
    expect(evidence.counts.late).toBe(1000)
    expect(evidence.anomalies).toHaveLength(32)
  })

  it('connects with bounded concurrency and reports the rate', async () => {
    const { session, engine, time } = await bench()
    const report = await time.drive(session.connect(10, 3))
    expect(engine.mostConnecting).toBeLessThanOrEqual(4)
    // Ten agents, three at a time, a millisecond each.
    expect(report).toEqual({ agents: 10, elapsedMs: 4, connectsPerSecond: 2500 })
  })

  it('spreads the starts of agents over the time it is given', async () => {
    const { session, time } = await bench()
    const report = await time.drive(session.connect(10, 3, 1000))
    // The last of ten starts after nine tenths of the second, and takes a millisecond.
    expect(report.elapsedMs).toBe(901)
  })

  it('names how many connected and the first cause', async () => {
    const failing = bench({ unreachableAgent: 6 })
    await expect(failing).rejects.toThrow(LighthouseError)
    await expect(failing).rejects.toThrow(/connected \d of 10 agents, then agent 6 failed: connection refused/)
  })

  it('turns a client that throws into an error, and can go on', async () => {
    const gauge = fixedGauge()
    const { run } = await bench({ throwOnAsk: 5 }, { gauge })
    await expect(run()).rejects.toThrow('the engine client failed in round 0: socket is gone')
    expect(gauge.running).toBe(false)
    await expect(run(planOf({ round: 1 }))).rejects.toThrow('in round 1')
  })

  it('refuses a plan for more agents than are connected', async () => {
    const { run } = await bench()
    await expect(run(planOf({ workload: { ...workload, agents: 12 } }))).rejects.toThrow('10 are connected')
  })

  it('reports progress at most four times a second, rising to the whole', async () => {
    const seen: RoundProgress[] = []
    const { run } = await bench({}, { onProgress: (progress) => seen.push(progress) })
    const { evidence } = await run()
    expect(seen.length).toBeGreaterThanOrEqual(5)
    expect(seen.length).toBeLessThanOrEqual(Math.ceil((1500 + 200) / 250))
    expect(seen.map((progress) => progress.sent)).toEqual(
      seen.map((progress) => progress.sent).toSorted((a, b) => a - b),
    )
    expect(seen.at(-1)?.completed).toBeLessThanOrEqual(evidence.counts.completed)
    expect(seen.at(-1)?.p99Ms).toBeGreaterThan(0)
  })

  it('invalidates a round whose generator used up its core', async () => {
    const gauge = fixedGauge(1_450_000)
    const { run } = await bench({}, { gauge })
    const { evidence } = await run()
    expect(gauge.running).toBe(false)
    expect(evidence.audit.valid).toBe(false)
    expect(evidence.audit.reasons[0]).toMatch(/used 9\d\.\d % of its core/)
  })
})
