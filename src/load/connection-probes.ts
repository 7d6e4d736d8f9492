/**
 * New connections to a server, and what each is told: the question of a server that has no room for more. A probe sends a plain request
 * and waits; what is served stays open until the end, so that it goes on taking the room that it got.
 */
import { connect, type Socket } from 'node:net'
import { systemScheduler, type Scheduler } from '../platform/clock.ts'

/** `served`: any answer but a refusal; `refused`: 429 or 503, which clients understand; `closed`: an end without a word; `silent`: nothing in time. */
export interface ProbeCounts {
  readonly served: number
  readonly refused: number
  readonly closed: number
  readonly silent: number
}

type Outcome = keyof ProbeCounts

const refusals = /^HTTP\/1\.1 (?:429|503) /
const enough = 'HTTP/1.1 200 '.length

export class ConnectionProbes {
  private readonly host: string
  private readonly port: number
  private readonly scheduler: Scheduler
  private readonly sockets: Socket[] = []

  constructor(url: string, scheduler: Scheduler = systemScheduler) {
    const { hostname, port } = new URL(url)
    this.host = hostname
    this.port = Number(port)
    this.scheduler = scheduler
  }

  /** Opens `count` connections at once. Resolves when each is answered or ended, after `withinMs` at the latest. */
  async ask(count: number, withinMs: number): Promise<ProbeCounts> {
    const outcomes = await Promise.all(Array.from({ length: count }, () => this.probe(withinMs)))
    const counts = { served: 0, refused: 0, closed: 0, silent: 0 }
    for (const outcome of outcomes) counts[outcome]++
    return counts
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  private probe(withinMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.host, port: this.port })
      this.sockets.push(socket)
      let heard = ''
      const cancel = this.scheduler.after(withinMs, () => resolve('silent'))
      const settle = (outcome: Outcome): void => {
        cancel()
        resolve(outcome)
      }
      socket.on('connect', () => socket.write(`GET /health HTTP/1.1\r\nhost: ${this.host}:${this.port}\r\n\r\n`))
      socket.on('data', (chunk: Buffer) => {
        if (heard.length < enough) heard += chunk.toString('latin1')
        if (heard.length >= enough) settle(refusals.test(heard) ? 'refused' : 'served')
      })
      // How it ended does not matter; that it ended does.
      socket.on('error', () => undefined)
      socket.on('close', () => settle('closed'))
    })
  }
}
