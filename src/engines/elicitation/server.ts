/**
 * The elicitation server: opens the store, rebuilds the machine from its log, and connects both to sockets.
 *
 * Nothing here decides about messages. Closing stops listening, commits what waits, tells every agent, and is bounded.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { delay, systemClock, systemScheduler, type Clock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineGauges, EngineServer, EngineStats, ServerConfig } from '../engine.ts'
import { inlineCommit, type GroupCommit } from '../event-store/group-commit.ts'
import type { EventStore } from '../event-store/event-store.ts'
import { openEventStore } from '../event-store/sqlite-store.ts'
import { threadedCommit } from '../event-store/threaded-commit.ts'
import { Connections, type AcceptedSession } from './connections.ts'
import { databaseNonces } from './database-nonces.ts'
import {
  answerCode,
  answerJson,
  bearerToken,
  cursorOf,
  isSameKey,
  readBody,
  readEnrolment,
  refuseUpgrade,
} from './http-requests.ts'
import type { DeliveryObserver } from './deliveries.ts'
import { openEventStream, PostedFrames } from './sse-server.ts'
import { maxFrameBytes } from './frame-codec.ts'
import { HeapRoom, watchHeap } from './heap-room.ts'
import { ElicitationMachine } from './machine.ts'
import { tickMs, type MachineSink } from './machine-ports.ts'
import { NonceWindow } from './nonce-window.ts'
import { limitsOf, parseOptions, type ElicitationOptions } from './options.ts'
import { recovery } from './recovery.ts'
import type { ServerFace, ServerParts } from './server-face.ts'
import { elicitationSemantics } from './semantics.ts'
import { SessionAuthority } from './sessions.ts'
import { Stages } from './stages.ts'
import { WebSocketAcceptor } from './websocket-server.ts'

const sessionLifetimeMs = 12 * 3_600_000
const closeGraceMs = 1500

export async function startElicitationServer(
  config: ServerConfig,
  makeFace: ((parts: ServerParts) => ServerFace) | null = null,
): Promise<EngineServer> {
  const options = parseOptions(config.options)
  const store = openEventStore({ durability: config.durability, file: config.storeFile, indexedByAgent: false })
  let running: RunningServer | null = null
  try {
    running = new RunningServer(config, options, store, makeFace)
    await running.start()
    return running
  } catch (error) {
    if (running === null) store.close()
    else await running.close()
    throw error
  }
}

class RunningServer implements EngineServer {
  readonly semantics
  private readonly config: ServerConfig
  private readonly options: ElicitationOptions
  private readonly store: EventStore
  private readonly clock: Clock = systemClock()
  private readonly authority: SessionAuthority
  private readonly log: string
  private readonly stages: Stages
  private readonly machine: ElicitationMachine
  private readonly connections: Connections
  private readonly webSockets: WebSocketAcceptor
  private readonly posts = new PostedFrames(() => this.machine)
  private readonly http: Server
  private commit: GroupCommit | null = null
  private stopTicking: (() => void) | null = null
  private closing: Promise<void> | null = null
  private port = 0
  private readonly face: ServerFace | null
  private readonly heap = new HeapRoom()
  private stopWatchingHeap: (() => void) | null = null
  private nonceQueries = 0

  constructor(
    config: ServerConfig,
    options: ElicitationOptions,
    store: EventStore,
    makeFace: ((parts: ServerParts) => ServerFace) | null,
  ) {
    this.config = config
    this.options = options
    this.store = store
    this.semantics = elicitationSemantics(config.durability)
    this.authority = new SessionAuthority(store.secret, store.bootEpoch)
    this.stages = new Stages(options.stageSampling)
    this.log = createHash('sha256').update('log\n').update(store.secret).digest('base64url').slice(0, 16)
    const limits = limitsOf(options)
    this.machine = new ElicitationMachine({
      authority: this.authority,
      nonces:
        options.nonceStore === 'memory'
          ? new NonceWindow(limits.maxAgents)
          : databaseNonces(store, limits.maxAgents, () => this.nonceQueries++),
      sink: this.sink(),
      clock: this.clock,
      stages: this.stages,
      limits,
      log: this.log,
      soon: options.validation === 'pipelined' ? setImmediate : null,
      heap: this.heap,
      ...(makeFace === null ? {} : { deliveries: this.deliveries() }),
    })
    store.replay(recovery(this.machine, this.clock, limits))
    const { machine, authority, clock } = this
    this.face = makeFace?.({ config, machine, authority, clock }) ?? null
    this.connections = new Connections(
      () => this.machine,
      (agent) => this.face?.attached(agent),
    )
    this.webSockets = new WebSocketAcceptor(this.connections)
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.answer(request, response)
    const http = { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 }
    this.http =
      config.tls === null
        ? createServer(http, answer)
        : createTlsServer({ ...http, cert: config.tls.certificate, key: config.tls.key }, answer)
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head))
  }

  get url(): string {
    const host = this.config.listen.includes(':') ? `[${this.config.listen}]` : this.config.listen
    return `${this.config.tls === null ? 'http' : 'https'}://${host}:${this.port}`
  }

  /** The face is made after the machine, which nothing is delivered by before. */
  private deliveries(): DeliveryObserver {
    return {
      delivered: (agent, takenAtNs) => this.face?.deliveries.delivered(agent, takenAtNs),
      missed: (agent) => this.face?.deliveries.missed(agent),
    }
  }

  private sink(): MachineSink {
    return {
      append: (agent, source, kind, exchange, body, producedAtMs) =>
        this.commit?.append(agent, source, kind, exchange, body, producedAtMs) ?? -1,
      send: (agent, frame, sequence) => this.connections.send(agent, frame, sequence),
      hasRoom: (agent) => this.connections.hasRoom(agent),
      refuse: (agent, nonce, id, code, retryAfterMs) => {
        if (nonce < 0) return this.face?.refused(nonce, code, retryAfterMs)
        if (this.posts.refused(agent, nonce, code, retryAfterMs)) return
        this.connections.send(agent, `refused ${nonce} ${id} ${code} ${retryAfterMs}`, 0)
      },
      settled: (agent, nonce) => {
        if (nonce < 0) this.face?.settled(nonce)
        else this.posts.settled(agent, nonce)
      },
      disconnect: (agent, code) => this.connections.disconnect(agent, code),
    }
  }

  async start(): Promise<void> {
    const { store } = this
    const handlers = {
      onCommitted: (from: number, to: number): void => this.machine.committed(from, to),
      onFailed: (from: number, to: number): void => this.machine.failed(from, to),
    }
    const { batching } = this.options
    // A database in memory belongs to the connection that made it; another thread could not see it.
    this.commit =
      batching === 'thread' && store.durability !== 'memory'
        ? await threadedCommit({ durability: store.durability, file: store.file, indexedByAgent: false }, handlers)
        : inlineCommit(store, handlers, batching === 'off' ? 'off' : 'turn')
    await new Promise<void>((resolve, reject) => {
      this.http.once('error', (error) => {
        reject(
          new LighthouseError(
            'ENGINE_START',
            `Cannot listen on ${this.config.listen}:${this.config.port}: ${error.message}.`,
            {
              cause: error,
              suggestions: ['Choose another port, or 0 for a free one.'],
            },
          ),
        )
      })
      this.http.listen({ host: this.config.listen, port: this.config.port, backlog: 4096 }, resolve)
    })
    const address = this.http.address()
    this.port = typeof address === 'object' && address !== null ? address.port : this.config.port
    this.stopTicking = systemScheduler.every(tickMs, () => {
      this.machine.tick()
      this.face?.tick()
    })
    this.stopWatchingHeap = watchHeap(this.heap, () => this.machine.lifecycle.table.open(), this.clock)
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2)
    if (request.headers.origin !== undefined) answerCode(response, 403, 'INVALID_SESSION')
    else if (this.face?.take(request, response, path, query) === true) return
    else if (request.method === 'POST' && path === '/v1/enrol') void this.enrol(request, response)
    else if (request.method === 'POST' && path === '/v1/frames') void this.takePosted(request, response)
    else if (request.method === 'GET' && path === '/v1/events') {
      const accepted = this.admit(request, request.headers['last-event-id']?.toString() ?? null)
      if ('status' in accepted) answerCode(response, accepted.status, accepted.code)
      else openEventStream(this.connections, response, accepted)
    } else if (path === '/v1/connect') answerCode(response, 426, 'MALFORMED')
    else answerCode(response, 404, 'MALFORMED')
  }

  private async takePosted(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verified = this.authority.verify(bearerToken(request), this.clock.wallMs())
    const agent = verified === null || verified.keyless ? -1 : this.machine.agents.intern(verified.agent)
    if (verified === null || agent < 0) {
      this.machine.count('INVALID_SESSION', -1, '-')
      answerCode(response, 401, 'INVALID_SESSION')
      return
    }
    if (this.face?.admits(verified.agent) === false) {
      answerCode(response, 403, 'PATH_CLOSED')
      return
    }
    const signed = await readBody(request, maxFrameBytes)
    if (signed === null) {
      response.setHeader('connection', 'close')
      answerCode(response, 413, 'MALFORMED')
      return
    }
    const mac = request.headers['x-lighthouse-signature']
    const key = this.authority.sessionKey(verified.agent, verified.session, this.authority.epoch)
    this.posts.take(agent, verified.session, key, typeof mac === 'string' ? mac : '', signed, response)
  }

  private async enrol(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isSameKey(this.config.enrolmentKey, request.headers['x-lighthouse-enrolment-key'])) {
      this.machine.count('INVALID_SESSION', -1, '-')
      response.setHeader('connection', 'close')
      answerCode(response, 401, 'INVALID_SESSION')
      return
    }
    const body = await readBody(request)
    const names = body === null ? null : readEnrolment(body)
    if (names === null) {
      answerCode(response, 400, 'MALFORMED')
      return
    }
    for (const name of names) {
      if (this.machine.agents.intern(name) >= 0) continue
      answerCode(response, 503, 'OVERLOADED', 1000)
      return
    }
    const wallMs = this.clock.wallMs()
    const agents = names.map((name) => ({
      ...this.authority.issue(name, wallMs, sessionLifetimeMs),
      ...this.face?.enrolled(name),
    }))
    answerJson(response, 200, { epoch: this.authority.epoch, log: this.log, agents })
  }

  /** Who may open a connection, with which cursor; or the status and code of the refusal. */
  private admit(
    request: IncomingMessage,
    cursorText: string | null,
  ): AcceptedSession | { status: number; code: string } {
    const verified = this.authority.verify(bearerToken(request), this.clock.wallMs())
    if (verified === null || verified.keyless) {
      this.machine.count('INVALID_SESSION', -1, '-')
      return { status: 401, code: 'INVALID_SESSION' }
    }
    if (this.face?.admits(verified.agent) === false) return { status: 403, code: 'PATH_CLOSED' }
    const cursor = cursorOf(cursorText)
    if (cursor === -2) return { status: 400, code: 'MALFORMED' }
    const agent = this.machine.agents.intern(verified.agent)
    const full = agent < 0 || this.connections.open >= this.options.connections
    if (full || this.closing !== null) return { status: 503, code: 'OVERLOADED' }
    const { session, expiresAtMs } = verified
    const key = this.authority.sessionKey(verified.agent, session, this.authority.epoch)
    return { agent, session, key, expiresAtMs, cursor }
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    if (request.headers.origin !== undefined) return refuseUpgrade(socket, 403, 'INVALID_SESSION')
    const [path, query] = (request.url ?? '').split('?', 2)
    if (path !== '/v1/connect') return refuseUpgrade(socket, 404, 'MALFORMED')
    const accepted = this.admit(request, new URLSearchParams(query ?? '').get('cursor'))
    if ('status' in accepted) return refuseUpgrade(socket, accepted.status, accepted.code)
    this.webSockets.upgrade(request, socket, head, accepted)
  }

  stats(): EngineStats {
    const counts = this.commit?.counts() ?? { commits: 0, rows: 0, failures: 0 }
    return {
      databaseQueries: this.nonceQueries,
      commits: counts.commits,
      committedRows: counts.rows,
      openConnections: this.connections.open,
      heldConnections: 0,
      emptyPolls: 0,
      pollTimeouts: 0,
      walBytes: this.store.walBytes(),
      queueDepth: this.machine.lifecycle.table.open() + (this.commit?.pendingRows() ?? 0),
      refusals: this.machine.refusals(),
      stages: this.stages.encode(),
      ...this.face?.stats(),
    }
  }

  gauges(): EngineGauges {
    return { openConnections: this.connections.open, walBytes: this.store.walBytes() }
  }

  resetStats(): void {
    this.machine.resetCounts()
    this.commit?.resetCounts()
    this.nonceQueries = 0
    this.face?.resetStats()
  }

  close(): Promise<void> {
    return (this.closing ??= this.shutDown())
  }

  private async shutDown(): Promise<void> {
    this.stopTicking?.()
    this.stopWatchingHeap?.()
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()))
    this.face?.release()
    this.machine.flush()
    await this.commit?.close()
    this.connections.closeAll()
    this.http.closeIdleConnections()
    const stop = systemScheduler.after(closeGraceMs, () => {
      this.connections.terminateAll()
      this.http.closeAllConnections()
    })
    await Promise.race([closed, delay(2 * closeGraceMs)])
    stop()
    this.store.close()
    this.stages.destroy()
    await this.face?.destroy()
  }
}
