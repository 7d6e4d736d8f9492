/**
 * The check of the checker: plants one fault of each kind into a small ledger and demands that exactly the
 * class of that fault is counted, and that a clean history counts nothing. A load host runs it before its
 * first round; a ledger whose checker fails is UNKNOWN, since its silence would prove nothing.
 */
import type { AnomalyClass } from './anomaly-log.ts'
import { anomalyClasses } from './anomaly-log.ts'
import type { Expiry } from './exchange-state.ts'
import { Ledger, type ExpectedExchanges, type LedgerReport } from './ledger.ts'

const exchanges = 6

/** Two agents that ask each other in turn: even exchanges 0 → 1, odd ones 1 → 0. */
const plan: ExpectedExchanges = {
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
class History {
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

interface PlantedFault {
  readonly name: string
  /** Null for the clean history. */
  readonly flips: AnomalyClass | null
  /** How many exchanges do not end as completed, and how they end. */
  readonly ends?: Partial<Record<'refused' | 'timedOut' | 'lost', number>>
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

/** What the checker got wrong, one sentence each; empty when it may be trusted. Takes a few milliseconds in a cold process. */
export function runCheckerSelfTest(
  createLedger: (expiry: Expiry) => Ledger = (expiry) => new Ledger(plan, expiry),
): string[] {
  const failures: string[] = []
  for (const expiry of ['engine', 'client'] as const) {
    for (const fault of plantedFaults) {
      const ledger = createLedger(expiry)
      const history = new History(ledger)
      fault.plant(history)
      for (let exchange = 2; exchange < exchanges; exchange++) if (!isDriven(fault, exchange)) history.whole(exchange)
      judge(fault, expiry, ledger.close(), failures)
    }
  }
  return failures
}

/** The two faults of order drive exchange 2 as well. */
function isDriven(fault: PlantedFault, exchange: number): boolean {
  return fault.flips === 'reordered' && exchange === 2
}

function judge(fault: PlantedFault, expiry: Expiry, report: LedgerReport, failures: string[]): void {
  const { counts } = report
  const fail = (what: string): void => void failures.push(`${fault.name} (expiry by ${expiry}): ${what}`)
  for (const kind of anomalyClasses) {
    const flipped = counts[kind] > 0
    if (flipped !== (kind === fault.flips)) fail(flipped ? `counted ${kind}` : `did not count ${kind}`)
  }
  const ends = { refused: 0, timedOut: 0, lost: 0, ...fault.ends }
  for (const end of ['refused', 'timedOut', 'lost'] as const) {
    if (counts[end] !== ends[end]) fail(`${counts[end]} ${end} instead of ${ends[end]}`)
  }
  if (counts.scheduled !== exchanges) fail(`${counts.scheduled} scheduled instead of ${exchanges}`)
  if (counts.completed + counts.refused + counts.timedOut + counts.lost !== counts.scheduled) fail('ends do not add up')
  if (report.state !== 'COMPLETE') fail('state UNKNOWN')
}
