/**
 * One connection through the proxy: a client's socket, a socket of our own to the server, and a pipe for each direction.
 *
 * What one side does reaches the other through the toxics only: bytes, FIN and RST all travel the pipe, so a toxic that
 * drops ends leaves the other side half-open, as a network does that has lost a peer. The proxy's own acts are two:
 * `reset` (RST to both, at once) and `close` (what was written leaves, then FIN to both; bounded by a grace).
 */
import type { Socket } from 'node:net'
import type { Cancel, Clock, Scheduler } from '../platform/clock.ts'
import { ToxicPipe, type PipeBounds, type PipeBytes, type PipeSink, type PipeSource } from './toxic-pipe.ts'
import type { Direction } from './toxics.ts'

/** How long a side may take to read the rest and close, once the proxy closes a connection. */
const closeGraceMs = 1000

export interface ConnectionHost {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly bounds: PipeBounds
  /** A server that does not take the connection within this time counts as refusing it. */
  readonly dialTimeoutMs: number
  onDialFailed(): void
  /** Both sockets are closed and no timer is left. */
  onOver(connection: FaultConnection): void
}

interface Side {
  readonly socket: Socket
  /** Its stream has ended or broken off; the other side may not have been told. */
  ended: boolean
  /** The proxy reset it because the other side broke off: its own end is no news. */
  cut: boolean
  closed: boolean
}

export class FaultConnection {
  /** In the order of acceptance, from 0. */
  readonly number: number
  readonly pipes: Readonly<Record<Direction, ToxicPipe>>
  private readonly host: ConnectionHost
  private readonly client: Side
  private readonly server: Side
  private readonly timers = new Set<Cancel>()
  private open = true

  /** `server` is a socket that is still connecting. Both must allow half-open streams. */
  constructor(number: number, client: Socket, server: Socket, host: ConnectionHost) {
    this.number = number
    this.host = host
    this.client = { socket: client, ended: false, cut: false, closed: false }
    this.server = { socket: server, ended: false, cut: false, closed: false }
    this.pipes = { upstream: this.pipe(client, this.server), downstream: this.pipe(server, this.client) }
    this.listen(this.client, this.server, this.pipes.upstream, this.pipes.downstream)
    this.listen(this.server, this.client, this.pipes.downstream, this.pipes.upstream)
    this.watchDial(server)
  }

  /** One side has ended or is gone while the other has not. */
  get halfOpen(): boolean {
    return this.client.ended !== this.server.ended
  }

  bytes(direction: Direction): Readonly<PipeBytes> {
    return this.pipes[direction].bytes
  }

  /** RST to both ends; false when the proxy has ended the connection already. */
  reset(): boolean {
    if (!this.leaveOpen()) return false
    resetSocket(this.client.socket)
    resetSocket(this.server.socket)
    return true
  }

  /** Ends both sockets without ceremony, for the end of the proxy. */
  destroy(): void {
    this.leaveOpen()
    this.client.socket.destroy()
    this.server.socket.destroy()
  }

  private close(): boolean {
    if (!this.leaveOpen()) return false
    for (const { socket } of [this.client, this.server]) {
      // Unread bytes in the kernel would turn the FIN into an RST.
      socket.resume()
      socket.end()
    }
    this.after(closeGraceMs, () => this.destroy())
    return true
  }

  private leaveOpen(): boolean {
    if (!this.open) return false
    this.open = false
    this.pipes.upstream.dispose()
    this.pipes.downstream.dispose()
    return true
  }

  private pipe(from: Socket, to: Side): ToxicPipe {
    const { clock, scheduler, bounds } = this.host
    const source: PipeSource = { pause: () => void from.pause(), resume: () => void from.resume() }
    const sink: PipeSink = {
      write: (bytes) => to.socket.write(bytes),
      end: () => void to.socket.end(),
      reset: () => {
        to.cut = true
        resetSocket(to.socket)
      },
    }
    const acts = { reset: () => this.reset(), close: () => this.close() }
    return new ToxicPipe({ clock, scheduler, source, sink, ...acts }, bounds)
  }

  private listen(side: Side, other: Side, inbound: ToxicPipe, outbound: ToxicPipe): void {
    const { socket } = side
    socket.setNoDelay(true)
    socket.on('data', (bytes: Uint8Array) => inbound.accept(bytes))
    socket.on('drain', () => outbound.drained())
    socket.on('end', () => {
      side.ended = true
      inbound.end()
    })
    // The reason is of no use to anybody; that it broke off is told by 'close'.
    socket.on('error', () => undefined)
    socket.on('close', (broken) => {
      side.closed = true
      const ended = side.ended
      side.ended = true
      outbound.lostSink()
      if (!side.cut && (broken || !ended)) inbound.reset()
      if (other.closed) this.finish()
    })
  }

  private watchDial(server: Socket): void {
    let connected = false
    const giveUp = this.after(this.host.dialTimeoutMs, () => {
      server.destroy(new Error('the server did not take the connection'))
    })
    server.once('connect', () => {
      connected = true
      giveUp()
    })
    server.once('close', () => {
      giveUp()
      if (!connected && this.open) this.host.onDialFailed()
    })
  }

  private after(ms: number, run: () => void): Cancel {
    const stop = this.host.scheduler.after(ms, () => {
      this.timers.delete(cancel)
      run()
    })
    const cancel = (): void => {
      this.timers.delete(cancel)
      stop()
    }
    this.timers.add(cancel)
    return cancel
  }

  private finish(): void {
    this.leaveOpen()
    for (const cancel of [...this.timers]) cancel()
    this.host.onOver(this)
  }
}

function resetSocket(socket: Socket): void {
  if (socket.destroyed) return
  // A socket that is still connecting has nobody to reset. One whose FIN is just being sent cannot be reset: libuv
  // refuses, and the socket would never report its end.
  const finishing = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (socket.connecting || finishing) socket.destroy()
  else socket.resetAndDestroy()
}
