/**
 * Everything the server says to agents: entries of their inboxes, acknowledgements, heartbeats, refusals.
 *
 * Entries reach a connection strictly in sequence. One that has no room keeps its entries in the inbox, and `pump` goes on
 * when there is room again. Every frame carries the newest acknowledgement; a frame of its own goes out only when a delay
 * has passed and nothing carried it.
 */
import type { RefusalCode } from '../engine.ts'
import { isQuestion, type AgentTable } from './agents.ts'
import { DelayQueue } from './delay-queue.ts'
import { noteHandOver, type DeliveryObserver } from './deliveries.ts'
import type { Exchange } from './exchange-table.ts'
import type { Inbox } from './inbox.ts'
import type { MachineLimits, MachineSink, PathAdvice } from './machine-ports.ts'

export class Outgoing {
  /** Acknowledgements owed for asks and cancels, and for answers, which nobody waits for. */
  private readonly owedSoon: DelayQueue
  private readonly owedLater: DelayQueue
  private readonly lagging = new Set<number>()
  private readonly agents: AgentTable
  private readonly sink: MachineSink
  private readonly deliveries: DeliveryObserver | null

  constructor(
    agents: AgentTable,
    sink: MachineSink,
    limits: MachineLimits,
    deliveries: DeliveryObserver | null = null,
  ) {
    this.deliveries = deliveries
    this.agents = agents
    this.sink = sink
    this.owedSoon = new DelayQueue(limits.maxAgents, limits.ackDelayAskMs)
    this.owedLater = new DelayQueue(limits.maxAgents, limits.ackDelayAnswerMs)
  }

  /** Sends a frame that carries the newest acknowledgement as its second token. False: no room for more. */
  private say(agent: number, verb: string, rest: string, sequence: number, nowMs: number): boolean {
    const acked = this.agents.ackedNonce[agent] ?? 0
    this.agents.sentAck[agent] = acked
    this.agents.sentAtMs[agent] = nowMs
    return this.sink.send(agent, `${verb} ${acked}${rest}`, sequence)
  }

  hello(agent: number, rest: string, nowMs: number): void {
    this.say(agent, 'hello', rest, 0, nowMs)
  }

  /** With the last sequence that the connection was handed: frames before it that vanished on the way show by it. */
  ping(agent: number, nowMs: number): void {
    this.say(agent, 'ping', ` ${this.agents.pushed[agent] ?? 0}`, 0, nowMs)
  }

  pong(agent: number, nowMs: number): void {
    this.say(agent, 'pong', '', 0, nowMs)
  }

  mode(agent: number, advice: PathAdvice, nowMs: number): void {
    this.say(agent, 'mode', ` ${advice.path} ${Math.ceil(advice.withinMs)} ${advice.fallback ? 1 : 0}`, 0, nowMs)
  }

  refuse(agent: number, nonce: number, id: string, code: RefusalCode, retryAfterMs: number): void {
    this.sink.refuse(agent, nonce, id, code, retryAfterMs)
  }

  /** A new entry at the end of the inbox. */
  push(agent: number, sequence: number, exchange: Exchange, nowMs: number): void {
    if (this.agents.connected[agent] !== 1) return
    if (this.agents.pushed[agent] !== sequence - 1 || this.lagging.has(agent)) return
    if (!this.entry(agent, sequence, exchange, nowMs)) this.lagging.add(agent)
  }

  /** Sends what the connection has not been handed, as far as there is room. */
  pump(agent: number, inbox: Inbox, nowMs: number): void {
    while (this.agents.connected[agent] === 1) {
      const sequence = Math.max(this.agents.pushed[agent] ?? 0, inbox.floor) + 1
      const exchange = inbox.at(sequence)
      if (exchange === undefined) break
      if (!this.entry(agent, sequence, exchange, nowMs)) {
        this.lagging.add(agent)
        return
      }
    }
    this.lagging.delete(agent)
  }

  /**
   * Sends one entry again that the agent may have lost although its cursor says otherwise. An answer that the exchange no longer has
   * may still lie in the inbox; one that was acknowledged too is gone.
   */
  repeatResult(exchange: Exchange, nowMs: number): void {
    const agent = exchange.requester
    if (this.agents.connected[agent] !== 1 || (this.agents.pushed[agent] ?? 0) < exchange.resultSequence) return
    const kept = exchange.hasAnswer ? exchange : this.agents.inboxOf(agent).at(exchange.resultSequence)
    if (kept !== undefined) this.result(agent, kept, 0, nowMs)
  }

  private entry(agent: number, sequence: number, exchange: Exchange, nowMs: number): boolean {
    this.agents.pushed[agent] = sequence
    const question = isQuestion(exchange, agent, sequence)
    if (this.deliveries !== null) noteHandOver(this.deliveries, agent, exchange, question)
    if (!question) return this.result(agent, exchange, sequence, nowMs)
    if (exchange.state === 'ended') return this.say(agent, 'void', ` ${sequence} ${exchange.id}`, sequence, nowMs)
    const remainingMs = Math.max(0, Math.ceil(exchange.deadlineMs - nowMs))
    const rest = ` ${sequence} ${exchange.id} ${this.agents.nameOf(exchange.requester)} ${remainingMs}\n${exchange.question}`
    return this.say(agent, 'question', rest, sequence, nowMs)
  }

  /** `position` is 0 for a repeat, which must not move the cursor of an event stream back. */
  private result(agent: number, exchange: Exchange, position: number, nowMs: number): boolean {
    const body = exchange.answerBody === '' ? '' : `\n${exchange.answerBody}`
    const rest = ` ${exchange.resultSequence} ${exchange.id} ${exchange.outcome ?? ''}${body}`
    return this.say(agent, 'result', rest, position, nowMs)
  }

  oweSoon(agent: number, nowMs: number): void {
    this.owedSoon.add(agent, nowMs)
  }

  oweLater(agent: number, nowMs: number): void {
    this.owedLater.add(agent, nowMs)
  }

  forget(agent: number): void {
    this.lagging.delete(agent)
  }

  /** Sends acknowledgements that nothing carried, and goes on with connections that had no room. */
  tick(nowMs: number): void {
    this.acknowledgeDue(this.owedSoon, nowMs)
    this.acknowledgeDue(this.owedLater, nowMs)
    for (const agent of this.lagging) {
      if (this.sink.hasRoom(agent)) this.pump(agent, this.agents.inboxOf(agent), nowMs)
    }
  }

  private acknowledgeDue(queue: DelayQueue, nowMs: number): void {
    for (let agent = queue.take(nowMs); agent >= 0; agent = queue.take(nowMs)) {
      const owed = (this.agents.ackedNonce[agent] ?? 0) > (this.agents.sentAck[agent] ?? 0)
      if (owed && this.agents.connected[agent] === 1) this.say(agent, 'ack', '', 0, nowMs)
    }
  }
}
