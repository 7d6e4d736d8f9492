/** What the polling end-to-end tests share: a server in a child process, a recording client, and bounded waits. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AnswerAction, ClientHandlers, EngineClient, EngineStats, ServerConfig } from '../../src/engines/engine.ts'
import { hybridEngine, pollingEngine } from '../../src/engines/polling/definition.ts'
import type { ChildMessage, ChildSettings } from './polling-child.ts'

export const enrolmentKey = 'a key for tests'
const waitMs = 30_000

/** Polls `condition` until it holds; a bounded wait, never a measurement. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + waitMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`gave up waiting: ${what}`)
    await sleep(10)
  }
}

export class ServerProcess {
  readonly #child: ChildProcess
  readonly url: string
  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  static async start(
    changes: Partial<ServerConfig> = {},
    mode: ChildSettings['mode'] = 'polling',
  ): Promise<ServerProcess> {
    const child = fork(fileURLToPath(new URL('./polling-child.ts', import.meta.url)), { execArgv: [] })
    const config: ServerConfig = {
      options: { interval: '50ms' },
      durability: 'os',
      storeFile: null,
      listen: '127.0.0.1',
      port: 0,
      tls: null,
      enrolmentKey,
      ...changes,
    }
    child.send({ mode, config })
    const message = await next(child)
    if (!('url' in message)) {
      child.kill('SIGKILL')
      throw new Error(`the server did not start: ${JSON.stringify(message)}`)
    }
    return new ServerProcess(child, message.url)
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  async stats(): Promise<EngineStats> {
    this.#child.send('stats')
    const message = await next(this.#child)
    if (!('stats' in message)) throw new Error(JSON.stringify(message))
    return message.stats
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  /** Exit code after an orderly close. */
  async close(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    const gone = once(this.#child, 'exit', { signal: AbortSignal.timeout(waitMs) })
    this.#child.send('close')
    await gone
    return this.#child.exitCode
  }
}

async function next(child: ChildProcess): Promise<ChildMessage> {
  const [message] = (await once(child, 'message', { signal: AbortSignal.timeout(waitMs) })) as [ChildMessage]
  return message
}

/** A client that answers every question and writes down what it is told. */
export class RecordingClient {
  readonly client: EngineClient
  readonly acknowledged: string[] = []
  readonly questions: { exchange: number; requester: number; recipient: number; body: string }[] = []
  readonly results: { exchange: number; requester: number; outcome: string; body: string }[] = []
  readonly refused: string[] = []
  readonly duplicates: string[] = []
  readonly strays: string[] = []
  readonly lost: number[] = []
  readonly restored: number[] = []
  answerWith: AnswerAction | null = 'accept'

  constructor(url: string, mode: ChildSettings['mode'] = 'polling', options: Record<string, string> = {}, ca?: string) {
    const handlers: ClientHandlers = {
      onAcknowledged: (exchange, leg) => this.acknowledged.push(`${exchange} ${leg}`),
      onQuestion: (exchange, requester, recipient, body) => {
        this.questions.push({ exchange, requester, recipient, body })
        const action = this.answerWith
        if (action !== null)
          this.client.answer(exchange, recipient, action, JSON.stringify({ action, content: { exchange } }))
      },
      onResult: (exchange, requester, outcome, body) => this.results.push({ exchange, requester, outcome, body }),
      onRefused: (exchange, leg, code) => this.refused.push(`${exchange} ${leg} ${code}`),
      onWireDuplicate: (exchange, leg) => this.duplicates.push(`${exchange} ${leg}`),
      onStray: (agent, origin, wireId) => this.strays.push(`${agent} ${origin} ${wireId}`),
      onLost: (agent) => this.lost.push(agent),
      onRestored: (agent) => this.restored.push(agent),
    }
    const engine = mode === 'hybrid' ? hybridEngine : pollingEngine
    this.client = engine.createClient({
      url,
      options: { interval: '50ms', timeout: '5s', ...options },
      transport: 'websocket',
      durability: 'os',
      enrolmentKey,
      handlers,
      seed: 'test',
      ...(ca === undefined ? {} : { ca }),
    })
  }

  async open(agents: number): Promise<this> {
    await this.client.prepare(agents)
    await Promise.all(Array.from({ length: agents }, (_, agent) => this.client.connect(agent)))
    return this
  }
}
