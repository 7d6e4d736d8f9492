/**
 * WebSocket connections of agents: `ws` without compression, without its own list of clients, with tight bounds.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData, type ServerOptions, type WebSocket } from 'ws'
import type { AcceptedSession, Channel, Connections } from './connections.ts'
import { maxFrameBytes } from './frame-codec.ts'
import type { ByeCode } from './machine-ports.ts'

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
      const channel = new WebSocketChannel(webSocket)
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
  private readonly socket: WebSocket

  constructor(socket: WebSocket) {
    this.socket = socket
  }

  isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN
  }

  bufferedBytes(): number {
    return this.socket.bufferedAmount
  }

  send(frame: string): void {
    this.socket.send(frame)
  }

  part(code: ByeCode): void {
    if (this.isOpen()) this.socket.send(`bye ${code}`)
    this.socket.close(1000)
  }

  terminate(): void {
    this.socket.terminate()
  }
}
