/**
 * Histories of a small ledger with one fault each, and clean ones: what the self-test plants, and which class of anomaly or which
 * ends each must show.
 */
import type { AnomalyClass } from './anomaly-log.ts'
import type { ExpectedExchanges, Ledger } from './ledger.ts'

/** Of the small ledger that faults are planted into. */
export const exchanges = 6

/** Two agents that ask each other in turn: even exchanges 0 → 1, odd ones 1 → 0. */
export const plan: ExpectedExchanges = {
  count: exchanges,
  agents: 3,
  requester: Uint32Array.from([0, 1, 0, 1, 0, 1]),
  recipient: Uint32Array.from([1, 0, 1, 0, 1, 0]),
  question: (exchange) => `q${exchange}`,
  answer: (exchange) => `a${exchange}`,
  outcome: (exchange) => 1 + (exchange % 3),
}
const outcomeNames = ['accept', 'decline', 'cancel'] as const

/** Drives single steps of an exchange as a correct engine would. */
export class History {
  readonly ledger: Ledger

  constructor(subject: Ledger) {
    this.ledger = subject
  }

  ask(exchange: number): void {
    this.ledger.sent(exchange)
    this.ledger.acknowledged(exchange, 'ask')
  }

  deliver(exchange: number, overdue = false): void {
    const { requester, recipient } = this.party(exchange)
    if (this.ledger.question(exchange, requester, recipient, `q${exchange}`, overdue)) this.ledger.answered(exchange)
  }

  acknowledgeAnswer(exchange: number): void {
    this.ledger.acknowledged(exchange, 'answer')
  }

  finish(exchange: number, overdue = false): void {
    const outcome = outcomeNames[exchange % 3] ?? 'accept'
    this.ledger.result(exchange, this.party(exchange).requester, outcome, `a${exchange}`, overdue)
  }

  party(exchange: number): { requester: number; recipient: number } {
    return { requester: plan.requester[exchange] ?? 0, recipient: plan.recipient[exchange] ?? 0 }
  }

  whole(exchange: number): void {
    this.ask(exchange)
    this.deliver(exchange)
    this.acknowledgeAnswer(exchange)
    this.finish(exchange)
  }
}

export interface PlantedFault {
  readonly name: string
  /** Null for the clean history. */
  readonly flips: AnomalyClass | null
  /** How many exchanges do not end as completed, and how they end. */
  readonly ends?: Partial<Record<'refused' | 'timedOut' | 'lost' | 'withdrawn', number>>
  /** Exchanges 0 and 1 are the fault's to drive; 2 … 5 run cleanly afterwards. */
  plant(history: History): void
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'clean',
    flips: null,
    plant(history) {
      history.whole(0)
      history.whole(1)
    },
  },
  {
    name: 'dropped question',
    flips: 'lost',
    ends: { lost: 1 },
    plant(history) {
      history.ask(0)
      history.whole(1)
    },
  },
  {
    name: 'dropped result',
    flips: 'lost',
    ends: { lost: 1 },
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.acknowledgeAnswer(0)
      history.whole(1)
    },
  },
  {
    name: 'duplicated question',
    flips: 'duplicated',
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.deliver(0)
      history.acknowledgeAnswer(0)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'duplicated result',
    flips: 'duplicated',
    plant(history) {
      history.whole(0)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'recognised redelivery',
    flips: 'wireDuplicates',
    plant(history) {
      history.whole(0)
      history.ledger.wireDuplicate(0, 'ask')
      history.whole(1)
    },
  },
  {
    name: 'delivered after refusal',
    flips: 'phantom',
    ends: { refused: 1 },
    plant(history) {
      history.ledger.sent(0)
      history.ledger.refused(0, 'ask', 'OVERLOADED')
      history.deliver(0)
      history.acknowledgeAnswer(0)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'result after the answer was refused',
    flips: 'phantom',
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.ledger.refused(0, 'answer', 'OVERLOADED')
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'question to the wrong agent',
    flips: 'misdelivered',
    ends: { timedOut: 1 },
    plant(history) {
      history.ask(0)
      history.ledger.question(0, 0, 2, 'q0', false)
      history.whole(1)
    },
  },
  {
    name: 'result to the wrong agent',
    flips: 'misdelivered',
    ends: { timedOut: 1 },
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.acknowledgeAnswer(0)
      history.ledger.result(0, 1, 'accept', 'a0', false)
      history.whole(1)
    },
  },
  {
    name: 'questions of one pair swapped in order',
    flips: 'reordered',
    plant(history) {
      history.ask(0)
      history.ask(2)
      for (const exchange of [2, 0]) history.deliver(exchange)
      for (const exchange of [2, 0]) history.finish(exchange)
      history.whole(1)
    },
  },
  {
    name: 'results of one pair swapped in order',
    flips: 'reordered',
    plant(history) {
      history.ask(0)
      history.ask(2)
      for (const exchange of [0, 2]) history.deliver(exchange)
      for (const exchange of [2, 0]) history.finish(exchange)
      history.whole(1)
    },
  },
  {
    name: 'second, different end',
    flips: 'doubleTerminal',
    plant(history) {
      history.whole(0)
      history.ledger.result(0, 0, 'expired', '', false)
      history.whole(1)
    },
  },
  {
    name: 'end after a refusal',
    flips: 'doubleTerminal',
    ends: { refused: 1 },
    plant(history) {
      history.ledger.sent(0)
      history.ledger.refused(0, 'ask', 'OVERLOADED')
      history.ledger.result(0, 0, 'expired', '', false)
      history.whole(1)
    },
  },
  {
    name: 'withdrawn as asked',
    flips: null,
    ends: { withdrawn: 1 },
    plant(history) {
      history.ask(0)
      history.ledger.withdrawalAsked(0)
      history.ledger.result(0, 0, 'withdrawn', '', false)
      history.deliver(0)
      history.ledger.refused(0, 'answer', 'ELICITATION_NOT_FOUND')
      history.whole(1)
    },
  },
  {
    name: 'withdrawn though nobody asked',
    flips: 'unexpected',
    plant(history) {
      history.ask(0)
      history.ledger.result(0, 0, 'withdrawn', '', false)
      history.deliver(0)
      history.acknowledgeAnswer(0)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'answer after the withdrawal',
    flips: 'doubleTerminal',
    ends: { withdrawn: 1 },
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.ledger.withdrawalAsked(0)
      history.ledger.result(0, 0, 'withdrawn', '', false)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'message of an earlier round',
    flips: 'late',
    plant(history) {
      history.whole(0)
      history.ledger.stray(1, 'earlier', 'r0:0:7')
      history.whole(1)
    },
  },
  {
    name: 'question after its deadline',
    flips: 'late',
    plant(history) {
      history.ask(0)
      history.deliver(0, true)
      history.acknowledgeAnswer(0)
      history.finish(0)
      history.whole(1)
    },
  },
  {
    name: 'swapped bodies',
    flips: 'corrupt',
    plant(history) {
      for (const [exchange, body] of [
        [0, 'q1'],
        [1, 'q0'],
      ] as const) {
        history.ask(exchange)
        const { requester, recipient } = history.party(exchange)
        if (history.ledger.question(exchange, requester, recipient, body, false)) history.ledger.answered(exchange)
        history.finish(exchange)
      }
    },
  },
  {
    name: 'altered result',
    flips: 'corrupt',
    plant(history) {
      history.ask(0)
      history.deliver(0)
      history.ledger.result(0, 0, 'accept', 'a0 ', false)
      history.whole(1)
    },
  },
  {
    name: 'forged question',
    flips: 'unexpected',
    plant(history) {
      history.whole(0)
      history.ledger.question(exchanges + 3, 0, 1, 'q0', false)
      history.whole(1)
    },
  },
  {
    name: 'forged result',
    flips: 'unexpected',
    plant(history) {
      history.ask(0)
      history.ledger.result(0, 0, 'accept', 'a0', false)
      history.deliver(0)
      history.finish(0)
      history.whole(1)
    },
  },
]
