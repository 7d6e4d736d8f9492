/**
 * The checker's own check: it must pass on the real ledger, and it must fail on ledgers that are broken in
 * known ways, since a self-test that cannot fail proves nothing.
 */
import { describe, expect, it } from 'vitest'
import { anomalyClasses } from '../../../src/delivery/anomaly-log.ts'
import type { Expiry } from '../../../src/delivery/exchange-state.ts'
import { Ledger } from '../../../src/delivery/ledger.ts'
import { plantedFaults } from '../../../src/delivery/planted-faults.ts'
import { runCheckerSelfTest } from '../../../src/delivery/self-test.ts'

const plan = {
  count: 6,
  agents: 3,
  requester: Uint32Array.from([0, 1, 0, 1, 0, 1]),
  recipient: Uint32Array.from([1, 0, 1, 0, 1, 0]),
  question: (exchange: number) => `q${exchange}`,
  answer: (exchange: number) => `a${exchange}`,
  outcome: (exchange: number) => 1 + (exchange % 3),
}

class BlindToDuplicates extends Ledger {
  private readonly seen = new Set<number>()
  override question(exchange: number, requester: number, recipient: number, body: string, overdue: boolean): boolean {
    if (this.seen.has(exchange)) return false
    this.seen.add(exchange)
    return super.question(exchange, requester, recipient, body, overdue)
  }
}

class ForgetsAcknowledgements extends Ledger {
  override acknowledged(): void {}
}

class SeesNoBodies extends Ledger {
  override question(exchange: number, requester: number, recipient: number, _: string, overdue: boolean): boolean {
    return super.question(exchange, requester, recipient, `q${exchange}`, overdue)
  }
}

class IgnoresStrays extends Ledger {
  override stray(): void {}
}

class NeverMisdelivers extends Ledger {
  override question(exchange: number, requester: number, _: number, body: string, overdue: boolean): boolean {
    return super.question(exchange, requester, plan.recipient[exchange] ?? 0, body, overdue)
  }
}

describe('the checker self-test', () => {
  it('finds nothing wrong with the ledger', () => {
    expect(runCheckerSelfTest()).toEqual([])
  })

  it('plants every class of anomaly at least once', () => {
    const planted = new Set(plantedFaults.map((fault) => fault.flips))
    for (const kind of anomalyClasses) expect(planted).toContain(kind)
    expect(planted).toContain(null)
  })

  it.each([
    ['duplicates are not seen', BlindToDuplicates, 'duplicated question (expiry by engine): did not count duplicated'],
    [
      'acknowledgements are forgotten',
      ForgetsAcknowledgements,
      'dropped question (expiry by client): did not count lost',
    ],
    ['bodies are not compared', SeesNoBodies, 'swapped bodies (expiry by engine): did not count corrupt'],
    ['strays are ignored', IgnoresStrays, 'message of an earlier round (expiry by engine): did not count late'],
    [
      'recipients are not checked',
      NeverMisdelivers,
      'question to the wrong agent (expiry by client): did not count misdelivered',
    ],
  ])('fails when %s', (_, Broken, failure) => {
    expect(runCheckerSelfTest((expiry: Expiry) => new Broken(plan, expiry))).toContain(failure)
  })
})
