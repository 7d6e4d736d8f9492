/**
 * Both ends of every exchange over the elicitation protocol: agents as sessions, exchanges by wire ids, one timer for all.
 *
 * A server that restarted refuses the old tokens; then all agents enrol again, once, in bulk.
 */
import { systemClock, systemScheduler, type Cancel } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { seededRandom, type Random } from '../../platform/random.ts'
import type {
  AnswerAction,
  ClientConfig,
  ClientHandlers,
  ClientStats,
  EngineClient,
  Leg,
  Outcome,
  RefusalCode,
} from '../engine.ts'
import { AgentLink, type LinkOwner } from './agent-link.ts'
import { AgentSession, type SessionShared } from './agent-session.ts'
import { enrol, type Credentials } from './enrolment-client.ts'
import type { PathAdvice } from './machine-ports.ts'
import type { PathChoice } from './path-choice.ts'
import { elicitationSemantics } from './semantics.ts'
import { agentNameOf, agentOfName, WireIds } from './wire-ids.ts'

const housekeepingMs = 50
/** Housekeeping looks at every so-many-th agent each time: at 15,000, looking at all would take 3 % of a core and the cache. */
const agentsShare = 10

/** Options of `config` were checked. */
export function createElicitationClient(config: ClientConfig, paths: PathChoice): EngineClient {
  return new ElicitationClient(config, paths)
}

class ElicitationClient implements EngineClient, LinkOwner, SessionShared {
  readonly semantics
  readonly url: string
  readonly paths: PathChoice
  readonly handlers: ClientHandlers
  readonly random: Random
  readonly scheduler = systemScheduler
  readonly counts = { openSockets: 0, reconnects: 0 }
  private readonly config: ClientConfig
  private readonly clock = systemClock()
  private readonly ids = new WireIds()
  private readonly agents: AgentSession[] = []
  private readonly delayedLinks = new Set<AgentLink>()
  private stopHousekeeping: Cancel | null = null
  private renewing: Promise<void> | null = null
  private lastIssued: readonly Credentials[] = []
  private closed = false
  private share = 0
  private retries = 0

  constructor(config: ClientConfig, paths: PathChoice) {
    this.config = config
    this.paths = paths
    this.url = config.url
    this.handlers = config.handlers
    this.semantics = elicitationSemantics(config.durability)
    this.random = seededRandom(`${config.seed}/reconnect`)
  }

  async prepare(agents: number): Promise<void> {
    for (let agent = this.agents.length; agent < agents; agent++) {
      this.agents.push(new AgentSession(new AgentLink(agent, this), this))
    }
    await this.renew()
    this.stopHousekeeping ??= systemScheduler.every(housekeepingMs, () => this.housekeep())
  }

  renew(): Promise<void> {
    this.renewing ??= this.enrolAll().finally(() => {
      this.renewing = null
    })
    return this.renewing
  }

  private async enrolAll(): Promise<void> {
    const { url, enrolmentKey, ca } = this.config
    const names = this.agents.map((_, agent) => agentNameOf(agent))
    this.lastIssued = await enrol({ url, enrolmentKey, ca }, names)
    for (const [agent, issued] of this.lastIssued.entries()) {
      const session = this.agents[agent]
      // An open session goes on with the key it has.
      if (session?.hasChannel === false) session.useCredentials(issued)
    }
  }

  issued(agent: number): Credentials | undefined {
    return this.lastIssued[agent]
  }

  isClosed(): boolean {
    return this.closed
  }

  connect(agent: number): Promise<void> {
    const session = this.agents[agent]
    if (session !== undefined) return session.connect()
    return Promise.reject(new LighthouseError('INTERNAL', `agent ${agent} was not prepared before connect`))
  }

  private housekeep(): void {
    const nowMs = this.nowMs()
    for (const link of this.delayedLinks) if (!link.retryDue(nowMs)) this.delayedLinks.delete(link)
    this.share = (this.share + 1) % agentsShare
    for (let agent = this.share; agent < this.agents.length; agent += agentsShare) this.agents[agent]?.housekeep(nowMs)
  }

  beginRound(nonce: string): void {
    this.ids.begin(nonce)
    for (const session of this.agents) session.link.dropBefore(this.ids.round)
    this.counts.reconnects = 0
    this.retries = 0
  }

  ask(exchange: number, requester: number, recipient: number, body: string, deadlineMs: number): void {
    this.ids.setProducer(exchange, requester)
    const id = this.ids.idOf(exchange, requester)
    const link = this.linkOf(requester)
    const to = this.agents[recipient]?.link.name ?? agentNameOf(recipient)
    if (!link.start('ask', this.ids.round, exchange, id, to, body, deadlineMs)) {
      this.config.handlers.onRefused(exchange, 'ask', 'OVERLOADED', 0)
    }
  }

  answer(exchange: number, recipient: number, _action: AnswerAction, body: string): void {
    const id = this.ids.idOf(exchange, this.ids.producerOf(exchange))
    if (!this.linkOf(recipient).start('answer', this.ids.round, exchange, id, '', body, 0)) {
      this.config.handlers.onRefused(exchange, 'answer', 'OVERLOADED', 0)
    }
  }

  cancel(exchange: number): void {
    const requester = this.ids.producerOf(exchange)
    if (requester < 0) return
    this.linkOf(requester).start('cancel', this.ids.round, exchange, this.ids.idOf(exchange, requester), '', '', 0)
  }

  private linkOf(agent: number): AgentLink {
    const session = this.agents[agent]
    if (session === undefined) throw new LighthouseError('INTERNAL', `agent ${agent} was not prepared`)
    return session.link
  }

  pause(): Promise<void> {
    return Promise.resolve()
  }

  stats(): ClientStats {
    return { ...this.counts, retries: this.retries }
  }

  async close(): Promise<void> {
    this.closed = true
    this.stopHousekeeping?.()
    await Promise.all(this.agents.map((session) => session.close()))
    this.paths.close()
  }

  // What links report.

  nowMs(): number {
    return this.clock.nowNs() / 1e6
  }

  transmit(link: AgentLink, frame: string): void {
    this.agents[link.agent]?.send(frame)
  }

  established(link: AgentLink): void {
    this.agents[link.agent]?.established()
  }

  broken(link: AgentLink, code: string): void {
    this.agents[link.agent]?.broken(code)
  }

  advised(link: AgentLink, advice: PathAdvice): void {
    this.paths.advised(link.agent, advice)
  }

  acknowledged(exchange: number, leg: Leg): void {
    this.config.handlers.onAcknowledged(exchange, leg)
  }

  refused(exchange: number, leg: Leg, code: RefusalCode, retryAfterMs: number): void {
    this.config.handlers.onRefused(exchange, leg, code, retryAfterMs)
  }

  question(link: AgentLink, id: string, from: string, body: string): void {
    const { ids } = this
    const origin = ids.locate(id)
    if (origin !== 'current') return this.config.handlers.onStray(link.agent, origin, id)
    const { exchange } = ids
    // The id's producer, not `from`, is what an answer must name again; the server vouches that they agree.
    ids.setProducer(exchange, ids.producer)
    this.config.handlers.onQuestion(exchange, agentOfName(from), link.agent, body)
  }

  result(link: AgentLink, id: string, outcome: Outcome, body: string): void {
    const origin = this.ids.locate(id)
    if (origin !== 'current') return this.config.handlers.onStray(link.agent, origin, id)
    this.config.handlers.onResult(this.ids.exchange, link.agent, outcome, body)
  }

  wireDuplicate(id: string, leg: Leg): void {
    if (this.ids.locate(id) === 'current') this.config.handlers.onWireDuplicate(this.ids.exchange, leg)
  }

  repeated(): void {
    this.retries++
  }

  delayed(link: AgentLink): void {
    this.delayedLinks.add(link)
  }
}
