/**
 * WebSocket connections of agents: `ws` without compression, without its own list of clients, with tight bounds.
 *
 * Whole data frames are read ahead of the library (websocket-frame-reader.ts) and written past it (websocket-frames.ts); its
 * receiver cost as much as verifying a signature, and its sender a vectored write per frame. All else stays with it.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData, type ServerOptions, type WebSocket } from 'ws'
import type { AcceptedSession, Channel, Connections } from './connections.ts'
import { maxFrameBytes } from './frame-codec.ts'
import type { ByeCode } from './machine-ports.ts'
import { DataFrameReader, type FrameReaderOwner } from './websocket-frame-reader.ts'
import { renewFrameScratch, textFrame, writeScratch } from './websocket-frames.ts'

/** The library's type definitions do not know `closeTimeout` yet, hence the wider type. */
const serverOptions: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  // The machine checks UTF-8 itself, after the signature and for binary messages too.
  skipUTF8Validation: true,
  maxPayload: maxFrameBytes,
  maxFragments: 16,
  maxBufferedChunks: 1024,
  closeTimeout: 2000,
}

export class WebSocketAcceptor {
  private readonly server = new WebSocketServer(serverOptions)
  private readonly connections: Connections

  constructor(connections: Connections) {
    this.connections = connections
  }

  /** Takes over a request whose token was verified. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, accepted: AcceptedSession): void {
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      const { agent } = accepted
      const channel = new WebSocketChannel(webSocket, socket, agent, this.connections)
      channel.readAhead()
      webSocket.on('message', (data: RawData) => {
        if (Buffer.isBuffer(data)) this.connections.received(agent, channel, data)
      })
      webSocket.on('close', () => this.connections.ended(agent, channel))
      // What went wrong is in the close that follows; without a listener it would end the process.
      webSocket.on('error', () => webSocket.terminate())
      this.connections.started(accepted, channel)
    })
  }
}

type DataListener = (chunk: Buffer) => void

class WebSocketChannel implements Channel, FrameReaderOwner {
  private readonly webSocket: WebSocket
  /** Beneath `webSocket`; whole text frames are written to it directly. */
  private readonly socket: Duplex
  private readonly agent: number
  private readonly connections: Connections
  /** The library's own listener for what the socket reads. */
  private library: DataListener | null = null
  private readonly reader = new DataFrameReader(this, 'server', maxFrameBytes)
  private readonly ahead: DataListener = (chunk) => void this.reader.read(chunk, chunk.length)

  constructor(webSocket: WebSocket, socket: Duplex, agent: number, connections: Connections) {
    this.webSocket = webSocket
    this.socket = socket
    this.agent = agent
    this.connections = connections
  }

  /** Puts a frame reader between the socket and the library, if the library listens as it is known to. */
  readAhead(): void {
    const { socket, ahead } = this
    const listeners = socket.listeners('data')
    if (listeners.length !== 1) return
    const library = listeners[0] as DataListener
    this.library = library
    socket.removeListener('data', library)
    socket.on('data', ahead)
    // When the socket closes, the library reads what is left by itself.
    socket.prependListener('close', () => socket.removeListener('data', ahead))
  }

  isReady(): boolean {
    return this.isOpen() && !this.socket.isPaused()
  }

  message(bytes: Buffer, from: number, to: number): void {
    this.connections.received(this.agent, this, bytes.subarray(from, to))
  }

  /** The library pauses the socket itself when it wants no more. */
  pass(bytes: Buffer): boolean {
    if (this.reader.hasYielded) this.handBack()
    this.library?.call(this.socket, bytes)
    return true
  }

  /** Lets the library listen by itself again, before it reads what it may stop listening at: a close frame, an error. */
  private handBack(): void {
    if (this.library === null) return
    this.socket.removeListener('data', this.ahead)
    this.socket.on('data', this.library)
  }

  isOpen(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN
  }

  bufferedBytes(): number {
    return this.webSocket.bufferedAmount
  }

  send(text: string): void {
    const frame = textFrame(text)
    if (frame === null) this.webSocket.send(text)
    else writeScratch(this.socket, frame, renewFrameScratch)
  }

  part(code: ByeCode): void {
    if (this.isOpen()) this.send(`bye ${code}`)
    this.webSocket.close(1000)
  }

  terminate(): void {
    this.webSocket.terminate()
  }
}
