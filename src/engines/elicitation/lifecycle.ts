/**
 * The life of exchanges: admission, answers, withdrawal, expiry, and what a commit or its failure does to them.
 *
 * Everything a sender or recipient is told follows from `committed`, never from the append (docs/wire-protocol.md §4, §5).
 * A rule here returns a refusal code or null; what is refused has changed nothing.
 */
import type { Clock } from '../../platform/clock.ts'
import { answerActions, type AnswerAction, type Outcome, type RefusalCode } from '../engine.ts'
import type { AdmittedFrame } from './admitted-frame.ts'
import type { AgentTable } from './agents.ts'
import { readAnswer, readQuestion, SchemaCache } from './bodies.ts'
import type { DeliveryObserver } from './deliveries.ts'
import { Exchange, ExchangeTable } from './exchange-table.ts'
import type { HeapRoom } from './heap-room.ts'
import { ExpiryWheel } from './expiry-wheel.ts'
import { isProducedBy } from './frame-codec.ts'
import { encodeAnswerRow, encodeAskRow } from './log-rows.ts'
import { rowKinds, type MachineLimits, type MachineSink, type RowKind } from './machine-ports.ts'
import { OpenRows } from './open-rows.ts'
import type { Outgoing } from './outgoing.ts'
import type { Stages } from './stages.ts'

export class Lifecycle {
  readonly table: ExchangeTable
  readonly wheel: ExpiryWheel
  readonly schemas: SchemaCache
  private readonly rows: OpenRows
  private readonly agents: AgentTable
  private readonly outgoing: Outgoing
  private readonly sink: MachineSink
  private readonly clock: Clock
  private readonly stages: Stages
  private readonly limits: MachineLimits
  private readonly floorOf: (agent: number) => number
  private readonly heap: Pick<HeapRoom, 'isShort'> | null
  private readonly deliveries: DeliveryObserver | null
  private readonly expireDue = (exchange: Exchange): void => this.expire(exchange)

  constructor(parts: {
    agents: AgentTable
    outgoing: Outgoing
    sink: MachineSink
    clock: Clock
    stages: Stages
    limits: MachineLimits
    /** Highest nonce an agent used. */
    floorOf: (agent: number) => number
    heap: Pick<HeapRoom, 'isShort'> | null
    deliveries: DeliveryObserver | null
  }) {
    this.agents = parts.agents
    this.outgoing = parts.outgoing
    this.sink = parts.sink
    this.clock = parts.clock
    this.stages = parts.stages
    this.limits = parts.limits
    this.floorOf = parts.floorOf
    this.heap = parts.heap
    this.deliveries = parts.deliveries
    this.table = new ExchangeTable(parts.limits.retentionCount, parts.limits.retentionMs)
    this.wheel = new ExpiryWheel(parts.clock.nowNs() / 1e6)
    this.schemas = new SchemaCache(parts.limits.schemaCacheSize)
    // Twice the bound: while a batch is worked off, the store already counts its rows as gone and takes new ones.
    this.rows = new OpenRows(parts.limits.maxPendingRows * 2)
  }

  ask(requester: number, frame: AdmittedFrame): RefusalCode | null {
    const { id, nonce, body, receivedAtNs } = frame
    const name = this.agents.nameOf(requester)
    if (!isProducedBy(id, name)) return 'CONFLICT'
    const known = this.table.get(id)
    const recipient = this.agents.indexOf(frame.to)
    if (known !== undefined) return this.repeatedAsk(known, requester, recipient, frame)
    if (recipient < 0) return 'UNKNOWN_RECIPIENT'
    const schema = readQuestion(body, this.schemas)
    this.timeSchema(frame)
    if (typeof schema === 'string') return schema
    const nowMs = receivedAtNs / 1e6
    if (!this.hasRoom(requester, recipient, nowMs)) return 'OVERLOADED'
    const wallMs = this.clock.wallMs()
    const row = encodeAskRow(wallMs + frame.ttlMs, frame.cursor, body)
    const ticket = this.sink.append(frame.to, name, rowKinds.asked, id, row, wallMs)
    if (ticket < 0) return 'OVERLOADED'
    const exchange = new Exchange(id, requester, recipient, body, nowMs + frame.ttlMs)
    exchange.schema = schema
    exchange.questionTakenAtNs = receivedAtNs
    this.table.add(exchange)
    this.agents.add(this.agents.askLoad, requester, 1)
    this.agents.add(this.agents.questionLoad, recipient, 1)
    this.agents.add(this.agents.unsettled, requester, 1)
    this.rows.set(ticket, exchange, rowKinds.asked, nonce, receivedAtNs, this.clock.nowNs())
    return null
  }

  private hasRoom(requester: number, recipient: number, nowMs: number): boolean {
    return (
      (this.agents.askLoad[requester] ?? 0) < this.limits.pendingLimit &&
      (this.agents.questionLoad[recipient] ?? 0) < this.limits.inboxLimit &&
      this.table.open() < this.limits.maxOpenExchanges &&
      this.heap?.isShort(this.table.open(), nowMs) !== true
    )
  }

  private repeatedAsk(known: Exchange, requester: number, recipient: number, frame: AdmittedFrame): RefusalCode | null {
    if (known.requester !== requester || known.recipient !== recipient || !known.isQuestion(frame.body))
      return 'CONFLICT'
    if (known.state === 'asking') {
      this.replaceRepeat(known, requester, frame.nonce)
      return null
    }
    this.acknowledgeNow(requester, frame)
    if (known.state === 'ended') this.outgoing.repeatResult(known, frame.receivedAtNs / 1e6)
    return null
  }

  /** One repeat shares the fate of the row; an earlier one is sent away, or nobody would ever answer it. */
  private replaceRepeat(exchange: Exchange, agent: number, nonce: number): void {
    const { repeatNonce, id } = exchange
    if (repeatNonce !== 0) this.outgoing.refuse(agent, repeatNonce, id, 'OVERLOADED', this.limits.retryAfterMs)
    exchange.repeatNonce = nonce
  }

  /** For a frame that rests on nothing uncommitted of its own. */
  private acknowledgeNow(agent: number, frame: AdmittedFrame): void {
    this.advance(agent, 0)
    this.outgoing.oweSoon(agent, frame.receivedAtNs / 1e6)
    this.sink.settled(agent, frame.nonce)
  }

  answer(recipient: number, frame: AdmittedFrame): RefusalCode | null {
    const exchange = this.table.get(frame.id)
    if (exchange === undefined || exchange.state === 'asking') return 'ELICITATION_NOT_FOUND'
    if (exchange.recipient !== recipient) return 'UNAUTHORIZED_RESPONSE'
    if (exchange.state !== 'pending') return this.lateAnswer(exchange, recipient, frame)
    if (frame.receivedAtNs / 1e6 >= exchange.deadlineMs) return 'EXPIRED'
    const schema = (exchange.schema ??= this.schemaOf(exchange))
    const action = schema === null ? 'SCHEMA_VIOLATION' : readAnswer(frame.body, schema)
    this.timeSchema(frame)
    if (!isAction(action)) return action
    const row = encodeAnswerRow(frame.cursor, frame.body)
    if (!this.settle(exchange, action, rowKinds[action], row, frame.nonce, frame.receivedAtNs)) return 'OVERLOADED'
    exchange.answerBody = frame.body
    this.agents.add(this.agents.unsettled, recipient, 1)
    return null
  }

  /** After a restart the schema is read again from the question, which passed once. */
  private schemaOf(exchange: Exchange): Exchange['schema'] {
    const schema = readQuestion(exchange.question, this.schemas)
    return typeof schema === 'string' ? null : schema
  }

  private lateAnswer(exchange: Exchange, recipient: number, frame: AdmittedFrame): RefusalCode | null {
    if (exchange.outcome === 'expired') return 'EXPIRED'
    if (exchange.outcome === 'withdrawn') return 'ELICITATION_NOT_FOUND'
    if (!exchange.isAnswer(frame.body)) return 'CONFLICT'
    if (exchange.state === 'settling') this.replaceRepeat(exchange, recipient, frame.nonce)
    else this.acknowledgeNow(recipient, frame)
    return null
  }

  cancel(requester: number, frame: AdmittedFrame): RefusalCode | null {
    const exchange = this.table.get(frame.id)
    if (exchange === undefined) return 'ELICITATION_NOT_FOUND'
    if (exchange.requester !== requester) return 'UNAUTHORIZED_RESPONSE'
    if (exchange.state === 'pending') {
      if (!this.settle(exchange, 'withdrawn', rowKinds.withdrawn, '', frame.nonce, frame.receivedAtNs))
        return 'OVERLOADED'
      this.agents.add(this.agents.unsettled, requester, 1)
      return null
    }
    if (exchange.state !== 'ended') exchange.cancelWanted = true
    this.acknowledgeNow(requester, frame)
    return null
  }

  expireUpTo(nowMs: number): void {
    this.wheel.turn(nowMs, this.expireDue)
    this.table.dropOlder(nowMs)
  }

  private expire(exchange: Exchange): void {
    const done = exchange.state === 'pending' && this.settle(exchange, 'expired', rowKinds.expired, '', 0, 0)
    if (!done) this.wheel.add(exchange)
  }

  /** Appends the terminal row; false when the store has no room. */
  private settle(
    exchange: Exchange,
    outcome: Outcome,
    kind: RowKind,
    row: string,
    nonce: number,
    receivedAtNs: number,
  ): boolean {
    const { requester, recipient, id } = exchange
    const wallMs = this.clock.wallMs()
    const ticket = this.sink.append(this.agents.nameOf(requester), this.agents.nameOf(recipient), kind, id, row, wallMs)
    if (ticket < 0) return false
    this.wheel.remove(exchange)
    exchange.state = 'settling'
    exchange.outcome = outcome
    exchange.resultTakenAtNs = receivedAtNs
    this.rows.set(ticket, exchange, kind, nonce, receivedAtNs, this.clock.nowNs())
    return true
  }

  committed(from: number, to: number): void {
    let nowNs = this.clock.nowNs()
    const nowMs = nowNs / 1e6
    for (let ticket = from; ticket <= to; ticket++) {
      const place = this.rows.placeOf(ticket)
      this.stages.storeWait.record(nowNs - (this.rows.appendedAtNs[place] ?? 0))
    }
    for (let ticket = from; ticket <= to; ticket++) {
      const place = this.rows.placeOf(ticket)
      const exchange = this.rows.takeExchange(place)
      const kind = this.rows.kinds[place]
      if (kind === rowKinds.asked) this.askCommitted(exchange, this.rows.nonces[place] ?? 0, nowMs)
      else this.endCommitted(exchange, this.rows.nonces[place] ?? 0, nowMs)
      const doneNs = this.clock.nowNs()
      this.stages.push.record(doneNs - nowNs)
      nowNs = doneNs
      const servedNs = doneNs - (this.rows.receivedAtNs[place] ?? 0)
      if (kind === rowKinds.asked) exchange.askServiceNs = servedNs
      // After a restart the ask leg was another process's; expiry and withdrawal have no answer leg.
      else if (kind !== rowKinds.expired && kind !== rowKinds.withdrawn && exchange.askServiceNs > 0) {
        this.stages.total.record(exchange.askServiceNs + servedNs)
      }
    }
  }

  private askCommitted(exchange: Exchange, nonce: number, nowMs: number): void {
    const { requester, recipient } = exchange
    exchange.state = 'pending'
    exchange.questionSequence = this.agents.inboxOf(recipient).push(exchange)
    this.wheel.add(exchange)
    this.frameCommitted(requester, exchange, nonce)
    this.outgoing.oweSoon(requester, nowMs)
    this.outgoing.push(recipient, exchange.questionSequence, exchange, nowMs)
    if (exchange.cancelWanted) this.withdrawLate(exchange)
  }

  private endCommitted(exchange: Exchange, nonce: number, nowMs: number): void {
    const { requester, recipient, outcome } = exchange
    exchange.resultSequence = this.agents.inboxOf(requester).push(exchange)
    this.table.retire(exchange, nowMs)
    if (outcome === 'withdrawn') {
      if (nonce !== 0) this.frameCommitted(requester, exchange, nonce)
    } else if (outcome === 'expired') {
      if (!exchange.questionHanded) this.deliveries?.missed(recipient)
    } else {
      this.frameCommitted(recipient, exchange, nonce)
      this.outgoing.oweLater(recipient, nowMs)
    }
    this.outgoing.push(requester, exchange.resultSequence, exchange, nowMs)
  }

  /** The withdrawal that was acknowledged while a row of the exchange was on its way. */
  private withdrawLate(exchange: Exchange): void {
    exchange.cancelWanted = false
    // Without room the exchange stays open and ends by answer or deadline: withdrawing is a wish, not a promise.
    this.settle(exchange, 'withdrawn', rowKinds.withdrawn, '', 0, 0)
  }

  private frameCommitted(agent: number, exchange: Exchange, nonce: number): void {
    this.agents.add(this.agents.unsettled, agent, -1)
    this.advance(agent, nonce)
    this.sink.settled(agent, nonce)
    if (exchange.repeatNonce !== 0) {
      this.sink.settled(agent, exchange.repeatNonce)
      exchange.repeatNonce = 0
    }
  }

  /** Raises what is acknowledged: to everything taken if nothing is open, else to the frame just settled. */
  advance(agent: number, nonce: number): void {
    const acked = this.agents.unsettled[agent] === 0 ? this.floorOf(agent) : nonce
    if (acked > (this.agents.ackedNonce[agent] ?? 0)) this.agents.ackedNonce[agent] = acked
  }

  failed(from: number, to: number): void {
    for (let ticket = from; ticket <= to; ticket++) {
      const place = this.rows.placeOf(ticket)
      const exchange = this.rows.takeExchange(place)
      const nonce = this.rows.nonces[place] ?? 0
      if (this.rows.kinds[place] === rowKinds.asked) this.askFailed(exchange, nonce)
      else this.endFailed(exchange, nonce)
    }
  }

  private askFailed(exchange: Exchange, nonce: number): void {
    this.table.forget(exchange)
    this.agents.add(this.agents.askLoad, exchange.requester, -1)
    this.agents.add(this.agents.questionLoad, exchange.recipient, -1)
    this.frameFailed(exchange.requester, exchange, nonce)
  }

  private endFailed(exchange: Exchange, nonce: number): void {
    const sender = exchange.outcome === 'withdrawn' ? exchange.requester : exchange.recipient
    exchange.state = 'pending'
    exchange.outcome = null
    exchange.answerBody = ''
    this.wheel.add(exchange)
    if (nonce !== 0) this.frameFailed(sender, exchange, nonce)
    if (exchange.cancelWanted) this.withdrawLate(exchange)
  }

  private frameFailed(agent: number, exchange: Exchange, nonce: number): void {
    const { retryAfterMs } = this.limits
    this.agents.add(this.agents.unsettled, agent, -1)
    // The refusal must leave before any acknowledgement that covers its nonce.
    this.outgoing.refuse(agent, nonce, exchange.id, 'OVERLOADED', retryAfterMs)
    if (exchange.repeatNonce !== 0)
      this.outgoing.refuse(agent, exchange.repeatNonce, exchange.id, 'OVERLOADED', retryAfterMs)
    exchange.repeatNonce = 0
    this.advance(agent, nonce)
  }

  private timeSchema(frame: AdmittedFrame): void {
    if (frame.bodyStageAtNs > 0) this.stages.schema.record(this.clock.nowNs() - frame.bodyStageAtNs)
  }
}

function isAction(value: string): value is AnswerAction {
  for (const action of answerActions) if (action === value) return true
  return false
}
