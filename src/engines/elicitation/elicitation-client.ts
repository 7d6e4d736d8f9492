/**
 * The engine client: one channel per agent, both ends of every exchange in one process.
 *
 * A broken connection is opened again after a random wait (full jitter: uniform in 0 … min(cap, base·2ⁿ)) and resumes from
 * the last sequence processed. A server that restarted refuses the old tokens; then all agents enrol again, once, in bulk.
 * One timer serves all agents.
 */
import { systemClock, systemScheduler, type Cancel } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { seededRandom, type Random } from '../../platform/random.ts'
import type { AnswerAction, ClientConfig, ClientStats, EngineClient, Leg, Outcome, RefusalCode } from '../engine.ts'
import { AgentLink, type LinkOwner } from './agent-link.ts'
import type { ClientChannel, Transport } from './client-channel.ts'
import { enrol, type Credentials } from './enrolment-client.ts'
import { parseOptions } from './options.ts'
import { elicitationSemantics } from './semantics.ts'
import { agentNameOf, agentOfName, WireIds } from './wire-ids.ts'

const housekeepingMs = 50
const deadAfterMs = 9000
/** Housekeeping looks at every so-many-th agent each time: at 15,000, looking at all would take 3 % of a core and the cache. */
const agentsShare = 10
const backoffBaseMs = 50
const backoffCapMs = 2000

interface AgentSlot {
  readonly link: AgentLink
  channel: ClientChannel | null
  /** Failed attempts since the session was last up. */
  failures: number
  cancelRetry: Cancel | null
  waiting: { resolve(): void; reject(error: Error): void } | null
  whenClosed: (() => void) | null
}

export function createElicitationClient(config: ClientConfig, transport: Transport): EngineClient {
  return new ElicitationClient(config, transport)
}

class ElicitationClient implements EngineClient, LinkOwner {
  readonly semantics
  private readonly config: ClientConfig
  private readonly transport: Transport
  private readonly clock = systemClock()
  private readonly random: Random
  private readonly ids = new WireIds()
  private readonly agents: AgentSlot[] = []
  private readonly delayedLinks = new Set<AgentLink>()
  private stopHousekeeping: Cancel | null = null
  private renewing: Promise<void> | null = null
  /** What the last enrolment gave each agent. */
  private issued: readonly Credentials[] = []
  private closed = false
  private share = 0
  private openSockets = 0
  private reconnects = 0
  private retries = 0

  constructor(config: ClientConfig, transport: Transport) {
    parseOptions(config.options)
    this.config = config
    this.transport = transport
    this.semantics = elicitationSemantics(config.durability)
    this.random = seededRandom(`${config.seed}/reconnect`)
  }

  async prepare(agents: number): Promise<void> {
    for (let agent = this.agents.length; agent < agents; agent++) {
      const link = new AgentLink(agent, this, this.transport.cumulative)
      this.agents.push({ link, channel: null, failures: 0, cancelRetry: null, waiting: null, whenClosed: null })
    }
    await this.renew()
    this.stopHousekeeping ??= systemScheduler.every(housekeepingMs, () => this.housekeep())
  }

  /** Enrols every agent; calls that come while one is under way share it. */
  private renew(): Promise<void> {
    this.renewing ??= this.enrolAll().finally(() => {
      this.renewing = null
    })
    return this.renewing
  }

  private async enrolAll(): Promise<void> {
    const { url, enrolmentKey, ca } = this.config
    const names = this.agents.map((_, agent) => agentNameOf(agent))
    this.issued = await enrol({ url, enrolmentKey, ca }, names)
    for (const [agent, issued] of this.issued.entries()) {
      const slot = this.agents[agent]
      // An open session goes on with the key it has.
      if (slot !== undefined && slot.channel === null) slot.link.useCredentials(issued)
    }
  }

  connect(agent: number): Promise<void> {
    const slot = this.agents[agent]
    if (slot === undefined) {
      return Promise.reject(new LighthouseError('INTERNAL', `agent ${agent} was not prepared before connect`))
    }
    if (slot.link.up) return Promise.resolve()
    return new Promise((resolve, reject) => {
      slot.waiting = { resolve, reject }
      if (slot.channel === null) this.open(slot)
    })
  }

  private open(slot: AgentSlot): void {
    const { link } = slot
    slot.cancelRetry = null
    if (this.closed || link.credentials === null) return
    link.heardAtMs = this.nowMs()
    let opened = false
    const channel = this.transport.open(link.credentials.token, link.seen, {
      opened: () => {
        opened = true
        this.openSockets++
      },
      message: (frame) => {
        if (slot.channel === channel) link.receive(frame)
      },
      taken: (nonce) => link.taken(nonce),
      refused: (nonce, code, retryAfterMs) => link.refusedFrame(nonce, code, retryAfterMs),
      unanswered: (nonce) => link.unanswered(nonce),
      closed: (reason, unauthorised) => {
        if (opened) this.openSockets--
        if (slot.channel === channel) this.onClose(slot, reason, unauthorised)
      },
    })
    slot.channel = channel
  }

  private onClose(slot: AgentSlot, reason: string, unauthorised: boolean): void {
    const { link } = slot
    slot.channel = null
    const lost = link.up
    link.down()
    slot.whenClosed?.()
    if (this.closed) return
    if (lost) this.config.handlers.onLost(link.agent, reason)
    const newer = this.issued[link.agent]
    if (unauthorised && newer !== undefined && newer !== link.credentials) {
      // It was connecting with the old token while all enrolled again.
      link.useCredentials(newer)
      this.retryLater(slot, reason)
    } else if (unauthorised) void this.renewThenRetry(slot)
    else this.retryLater(slot, reason)
  }

  private async renewThenRetry(slot: AgentSlot): Promise<void> {
    try {
      await this.renew()
      this.retryLater(slot, 'the session was refused')
    } catch (error) {
      this.retryLater(slot, error instanceof Error ? error.message : String(error))
    }
  }

  /** A first connection that fails is the caller's to know; an established one is opened again until the client closes. */
  private retryLater(slot: AgentSlot, reason: string): void {
    if (this.closed || slot.cancelRetry !== null) return
    slot.failures++
    if (slot.waiting !== null && slot.failures > 5) {
      const failure = new LighthouseError(
        'ENGINE_UNREACHABLE',
        `Agent ${slot.link.name} cannot open a session at ${this.config.url}: ${reason}.`,
        { suggestions: ['Check that the engine is running and that it accepts this many connections (ulimit -n).'] },
      )
      slot.waiting.reject(failure)
      slot.waiting = null
      slot.failures = 0
      return
    }
    const ceilingMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(slot.failures, 10))
    slot.cancelRetry = systemScheduler.after(this.random.uniform() * ceilingMs, () => this.open(slot))
  }

  private housekeep(): void {
    const nowMs = this.nowMs()
    for (const link of this.delayedLinks) if (!link.retryDue(nowMs)) this.delayedLinks.delete(link)
    this.share = (this.share + 1) % agentsShare
    for (let agent = this.share; agent < this.agents.length; agent += agentsShare) {
      const slot = this.agents[agent]
      if (slot?.link.up === true && nowMs - slot.link.heardAtMs > deadAfterMs) slot.channel?.terminate()
    }
  }

  beginRound(nonce: string): void {
    this.ids.begin(nonce)
    for (const slot of this.agents) slot.link.dropBefore(this.ids.round)
    this.reconnects = 0
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
    const slot = this.agents[agent]
    if (slot === undefined) throw new LighthouseError('INTERNAL', `agent ${agent} was not prepared`)
    return slot.link
  }

  pause(): Promise<void> {
    return Promise.resolve()
  }

  stats(): ClientStats {
    return { openSockets: this.openSockets, reconnects: this.reconnects, retries: this.retries }
  }

  async close(): Promise<void> {
    this.closed = true
    this.stopHousekeeping?.()
    const closing: Promise<void>[] = []
    for (const slot of this.agents) {
      slot.cancelRetry?.()
      slot.waiting?.reject(new LighthouseError('ENGINE_UNREACHABLE', 'the client was closed while it was connecting'))
      slot.waiting = null
      const { channel } = slot
      if (channel === null) continue
      closing.push(
        new Promise((resolve) => {
          slot.whenClosed = resolve
        }),
      )
      channel.close()
    }
    // The socket library ends a handshake that is not answered within its close timeout of 1 s.
    await Promise.all(closing)
    this.transport.close()
  }

  // What links report.

  nowMs(): number {
    return this.clock.nowNs() / 1e6
  }

  transmit(link: AgentLink, frame: string): void {
    this.agents[link.agent]?.channel?.send(frame)
  }

  established(link: AgentLink): void {
    const slot = this.agents[link.agent]
    if (slot === undefined) return
    slot.failures = 0
    const again = slot.waiting === null
    slot.waiting?.resolve()
    slot.waiting = null
    if (!again) return
    this.reconnects++
    this.config.handlers.onRestored(link.agent)
  }

  broken(link: AgentLink, code: string): void {
    const slot = this.agents[link.agent]
    if (slot === undefined || slot.channel === null) return
    // Another client speaks for this agent now; coming back would only take it away again, in turns.
    if (code === 'REPLACED') slot.cancelRetry = () => undefined
    slot.channel.terminate()
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
