/**
 * The times a round keeps of each exchange, against an engine whose hops are known.
 */
import { describe, expect, it } from 'vitest'
import type { ClientHandlers } from '../../../src/engines/engine.ts'
import { RoundRun } from '../../../src/load/round-run.ts'
import { MemoryEngine } from './memory-engine.ts'
import { planOf } from './session-fixture.ts'
import { fixedGauge, VirtualTime } from './virtual-time.ts'

const ignore = (): void => undefined

describe('the times of an exchange', () => {
  it('are in order, two hops apart, and NaN where nothing happened', async () => {
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
    const client = new MemoryEngine(time, handlers, { hopMs: 3, faults: new Map([[7, 'refuse']]) })
    const setup = { plan: planOf(), client, timing: time, gauge: fixedGauge(), onProgress: null, disconnected: () => 0 }
    const round = new RoundRun(setup)
    rounds.push(round)
    const { ledger } = await time.drive(round.run(undefined))
    const { scheduledAtNs, sentAtNs, deliveredAtNs, answeredAtNs, resultAtNs } = round.times()
    round.release()
    expect(ledger.counts.completed).toBe(scheduledAtNs.length - 1)
    expect([deliveredAtNs[7], answeredAtNs[7], resultAtNs[7]]).toEqual([Number.NaN, Number.NaN, Number.NaN])
    for (let exchange = 0; exchange < scheduledAtNs.length; exchange++) {
      const sent = sentAtNs[exchange] ?? Number.NaN
      expect(sent).toBeGreaterThanOrEqual(scheduledAtNs[exchange] ?? Number.NaN)
      if (exchange === 7) continue
      expect(deliveredAtNs[exchange]).toBe(sent + 6e6)
      expect(answeredAtNs[exchange]).toBe(sent + 6e6)
      expect(resultAtNs[exchange]).toBe(sent + 12e6)
    }
  })
})
