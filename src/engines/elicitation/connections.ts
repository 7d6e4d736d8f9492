/**
 * WebSockets by agent: turns messages into calls of the machine and its frames into messages.
 *
 * One socket per agent, the newest; what an older one still delivers is ignored. A socket that does not drain is
 * terminated, not closed: a closing handshake would wait behind the very bytes that do not drain.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { KeyObject } from 'node:crypto'
import { WebSocketServer, type RawData, type ServerOptions, type WebSocket } from 'ws'
import { maxFrameBytes } from './frame-codec.ts'
import type { ElicitationMachine } from './machine.ts'
import type { ByeCode } from './machine-ports.ts'

/** Bytes in a socket's buffer above which inbox entries wait, and above which it is terminated. */
export const pauseAboveBytes = 262_144
export const terminateAboveBytes = 1_048_576
const closeTimeoutMs = 2000

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
  closeTimeout: closeTimeoutMs,
}

export interface AcceptedSession {
  readonly agent: number
  readonly session: string
  readonly key: KeyObject
  readonly expiresAtMs: number
  readonly cursor: number
}

export class Connections {
  private readonly sockets: (WebSocket | undefined)[] = []
  private readonly machine: () => ElicitationMachine
  private readonly server = new WebSocketServer(serverOptions)
  open = 0

  constructor(machine: () => ElicitationMachine) {
    this.machine = machine
  }

  /** Takes over a request whose token was verified. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, accepted: AcceptedSession): void {
    this.server.handleUpgrade(request, socket, head, (webSocket) => this.accept(webSocket, accepted))
  }

  private accept(socket: WebSocket, accepted: AcceptedSession): void {
    const { agent } = accepted
    const older = this.sockets[agent]
    this.sockets[agent] = socket
    this.open++
    socket.on('message', (data: RawData) => {
      if (this.sockets[agent] === socket && Buffer.isBuffer(data)) this.machine().receive(agent, data)
    })
    socket.on('close', () => {
      this.open--
      if (this.sockets[agent] !== socket) return
      this.sockets[agent] = undefined
      this.machine().detach(agent)
    })
    // What went wrong is in the close that follows; without a listener it would end the process.
    socket.on('error', () => socket.terminate())
    if (older !== undefined) part(older, 'REPLACED')
    this.machine().attach(agent, accepted.session, accepted.key, accepted.expiresAtMs, accepted.cursor)
  }

  /** False: no room for more. */
  send(agent: number, frame: string): boolean {
    const socket = this.sockets[agent]
    if (socket === undefined || socket.readyState !== socket.OPEN) return false
    socket.send(frame)
    if (socket.bufferedAmount <= pauseAboveBytes) return true
    if (socket.bufferedAmount > terminateAboveBytes) socket.terminate()
    return false
  }

  hasRoom(agent: number): boolean {
    const socket = this.sockets[agent]
    return socket !== undefined && socket.readyState === socket.OPEN && socket.bufferedAmount <= pauseAboveBytes / 2
  }

  disconnect(agent: number, code: ByeCode): void {
    const socket = this.sockets[agent]
    this.sockets[agent] = undefined
    if (socket === undefined) return
    if (code === 'UNRESPONSIVE') socket.terminate()
    else part(socket, code)
  }

  closeAll(): void {
    for (let agent = 0; agent < this.sockets.length; agent++) {
      const socket = this.sockets[agent]
      if (socket !== undefined) part(socket, 'SHUTDOWN')
    }
    this.server.close()
  }

  terminateAll(): void {
    for (const socket of this.sockets) socket?.terminate()
  }
}

function part(socket: WebSocket, code: ByeCode): void {
  if (socket.readyState === socket.OPEN) socket.send(`bye ${code}`)
  socket.close(1000)
}
