/** Real sockets on loopback for the tests of the proxy: a server and clients that note what they saw, and counted timers. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { startFaultProxy, type FaultProxy, type FaultProxySettings } from '../../../src/faults/fault-proxy.ts'
import { systemClock, systemScheduler, type Scheduler } from '../../../src/platform/clock.ts'

/** Polls until `condition` holds; throws with `what` after `limitMs`. */
export async function until(condition: () => boolean, what: string, limitMs = 8000): Promise<void> {
  const deadline = process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n
  while (!condition()) {
    if (process.hrtime.bigint() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`)
    await new Promise((resolve) => void setTimeout(resolve, 2))
  }
}

/** One end of a connection and all that it has seen. */
export class End {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  /** FIN seen. */
  ended = false
  error: string | null = null
  closed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => void this.chunks.push(bytes))
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message
    })
    socket.on('close', () => {
      this.closed = true
    })
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }
}

/** A scheduler that knows how many of its timers are still to fire. */
export function countedScheduler(): Scheduler & { readonly pending: number } {
  let pending = 0
  return {
    get pending() {
      return pending
    },
    after(ms, run) {
      pending++
      let over = false
      const settle = (): void => {
        if (!over) pending--
        over = true
      }
      const cancel = systemScheduler.after(ms, () => {
        settle()
        run()
      })
      return () => {
        settle()
        cancel()
      }
    },
    every: () => {
      throw new Error('nothing here repeats by timer')
    },
  }
}

export class ProxyFixture {
  readonly scheduler = countedScheduler()
  readonly clock = systemClock()
  /** The server's ends, in the order in which they were accepted. */
  readonly ends: End[] = []
  readonly clients: End[] = []
  readonly proxies: FaultProxy[] = []
  private readonly server: Server

  private constructor(server: Server) {
    this.server = server
  }

  /** `echo` sends back what comes and ends when the client does. */
  static async start(echo = true): Promise<ProxyFixture> {
    const server = createServer({ allowHalfOpen: true })
    const fixture = new ProxyFixture(server)
    server.on('connection', (socket) => {
      fixture.ends.push(new End(socket))
      if (echo) socket.pipe(socket)
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    return fixture
  }

  get serverPort(): number {
    const address = this.server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the server does not listen')
    return address.port
  }

  async proxy(settings: Partial<FaultProxySettings> = {}): Promise<FaultProxy> {
    const proxy = await startFaultProxy({
      upstream: { host: '127.0.0.1', port: this.serverPort },
      seed: 'test',
      clock: this.clock,
      scheduler: this.scheduler,
      ...settings,
    })
    this.proxies.push(proxy)
    return proxy
  }

  /** A client whose connection the server has accepted, so that numbers follow the order of calls. */
  async client(proxy: FaultProxy): Promise<End> {
    const accepted = this.ends.length
    const end = this.dial(proxy.port)
    await until(() => this.ends.length > accepted, 'the server to accept')
    return end
  }

  dial(port: number): End {
    const end = new End(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))
    this.clients.push(end)
    return end
  }

  serverEnd(index: number): End {
    const end = this.ends[index]
    if (end === undefined) throw new Error(`the server has no connection ${index}`)
    return end
  }

  async stop(): Promise<void> {
    for (const proxy of this.proxies) await proxy.close()
    for (const { socket } of [...this.clients, ...this.ends]) socket.destroy()
    await new Promise<void>((resolve) => void this.server.close(() => resolve()))
  }
}
