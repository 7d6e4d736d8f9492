/**
 * Client channels over WebSocket: the `ws` client without compression, whose data frames go past it on a plain connection
 * (websocket-client-socket.ts); under TLS it does all by itself. No local address is bound: binding made connecting five times slower.
 */
import type { Socket } from 'node:net'
import { WebSocket, type ClientOptions, type RawData } from 'ws'
import {
  closeReasonOf,
  heartbeatDeadMs,
  type ChannelEvents,
  type ClientChannel,
  type CloseReason,
  type Transport,
} from './client-channel.ts'
import { connectPlain, writeTextFrame } from './websocket-client-socket.ts'

/** Larger than any frame of the server: a body and an envelope. */
export const maxServerFrameBytes = 65_536
const open = WebSocket.OPEN
const handshakeTimeoutMs = 10_000
/** A server that does not read this much is as good as gone; what was not acknowledged is sent again on the next connection. */
const maxQueuedBytes = 16 * 2 ** 20

export function webSocketTransport(engineUrl: string, ca: string | undefined): Transport {
  return {
    cumulative: true,
    deadAfterMs: heartbeatDeadMs,
    open: ({ token }, cursor, events) => openWebSocket(engineUrl, ca, token, cursor, events),
    close: () => undefined,
  }
}

/** The library's type definitions do not know `closeTimeout` yet, hence the wider type. */
function socketOptions(token: string, ca: string | undefined): ClientOptions & { closeTimeout: number } {
  return {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: maxServerFrameBytes,
    handshakeTimeout: handshakeTimeoutMs,
    closeTimeout: 1000,
    ...(ca === undefined ? {} : { ca }),
  }
}

function openWebSocket(
  engineUrl: string,
  ca: string | undefined,
  token: string,
  cursor: number,
  events: ChannelEvents,
): ClientChannel {
  const url = new URL('/v1/connect', engineUrl)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  if (cursor > 0) url.searchParams.set('cursor', String(cursor))
  let plain: Socket | null = null
  const isOpen = (): boolean => socket.readyState === open
  const connect = (): Socket => (plain = connectPlain(url, isOpen, (text) => events.message(text)))
  const options = socketOptions(token, ca)
  const socket = new WebSocket(url, url.protocol === 'ws:' ? { ...options, createConnection: connect } : options)
  let reason = 'closed'
  let why: CloseReason = 'broken'
  socket.on('open', () => events.opened())
  socket.on('message', (data: RawData) => {
    if (Buffer.isBuffer(data)) events.message(data.toString('utf8'))
  })
  socket.on('unexpected-response', (request, response) => {
    why = closeReasonOf(response.statusCode)
    reason = `refused with ${response.statusCode ?? 'no status'}`
    request.destroy()
    socket.terminate()
  })
  socket.on('error', (error) => {
    if (reason === 'closed') reason = error.message
  })
  socket.on('close', () => events.closed(reason, why))
  return {
    send(frame) {
      if (!isOpen()) return
      let queuedBytes = plain === null ? -1 : writeTextFrame(plain, frame)
      if (queuedBytes < 0) {
        socket.send(frame)
        queuedBytes = socket.bufferedAmount
      }
      if (queuedBytes > maxQueuedBytes) socket.terminate()
    },
    close() {
      if (isOpen()) socket.close(1000)
      else socket.terminate()
    },
    terminate: () => socket.terminate(),
  }
}
