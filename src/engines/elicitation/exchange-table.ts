/**
 * All exchanges that a server knows: open ones, and ended ones for as long as a retry may ask for them.
 *
 * Ended exchanges are kept in the order they ended and leave by count or age, whichever comes first, so the
 * table is bounded however long the server runs. A retry is compared with the question byte for byte while the exchange is open
 * and by SHA-256 after its end: what is kept for long should be small, because the collector copies it.
 */
import { hash } from 'node:crypto'
import type { Outcome } from '../engine.ts'
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
  /** Of the answer; '' when there is none. */
  answerBody = ''
  /** null until needed after a restart. */
  schema: CompiledSchema | null = null
  /** Sequences in the recipient's and the requester's inbox; 0 before the commit. */
  questionSequence = 0
  resultSequence = 0
  /** A repeat that came while the row was uncommitted, and shares its fate. 0: none. */
  repeatNonce = 0
  /** A withdrawal that lost against an uncommitted answer and wins if that fails. */
  cancelWanted = false
  endedAtMs = 0
  /** Server time of the ask leg in ns, for the `total` stage. */
  askServiceNs = 0
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

  /** Keeps of the question what tells a retry from a conflict. */
  letGo(): void {
    this.bodySha256 = sha256(this.body)
    this.body = ''
    this.schema = null
  }
}

function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}

export class ExchangeTable {
  private readonly byId = new Map<string, Exchange>()
  private readonly ended: (Exchange | undefined)[]
  private endedFrom = 0
  private endedCount = 0
  private openCount = 0
  private readonly retentionMs: number

  constructor(retentionCount: number, retentionMs: number) {
    this.ended = new Array<Exchange | undefined>(retentionCount)
    this.retentionMs = retentionMs
  }

  get(id: string): Exchange | undefined {
    return this.byId.get(id)
  }

  /** Of two with one id, which a log can hold if the first was forgotten long before, the newer one is found. */
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

  retire(exchange: Exchange, nowMs: number): void {
    exchange.state = 'ended'
    exchange.letGo()
    this.openCount--
    exchange.endedAtMs = nowMs
    if (this.endedCount === this.ended.length) this.dropOldest()
    this.ended[(this.endedFrom + this.endedCount) % this.ended.length] = exchange
    this.endedCount++
  }

  dropOlder(nowMs: number): void {
    for (;;) {
      const oldest = this.ended[this.endedFrom]
      if (this.endedCount === 0 || oldest === undefined || oldest.endedAtMs + this.retentionMs > nowMs) return
      this.dropOldest()
    }
  }

  private dropOldest(): void {
    const oldest = this.ended[this.endedFrom]
    if (oldest !== undefined && this.byId.get(oldest.id) === oldest) this.byId.delete(oldest.id)
    this.ended[this.endedFrom] = undefined
    this.endedFrom = (this.endedFrom + 1) % this.ended.length
    this.endedCount--
  }
}
