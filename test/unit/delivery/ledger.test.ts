/**
 * The ledger's rules one by one: the ends over every possible state, what a requester may be told, and bounds.
 */
import { describe, expect, it } from 'vitest'
import { textsPerClass } from '../../../src/delivery/anomaly-log.ts'
import * as state from '../../../src/delivery/exchange-state.ts'
import { Ledger, type ExpectedExchanges } from '../../../src/delivery/ledger.ts'

function planOf(count: number, agents = 2): ExpectedExchanges {
  return {
    count,
    agents,
    requester: new Uint32Array(count),
    recipient: new Uint32Array(count).fill(1),
    question: () => 'question',
    answer: () => 'answer',
    outcome: () => 1,
  }
}

function started(expiry: state.Expiry, count = 1): Ledger {
  const ledger = new Ledger(planOf(count), expiry)
  for (let exchange = 0; exchange < count; exchange++) {
    ledger.sent(exchange)
    ledger.acknowledged(exchange, 'ask')
  }
  return ledger
}

function deliver(ledger: Ledger, exchange = 0): void {
  if (ledger.question(exchange, 0, 1, 'question', false)) ledger.answered(exchange)
}

describe('the end of an exchange', () => {
  it.each(['engine', 'client'] as const)('is one of five, and lost only what was taken on (expiry by %s)', (expiry) => {
    const seen = new Set<string>()
    const wrong: number[] = []
    const takenOn = state.askAcknowledgedBit | state.answerAcknowledgedBit | state.deliveredBit
    for (let bits = 0; bits < 1 << 16; bits++) {
      const end = state.endOf(bits, expiry)
      seen.add(end)
      const completed = (bits & state.completedBit) !== 0
      const mayBeLost = (bits & takenOn) !== 0 && (bits & (state.askRefusedBit | state.misdeliveredBit)) === 0
      const mayBeWithdrawn =
        (bits & state.withdrawalBit) !== 0 && state.outcomeOf(bits) === state.outcomeCodes.withdrawn && !completed
      if (completed !== (end === 'completed') || (end === 'lost' && !mayBeLost)) wrong.push(bits)
      if (end === 'withdrawn' && !mayBeWithdrawn) wrong.push(bits)
    }
    expect(wrong).toEqual([])
    expect(seen).toEqual(new Set(['completed', 'refused', 'timedOut', 'lost', 'withdrawn']))
  })

  it('needs the engine to tell the requester, where the engine decides', () => {
    const told = started('engine')
    expect(told.result(0, 0, 'expired', '', false)).toBe(false)
    expect(told.unresolved).toBe(0)
    expect(told.close()).toMatchObject({ counts: { timedOut: 1, lost: 0 }, timedOutUndelivered: 1 })
    const untold = started('engine')
    deliver(untold)
    expect(untold.unresolved).toBe(1)
    expect(untold.close()).toMatchObject({
      counts: { timedOut: 0, lost: 1 },
      anomalies: ['lost: exchange 0 (agent 0 → 1): question delivered, requester never told the end'],
    })
  })

  it('is lost when an acknowledged answer turned into "expired"', () => {
    const ledger = started('engine')
    deliver(ledger)
    ledger.acknowledged(0, 'answer')
    ledger.result(0, 0, 'expired', '', false)
    expect(ledger.close()).toMatchObject({
      counts: { lost: 1, timedOut: 0 },
      anomalies: ['lost: exchange 0 (agent 0 → 1): answer acknowledged, requester told that it expired'],
    })
  })

  it('is timedOut where the client decides and the answer came after it had given up', () => {
    const ledger = started('client')
    deliver(ledger)
    expect(ledger.result(0, 0, 'expired', '', false)).toBe(false)
    expect(ledger.unresolved).toBe(1)
    expect(ledger.result(0, 0, 'accept', 'answer', false)).toBe(false)
    expect(ledger.unresolved).toBe(0)
    expect(ledger.close().counts).toMatchObject({ timedOut: 1, late: 1, lost: 0, doubleTerminal: 0, completed: 0 })
  })

  it('is completed though late where the engine decides', () => {
    const ledger = started('engine')
    deliver(ledger)
    expect(ledger.result(0, 0, 'accept', 'answer', true)).toBe(true)
    expect(ledger.close().counts).toMatchObject({ completed: 1, late: 1, timedOut: 0 })
  })

  it('is told once: every further telling is counted', () => {
    const ledger = started('engine')
    deliver(ledger)
    ledger.result(0, 0, 'accept', 'answer', false)
    ledger.result(0, 0, 'accept', 'answer', false)
    ledger.result(0, 0, 'accept', 'another answer', false)
    ledger.result(0, 0, 'decline', 'answer', false)
    ledger.result(0, 0, 'expired', '', false)
    expect(ledger.close().counts).toMatchObject({ completed: 1, duplicated: 1, doubleTerminal: 3 })
  })

  it('"withdrawn" is not an end that anybody asked for', () => {
    const ledger = started('engine')
    ledger.result(0, 0, 'withdrawn', '', false)
    expect(ledger.close().counts).toMatchObject({ unexpected: 1, completed: 0 })
  })
})

describe('a withdrawal that its requester asked for', () => {
  function withdrawing(expiry: state.Expiry): Ledger {
    const ledger = started(expiry)
    ledger.withdrawalAsked(0)
    return ledger
  }

  it.each(['engine', 'client'] as const)(
    'is an end of its own, in none of the four counts (expiry by %s)',
    (expiry) => {
      const ledger = withdrawing(expiry)
      expect(ledger.result(0, 0, 'withdrawn', '', false)).toBe(false)
      expect(ledger.unresolved).toBe(0)
      expect(ledger.close(true)).toMatchObject({
        counts: { scheduled: 0, completed: 0, refused: 0, timedOut: 0, lost: 0, unexpected: 0, late: 0 },
        withdrawn: 1,
        state: 'COMPLETE',
      })
    },
  )

  it('leaves an answer that came before it completed', () => {
    const ledger = withdrawing('engine')
    deliver(ledger)
    expect(ledger.result(0, 0, 'accept', 'answer', false)).toBe(true)
    expect(ledger.close()).toMatchObject({ counts: { scheduled: 1, completed: 1 }, withdrawn: 0 })
  })

  it('does not call a question back that is under way, and lets its answer be refused', () => {
    const ledger = withdrawing('engine')
    ledger.result(0, 0, 'withdrawn', '', false)
    expect(ledger.question(0, 0, 1, 'question', false)).toBe(true)
    ledger.answered(0)
    ledger.refused(0, 'answer', 'ELICITATION_NOT_FOUND')
    expect(ledger.close()).toMatchObject({ counts: { late: 0, phantom: 0, lost: 0 }, withdrawn: 1 })
  })

  it('excuses nothing that it did not end', () => {
    const silent = withdrawing('engine')
    expect(silent.close()).toMatchObject({ counts: { scheduled: 1, lost: 1 }, withdrawn: 0 })
    const expired = withdrawing('engine')
    expired.result(0, 0, 'expired', '', false)
    expect(expired.close()).toMatchObject({ counts: { timedOut: 1 }, withdrawn: 0 })
    const givenUp = withdrawing('client')
    givenUp.result(0, 0, 'expired', '', false)
    givenUp.result(0, 0, 'withdrawn', '', false)
    expect(givenUp.close()).toMatchObject({ counts: { scheduled: 1, completed: 0, doubleTerminal: 0 }, withdrawn: 0 })
  })

  it('is a loss where the engine had acknowledged the answer as the end', () => {
    const ledger = withdrawing('engine')
    deliver(ledger)
    ledger.acknowledged(0, 'answer')
    ledger.result(0, 0, 'withdrawn', '', false)
    expect(ledger.close()).toMatchObject({
      counts: { lost: 1 },
      withdrawn: 0,
      anomalies: ['lost: exchange 0 (agent 0 → 1): answer acknowledged, requester told that it was withdrawn'],
    })
  })

  it('is told once: again it is duplicated, another end contradicts it', () => {
    const again = withdrawing('engine')
    again.result(0, 0, 'withdrawn', '', false)
    again.result(0, 0, 'withdrawn', '', false)
    expect(again.close().counts).toMatchObject({ duplicated: 1, doubleTerminal: 0 })
    const answered = withdrawing('engine')
    deliver(answered)
    answered.result(0, 0, 'withdrawn', '', false)
    answered.result(0, 0, 'accept', 'answer', false)
    expect(answered.close()).toMatchObject({ counts: { doubleTerminal: 1, completed: 0 }, withdrawn: 1 })
  })
})

describe('order where a requester has several recipients', () => {
  /** Agent 0 asks agents 1, 2, 1; the last is sent before the first. */
  function withPairs(): Ledger {
    const recipient = Uint32Array.from([1, 2, 1])
    const pairs = { count: 2, of: Uint32Array.from([0, 1, 0]) }
    const ledger = new Ledger({ ...planOf(3, 3), recipient, pairs }, 'engine')
    for (const exchange of [2, 1, 0]) ledger.sent(exchange)
    return ledger
  }

  it('is that of the sends within each pair', () => {
    const ledger = withPairs()
    for (const exchange of [1, 2, 0]) {
      ledger.question(exchange, 0, exchange === 1 ? 2 : 1, 'question', false)
      ledger.answered(exchange)
    }
    for (const exchange of [2, 0, 1]) ledger.result(exchange, 0, 'accept', 'answer', false)
    expect(ledger.close().counts).toMatchObject({ reordered: 0, completed: 3 })
  })

  it('is that of the answers on the way back, which need not be that of the questions', () => {
    const ledger = withPairs()
    for (const exchange of [2, 0]) ledger.question(exchange, 0, 1, 'question', false)
    for (const exchange of [0, 2]) ledger.answered(exchange)
    for (const exchange of [0, 2]) ledger.result(exchange, 0, 'accept', 'answer', false)
    expect(ledger.close().counts).toMatchObject({ reordered: 0, completed: 2 })
  })

  it('is broken by a question or a result that overtakes an earlier one of its pair', () => {
    const questions = withPairs()
    questions.question(0, 0, 1, 'question', false)
    questions.question(2, 0, 1, 'question', false)
    expect(questions.close()).toMatchObject({
      counts: { reordered: 1 },
      anomalies: expect.arrayContaining([
        'reordered: exchange 2 (agent 0 → 1): its question came after the question that was sent as number 3',
      ]),
    })
    const results = withPairs()
    for (const exchange of [2, 0]) {
      results.question(exchange, 0, 1, 'question', false)
      results.answered(exchange)
    }
    for (const exchange of [0, 2]) results.result(exchange, 0, 'accept', 'answer', false)
    expect(results.close().counts).toMatchObject({ reordered: 1 })
  })
})

describe('the account', () => {
  it('is UNKNOWN when something was not sent, unless it was never offered', () => {
    const plan = planOf(3)
    const open = new Ledger(plan, 'engine')
    open.sent(0)
    expect(open.close()).toMatchObject({
      counts: { scheduled: 3, timedOut: 3 },
      state: 'UNKNOWN',
      reasons: ['2 of 3 exchanges were never sent.'],
      unsent: 2,
    })
    const closed = new Ledger(plan, 'engine')
    closed.sent(0)
    expect(closed.close(true)).toMatchObject({ counts: { scheduled: 1, timedOut: 1 }, state: 'COMPLETE' })
  })

  it('counts refusals by leg and code', () => {
    const ledger = started('engine', 3)
    ledger.refused(0, 'ask', 'RATE_LIMIT_EXCEEDED')
    ledger.refused(1, 'ask', 'OVERLOADED')
    deliver(ledger, 2)
    ledger.refused(2, 'answer', 'OVERLOADED')
    expect(ledger.close().refusals).toEqual({
      'answer.OVERLOADED': 1,
      'ask.OVERLOADED': 1,
      'ask.RATE_LIMIT_EXCEEDED': 1,
    })
  })

  it('keeps the first texts of a storm, and counts all of it', () => {
    const ledger = started('engine')
    deliver(ledger)
    for (let time = 0; time < 10_000; time++) deliver(ledger)
    for (let time = 0; time < 100; time++) ledger.markUnknown('reason')
    const report = ledger.close()
    expect(report.counts.duplicated).toBe(10_000)
    expect(report.anomalies.filter((text) => text.startsWith('duplicated'))).toHaveLength(textsPerClass)
    expect(report.reasons.length).toBeLessThanOrEqual(16)
  })

  it('never repeats what a hostile peer wrote as it is', () => {
    const ledger = started('engine')
    ledger.stray(1, 'foreign', `\u001b[2J${'x'.repeat(1000)}`)
    const [text = ''] = ledger.close().anomalies
    expect(text).toMatch(/^unexpected: agent 1 got \?\[2Jx+…$/)
    expect(text.length).toBeLessThan(250)
  })

  it('takes two bytes per exchange', () => {
    const count = 5_000_000
    const plan = planOf(count)
    const before = process.memoryUsage().arrayBuffers
    const ledger = new Ledger(plan, 'engine')
    const taken = process.memoryUsage().arrayBuffers - before
    expect(taken / count).toBeLessThan(2.01)
    expect(ledger.unresolved).toBe(0)
  })
})
