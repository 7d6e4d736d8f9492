/**
 * The client's table between frames and the old path: what a frame of an agent is as a posted event, and which frames the answer
 * to a poll stands for. The link behind it knows frames alone, so nothing it remembers depends on the path.
 */
import { refusalCodes, type RefusalCode } from '../engine.ts'
import { macLength, parseCount } from '../elicitation/frame-codec.ts'
import { paths, type PathAdvice } from '../elicitation/machine-ports.ts'
import { isJsonObject, parseJsonObject } from '../elicitation/schema.ts'

export interface PostedFrame {
  readonly nonce: number
  /** The body of the POST; null for a frame that polls make unnecessary. */
  readonly text: string | null
}

/** `frame` is what an agent's link makes: a signature line, which covers other bytes than these and is dropped, envelope and body. */
export function postedFrame(frame: string, agent: string): PostedFrame {
  const lineEnd = frame.indexOf('\n', macLength + 1)
  const envelope = frame.slice(macLength + 1, lineEnd < 0 ? frame.length : lineEnd)
  const body = lineEnd < 0 ? '' : frame.slice(lineEnd + 1)
  const [verb = '', , , nonceText, , id = '', to = '', ttlMs = ''] = envelope.split(' ')
  const nonce = parseCount(nonceText)
  const event = (type: string, recipient: string, data: object): PostedFrame => ({
    nonce,
    text: JSON.stringify({
      event_type: type,
      agent_id: agent,
      aggregate_id: recipient,
      aggregate_type: 'agent',
      data: { elicitation_id: id, ...data },
    }),
  })
  const producer = id.split(':')[1] ?? ''
  switch (verb) {
    case 'ask':
      return event('elicitation_request', to, { timeout_seconds: Number(ttlMs) / 1000, body })
    case 'answer':
      return event('elicitation_response', producer, { response_type: parseJsonObject(body)?.['action'], body })
    case 'cancel':
      return event('elicitation_cancelled', producer, { reason: 'withdrawn' })
    default:
      return { nonce, text: null }
  }
}

export interface PollAnswer {
  /** In the order of their sequences. */
  readonly frames: readonly string[]
  readonly lastSequence: number
  readonly floor: number
  readonly head: number
  readonly waitedMs: number
  readonly advice: PathAdvice
}

/** null when the text is no answer of a bridge to a poll. */
export function readPollAnswer(text: string, since: number): PollAnswer | null {
  const answer = parseJsonObject(text)
  if (answer === null || !Array.isArray(answer['events'])) return null
  const { floor, head, waited_seconds: waited, switch_within_ms: withinMs, fallback } = answer
  const path = paths.find((known) => known === answer['path'])
  if (path === undefined || !isCount(floor) || !isCount(head) || !isCount(withinMs)) return null
  if (typeof waited !== 'number' || typeof fallback !== 'boolean') return null
  const frames: string[] = []
  let lastSequence = since
  for (const event of answer['events']) {
    const read = frameOf(event)
    if (read === null) return null
    frames.push(read.frame)
    lastSequence = Math.max(lastSequence, read.sequence)
  }
  return { frames, lastSequence, floor, head, waitedMs: waited * 1000, advice: { path, withinMs, fallback } }
}

function frameOf(event: unknown): { frame: string; sequence: number } | null {
  if (!isJsonObject(event) || !isJsonObject(event['data'])) return null
  const { sequence, event_type: type, source_agent: source, data } = event
  const { elicitation_id: id, body, reason } = event['data']
  if (!isCount(sequence) || !isToken(source) || !isToken(id) || !isJsonObject(data)) return null
  if (type === 'elicitation_cancelled') {
    if (reason === 'void') return { frame: `void 0 ${sequence} ${id}`, sequence }
    return reason === 'expired' || reason === 'withdrawn'
      ? { frame: `result 0 ${sequence} ${id} ${reason}`, sequence }
      : null
  }
  if (typeof body !== 'string') return null
  if (type === 'elicitation_request') {
    const seconds = data['timeout_seconds']
    const remainingMs = typeof seconds === 'number' ? Math.max(0, Math.ceil(seconds * 1000)) : 0
    return { frame: `question 0 ${sequence} ${id} ${source} ${remainingMs}\n${body}`, sequence }
  }
  const action = data['response_type']
  return type === 'elicitation_response' && isToken(action)
    ? { frame: `result 0 ${sequence} ${id} ${action}\n${body}`, sequence }
    : null
}

const token = /^[A-Za-z0-9._:-]{1,96}$/
const isToken = (value: unknown): value is string => typeof value === 'string' && token.test(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

export interface PostRefusal {
  readonly code: RefusalCode
  readonly retryAfterMs: number
}

/** null when the text names no code of this protocol. */
export function readRefusal(text: string): PostRefusal | null {
  const error = parseJsonObject(text)?.['error']
  if (!isJsonObject(error)) return null
  const code = refusalCodes.find((known) => known === error['code'])
  const wait = error['retry_after_ms']
  return code === undefined ? null : { code, retryAfterMs: typeof wait === 'number' && wait >= 0 ? wait : 0 }
}
