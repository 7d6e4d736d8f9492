/**
 * The polling server: the system being replaced, with its delivery made to work and its promises kept.
 *
 *   POST /session/create   enrolment key; one agent, or a thousand a call
 *   POST /event/store      stored and answered after the commit it rests on, or 503 and nothing acknowledged
 *   GET  /event/wait       looks, sleeps one interval, looks again (wait-loop.ts)
 *   GET  /health
 *
 * Identity comes from the bearer token alone. Bad input is a 4xx with a stable code; nothing a client sends is a 500.
 * `hybrid` is the same server whose held polls are woken by the commit.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type Clock, delay, type Scheduler, systemClock, systemScheduler } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineGauges, EngineSemantics, EngineServer, EngineStats, RefusalCode, ServerConfig } from '../engine.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { CommitHandlers, GroupCommit } from '../event-store/group-commit.ts'
import { bearer, type BodyBudget, boundedServer, readBody, sendJson, sendRefusal } from './http-answers.ts'
import { maxTimeoutMs, type PollingMode, type PollingOptions } from './options.ts'
import { PendingAnswers } from './pending-answers.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { type WaitLoop, waitLoop } from './wait-loop.ts'
import {
  maxEventBytes,
  parseEnrolment,
  parseEvent,
  parseWait,
  Refusal,
  storedAnswerText,
  waitAnswerText,
  type WaitRequest,
} from './wire.ts'

/** What a client is told to wait before it tries a refused event again. */
const retryAfterMs = 1000
const closeSocketsAfterMs = 1500

export interface PollingServerInputs {
  readonly config: ServerConfig
  readonly options: PollingOptions
  readonly mode: PollingMode
  readonly semantics: EngineSemantics
  readonly clock?: Clock
  readonly scheduler?: Scheduler
}

export class PollingServer implements EngineServer {
  readonly semantics: EngineSemantics
  readonly #inputs: PollingServerInputs
  readonly #clock: Clock
  readonly #store: EventStore
  readonly #sessions: Sessions
  readonly #loop: WaitLoop
  readonly #pending = new PendingAnswers()
  readonly #arriving: BodyBudget = { bytes: 0 }
  readonly #server: Server
  #commit: GroupCommit | null = null
  #connections = 0
  #head: number
  #url = ''
  #refusals: Partial<Record<RefusalCode, number>> = {}
  #closing: Promise<void> | null = null

  constructor(inputs: PollingServerInputs, store: EventStore) {
    const { config, options, mode } = inputs
    this.#inputs = inputs
    this.semantics = inputs.semantics
    this.#store = store
    this.#head = store.lastSequence()
    this.#clock = inputs.clock ?? systemClock()
    this.#sessions = createSessions(store.secret, store.bootEpoch, config.enrolmentKey)
    this.#loop = waitLoop(store, this.#clock, inputs.scheduler ?? systemScheduler, {
      intervalMs: options.intervalMs,
      limit: options.limit,
      wakeable: mode === 'hybrid',
    })
    this.#server = boundedServer(config.tls, options.connections, (request, response) => this.#route(request, response))
    this.#server.on('connection', (socket) => {
      this.#connections++
      socket.on('close', () => this.#connections--)
    })
  }

  get url(): string {
    return this.#url
  }

  /** What the committer calls; the server must be told its committer with `start`. */
  readonly commitHandlers: CommitHandlers = {
    onCommitted: (from, to, firstSequence) => {
      this.#head = Math.max(this.#head, firstSequence + to - from)
      const wakes = this.#inputs.mode === 'hybrid'
      this.#pending.settle(to - from + 1, (response, offset, recipient, wallMs) => {
        sendJson(response, 200, storedAnswerText(firstSequence + offset, wallMs))
        if (wakes) this.#loop.wake(recipient)
      })
    },
    onFailed: (from, to, error) => {
      const refusal = new Refusal(503, 'OVERLOADED', error.message)
      this.#pending.settle(to - from + 1, (response) => this.#refuse(response, refusal, retryAfterMs))
    },
  }

  async start(commit: GroupCommit): Promise<void> {
    this.#commit = commit
    const { listen, port, tls } = this.#inputs.config
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => {
        reject(
          new LighthouseError(
            'ENGINE_START',
            `The polling engine cannot listen on ${listen}:${port}: ${error.message}.`,
            {
              cause: error,
              suggestions: ['Choose another port, or 0 for a free one.'],
            },
          ),
        )
      })
      // The backlog lets thousands of agents connect at once; the kernel caps it.
      this.#server.listen({ host: listen, port, backlog: 4096 }, resolve)
    })
    const address = this.#server.address()
    const host = listen.includes(':') ? `[${listen}]` : listen
    const boundPort = typeof address === 'object' && address !== null ? address.port : port
    this.#url = `${tls === null ? 'http' : 'https'}://${host}:${boundPort}`
  }

  stats(): EngineStats {
    const waits = this.#loop.counts()
    const commits = this.#commit?.counts()
    return {
      databaseQueries: waits.queries,
      commits: commits?.commits ?? 0,
      committedRows: commits?.rows ?? 0,
      openConnections: this.#connections,
      heldConnections: this.#loop.held(),
      emptyPolls: waits.emptyPolls,
      pollTimeouts: waits.timeouts,
      walBytes: this.#store.walBytes(),
      queueDepth: this.#commit?.pendingRows() ?? 0,
      refusals: { ...this.#refusals },
      stages: [],
    }
  }

  gauges(): EngineGauges {
    return { openConnections: this.#connections, walBytes: this.#store.walBytes() }
  }

  resetStats(): void {
    this.#loop.resetCounts()
    this.#commit?.resetCounts()
    this.#refusals = {}
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#loop.release()
    await this.#commit?.close()
    // Every request has its answer now; sockets that stay open are idle or belong to a client that hangs.
    const giveUp = new AbortController()
    this.#server.closeIdleConnections()
    await Promise.race([closed, delay(closeSocketsAfterMs, giveUp.signal)])
    giveUp.abort()
    this.#server.closeAllConnections()
    await closed
    this.#store.close()
  }

  #refuse(response: ServerResponse, refusal: Refusal, waitMs = 0, extra = ''): void {
    this.#refusals[refusal.code] = (this.#refusals[refusal.code] ?? 0) + 1
    sendRefusal(response, refusal, waitMs, extra)
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    if (this.#closing !== null) response.shouldKeepAlive = false
    const target = request.url ?? ''
    const cut = target.indexOf('?')
    const path = cut === -1 ? target : target.slice(0, cut)
    const is = (method: string): boolean => {
      if (request.method === method) return true
      response.setHeader('allow', method)
      this.#refuse(response, new Refusal(405, 'MALFORMED', `${path} takes ${method}.`))
      return false
    }
    if (path === '/event/wait') {
      if (is('GET')) this.#wait(request, response, cut === -1 ? '' : target.slice(cut + 1))
    } else if (path === '/event/store') {
      if (is('POST')) this.#storeEvent(request, response)
    } else if (path === '/session/create') {
      if (is('POST')) this.#enrol(request, response)
    } else if (path === '/health') {
      if (is('GET')) sendJson(response, 200, '{"status":"healthy","service":"lighthouse-polling"}')
    } else {
      this.#refuse(response, new Refusal(404, 'MALFORMED', 'There is no such path.'))
    }
  }

  /** The agent of the session, or null after a 401. */
  #agentOf(request: IncomingMessage, response: ServerResponse): string | null {
    const agent = this.#sessions.agentOf(bearer(request))
    if (agent === null)
      this.#refuse(response, new Refusal(401, 'INVALID_SESSION', 'The session is missing or not valid.'))
    return agent
  }

  #read(request: IncomingMessage, response: ServerResponse, done: (body: Buffer) => void): void {
    readBody(request, maxEventBytes, this.#arriving, done, (refusal) =>
      this.#refuse(response, refusal, refusal.status === 503 ? retryAfterMs : 0),
    )
  }

  #enrol(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#sessions.mayEnrol(bearer(request))) {
      this.#refuse(response, new Refusal(401, 'INVALID_SESSION', 'The enrolment key is missing or wrong.'))
      return
    }
    const done = (body: Buffer): void => {
      const enrolment = parseEnrolment(body)
      if (enrolment instanceof Refusal) {
        this.#refuse(response, enrolment)
        return
      }
      const sessions = enrolment.agents.map((agent) => {
        const { sessionId, token } = this.#sessions.issue(agent)
        return { session_id: sessionId, session_token: token, agent_id: agent }
      })
      // `sequence` is where an inbox stands at enrolment: a client that wants nothing older starts there.
      const answer = enrolment.bulk ? { sessions, sequence: this.#head } : { ...sessions[0], sequence: this.#head }
      sendJson(response, 200, JSON.stringify(answer))
    }
    this.#read(request, response, done)
  }

  #storeEvent(request: IncomingMessage, response: ServerResponse): void {
    const sender = this.#agentOf(request, response)
    if (sender === null) return
    const done = (bytes: Buffer): void => {
      const event = parseEvent(bytes, sender)
      if (event instanceof Refusal) {
        this.#refuse(response, event)
        return
      }
      const wallMs = this.#clock.wallMs()
      const ticket = this.#commit?.append(event.recipient, sender, event.kind, event.exchange, event.body, wallMs) ?? -1
      if (ticket === -1)
        this.#refuse(response, new Refusal(503, 'OVERLOADED', 'The queue of the store is full.'), retryAfterMs)
      else this.#pending.push(response, event.recipient, wallMs)
    }
    this.#read(request, response, done)
  }

  #wait(request: IncomingMessage, response: ServerResponse, query: string): void {
    const agent = this.#agentOf(request, response)
    if (agent === null) return
    const wait = parseWait(query, this.#inputs.options.timeoutMs, maxTimeoutMs)
    const refusal = this.#refusalOf(wait, agent)
    if (refusal !== null || wait instanceof Refusal) {
      if (refusal !== null)
        this.#refuse(response, refusal, refusal.status === 503 ? retryAfterMs : 0, this.#hint(refusal))
      return
    }
    const cancel = this.#loop.wait(agent, wait.sinceSequence, this.#closing === null ? wait.timeoutMs : 0, {
      onEvents: (events, waitedMs) => {
        this.#head = Math.max(this.#head, events.at(-1)?.sequence ?? 0)
        sendJson(response, 200, waitAnswerText(events, waitedMs))
      },
      onTimeout: (waitedMs) => {
        if (this.#closing !== null && !response.headersSent) response.shouldKeepAlive = false
        sendJson(response, 200, waitAnswerText([], waitedMs))
      },
      onFailure: (error) => this.#refuse(response, new Refusal(503, 'OVERLOADED', error.message), retryAfterMs),
    })
    // A client that left must not keep the server looking.
    if (!response.writableEnded) response.on('close', cancel)
  }

  #hint(refusal: Refusal): string {
    return refusal.code === 'RESUME_GAP' ? `,"sequence":${this.#head}` : ''
  }

  #refusalOf(wait: WaitRequest | Refusal, agent: string): Refusal | null {
    if (wait instanceof Refusal) return wait
    if (wait.agent !== agent) return new Refusal(403, 'INVALID_SESSION', 'The session is not that of agent_id.')
    // Pipelined requests can outnumber connections.
    if (this.#loop.held() >= this.#inputs.options.connections) {
      return new Refusal(503, 'OVERLOADED', 'Too many polls are held.')
    }
    if (wait.sinceSequence <= this.#head) return null
    this.#head = Math.max(this.#head, this.#store.lastSequence())
    // A cursor from another store would wait for ever beside events it never sees.
    return wait.sinceSequence <= this.#head
      ? null
      : new Refusal(409, 'RESUME_GAP', 'since_sequence is beyond the end of this store.')
  }
}
