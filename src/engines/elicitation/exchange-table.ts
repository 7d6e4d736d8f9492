/**
 * All exchanges that a server knows: open ones, and ended ones for as long as a retry may ask for them.
 *
 * Open ones are objects; ended ones are records (ended-exchanges.ts) that leave by count or age, whichever comes first, and their
 * answers by size before that, so the table is bounded however long the server runs. A retry is compared with the question byte
 * for byte while the exchange is open and by SHA-256 after its end, a second answer with the answer or, once that left, by SHA-256.
 */
import { hash } from 'node:crypto'
import type { Outcome } from '../engine.ts'
import { EndedExchanges, type EndedRecord, type KeptRecord } from './ended-exchanges.ts'
import type { CompiledSchema } from './schema.ts'

/**
 * `asking`: its row is not committed. `pending`: open. `settling`: a terminal row is not committed. `ended`: told.
 */
export type ExchangeState = 'asking' | 'pending' | 'settling' | 'ended'

export class Exchange {
  readonly id: string
  readonly requester: number
  readonly recipient: number
  private body: string
  private bodySha256 = ''
  /** Monotonic milliseconds. */
  readonly deadlineMs: number
  state: ExchangeState = 'asking'
  /** Set while settling and after the end. */
  outcome: Outcome | null = null
  /** Of the answer; '' when there is none, or none any more. */
  answerBody = ''
  private answerSha256 = ''
  /** null until needed after a restart. */
  schema: CompiledSchema | null = null
  /** Sequences in the recipient's and the requester's inbox; 0 before the commit. */
  questionSequence = 0
  resultSequence = 0
  /** A repeat that came while the row was uncommitted, and shares its fate. 0: none. */
  repeatNonce = 0
  /** A withdrawal that lost against an uncommitted answer and wins if that fails. */
  cancelWanted = false
  /** Server time of the ask leg in ns, for the `total` stage. */
  askServiceNs = 0
  /** By the machine's clock: when the question, and what ended it, were taken; 0 when that is not known. */
  questionTakenAtNs = 0
  resultTakenAtNs = 0
  /** Whether its entries were ever handed to who carries them. */
  questionHanded = false
  resultHanded = false
  wheelSlot = -1
  wheelIndex = 0

  constructor(id: string, requester: number, recipient: number, body: string, deadlineMs: number) {
    this.id = id
    this.requester = requester
    this.recipient = recipient
    this.body = body
    this.deadlineMs = deadlineMs
  }

  /** The question as it came; only while the exchange is open. */
  get question(): string {
    return this.body
  }

  isQuestion(body: string): boolean {
    return this.bodySha256 === '' ? body === this.body : sha256(body) === this.bodySha256
  }

  isAnswer(body: string): boolean {
    return this.answerSha256 === '' ? body === this.answerBody : sha256(body) === this.answerSha256
  }

  /** False when the answer had to make room for younger ones. */
  get hasAnswer(): boolean {
    return this.answerSha256 === ''
  }

  /** What is kept of it after its end. Lets go of the question. */
  end(): EndedRecord {
    this.state = 'ended'
    this.bodySha256 = sha256(this.body)
    this.body = ''
    this.schema = null
    const { id, requester, recipient, bodySha256: questionSha256, outcome, answerBody } = this
    const { questionSequence, resultSequence } = this
    return { id, requester, recipient, questionSha256, outcome, answerBody, questionSequence, resultSequence }
  }

  /** An ended exchange as its record has it, for a retry to be compared with. */
  static fromRecord(record: KeptRecord): Exchange {
    const exchange = new Exchange(record.id, record.requester, record.recipient, '', 0)
    exchange.state = 'ended'
    exchange.bodySha256 = record.questionSha256
    exchange.outcome = record.outcome
    exchange.answerBody = record.answerBody
    exchange.answerSha256 = record.answerSha256
    exchange.questionSequence = record.questionSequence
    exchange.resultSequence = record.resultSequence
    return exchange
  }
}

function sha256(text: string): string {
  return hash('sha256', text, 'latin1')
}

export class ExchangeTable {
  /** A number is the slot of an ended one. */
  private readonly byId = new Map<string, Exchange | number>()
  private readonly ended: EndedExchanges
  private openCount = 0
  private readonly retentionMs: number

  constructor(retentionCount: number, retentionMs: number) {
    this.retentionMs = retentionMs
    this.ended = new EndedExchanges(retentionCount, (id, slot) => {
      // Of two with one id, which a log can hold if the first was forgotten long before, the newer one stays.
      if (this.byId.get(id) === slot) this.byId.delete(id)
    })
  }

  /** An ended one is made anew from its record each time. */
  get(id: string): Exchange | undefined {
    const found = this.byId.get(id)
    return typeof found === 'number' ? Exchange.fromRecord(this.ended.read(found)) : found
  }

  /** Of two with one id the newer one is found. */
  add(exchange: Exchange): void {
    this.byId.set(exchange.id, exchange)
    this.openCount++
  }

  /** An ask that was never committed. */
  forget(exchange: Exchange): void {
    this.byId.delete(exchange.id)
    this.openCount--
  }

  /** Not ended. */
  open(): number {
    return this.openCount
  }

  /** Outcome, answer and sequences must be final. */
  retire(exchange: Exchange, nowMs: number): void {
    this.openCount--
    this.byId.set(exchange.id, this.ended.add(exchange.end(), nowMs))
  }

  dropOlder(nowMs: number): void {
    this.ended.dropOlder(nowMs - this.retentionMs)
  }
}
