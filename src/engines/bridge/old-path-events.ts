/**
 * The adapter's two tables: which request of the state machine a posted event is, and which event an inbox entry is.
 *
 * What a polling agent posts ends in frames of other agents, so it is held to the grammar of frames: an id, a name or a body that could
 * end a line early is refused, and so is a body that a frame could not carry.
 */
import type { StoredEvent } from '../event-store/event-store.ts'
import type { UnsignedRequest } from '../elicitation/admitted-frame.ts'
import { isQuestion, type AgentTable } from '../elicitation/agents.ts'
import { noteHandOver, type DeliveryObserver } from '../elicitation/deliveries.ts'
import type { Exchange } from '../elicitation/exchange-table.ts'
import { isAgentName, isExchangeId, maxFrameBytes, maxTtlMs } from '../elicitation/frame-codec.ts'
import { isJsonObject, parseJsonObject } from '../elicitation/schema.ts'
import { eventTypes, parseObject, Refusal, type EventType } from '../polling/wire.ts'

/** Bytes of the shortest envelope besides id and recipient: whatever push would take, the old path takes too. */
const shortestEnvelope = 24
const longestBody = maxFrameBytes - shortestEnvelope

export interface PostedRequest {
  readonly verb: 'ask' | 'answer' | 'cancel'
  readonly request: UnsignedRequest
}

const malformed = (message: string): Refusal => new Refusal(400, 'MALFORMED', message)

/** What `sender` asks for with a posted event, or the refusal. */
export function readPosted(bytes: Buffer, sender: string): PostedRequest | Refusal {
  const event = parseObject(bytes)
  if (event instanceof Refusal) return event
  if (event['agent_id'] !== sender) return new Refusal(403, 'INVALID_SESSION', 'The session is not that of agent_id.')
  const to = event['aggregate_id']
  if (typeof to !== 'string' || !isAgentName(to))
    return malformed('aggregate_id must name the agent that the event is for.')
  const data = event['data']
  if (!isJsonObject(data)) return malformed('data must be an object.')
  const id = data['elicitation_id']
  if (typeof id !== 'string' || !isExchangeId(id))
    return malformed('data.elicitation_id must be scope:producer:number.')
  switch (event['event_type']) {
    case 'elicitation_request':
      return ask(data, id, to)
    case 'elicitation_response':
      return answer(data, id)
    case 'elicitation_cancelled':
      return { verb: 'cancel', request: { id, to: '', ttlMs: 0, body: '' } }
    default:
      return malformed('event_type must be elicitation_request, elicitation_response or elicitation_cancelled.')
  }
}

function ask(data: Readonly<Record<string, unknown>>, id: string, to: string): PostedRequest | Refusal {
  const { timeout_seconds: seconds, body } = data
  const ttlMs = typeof seconds === 'number' ? Math.ceil(seconds * 1000) : 0
  if (!(ttlMs >= 1 && ttlMs <= maxTtlMs)) return malformed('data.timeout_seconds must be a number of seconds above 0.')
  return isBody(body, id.length + to.length) ? { verb: 'ask', request: { id, to, ttlMs, body } } : malformedBody()
}

function answer(data: Readonly<Record<string, unknown>>, id: string): PostedRequest | Refusal {
  const { response_type: action, body } = data
  if (!isBody(body, id.length)) return malformedBody()
  // The push side knows the body alone: an event that says one thing and carries another would be two answers.
  if (parseJsonObject(body)?.['action'] !== action)
    return malformed('data.response_type must be the action of data.body.')
  return { verb: 'answer', request: { id, to: '', ttlMs: 0, body } }
}

function malformedBody(): Refusal {
  return malformed(`data.body must be one line of well-formed text of at most ${longestBody} bytes.`)
}

function isBody(body: unknown, namesLength: number): body is string {
  return (
    typeof body === 'string' &&
    body !== '' &&
    Buffer.byteLength(body) + namesLength <= longestBody &&
    !/[\r\n]/.test(body) &&
    body.isWellFormed()
  )
}

const kindOf = (type: EventType): number => eventTypes.indexOf(type)
const requestKind = kindOf('elicitation_request')
const responseKind = kindOf('elicitation_response')
const cancelledKind = kindOf('elicitation_cancelled')

/** Entries of an inbox above `since`, the oldest first, as events of the old path. */
export function eventsAfter(
  agents: AgentTable,
  agent: number,
  since: number,
  limit: number,
  nowMs: number,
  wallMs: number,
  deliveries: DeliveryObserver | null = null,
): StoredEvent[] {
  const inbox = agents.inboxOf(agent)
  const events: StoredEvent[] = []
  const name = agents.nameOf(agent)
  for (let sequence = Math.max(since, inbox.floor) + 1; events.length < limit; sequence++) {
    const exchange = inbox.at(sequence)
    if (exchange === undefined) break
    const question = isQuestion(exchange, agent, sequence)
    if (deliveries !== null) noteHandOver(deliveries, agent, exchange, question)
    const source = agents.nameOf(question ? exchange.requester : exchange.recipient)
    const { kind, data } = question ? questionData(exchange, nowMs) : resultData(exchange)
    const body = JSON.stringify({ elicitation_id: exchange.id, ...data })
    events.push({ sequence, agent: name, source, kind, exchange: exchange.id, body, producedAtMs: wallMs })
  }
  return events
}

function questionData(exchange: Exchange, nowMs: number): { kind: number; data: Record<string, unknown> } {
  if (exchange.state === 'ended') return { kind: cancelledKind, data: { reason: 'void' } }
  const remainingMs = Math.max(0, Math.ceil(exchange.deadlineMs - nowMs))
  return { kind: requestKind, data: { timeout_seconds: remainingMs / 1000, body: exchange.question } }
}

function resultData(exchange: Exchange): { kind: number; data: Record<string, unknown> } {
  const { outcome, answerBody } = exchange
  if (outcome === 'expired' || outcome === 'withdrawn') return { kind: cancelledKind, data: { reason: outcome } }
  return { kind: responseKind, data: { response_type: outcome, body: answerBody } }
}
