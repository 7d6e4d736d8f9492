/**
 * Client channels over an event stream for what the server says and POSTs for what the agent says.
 *
 * Every agent holds one stream; POSTs of all agents share a pool of sockets, so they may overtake each other, and each
 * is answered by itself: 202 is the acknowledgement. A POST without an answer is reported as such and repeated by the
 * link under a new nonce.
 */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { refusalCodes, type RefusalCode } from '../engine.ts'
import {
  closeReasonOf,
  closeReasonOfCode,
  heartbeatDeadMs,
  type ChannelEvents,
  type ClientChannel,
  type CloseReason,
  type Transport,
} from './client-channel.ts'
import { macLength, parseCount } from './frame-codec.ts'
import { parseJsonObject } from './schema.ts'
import { maxServerFrameBytes } from './websocket-client.ts'

const postSockets = 256
const timeoutMs = 10_000
const maxAnswerLength = 4096

export function eventStreamTransport(engineUrl: string, ca: string | undefined): Transport {
  const secure = new URL(engineUrl).protocol === 'https:'
  const tls = ca === undefined ? {} : { ca }
  const pooling = { keepAlive: true, maxSockets: postSockets, maxTotalSockets: postSockets }
  const pool = secure ? new TlsAgent({ ...pooling, ...tls }) : new Agent(pooling)
  const start = (path: string, options: RequestOptions): ClientRequest =>
    secure
      ? httpsRequest(new URL(path, engineUrl), { ...options, ...tls })
      : httpRequest(new URL(path, engineUrl), options)
  return {
    cumulative: false,
    deadAfterMs: heartbeatDeadMs,
    open: ({ token }, cursor, events) => openStream(start, pool, token, cursor, events),
    close: () => pool.destroy(),
  }
}

type Start = (path: string, options: RequestOptions) => ClientRequest

function openStream(start: Start, pool: Agent, token: string, cursor: number, events: ChannelEvents): ClientChannel {
  const authorization = `Bearer ${token}`
  const headers = cursor > 0 ? { authorization, 'last-event-id': String(cursor) } : { authorization }
  const request = start('/v1/events', { agent: false, headers })
  let over = false
  const end = (reason: string, why: CloseReason): void => {
    if (over) return
    over = true
    request.destroy()
    events.closed(reason, why)
  }
  request.setTimeout(timeoutMs, () => end(`nothing heard for ${timeoutMs} ms`, 'broken'))
  request.on('error', (error) => end(error.message, 'broken'))
  request.on('response', (response) => {
    if (response.statusCode !== 200) {
      end(`refused with ${response.statusCode ?? 'no status'}`, closeReasonOf(response.statusCode))
      return
    }
    events.opened()
    readEvents(
      response,
      (frame) => {
        if (!over) events.message(frame)
      },
      () => end('an event longer than any frame', 'broken'),
    )
    response.on('error', (error) => end(error.message, 'broken'))
    response.on('close', () => end('closed', 'broken'))
  })
  request.end()
  const isOver = (): boolean => over
  return {
    send: (frame) => post(start, pool, authorization, frame, events, isOver, end),
    close: () => end('closed', 'broken'),
    terminate: () => end('terminated', 'broken'),
  }
}

/** Reads `data:` lines up to each blank line; other fields say nothing that the frame does not. */
function readEvents(response: IncomingMessage, event: (frame: string) => void, tooLong: () => void): void {
  let rest = ''
  let data: string[] = []
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    rest += chunk
    let lineStart = 0
    for (let lineEnd = rest.indexOf('\n'); lineEnd >= 0; lineEnd = rest.indexOf('\n', lineStart)) {
      const line = rest.slice(lineStart, lineEnd)
      lineStart = lineEnd + 1
      if (line.startsWith('data: ')) data.push(line.slice(6))
      else if (line === '' && data.length > 0) {
        const frame = data.join('\n')
        data = []
        event(frame)
      }
    }
    rest = rest.slice(lineStart)
    if (rest.length > maxServerFrameBytes || data.length > 2) tooLong()
  })
}

function post(
  start: Start,
  pool: Agent,
  authorization: string,
  frame: string,
  events: ChannelEvents,
  isOver: () => boolean,
  end: (reason: string, why: CloseReason) => void,
): void {
  const signed = Buffer.from(frame.slice(macLength + 1))
  const nonce = parseCount(frame.slice(macLength + 1, macLength + 257).split(' ', 4)[3])
  let answered = false
  const finish = (report: () => void): void => {
    if (answered) return
    answered = true
    if (!isOver()) report()
  }
  const request = start('/v1/frames', {
    method: 'POST',
    agent: pool,
    timeout: timeoutMs,
    headers: {
      authorization,
      'content-length': signed.length,
      'x-lighthouse-signature': frame.slice(0, macLength),
    },
  })
  request.on('timeout', () => request.destroy(new Error('no answer in time')))
  request.on('error', () => finish(() => events.unanswered(nonce)))
  request.on('response', (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      if (text.length < maxAnswerLength) text += chunk
    })
    response.on('error', () => finish(() => events.unanswered(nonce)))
    response.on('end', () =>
      finish(() => {
        if (response.statusCode === 202) return events.taken(nonce)
        const refusal = readRefusal(text)
        if (refusal === null) return events.unanswered(nonce)
        const fatal = closeReasonOfCode(refusal.code)
        if (fatal !== null) return end(refusal.code, fatal)
        events.refused(nonce, refusal.code, refusal.retryAfterMs)
      }),
    )
  })
  request.end(signed)
}

function readRefusal(text: string): { code: RefusalCode; retryAfterMs: number } | null {
  const parsed = parseJsonObject(text)
  if (parsed === null) return null
  const code = refusalCodes.find((known) => known === parsed['code'])
  const retryAfterMs = parsed['retryAfterMs']
  return code === undefined || typeof retryAfterMs !== 'number' ? null : { code, retryAfterMs }
}
