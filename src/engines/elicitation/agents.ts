/**
 * Agents as dense indexes, and what the server knows of each, in columns.
 *
 * A name becomes an index when it is enrolled or read from the log, never because somebody mentioned it. Columns have
 * the size of `maxAgents` from the start: untouched pages of a typed array cost no memory.
 */
import type { FrameMac } from './frame-mac.ts'
import type { Exchange } from './exchange-table.ts'
import { Inbox } from './inbox.ts'

export class AgentTable {
  readonly limit: number
  readonly names: string[] = []
  private readonly indexes = new Map<string, number>()
  private readonly inboxes: (Inbox | undefined)[] = []

  readonly connected: Uint8Array
  readonly sessions: string[] = []
  readonly keys: (FrameMac | undefined)[] = []
  /** Wall clock. */
  readonly expiresAtMs: Float64Array
  /** Every frame up to this nonce is committed or was refused. */
  readonly ackedNonce: Float64Array
  /** Highest `ackNonce` that left for this agent. */
  readonly sentAck: Float64Array
  /** Frames taken whose rows are neither committed nor failed. */
  readonly unsettled: Int32Array
  readonly heardAtMs: Float64Array
  readonly sentAtMs: Float64Array
  /** Highest inbox sequence handed to the present connection. */
  readonly pushed: Float64Array
  /** Questions in the inbox, with those not yet committed. */
  readonly questionLoad: Int32Array
  /** Exchanges this agent asked whose result it has not acknowledged. */
  readonly askLoad: Int32Array

  constructor(limit: number) {
    this.limit = limit
    this.connected = new Uint8Array(limit)
    this.expiresAtMs = new Float64Array(limit)
    this.ackedNonce = new Float64Array(limit)
    this.sentAck = new Float64Array(limit)
    this.unsettled = new Int32Array(limit)
    this.heardAtMs = new Float64Array(limit)
    this.sentAtMs = new Float64Array(limit)
    this.pushed = new Float64Array(limit)
    this.questionLoad = new Int32Array(limit)
    this.askLoad = new Int32Array(limit)
  }

  get count(): number {
    return this.names.length
  }

  /** −1 when the name was never interned. */
  indexOf(name: string): number {
    return this.indexes.get(name) ?? -1
  }

  /** The index of a valid agent name, new or known; −1 when the table is full. */
  intern(name: string): number {
    const known = this.indexes.get(name)
    if (known !== undefined) return known
    if (this.names.length === this.limit) return -1
    const index = this.names.length
    this.names.push(name)
    this.indexes.set(name, index)
    return index
  }

  nameOf(agent: number): string {
    return this.names[agent] ?? ''
  }

  inboxOf(agent: number): Inbox {
    return (this.inboxes[agent] ??= new Inbox())
  }

  /** Drops the inbox up to `cursor`; a cursor beyond the newest entry acknowledges nothing. */
  acknowledgeInbox(agent: number, cursor: number): void {
    const inbox = this.inboxes[agent]
    if (inbox === undefined || cursor > inbox.head) return
    while (inbox.floor < cursor) this.dropOldest(agent, inbox)
  }

  dropOldest(agent: number, inbox: Inbox): void {
    const sequence = inbox.floor + 1
    const exchange = inbox.shift()
    if (exchange === undefined) return
    if (isQuestion(exchange, agent, sequence)) this.add(this.questionLoad, agent, -1)
    else this.add(this.askLoad, agent, -1)
  }

  add(column: Int32Array, agent: number, change: number): void {
    column[agent] = (column[agent] ?? 0) + change
  }
}

/** Which of its two inbox entries an exchange is, here; it matters when an agent asks itself. */
export function isQuestion(exchange: Exchange, agent: number, sequence: number): boolean {
  return exchange.recipient === agent && exchange.questionSequence === sequence
}
