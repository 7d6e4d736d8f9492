/**
 * The bare relay: what four frames per exchange cost with stock `ws` and nothing else. No session, signature,
 * nonce, limit, schema or store; a frame names its recipient and is passed on. It implements the engine
 * contract, so that the same load generator drives it and the difference to a real engine is the engine's.
 *
 * Frame: `<kind> <peer> <exchange> <action>` LF body; to the server `peer` is the recipient, from it the sender.
 */
import { createServer, type Server } from 'node:http'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import type {
  AnswerAction,
  ClientConfig,
  ClientStats,
  EngineClient,
  EngineDefinition,
  EngineSemantics,
  EngineServer,
  EngineStats,
} from '../src/engines/engine.ts'

const relaySemantics: EngineSemantics = {
  delivery: 'at-most-once',
  durability: 'memory',
  ordering: 'per-pair',
  replay: 'none',
  expiry: 'client',
}

async function startRelay(): Promise<EngineServer> {
  const http: Server = createServer()
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false, maxPayload: 65_536 })
  const agents: (WebSocket | undefined)[] = []
  sockets.on('connection', (socket, request) => {
    const agent = Number((request.url ?? '').slice(2))
    agents[agent] = socket
    const from = String(agent)
    socket.on('message', (data: Buffer) => {
      const line = data.indexOf(10)
      const [kind = '', peer = '', exchange = '', action = ''] = data.toString('latin1', 0, line).split(' ')
      const body = data.toString('utf8', line + 1)
      agents[Number(peer)]?.send(`${kind} ${from} ${exchange} ${action}\n${body}`)
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', 16_384, resolve))
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('the relay has no port')
  const idle: EngineStats = {
    databaseQueries: 0,
    commits: 0,
    committedRows: 0,
    openConnections: 0,
    heldConnections: 0,
    emptyPolls: 0,
    pollTimeouts: 0,
    walBytes: null,
    queueDepth: 0,
    refusals: {},
    stages: [],
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    semantics: relaySemantics,
    stats: () => ({ ...idle, openConnections: sockets.clients.size }),
    gauges: () => ({ openConnections: sockets.clients.size, walBytes: null }),
    resetStats: () => undefined,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets.clients) socket.terminate()
        http.close(() => resolve())
      }),
  }
}

class RelayClient implements EngineClient {
  readonly semantics = relaySemantics
  private readonly config: Pick<ClientConfig, 'url' | 'handlers'>
  private readonly sockets: WebSocket[] = []
  private round = ''

  constructor(config: Pick<ClientConfig, 'url' | 'handlers'>) {
    this.config = config
  }

  prepare(): Promise<void> {
    return Promise.resolve()
  }

  connect(agent: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${this.config.url}/?${agent}`, {
        perMessageDeflate: false,
        skipUTF8Validation: false,
      })
      this.sockets[agent] = socket
      socket.once('open', resolve)
      socket.once('error', reject)
      socket.on('message', (data: RawData) => this.receive(agent, data as Buffer))
    })
  }

  private receive(agent: number, data: Buffer): void {
    const line = data.indexOf(10)
    const [kind, peer = '', id = '', action = ''] = data.toString('latin1', 0, line).split(' ')
    const body = data.toString('utf8', line + 1)
    const [nonce = '', number = ''] = id.split(':')
    if (nonce !== this.round) {
      this.config.handlers.onStray(agent, 'earlier', id)
      return
    }
    const exchange = Number(number)
    if (kind === 'q') {
      this.config.handlers.onQuestion(exchange, Number(peer), agent, body)
      return
    }
    this.config.handlers.onAcknowledged(exchange, 'answer')
    this.config.handlers.onResult(exchange, agent, action as AnswerAction, body)
  }

  private readonly requesters: number[] = []

  beginRound(nonce: string): void {
    this.round = nonce
  }

  ask(exchange: number, requester: number, recipient: number, body: string): void {
    this.requesters[exchange] = requester
    this.sockets[requester]?.send(`q ${recipient} ${this.round}:${exchange} -\n${body}`)
    this.config.handlers.onAcknowledged(exchange, 'ask')
  }

  answer(exchange: number, recipient: number, action: AnswerAction, body: string): void {
    this.sockets[recipient]?.send(`a ${this.requesters[exchange]} ${this.round}:${exchange} ${action}\n${body}`)
  }

  cancel(): void {
    throw new Error('the relay cannot withdraw a question')
  }

  pause(): Promise<void> {
    return Promise.resolve()
  }

  stats(): ClientStats {
    return { openSockets: this.sockets.length, reconnects: 0, retries: 0 }
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    return Promise.resolve()
  }
}

export const engine: EngineDefinition = {
  name: 'relay',
  optionHelp: {},
  validateOptions: () => undefined,
  semantics: () => relaySemantics,
  startServer: startRelay,
  createClient: (config) => new RelayClient(config),
}
