/**
 * A listening port on loopback that can be closed and opened again. While it is closed the operating system refuses
 * whoever comes; connections that were taken before are not touched.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Scheduler } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'

export const loopback = '127.0.0.1'
const attempts = 20
const pauseMs = 50

export class LoopbackListener {
  /** Arrivals that the operating system did not hand over, for want of descriptors for example. */
  acceptErrors = 0
  private readonly scheduler: Scheduler
  private readonly onConnection: (socket: Socket) => void
  private server: Server | null = null
  private opening: Promise<void> | null = null
  private wanted = false
  private listensOn: number

  /** Port 0 becomes a free one at the first opening, and stays. */
  constructor(port: number, scheduler: Scheduler, onConnection: (socket: Socket) => void) {
    this.listensOn = port
    this.scheduler = scheduler
    this.onConnection = onConnection
  }

  get port(): number {
    return this.listensOn
  }

  /** Resolves when it listens, or when `close` was called meanwhile. Throws LighthouseError('ENVIRONMENT'). */
  async open(): Promise<void> {
    this.wanted = true
    // An opening that was given up by `close` may still be ending.
    while (this.wanted && this.server === null) {
      this.opening ??= this.listen().finally(() => {
        this.opening = null
      })
      await this.opening
    }
  }

  close(): void {
    this.wanted = false
    this.server?.close()
    this.server = null
  }

  /** Resolves when no opening is under way any more. */
  async settled(): Promise<void> {
    // Whoever called open() is told of a failure; here only its end matters.
    await this.opening?.catch(() => undefined)
  }

  private async listen(): Promise<void> {
    for (let attempt = 1; this.wanted; attempt++) {
      const failure = await this.listenOnce()
      if (failure === null) return
      // A connection that left from this very port while nobody listened may hold it for a moment.
      if (failure.code !== 'EADDRINUSE' || attempt === attempts) {
        throw new LighthouseError('ENVIRONMENT', `cannot listen on ${loopback}:${this.listensOn}: ${failure.message}`, {
          cause: failure,
          suggestions: ['Choose another port, or 0 for a free one.'],
        })
      }
      await new Promise<void>((resolve) => void this.scheduler.after(pauseMs, resolve))
    }
  }

  /** Null when it listens, or when that was no longer wanted. */
  private listenOnce(): Promise<NodeJS.ErrnoException | null> {
    return new Promise((resolve) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        if (this.server === server) this.onConnection(socket)
        else socket.destroy()
      })
      server.once('error', resolve)
      server.listen({ host: loopback, port: this.listensOn, backlog: 4096 }, () => {
        server.off('error', resolve)
        server.on('error', () => void this.acceptErrors++)
        const bound = server.address()
        if (typeof bound === 'object' && bound !== null) this.listensOn = bound.port
        if (this.wanted) this.server = server
        else server.close()
        resolve(null)
      })
    })
  }
}
