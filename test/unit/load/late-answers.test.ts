/** Recipients that answer late or not at all, on virtual time: when answers leave, who gives them, and what the round makes of it. */
import { describe, expect, it } from 'vitest'
import { LateAnswers } from '../../../src/load/late-answers.ts'
import type { LateAnswerPlan } from '../../../src/load/round-plan.ts'
import { RoundRun } from '../../../src/load/round-run.ts'
import type { ClientHandlers } from '../../../src/engines/engine.ts'
import { MemoryEngine } from './memory-engine.ts'
import { bench, planOf, workload } from './session-fixture.ts'
import { fixedGauge, VirtualTime } from './virtual-time.ts'

const ignore = (): void => undefined

describe('answers that are kept back', () => {
  function kept(delayMs: number) {
    const time = new VirtualTime()
    const given: [exchange: number, recipient: number, atMs: number][] = []
    const late = new LateAnswers({
      delayMs,
      scheduler: time.scheduler,
      nowNs: () => time.nowNs,
      answer: (exchange, recipient) => given.push([exchange, recipient, (time.nowNs - 5e9) / 1e6]),
    })
    const wait = (ms: number): Promise<void> => time.drive(new Promise((resolve) => time.scheduler.after(ms, resolve)))
    return { late, given, wait }
  }

  it('leave in order, each after the delay, and by a single timer', async () => {
    const { late, given, wait } = kept(100)
    late.keep(7, 1)
    await wait(40)
    late.keep(8, 3)
    expect(late.waiting).toBe(2)
    await wait(70)
    expect(given).toEqual([[7, 1, 100]])
    expect(late.waiting).toBe(1)
    await wait(100)
    expect(given.map(([exchange, recipient]) => [exchange, recipient])).toEqual([
      [7, 1],
      [8, 3],
    ])
    expect(given[1]?.[2]).toBeGreaterThanOrEqual(140)
    expect(given[1]?.[2]).toBeLessThan(150)
    late.keep(9, 1)
    await wait(200)
    expect(given).toHaveLength(3)
  })

  it('never leave after the stop', async () => {
    const { late, given, wait } = kept(50)
    late.keep(1, 1)
    late.stop()
    await wait(500)
    expect(given).toEqual([])
    expect(late.waiting).toBe(0)
  })
})

describe('a round whose recipients are late', () => {
  async function played(lateAnswers: LateAnswerPlan) {
    const time = new VirtualTime()
    const rounds: RoundRun[] = []
    const handlers: ClientHandlers = {
      onAcknowledged: (exchange, leg) => rounds[0]?.onAcknowledged(exchange, leg),
      onQuestion: (exchange, requester, recipient, body) => rounds[0]?.onQuestion(exchange, requester, recipient, body),
      onResult: (exchange, requester, outcome, body) => rounds[0]?.onResult(exchange, requester, outcome, body),
      onRefused: (exchange, leg, code) => rounds[0]?.onRefused(exchange, leg, code),
      onWireDuplicate: ignore,
      onStray: ignore,
      onLost: ignore,
      onRestored: ignore,
    }
    const client = new MemoryEngine(time, handlers)
    const recipients: number[] = []
    const answer = client.answer.bind(client)
    client.answer = (exchange, recipient, action, body) => {
      recipients[exchange] = recipient
      answer(exchange, recipient, action, body)
    }
    const plan = planOf({ lateAnswers })
    const setup = { plan, client, timing: time, gauge: fixedGauge(), onProgress: null, disconnected: () => 0 }
    const round = new RoundRun(setup)
    rounds.push(round)
    const { ledger } = await time.drive(round.run(undefined))
    const times = round.times()
    round.release()
    return { ledger, times, recipients }
  }

  it('completes every exchange, the late ones after the delay and the others at once', async () => {
    const { ledger, times, recipients } = await played({ agents: 4, delayMs: 700 })
    expect(ledger.state).toBe('COMPLETE')
    expect(ledger.counts.completed).toBe(ledger.counts.scheduled)
    let late = 0
    for (const [exchange, recipient] of recipients.entries()) {
      const waitedMs = ((times.answeredAtNs[exchange] ?? 0) - (times.deliveredAtNs[exchange] ?? 0)) / 1e6
      if (recipient >= 4) expect(waitedMs).toBe(0)
      else {
        late++
        expect(waitedMs).toBeGreaterThanOrEqual(700)
        expect(waitedMs).toBeLessThan(710)
      }
    }
    expect(late).toBeGreaterThan(50)
    expect(late).toBeLessThan(recipients.length)
  })

  it('is late only for what was delivered within its window', async () => {
    const { times, recipients } = await played({ agents: 10, delayMs: 700, fromMs: 500, untilMs: 900 })
    const late = [...recipients.keys()].filter(
      (exchange) => (times.answeredAtNs[exchange] ?? 0) > (times.deliveredAtNs[exchange] ?? 0),
    )
    const within = [...recipients.keys()].filter((exchange) => {
      const deliveredMs = (times.deliveredAtNs[exchange] ?? 0) / 1e6
      return deliveredMs >= 500 && deliveredMs < 900
    })
    expect(late).toEqual(within)
    expect(late.length).toBeGreaterThan(30)
  })

  it('times out exactly what agents were asked that answer after the deadline, and loses nothing', async () => {
    const { ledger, recipients } = await played({ agents: 2, delayMs: workload.deadlineMs })
    const { completed, timedOut, scheduled, lost, unexpected, late } = ledger.counts
    expect(recipients.filter((recipient) => recipient < 2)).toEqual([])
    expect(completed).toBe(recipients.filter((recipient) => recipient >= 2).length)
    expect(timedOut).toBeGreaterThan(20)
    expect(completed + timedOut).toBe(scheduled)
    expect([lost, unexpected, late]).toEqual([0, 0, 0])
  })
})

describe('a session', () => {
  it('counts the exchanges that are open, and refusals that say when to come back', async () => {
    const refused = new Map([0, 1, 2].map((exchange) => [exchange, 'refuse' as const]))
    const { time, session, run } = await bench({ faults: refused })
    expect(session.open).toBe(0)
    let open = -1
    time.scheduler.after(500, () => (open = session.open))
    const { evidence } = await run(planOf({ lateAnswers: { agents: 10, delayMs: 1000 } }))
    expect(open).toBeGreaterThan(50)
    expect(session.open).toBe(0)
    expect(evidence.client['refusedWithRetryAfter']).toBe(3)
    expect(evidence.client['firstRetryAfterMs']).toBeGreaterThan(0)
    // Three were refused and never reached anybody; every other answer was kept back.
    expect(evidence.client['answersKeptBack']).toBe(evidence.counts.scheduled - 3)
    const { client } = (await run(planOf({ nonce: 'r1' }))).evidence
    expect([client['refusedWithRetryAfter'], client['answersKeptBack']]).toEqual([3, undefined])
  })
})
