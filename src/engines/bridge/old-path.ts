/**
 * The old path of the bridge: `wait_for_messages` over HTTP, in front of the inboxes that push agents share.
 *
 * Paths, shapes and the sleep between two looks are those of the polling engine (docs/polling-engine.md); what differs stands in
 * docs/migration.md. An agent that could push signs what it posts, and hears in each answer which path it is assigned.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BridgeStatus } from '../../measurement/flags-document.ts'
import { systemScheduler, type Cancel } from '../../platform/clock.ts'
import type { EngineStats, RefusalCode } from '../engine.ts'
import type { DeliveryObserver } from '../elicitation/deliveries.ts'
import { isAgentName } from '../elicitation/frame-codec.ts'
import { isSameKey } from '../elicitation/http-requests.ts'
import { signBytes } from '../elicitation/frame-mac.ts'
import type { Path, PathAdvice } from '../elicitation/machine-ports.ts'
import type { ServerParts } from '../elicitation/server-face.ts'
import { sameText, type VerifiedSession } from '../elicitation/sessions.ts'
import { bearer, readBody, sendJson, sendRefusal, type BodyBudget } from '../polling/http-answers.ts'
import { maxTimeoutMs } from '../polling/options.ts'
import { waitLoop, type WaitLoop } from '../polling/wait-loop.ts'
import { parseEnrolment, parseWait, Refusal, storedAnswerText, waitAnswerText } from '../polling/wire.ts'
import type { FlagBoard } from './flag-board.ts'
import { eventsAfter, readPosted } from './old-path-events.ts'
import type { BridgeOptions } from './options.ts'
import type { PathAdvisor } from './path-advice.ts'
import type { Shadow } from './shadow.ts'

const largestRequest = 131_072
const retryAfterMs = 1000
export const sessionLifetimeMs = 12 * 3_600_000

/** A poll that is held. One of an agent that could push is ended when the agent is to change its path. */
interface HeldPoll {
  readonly keyless: boolean
  readonly cancel: Cancel
  readonly answer: () => void
}

/** Polls of one agent that are held at once; a client needs one, and those of a connection that it lost are forgotten late. */
const heldPerAgent = 4

export class OldPath {
  private readonly parts: ServerParts
  private readonly board: FlagBoard
  private readonly options: BridgeOptions
  private readonly adviceFor: (agent: string) => PathAdvice
  /** Agents are on their way from one path to the other: neither is closed to them yet. */
  private readonly isDraining: () => boolean
  private readonly shadow: Shadow | null
  private readonly loop: WaitLoop
  private readonly arriving: BodyBudget = { bytes: 0 }
  /** Posts by ticket: answered when the machine knows what became of them. */
  private readonly posts = new Map<number, ServerResponse>()
  private lastTicket = 0
  private readonly held = new Map<string, Set<HeldPoll>>()
  /** Monotonic; by agent. */
  private readonly polledAtMs = new Map<string, number>()
  /** The path that each agent that could push was last told of in an answer. */
  private readonly heard = new Map<string, Path>()
  private closing = false

  constructor(
    parts: ServerParts,
    board: FlagBoard,
    options: BridgeOptions,
    advisor: Pick<PathAdvisor, 'adviceFor' | 'isDraining'>,
    deliveries: DeliveryObserver,
    shadow: Shadow | null = null,
  ) {
    this.shadow = shadow
    this.parts = parts
    this.board = board
    this.options = options
    this.adviceFor = (agent) => advisor.adviceFor(agent)
    this.isDraining = () => advisor.isDraining()
    const { agents } = parts.machine
    const reader = {
      readAfter: (name: string, since: number, limit: number) => {
        const wallMs = parts.clock.wallMs()
        const events = eventsAfter(agents, agents.indexOf(name), since, limit, this.nowMs(), wallMs, deliveries)
        if (shadow !== null) for (const event of events) shadow.handed(event)
        return events
      },
    }
    const { intervalMs, limit } = options
    this.loop = waitLoop(reader, parts.clock, systemScheduler, { intervalMs, limit, wakeable: false })
  }

  private nowMs(): number {
    return this.parts.clock.nowNs() / 1e6
  }

  /** True when the request is one of the old path. */
  take(request: IncomingMessage, response: ServerResponse, path: string, query: string): boolean {
    const route = routes.get(path)
    if (route === undefined) return false
    if (path === '/health') {
      sendJson(response, 200, '{"status":"healthy","service":"lighthouse-bridge"}')
      return true
    }
    const since = this.board.deprecatedSinceMs
    // RFC 9745.
    if (since !== null) response.setHeader('deprecation', `@${Math.floor(since / 1000)}`)
    if (this.board.flags.legacyOff)
      this.refuse(response, new Refusal(410, 'PATH_CLOSED', 'Polling has ended; use push.'))
    else if (request.method !== route) {
      response.setHeader('allow', route)
      this.refuse(response, new Refusal(405, 'MALFORMED', `${path} takes ${route}.`))
    } else if (path === '/session/create') this.enrol(request, response)
    else if (path === '/event/store') this.store(request, response)
    else this.wait(request, response, query)
    return true
  }

  private refuse(response: ServerResponse, refusal: Refusal, waitMs = 0, extra = ''): void {
    const { machine } = this.parts
    machine.count(refusal.code, -1, '-')
    sendRefusal(response, refusal, waitMs, extra)
  }

  /** The session of a request, or null after its refusal. */
  private sessionOf(request: IncomingMessage, response: ServerResponse): VerifiedSession | null {
    const session = this.parts.authority.verify(bearer(request), this.parts.clock.wallMs())
    if (session === null) {
      this.refuse(response, new Refusal(401, 'INVALID_SESSION', 'The session is missing or not valid.'))
      return null
    }
    if (!this.board.flags.dualMode && this.board.pathOf(session.agent) === 'push' && !this.isDraining()) {
      this.refuse(response, new Refusal(403, 'PATH_CLOSED', 'This agent is assigned push, and has no other path now.'))
      return null
    }
    return session
  }

  private read(request: IncomingMessage, response: ServerResponse, done: (body: Buffer) => void): void {
    readBody(request, largestRequest, this.arriving, done, (refusal) =>
      this.refuse(response, refusal, refusal.status === 503 ? retryAfterMs : 0),
    )
  }

  private enrol(request: IncomingMessage, response: ServerResponse): void {
    const { authority, clock, config, machine } = this.parts
    if (!isSameKey(config.enrolmentKey, bearer(request))) {
      this.refuse(response, new Refusal(401, 'INVALID_SESSION', 'The enrolment key is missing or wrong.'))
      return
    }
    this.read(request, response, (body) => {
      const enrolment = parseEnrolment(body, isName)
      if (enrolment instanceof Refusal) return this.refuse(response, enrolment)
      if (enrolment.agents.some((agent) => machine.agents.intern(agent) < 0))
        return this.refuse(response, new Refusal(503, 'OVERLOADED', 'There is no room for more agents.'), retryAfterMs)
      const wallMs = clock.wallMs()
      const sessions = enrolment.agents.map((agent) => {
        const { session, token } = authority.issueKeyless(agent, wallMs, sessionLifetimeMs)
        return { session_id: session, session_token: token, agent_id: agent }
      })
      // Inboxes have no common position: from 0 an agent reads what it has not acknowledged.
      sendJson(
        response,
        200,
        JSON.stringify(enrolment.bulk ? { sessions, sequence: 0 } : { ...sessions[0], sequence: 0 }),
      )
    })
  }

  private store(request: IncomingMessage, response: ServerResponse): void {
    const session = this.sessionOf(request, response)
    if (session === null) return
    this.read(request, response, (bytes) => {
      if (!session.keyless && !this.isSigned(request, session, bytes))
        return this.refuse(response, new Refusal(401, 'INVALID_SIGNATURE', 'A session with a key signs what it posts.'))
      const posted = readPosted(bytes, session.agent)
      if (posted instanceof Refusal) return this.refuse(response, posted)
      const { machine } = this.parts
      const agent = machine.agents.intern(session.agent)
      if (agent < 0 || this.posts.size >= this.options.connections)
        return this.refuse(response, new Refusal(503, 'OVERLOADED', 'There is no room for it.'), retryAfterMs)
      const ticket = --this.lastTicket
      this.posts.set(ticket, response)
      response.on('close', () => this.posts.delete(ticket))
      this.shadow?.posted(ticket, session.agent, posted)
      machine.receiveUnsigned(agent, posted.verb, posted.request, ticket)
    })
  }

  private isSigned(request: IncomingMessage, session: VerifiedSession, bytes: Buffer): boolean {
    const { authority } = this.parts
    const given = request.headers['x-lighthouse-signature']
    const key = authority.sessionKey(session.agent, session.session, authority.epoch)
    return typeof given === 'string' && sameText(signBytes(key, bytes), given)
  }

  settled(ticket: number): void {
    this.shadow?.settled(ticket)
    const response = this.takePost(ticket)
    if (response !== undefined) sendJson(response, 200, storedAnswerText(-ticket, this.parts.clock.wallMs()))
  }

  /** The machine has counted the refusal. */
  refused(ticket: number, code: RefusalCode, waitMs: number): void {
    this.shadow?.refused(ticket)
    const response = this.takePost(ticket)
    if (response !== undefined) sendRefusal(response, new Refusal(statusOf[code] ?? 400, code, code), waitMs)
  }

  private takePost(ticket: number): ServerResponse | undefined {
    const response = this.posts.get(ticket)
    this.posts.delete(ticket)
    return response
  }

  private wait(request: IncomingMessage, response: ServerResponse, query: string): void {
    const session = this.sessionOf(request, response)
    if (session === null) return
    const { agents } = this.parts.machine
    const wait = parseWait(query, this.options.timeoutMs, maxTimeoutMs, isName)
    if (wait instanceof Refusal) return this.refuse(response, wait)
    if (wait.agent !== session.agent)
      return this.refuse(response, new Refusal(403, 'INVALID_SESSION', 'The session is not that of agent_id.'))
    const agent = agents.intern(session.agent)
    const waitMs = agent < 0 ? 0 : this.parts.machine.spend(agent)
    if (waitMs > 0) return this.refuse(response, new Refusal(429, 'RATE_LIMIT_EXCEEDED', 'Too many requests.'), waitMs)
    if (agent < 0 || this.loop.held() >= this.options.connections)
      return this.refuse(response, new Refusal(503, 'OVERLOADED', 'Too many polls are held.'), retryAfterMs)
    const inbox = agents.inboxOf(agent)
    if (wait.sinceSequence > inbox.head) {
      const gap = new Refusal(409, 'RESUME_GAP', 'since_sequence is beyond the end of this inbox.')
      return this.refuse(response, gap, 0, `,"sequence":${inbox.head}`)
    }
    agents.acknowledgeInbox(agent, wait.sinceSequence)
    this.polledAtMs.set(session.agent, this.nowMs())
    // Whoever was between two polls when others heard where they belong hears it now.
    const hasHeard = session.keyless || this.heard.get(session.agent) === this.board.pathOf(session.agent)
    this.hold(response, session, wait.sinceSequence, this.closing || !hasHeard ? 0 : wait.timeoutMs)
  }

  private hold(response: ServerResponse, session: VerifiedSession, since: number, timeoutMs: number): void {
    const { agent: name, keyless } = session
    const agent = this.parts.machine.agents.indexOf(name)
    const startedMs = this.nowMs()
    const answer = (events: Parameters<typeof waitAnswerText>[0]): void => {
      this.letGo(name, poll)
      sendJson(response, 200, waitAnswerText(events, this.nowMs() - startedMs, this.extras(name, agent, keyless)))
    }
    let poll: HeldPoll | null = null
    const cancel = this.loop.wait(name, since, timeoutMs, {
      onEvents: answer,
      onTimeout: () => answer([]),
      onFailure: (error) => this.refuse(response, new Refusal(503, 'OVERLOADED', error.message), retryAfterMs),
    })
    if (response.writableEnded) return
    poll = { keyless, cancel, answer: () => answer([]) }
    this.keep(name, poll)
    response.on('close', () => {
      cancel()
      this.letGo(name, poll)
    })
  }

  private keep(agent: string, poll: HeldPoll): void {
    const polls = this.held.get(agent) ?? new Set()
    this.held.set(agent, polls.add(poll))
    if (polls.size <= heldPerAgent) return
    for (const oldest of polls) {
      oldest.cancel()
      oldest.answer()
      return
    }
  }

  private letGo(agent: string, poll: HeldPoll | null): void {
    if (poll === null) return
    const polls = this.held.get(agent)
    polls?.delete(poll)
    if (polls?.size === 0) this.held.delete(agent)
  }

  /** Answers the held polls of an agent that could push, with the path it is assigned. */
  endPolls(agent: string): void {
    // A copy: each leaves the set with its answer.
    const present = Array.from(this.held.get(agent) ?? []).filter(({ keyless }) => !keyless)
    for (const poll of present) {
      poll.cancel()
      poll.answer()
    }
  }

  private extras(name: string, agent: number, keyless: boolean): string {
    const deprecated = this.board.deprecatedSinceMs === null ? '' : ',"deprecated":true'
    if (keyless) return deprecated
    const { path, withinMs, fallback } = this.adviceFor(name)
    this.heard.set(name, path)
    const { floor, head } = this.parts.machine.agents.inboxOf(agent)
    return `${deprecated},"path":"${path}","switch_within_ms":${Math.ceil(withinMs)},"fallback":${fallback},"floor":${floor},"head":${head}`
  }

  /** Agents that have polled within the time that a poll may take. */
  pollingAgents(): number {
    const since = this.nowMs() - this.options.timeoutMs - retryAfterMs
    let count = 0
    for (const atMs of this.polledAtMs.values()) if (atMs >= since) count++
    return count
  }

  room(): BridgeStatus['oldPath'] {
    return { open: !this.board.flags.legacyOff, held: this.loop.held(), room: this.options.connections }
  }

  stats(): Pick<EngineStats, 'heldConnections' | 'emptyPolls' | 'pollTimeouts'> {
    const { emptyPolls, timeouts } = this.loop.counts()
    return { heldConnections: this.loop.held(), emptyPolls, pollTimeouts: timeouts }
  }

  resetStats(): void {
    this.loop.resetCounts()
  }

  release(): void {
    this.closing = true
    this.loop.release()
  }
}

/** The grammar of both paths: what one enrols, the other has to understand. */
const isName = (value: unknown): value is string => typeof value === 'string' && isAgentName(value)

const routes: ReadonlyMap<string, 'GET' | 'POST'> = new Map([
  ['/session/create', 'POST'],
  ['/event/store', 'POST'],
  ['/event/wait', 'GET'],
  ['/health', 'GET'],
])

const statusOf: Readonly<Partial<Record<RefusalCode, number>>> = {
  RATE_LIMIT_EXCEEDED: 429,
  UNAUTHORIZED_RESPONSE: 403,
  ELICITATION_NOT_FOUND: 404,
  UNKNOWN_RECIPIENT: 404,
  CONFLICT: 409,
  EXPIRED: 410,
  SCHEMA_VIOLATION: 422,
  OVERLOADED: 503,
}
