/**
 * What crosses the wire between polling clients and their server: event names, the shape of a stored event,
 * and the parsing of what a client posts. Shapes follow the system being replaced: `POST /event/store` takes
 * `event_type, agent_id, aggregate_id, data`, and `/event/wait` answers events of `sequence, event_type,
 * source_agent, timestamp, data`. An event is addressed to the agent named by `aggregate_id`.
 *
 * One deliberate difference: an unknown event type is refused, where the original stored it as another type.
 */
import { isUtf8 } from 'node:buffer'
import type { RefusalCode } from '../engine.ts'
import type { StoredEvent } from '../event-store/event-store.ts'
import { isAgentName } from './sessions.ts'

/** The kind in the store is the index in this list; entries are only ever added. */
export const eventTypes = [
  'custom',
  'elicitation_request',
  'elicitation_response',
  'elicitation_cancelled',
  'agent_message',
] as const
export type EventType = (typeof eventTypes)[number]

/** The original's limit for one event. */
export const maxEventBytes = 1024 * 1024
/** Agents that one call of /session/create may enrol. */
export const maxEnrolments = 1000
const maxExchangeLength = 128

export class Refusal {
  readonly status: number
  readonly code: RefusalCode
  readonly message: string
  constructor(status: number, code: RefusalCode, message: string) {
    this.status = status
    this.code = code
    this.message = message
  }
}

export interface PostedEvent {
  readonly kind: number
  readonly recipient: string
  readonly exchange: string
  /** `data` as JSON text. */
  readonly body: string
}

const malformed = (message: string): Refusal => new Refusal(400, 'MALFORMED', message)

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A JSON object, or why it is none. */
export function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | Refusal {
  if (!isUtf8(bytes)) return malformed('The body is not UTF-8.')
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isObject(value) ? value : malformed('The body is not a JSON object.')
  } catch {
    return malformed('The body is not JSON.')
  }
}

/** An event that `sender` may store, or the refusal. */
export function parseEvent(bytes: Buffer, sender: string): PostedEvent | Refusal {
  const event = parseObject(bytes)
  if (event instanceof Refusal) return event
  if (event['agent_id'] !== sender) {
    return typeof event['agent_id'] === 'string'
      ? new Refusal(403, 'INVALID_SESSION', 'The session is not that of agent_id.')
      : malformed('agent_id must be a string.')
  }
  const kind = eventTypes.findIndex((type) => type === event['event_type'])
  if (kind === -1) return malformed(`event_type must be one of ${eventTypes.join(', ')}.`)
  const recipient = event['aggregate_id']
  if (!isAgentName(recipient)) return malformed('aggregate_id must name the agent that the event is for.')
  const data = event['data']
  if (!isObject(data)) return malformed('data must be an object.')
  const exchange = data['elicitation_id'] ?? ''
  if (typeof exchange !== 'string' || exchange.length > maxExchangeLength) {
    return malformed(`data.elicitation_id must be a string of at most ${maxExchangeLength} characters.`)
  }
  try {
    return { kind, recipient, exchange, body: JSON.stringify(data) }
  } catch {
    // Writing may recurse where parsing does not: nesting beyond the stack comes here.
    return malformed('data is nested too deeply.')
  }
}

/** The agents named by a call of /session/create, or the refusal. */
export function parseEnrolment(
  bytes: Buffer,
  isName: (value: unknown) => value is string = isAgentName,
): { readonly agents: readonly string[]; readonly bulk: boolean } | Refusal {
  const request = parseObject(bytes)
  if (request instanceof Refusal) return request
  const many = request['agent_ids']
  if (many === undefined) {
    const agent = request['agent_id']
    return isName(agent) ? { agents: [agent], bulk: false } : malformed('agent_id must be an agent name.')
  }
  if (!Array.isArray(many) || many.length < 1 || many.length > maxEnrolments || !many.every(isName)) {
    return malformed(`agent_ids must be 1 to ${maxEnrolments} agent names.`)
  }
  return { agents: many, bulk: true }
}

export interface WaitRequest {
  readonly agent: string
  readonly sinceSequence: number
  readonly timeoutMs: number
}

/** The query of /event/wait. Numbers are plain decimals; a timeout above the cap is the cap, as in the original. */
export function parseWait(
  query: string,
  defaultTimeoutMs: number,
  capMs: number,
  isName: (value: unknown) => value is string = isAgentName,
): WaitRequest | Refusal {
  const parameters = new URLSearchParams(query)
  const agent = parameters.get('agent_id')
  if (!isName(agent)) return malformed('agent_id must be an agent name.')
  const since = parameters.get('since_sequence') ?? '0'
  if (!/^\d{1,15}$/.test(since)) return malformed('since_sequence must be a whole number from 0.')
  const timeout = parameters.get('timeout_seconds')
  if (timeout !== null && !/^\d{1,9}(\.\d{1,6})?$/.test(timeout)) {
    return malformed('timeout_seconds must be a number of seconds from 0.')
  }
  const timeoutMs = timeout === null ? defaultTimeoutMs : Math.min(Number(timeout) * 1000, capMs)
  return { agent, sinceSequence: Number(since), timeoutMs }
}

/** One event of an answer. The body is stored as JSON text and goes out as it is. */
function eventText(event: StoredEvent): string {
  const type = eventTypes[event.kind] ?? 'custom'
  return `{"sequence":${event.sequence},"event_type":"${type}","source_agent":"${event.source}","timestamp":${
    event.producedAtMs / 1000
  },"data":${String(event.body)}}`
}

/** `extra`: further members, each after a comma. */
export function waitAnswerText(events: readonly StoredEvent[], waitedMs: number, extra = ''): string {
  const status = events.length > 0 ? 'new_events' : 'timeout'
  return `{"events":[${events.map(eventText).join(',')}],"count":${events.length},"waited_seconds":${(
    waitedMs / 1000
  ).toFixed(3)},"status":"${status}"${extra}}`
}

export function storedAnswerText(sequence: number, wallMs: number): string {
  return `{"event_id":{"timestamp_ns":${Math.round(wallMs * 1000)}000,"sequence":${sequence},"node_id":"lighthouse"},"status":"stored","message":"Event stored","sequence":${sequence}}`
}
