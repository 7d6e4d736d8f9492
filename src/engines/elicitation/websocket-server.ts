/**
 * WebSocket connections of agents: `ws` without compression, without its own list of clients, with tight bounds.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData, type ServerOptions, type WebSocket } from 'ws'
import type { AcceptedSession, Channel, Connections } from './connections.ts'
import { maxFrameBytes } from './frame-codec.ts'
import type { ByeCode } from './machine-ports.ts'
import { textFrame } from './websocket-frames.ts'

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
      const channel = new WebSocketChannel(webSocket, socket)
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

class WebSocketChannel implements Channel {
  private readonly webSocket: WebSocket
  /** Beneath `webSocket`; whole text frames are written to it directly. */
  private readonly socket: Duplex

  constructor(webSocket: WebSocket, socket: Duplex) {
    this.webSocket = webSocket
    this.socket = socket
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
    else this.socket.write(frame)
  }

  part(code: ByeCode): void {
    if (this.isOpen()) this.send(`bye ${code}`)
    this.webSocket.close(1000)
  }

  terminate(): void {
    this.webSocket.terminate()
  }
}
