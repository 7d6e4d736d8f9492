/**
 * The load generator beside its peers, in turns in one run: against a bare WebSocket echo, a hand-written `ws` loop;
 * against a bare HTTP hello, autocannon with one worker. All keep 64 connections with one request each under way.
 * The generator does its whole work meanwhile: schedule, ledger, both latencies.
 *
 *   node bench/generator-peers.ts [seconds] [runs]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { Client } from 'undici'
import { WebSocket } from 'ws'
import type { AnswerAction, ClientHandlers, ClientStats, EngineClient, EngineSemantics } from '../src/engines/engine.ts'
import { LoadSession } from '../src/load/load-session.ts'
import { systemGauge, systemTiming } from '../src/load/timing.ts'
import { clockOrigin } from '../src/platform/clock.ts'

const seconds = Number(process.argv[2] ?? 4)
const runs = Number(process.argv[3] ?? 5)
const connections = 64
const body = JSON.stringify({ message: 'x'.repeat(280) })

const semantics: EngineSemantics = {
  delivery: 'exactly-once',
  durability: 'memory',
  ordering: 'per-pair',
  replay: 'none',
  expiry: 'client',
}

/** What both bare engines share: the question counts as delivered, and answered, when its echo is back. */
abstract class BareEngine implements EngineClient {
  readonly semantics = semantics
  protected readonly handlers: ClientHandlers
  private readonly requesters: number[] = []

  constructor(handlers: ClientHandlers) {
    this.handlers = handlers
  }

  abstract connect(agent: number): Promise<void>
  abstract send(exchange: number, requester: number, text: string): void
  abstract close(): Promise<void>

  prepare(): Promise<void> {
    return Promise.resolve()
  }

  beginRound(): void {
    this.requesters.length = 0
  }

  private recipients: number[] = []

  ask(exchange: number, requester: number, recipient: number, text: string): void {
    this.requesters[exchange] = requester
    this.recipients[exchange] = recipient
    this.handlers.onAcknowledged(exchange, 'ask')
    this.send(exchange, requester, text)
  }

  protected back(exchange: number, text: string): void {
    this.handlers.onQuestion(exchange, this.requesters[exchange] ?? 0, this.recipients[exchange] ?? 0, text)
  }

  answer(exchange: number, _recipient: number, action: AnswerAction, text: string): void {
    this.handlers.onAcknowledged(exchange, 'answer')
    this.handlers.onResult(exchange, this.requesters[exchange] ?? 0, action, text)
  }

  cancel(): void {
    throw new Error('not used')
  }

  pause(): Promise<void> {
    return Promise.resolve()
  }

  stats(): ClientStats {
    return { openSockets: connections, reconnects: 0, retries: 0 }
  }
}

class EchoEngine extends BareEngine {
  private readonly url: string
  private readonly sockets: WebSocket[] = []

  constructor(handlers: ClientHandlers, url: string) {
    super(handlers)
    this.url = url
  }

  async connect(agent: number): Promise<void> {
    const socket = new WebSocket(this.url, { perMessageDeflate: false })
    this.sockets[agent] = socket
    await once(socket, 'open')
    socket.on('message', (data: Buffer) => {
      const line = data.indexOf(10)
      this.back(Number(data.toString('latin1', 0, line)), data.toString('utf8', line + 1))
    })
  }

  send(exchange: number, requester: number, text: string): void {
    this.sockets[requester]?.send(`${exchange}\n${text}`)
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    return Promise.resolve()
  }
}

class HelloEngine extends BareEngine {
  private readonly url: string
  private readonly clients: Client[] = []

  constructor(handlers: ClientHandlers, url: string) {
    super(handlers)
    this.url = url
  }

  connect(agent: number): Promise<void> {
    this.clients[agent] = new Client(this.url, { pipelining: 1 })
    return Promise.resolve()
  }

  send(exchange: number, requester: number, text: string): void {
    this.clients[requester]?.dispatch(
      { path: '/', method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: () => undefined,
        onResponseData: () => undefined,
        onResponseEnd: () => this.back(exchange, text),
        onResponseError: (_controller, error) => {
          throw error
        },
      },
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()))
  }
}

let rounds = 0

async function generator(create: (handlers: ClientHandlers) => EngineClient): Promise<number> {
  const session = new LoadSession({ createClient: create, timing: systemTiming(clockOrigin()), gauge: systemGauge() })
  await session.connect(connections)
  const { evidence } = await session.runRound({
    round: rounds,
    attempt: 0,
    nonce: `peers-${rounds++}`,
    seed: 'peers',
    durationMs: seconds * 1000,
    workload: {
      name: 'ring',
      agents: connections,
      ratePerSecond: 200_000,
      pattern: 'ring',
      arrivals: 'poisson',
      payloadBytes: 300,
      answers: { accept: 1, decline: 0, cancel: 0 },
      deadlineMs: 5000,
    },
    pacing: 'timer',
    loadModel: 'closed',
    drainGraceMs: 1000,
    latenessBoundMs: 2,
  })
  await session.close()
  return evidence.counts.completed / seconds
}

/** 64 sockets, each sends again as soon as its echo is back, and looks at the clock twice per message. */
async function handWritten(url: string): Promise<number> {
  const sockets = Array.from({ length: connections }, () => new WebSocket(url, { perMessageDeflate: false }))
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  let done = 0
  let latencySum = 0
  const end = performance.now() + seconds * 1000
  await new Promise<void>((resolve) => {
    let open = connections
    for (const socket of sockets) {
      let sentAt = performance.now()
      socket.on('message', () => {
        const now = performance.now()
        latencySum += now - sentAt
        done++
        if (now < end) {
          sentAt = now
          socket.send(body)
        } else if (--open === 0) resolve()
      })
      socket.send(body)
    }
  })
  for (const socket of sockets) socket.terminate()
  if (!(latencySum > 0)) throw new Error('no latency was measured')
  return done / seconds
}

async function cannon(url: string): Promise<number> {
  const result = await autocannon({ url, connections, pipelining: 1, duration: seconds, workers: 1 })
  return result.requests.average
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const child = fork(fileURLToPath(new URL('./bare-servers.ts', import.meta.url)))
const [ports] = (await once(child, 'message')) as [{ http: number; echo: number }]
const echo = `ws://127.0.0.1:${ports.echo}`
const hello = `http://127.0.0.1:${ports.http}`
const figures = {
  generatorEcho: [] as number[],
  handWritten: [] as number[],
  generatorHello: [] as number[],
  cannon: [] as number[],
}
for (let run = 0; run <= runs; run++) {
  const one = {
    handWritten: await handWritten(echo),
    generatorEcho: await generator((handlers) => new EchoEngine(handlers, echo)),
    cannon: await cannon(hello),
    generatorHello: await generator((handlers) => new HelloEngine(handlers, hello)),
  }
  // The first turn warms everything up.
  if (run === 0) continue
  for (const key of Object.keys(one) as (keyof typeof one)[]) figures[key].push(one[key])
  console.log(
    Object.entries(one)
      .map(([key, value]) => `${key} ${Math.round(value)}/s`)
      .join('  '),
  )
}
const echoRatio = median(figures.generatorEcho.map((value, run) => value / (figures.handWritten[run] ?? Number.NaN)))
const helloRatio = median(figures.generatorHello.map((value, run) => value / (figures.cannon[run] ?? Number.NaN)))
console.log(
  `median of ${runs}: echo ${echoRatio.toFixed(2)} × hand-written ws, hello ${helloRatio.toFixed(2)} × autocannon with one worker`,
)
child.disconnect()
