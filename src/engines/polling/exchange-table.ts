/**
 * What a polling client remembers of the exchanges of a round, in dense arrays by exchange number: who asked whom,
 * to whom the question came, how it ended. It decides for every event read from an inbox whether it is news, a
 * redelivery, or a stray, and keeps the application from seeing anything twice.
 *
 * Wire ids are `nonce:a<requester>:<exchange>`. An answer counts only from the agent that was asked. Two
 * answers that contradict each other both reach the application: hiding the second would hide a double terminal.
 */
import { answerActions, type AnswerAction, type ClientHandlers } from '../engine.ts'
import type { EventType } from './wire.ts'

/** Nonces of rounds past that are still told apart from foreign ones. */
const rememberedRounds = 1024
const withdrawn = answerActions.length + 1

export interface InboxEvent {
  readonly type: EventType
  /** −1 when the sender is no agent of ours. */
  readonly source: number
  readonly wireId: string
  readonly action: string
  readonly body: string
}

export class ExchangeTable {
  readonly #handlers: ClientHandlers
  readonly #earlierNonces = new Set<string>()
  #nonce = ''
  #prefix = ''
  /** One above the highest exchange that was asked. */
  #end = 0
  #requesters = new Int32Array(1024)
  #recipients = new Int32Array(1024)
  /** Agent + 1 that the question first came to; 0 before. */
  #deliveredTo = new Int32Array(1024)
  /** 0 open, 1 … 3 the answer's action + 1, 4 withdrawn. */
  #outcomes = new Uint8Array(1024)

  constructor(handlers: ClientHandlers) {
    this.#handlers = handlers
  }

  beginRound(nonce: string): void {
    if (this.#nonce !== '') this.#earlierNonces.add(this.#nonce)
    if (this.#earlierNonces.size > rememberedRounds) {
      for (const oldest of this.#earlierNonces) {
        this.#earlierNonces.delete(oldest)
        break
      }
    }
    this.#nonce = nonce
    this.#prefix = `${nonce}:a`
    this.#deliveredTo.fill(0, 0, this.#end)
    this.#outcomes.fill(0, 0, this.#end)
    this.#end = 0
  }

  wireId(exchange: number): string {
    return `${this.#prefix}${this.#requesters[exchange] ?? -1}:${exchange}`
  }

  /** −1 when the exchange was not asked in this round. */
  requesterOf(exchange: number): number {
    return exchange < this.#end ? (this.#requesters[exchange] ?? -1) : -1
  }

  recipientOf(exchange: number): number {
    return exchange < this.#end ? (this.#recipients[exchange] ?? -1) : -1
  }

  asked(exchange: number, requester: number, recipient: number): void {
    if (exchange >= this.#requesters.length) this.#grow(exchange)
    if (exchange >= this.#end) this.#end = exchange + 1
    this.#requesters[exchange] = requester
    this.#recipients[exchange] = recipient
  }

  /** Ends the exchange on the requester's side; false when it has ended already. */
  withdraw(exchange: number): boolean {
    if (exchange >= this.#end || this.#outcomes[exchange] !== 0) return false
    this.#outcomes[exchange] = withdrawn
    return true
  }

  /** Judges one event of the inbox of `agent`, and tells the handlers what it is. */
  receive(agent: number, event: InboxEvent): void {
    const exchange = this.#exchangeOf(event.wireId)
    if (exchange === -1) {
      this.#handlers.onStray(agent, this.#isEarlier(event.wireId) ? 'earlier' : 'foreign', event.wireId)
    } else if (event.type === 'elicitation_request') this.#question(agent, exchange, event)
    else if (event.type === 'elicitation_response') this.#answer(agent, exchange, event)
    else if (event.type !== 'elicitation_cancelled') this.#handlers.onStray(agent, 'foreign', event.wireId)
  }

  #question(agent: number, exchange: number, event: InboxEvent): void {
    if (event.source === -1) {
      this.#handlers.onStray(agent, 'foreign', event.wireId)
    } else if (this.#deliveredTo[exchange] === agent + 1) {
      this.#handlers.onWireDuplicate(exchange, 'ask')
    } else {
      // Delivered to another agent before: not a redelivery, so whoever keeps the ledger shall see it.
      if (this.#deliveredTo[exchange] === 0) this.#deliveredTo[exchange] = agent + 1
      this.#handlers.onQuestion(exchange, event.source, agent, event.body)
    }
  }

  #answer(agent: number, exchange: number, event: InboxEvent): void {
    const action = answerActions.findIndex((known) => known === event.action)
    if (action === -1 || event.source !== this.#recipients[exchange]) {
      this.#handlers.onStray(agent, 'foreign', event.wireId)
      return
    }
    const before = this.#outcomes[exchange]
    if (before === withdrawn) return
    if (before === action + 1 && agent === this.#requesters[exchange]) {
      this.#handlers.onWireDuplicate(exchange, 'answer')
      return
    }
    this.#outcomes[exchange] = action + 1
    this.#handlers.onResult(exchange, agent, event.action as AnswerAction, event.body)
  }

  /** The exchange of an id of this round, −1 for any other. */
  #exchangeOf(wireId: string): number {
    if (this.#nonce === '' || !wireId.startsWith(this.#prefix)) return -1
    const colon = wireId.indexOf(':', this.#prefix.length)
    const exchange = decimal(wireId, colon + 1, wireId.length)
    if (colon === -1 || exchange < 0 || exchange >= this.#end) return -1
    return decimal(wireId, this.#prefix.length, colon) === this.#requesters[exchange] ? exchange : -1
  }

  #isEarlier(wireId: string): boolean {
    const colon = wireId.indexOf(':')
    return colon > 0 && this.#earlierNonces.has(wireId.slice(0, colon))
  }

  #grow(exchange: number): void {
    const length = Math.max(exchange + 1, this.#requesters.length * 2)
    this.#requesters = copyInto(new Int32Array(length), this.#requesters)
    this.#recipients = copyInto(new Int32Array(length), this.#recipients)
    this.#deliveredTo = copyInto(new Int32Array(length), this.#deliveredTo)
    this.#outcomes = copyInto(new Uint8Array(length), this.#outcomes)
  }
}

function copyInto<T extends Int32Array | Uint8Array>(target: T, source: T): T {
  target.set(source)
  return target
}

/** The whole number written in text[from, to), −1 when there is none or it is written in another way. */
export function decimal(text: string, from: number, to: number): number {
  if (to <= from || to - from > 10) return -1
  let value = 0
  for (let index = from; index < to; index++) {
    const digit = text.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return to - from > 1 && text.charCodeAt(from) === 48 ? -1 : value
}

/** The index in `a<index>`, −1 for any other name. */
export function agentIndex(name: unknown): number {
  return typeof name === 'string' && name.charCodeAt(0) === 97 ? decimal(name, 1, name.length) : -1
}
