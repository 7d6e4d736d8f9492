/**
 * The HTTP side of the polling server without its meaning: reading a bounded body, writing JSON and errors,
 * and a server whose limits (headers, slow requests, connections) are set once.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { Refusal } from './wire.ts'

/** Kept above the longest pause between two polls, so that a client's socket is not closed under its next request. */
const keepAliveMs = 120_000
/** A request that takes longer than this to arrive is cut off. */
const arriveWithinMs = 30_000

export function sendJson(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

export function sendRefusal(response: ServerResponse, refusal: Refusal, retryAfterMs = 0, extra = ''): void {
  if (response.headersSent || response.destroyed) return
  if (retryAfterMs > 0) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000))
  if (refusal.status === 413) response.setHeader('connection', 'close')
  const retry = retryAfterMs > 0 ? `,"retry_after_ms":${retryAfterMs}` : ''
  sendJson(
    response,
    refusal.status,
    `{"error":{"code":"${refusal.code}","message":${JSON.stringify(refusal.message)}${retry}${extra}}}`,
  )
}

/** Bytes of bodies that are still arriving, over all requests of a server. */
export interface BodyBudget {
  bytes: number
}

/** All bodies under way together; beyond it new ones are refused until some have arrived. */
const arrivingBytesAtMost = 128 * 1024 * 1024

/** Calls `done` once with the whole body, or `refuse` when it is too large. Neither if the sender leaves. */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  budget: BodyBudget,
  done: (body: Buffer) => void,
  refuse: (refusal: Refusal) => void,
): void {
  let chunks: Buffer[] = []
  let size = 0
  let over = false
  const stop = (refusal: Refusal): void => {
    over = true
    chunks = []
    refuse(refusal)
    request.resume()
  }
  const tooLarge = (): Refusal => new Refusal(413, 'MALFORMED', `The body is larger than ${maxBytes} bytes.`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    stop(tooLarge())
    return
  }
  request.on('data', (chunk: Buffer) => {
    if (over) return
    size += chunk.length
    budget.bytes += chunk.length
    if (size > maxBytes) stop(tooLarge())
    else if (budget.bytes > arrivingBytesAtMost) stop(new Refusal(503, 'OVERLOADED', 'Too much is arriving at once.'))
    else chunks.push(chunk)
  })
  request.on('close', () => {
    budget.bytes -= size
  })
  request.on('end', () => {
    if (over) return
    const [only] = chunks
    done(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks))
  })
}

/** The token of `Authorization: Bearer …`, or ''. */
export function bearer(request: IncomingMessage): string {
  const header = request.headers.authorization
  return header?.startsWith('Bearer ') === true ? header.slice(7) : ''
}

function answerBadRequest(_error: Error, socket: Duplex): void {
  if (!socket.writable) return
  const text = '{"error":{"code":"MALFORMED","message":"This is not an HTTP request."}}'
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
  )
}

export function boundedServer(
  tls: { readonly certificate: string; readonly key: string } | null,
  maxConnections: number,
  listener: RequestListener,
): Server {
  const settings = { requestTimeout: arriveWithinMs, headersTimeout: arriveWithinMs / 2, keepAliveTimeout: keepAliveMs }
  const server =
    tls === null
      ? createServer(settings, listener)
      : createTlsServer({ ...settings, cert: tls.certificate, key: tls.key }, listener)
  server.maxHeadersCount = 64
  server.maxConnections = maxConnections
  server.on('clientError', answerBadRequest)
  return server
}
