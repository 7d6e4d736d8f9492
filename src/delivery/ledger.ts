/**
 * The delivery ledger of one round: accounts for every exchange on both legs, in two bytes per exchange and
 * eight per agent, without allocation per event. `docs/ledger.md` has the rules of every class; in short:
 * conservation `scheduled = completed + refused + timedOut + lost` holds exactly; each anomaly is counted
 * once, under the first rule that names it; what follows from a counted anomaly is not counted again.
 *
 * Method: Jepsen's total-queue checker (attempted, acknowledged, delivered) run on both legs, with outcomes
 * per call (acknowledged, refused, indeterminate), order per (producer, recipient) after Jepsen's per-process
 * counters, and a verdict that may be UNKNOWN. The ledger knows no time: its caller says whether an event
 * came after the exchange's deadline.
 */
import type { ExchangeCounts } from '../measurement/results-document.ts'
import { AnomalyLog, type AnomalyClass } from './anomaly-log.ts'
import * as bit from './exchange-state.ts'
import { endOf, lossText, outcomeCodes, outcomeOf, type Expiry, type Leg, type Outcome } from './exchange-state.ts'
import type { ExpectedExchanges } from './expected-exchanges.ts'
import { PairOrder } from './pair-order.ts'

export type { ExpectedExchanges } from './expected-exchanges.ts'

export interface LedgerReport {
  readonly counts: ExchangeCounts
  readonly state: 'COMPLETE' | 'UNKNOWN'
  readonly reasons: readonly string[]
  readonly anomalies: readonly string[]
  readonly unsent: number
  /** Withdrawn because their requester asked for it; in none of the counts, `scheduled` included. */
  readonly withdrawn: number
  /** Of `timedOut`: those whose question no recipient ever saw. */
  readonly timedOutUndelivered: number
  /** Definitive refusals by leg and code, e.g. `ask.OVERLOADED`. */
  readonly refusals: Readonly<Record<string, number>>
}

const maximumReasons = 16

export class Ledger {
  private readonly plan: ExpectedExchanges
  private readonly expiry: Expiry
  private readonly states: Uint16Array
  private readonly order: PairOrder
  private readonly log = new AnomalyLog()
  private readonly refusals = new Map<string, number>()
  private readonly unknownReasons: string[] = []
  private sentCount = 0
  private resolvedCount = 0
  private completedCount = 0

  constructor(plan: ExpectedExchanges, expiry: Expiry) {
    this.plan = plan
    this.expiry = expiry
    this.states = new Uint16Array(plan.count)
    this.order = new PairOrder(plan)
  }

  get sentSoFar(): number {
    return this.sentCount
  }

  get completed(): number {
    return this.completedCount
  }

  /** Exchanges that were sent and of which something more may yet come. */
  get unresolved(): number {
    return this.sentCount - this.resolvedCount
  }

  /** Whether the requester of the exchange waits for nothing more. */
  isResolved(exchange: number): boolean {
    return (this.stateOf(exchange) & bit.resolvedBit) !== 0
  }

  /** To be called before the engine gets the ask, since it may acknowledge at once. */
  sent(exchange: number): void {
    const state = this.states[exchange] as number
    if ((state & bit.sentBit) !== 0) return
    this.states[exchange] = state | bit.sentBit
    this.sentCount++
    this.order.sent(exchange, this.sentCount)
  }

  /** The requester asks the engine to withdraw the exchange; to be called before the engine gets the wish. */
  withdrawalAsked(exchange: number): void {
    if ((this.stateOf(exchange) & bit.sentBit) !== 0) this.set(exchange, bit.withdrawalBit)
  }

  /** To be called before the engine gets the answer. */
  answered(exchange: number): void {
    if ((this.stateOf(exchange) & (bit.deliveredBit | bit.answeredBit)) !== bit.deliveredBit) return
    this.set(exchange, bit.answeredBit)
    this.order.answered(exchange)
  }

  acknowledged(exchange: number, leg: Leg): void {
    const state = this.stateOf(exchange)
    if (leg === 'ask') {
      if ((state & bit.sentBit) === 0) this.note('unexpected', exchange, 'an ask was acknowledged that was never sent')
      else this.set(exchange, bit.askAcknowledgedBit)
    } else if ((state & bit.answeredBit) === 0) {
      this.note('unexpected', exchange, 'an answer was acknowledged that was never given')
    } else this.set(exchange, bit.answerAcknowledgedBit)
  }

  /** True when this is the first delivery to the right recipient: it is to be timed and answered. */
  question(exchange: number, requester: number, recipient: number, body: string, overdue: boolean): boolean {
    const state = this.stateOf(exchange)
    if ((state & bit.sentBit) === 0) return this.note('unexpected', exchange, 'a question arrived that was never sent')
    if (recipient !== this.plan.recipient[exchange]) {
      this.set(exchange, bit.misdeliveredBit)
      return this.note('misdelivered', exchange, `the question reached agent ${recipient}`)
    }
    if ((state & bit.deliveredBit) !== 0) {
      return this.note('duplicated', exchange, 'the question was delivered again')
    }
    this.set(exchange, bit.deliveredBit)
    this.judgeQuestion(exchange, state, requester, body, overdue)
    return true
  }

  /** True when the requester holds the answer in time and for the first time: the exchange is completed. */
  result(exchange: number, requester: number, outcome: Outcome, body: string, overdue: boolean): boolean {
    const state = this.stateOf(exchange)
    if ((state & bit.sentBit) === 0)
      return this.note('unexpected', exchange, 'a result arrived that was never asked for')
    if (requester !== this.plan.requester[exchange]) {
      this.set(exchange, bit.misdeliveredBit)
      return this.note('misdelivered', exchange, `the result reached agent ${requester}`)
    }
    if (outcome === 'withdrawn' && (state & bit.withdrawalBit) === 0) {
      return this.note('unexpected', exchange, 'reported as withdrawn, which nobody asked for')
    }
    const code = outcomeCodes[outcome]
    if ((state & bit.askRefusedBit) !== 0) {
      // A phantom's answer follows from the phantom.
      if ((state & bit.phantomBit) !== 0) return false
      return this.note('doubleTerminal', exchange, `told ${outcome} after a refusal`)
    }
    const held = outcomeOf(state)
    const gaveUp = this.expiry === 'client' && held === outcomeCodes.expired && code !== outcomeCodes.expired
    if (held !== 0 && !gaveUp) return this.secondResult(exchange, held, code, outcome, body)
    if (code === outcomeCodes.withdrawn) {
      // What its requester had given up on has failed already; withdrawing it afterwards excuses nothing.
      if (gaveUp) return false
      this.setOutcome(exchange, code)
      this.resolve(exchange)
      return false
    }
    if (code === outcomeCodes.expired) {
      this.setOutcome(exchange, code)
      if (this.expiry === 'engine') this.resolve(exchange)
      return false
    }
    return this.firstAnswer(exchange, state, code, body, overdue || gaveUp)
  }

  refused(exchange: number, leg: Leg, code: string): void {
    const state = this.stateOf(exchange)
    const key = `${leg}.${code}`
    this.refusals.set(key, (this.refusals.get(key) ?? 0) + 1)
    if (leg === 'answer') return this.answerRefused(exchange, state, code)
    if ((state & bit.sentBit) === 0) {
      this.note('unexpected', exchange, `an ask was refused (${code}) that was never sent`)
      return
    }
    if ((state & bit.askRefusedBit) !== 0) {
      this.note('duplicated', exchange, `the refusal (${code}) was told again`)
      return
    }
    this.set(exchange, bit.askRefusedBit)
    this.resolve(exchange)
    if ((state & bit.deliveredBit) !== 0) {
      this.set(exchange, bit.phantomBit)
      this.note('phantom', exchange, `the question was delivered, then the ask refused (${code})`)
    } else if (outcomeOf(state) !== 0) {
      this.note('doubleTerminal', exchange, `refused (${code}) after a result`)
    }
  }

  wireDuplicate(exchange: number, leg: Leg): void {
    if ((this.stateOf(exchange) & bit.sentBit) === 0) {
      this.note('unexpected', exchange, `a redelivery on the ${leg} leg of what was never sent`)
    } else this.note('wireDuplicates', exchange, `redelivered on the ${leg} leg and recognised`)
  }

  /** A message that belongs to no exchange of this round. */
  stray(agent: number, origin: 'earlier' | 'foreign', wireId: string): void {
    const kind = origin === 'earlier' ? 'late' : 'unexpected'
    if (this.log.count(kind))
      this.log.describe(
        kind,
        `agent ${agent} got ${wireId} of ${origin === 'earlier' ? 'an earlier round' : 'no round of this client'}`,
      )
  }

  /** The account cannot be trusted as complete; `reason` is a sentence for the report. */
  markUnknown(reason: string): void {
    if (this.unknownReasons.length < maximumReasons) this.unknownReasons.push(reason)
  }

  /**
   * Closes the account: puts every exchange into exactly one end. With `onlySent` (closed loop, or exchanges that follow
   * from others) what was never sent was never offered either; without it, an unsent exchange counts as timed out and
   * the ledger is UNKNOWN. What was withdrawn as asked is counted by itself and taken out of what was scheduled.
   */
  close(onlySent = false): LedgerReport {
    const ends = { completed: 0, refused: 0, timedOut: 0, lost: 0 }
    let withdrawn = 0
    let unsent = 0
    let timedOutUndelivered = 0
    for (let exchange = 0; exchange < this.plan.count; exchange++) {
      const state = this.states[exchange] as number
      if ((state & bit.sentBit) === 0) {
        unsent++
        continue
      }
      const end = endOf(state, this.expiry)
      if (end === 'withdrawn') {
        withdrawn++
        continue
      }
      ends[end]++
      if (end === 'lost') this.note('lost', exchange, lossText(state))
      if (end === 'timedOut' && (state & bit.deliveredBit) === 0) timedOutUndelivered++
    }
    if (unsent > 0 && !onlySent) {
      ends.timedOut += unsent
      this.markUnknown(`${unsent} of ${this.plan.count} exchanges were never sent.`)
    }
    return {
      counts: {
        scheduled: (onlySent ? this.sentCount : this.plan.count) - withdrawn,
        ...this.log.counts(),
        ...ends,
      },
      state: this.unknownReasons.length === 0 ? 'COMPLETE' : 'UNKNOWN',
      reasons: [...this.unknownReasons],
      anomalies: this.log.texts(),
      unsent,
      withdrawn,
      timedOutUndelivered,
      refusals: Object.fromEntries([...this.refusals].toSorted(([left], [right]) => (left < right ? -1 : 1))),
    }
  }

  private judgeQuestion(exchange: number, state: number, requester: number, body: string, overdue: boolean): void {
    const asker = this.plan.requester[exchange] as number
    if ((state & bit.askRefusedBit) !== 0) {
      // What was refused has no place in the order.
      this.set(exchange, bit.phantomBit | bit.reorderedBit)
      this.note('phantom', exchange, 'the ask was refused, then the question delivered')
    } else {
      if (!this.order.question(exchange)) {
        this.set(exchange, bit.reorderedBit)
        this.note('reordered', exchange, `its question came after ${this.order.overtaker('questions', exchange)}`)
      }
      // A withdrawal does not call back a question that is on its way over another connection.
      const told = outcomeOf(state) !== 0 && outcomeOf(state) !== outcomeCodes.withdrawn
      if (told) this.note('late', exchange, 'the question came after its requester was told the end')
      else if (overdue) this.note('late', exchange, 'the question came after the deadline')
    }
    if (body !== this.plan.question(exchange)) this.note('corrupt', exchange, 'the question differs from what was sent')
    else if (requester !== asker) this.note('corrupt', exchange, `the question names agent ${requester} as its sender`)
  }

  private firstAnswer(exchange: number, state: number, code: number, body: string, overdue: boolean): boolean {
    if ((state & bit.answeredBit) === 0)
      return this.note('unexpected', exchange, 'a result arrived that no recipient gave')
    this.setOutcome(exchange, code)
    this.resolve(exchange)
    if (code !== this.plan.outcome(exchange) || body !== this.plan.answer(exchange)) {
      this.note('corrupt', exchange, 'the result differs from the answer given')
    }
    if (!this.order.result(exchange) && (state & bit.reorderedBit) === 0) {
      this.note('reordered', exchange, `its result came after ${this.order.overtaker('results', exchange)}`)
    }
    if ((state & (bit.answerRefusedBit | bit.phantomBit)) === bit.answerRefusedBit) {
      this.set(exchange, bit.phantomBit)
      this.note('phantom', exchange, 'the answer was refused, then its result delivered')
    }
    if (overdue) {
      this.note('late', exchange, 'the result came after the deadline')
      if (this.expiry === 'client') return false
    }
    this.set(exchange, bit.completedBit)
    this.completedCount++
    return true
  }

  private secondResult(exchange: number, held: number, code: number, outcome: Outcome, body: string): boolean {
    const bodiless = code === outcomeCodes.expired || code === outcomeCodes.withdrawn
    const same = held === code && (bodiless || body === this.plan.answer(exchange))
    return same
      ? this.note('duplicated', exchange, `the result (${outcome}) was delivered again`)
      : this.note('doubleTerminal', exchange, `told ${outcome} after another end`)
  }

  private answerRefused(exchange: number, state: number, code: string): void {
    if ((state & bit.answeredBit) === 0) {
      this.note('unexpected', exchange, `an answer was refused (${code}) that was never given`)
      return
    }
    this.set(exchange, bit.answerRefusedBit)
    if (this.expiry === 'client') this.resolve(exchange)
    const held = outcomeOf(state)
    // Refusing the answer to what expired or was withdrawn is what an engine owes its requester.
    if (held === 0 || held === outcomeCodes.expired || held === outcomeCodes.withdrawn) return
    if ((state & (bit.phantomBit | bit.answerRefusedBit)) !== 0) return
    this.set(exchange, bit.phantomBit)
    this.note('phantom', exchange, `the result was delivered, then the answer refused (${code})`)
  }

  private stateOf(exchange: number): number {
    return this.states[exchange] ?? 0
  }

  private set(exchange: number, bits: number): void {
    this.states[exchange] = (this.states[exchange] as number) | bits
  }

  private setOutcome(exchange: number, code: number): void {
    this.states[exchange] = ((this.states[exchange] as number) & ~bit.outcomeMask) | (code << bit.outcomeShift)
  }

  private resolve(exchange: number): void {
    const state = this.states[exchange] as number
    if ((state & bit.resolvedBit) !== 0) return
    this.states[exchange] = state | bit.resolvedBit
    this.resolvedCount++
  }

  /** Counts one anomaly and returns false, the answer of most callers: not to be processed further. */
  private note(kind: AnomalyClass, exchange: number, what: string): false {
    if (this.log.count(kind)) {
      const known = exchange >= 0 && exchange < this.plan.count
      const between = known ? ` (agent ${this.plan.requester[exchange]} → ${this.plan.recipient[exchange]})` : ''
      this.log.describe(kind, `exchange ${exchange}${between}: ${what}`)
    }
    return false
  }
}
