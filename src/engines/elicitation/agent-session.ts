/**
 * One agent of a client: its link, the channel that carries it, and when another is opened.
 *
 * A broken channel is opened again after a random wait (full jitter: uniform in 0 … min(cap, base·2ⁿ)). Where a server has two paths, the agent
 * changes by closing one channel and opening another: the link repeats what is open and goes on from the last entry it processed. Whether push
 * works again is tried on a channel beside the one in use.
 */
import type { Cancel, Scheduler } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import type { ClientHandlers } from '../engine.ts'
import type { AgentLink } from './agent-link.ts'
import type { ChannelEvents, ClientChannel, CloseReason, Transport } from './client-channel.ts'
import type { Credentials } from './enrolment-client.ts'
import type { PathChoice } from './path-choice.ts'

const backoffBaseMs = 50
const backoffCapMs = 2000
const attemptsOfFirstConnect = 6
const probeWithinMs = 10_000
/** So long after a probe began, the server may still come to hear of it. */
const ownProbeMs = 30_000

/** What the sessions of a client share. */
export interface SessionShared {
  readonly url: string
  readonly paths: PathChoice
  readonly handlers: ClientHandlers
  readonly random: Random
  readonly scheduler: Scheduler
  readonly counts: { openSockets: number; reconnects: number }
  nowMs(): number
  isClosed(): boolean
  /** What the last enrolment gave an agent. */
  issued(agent: number): Credentials | undefined
  /** Enrols everybody anew; calls that come while one is under way share it. */
  renew(): Promise<void>
}

export class AgentSession {
  readonly link: AgentLink
  private readonly shared: SessionShared
  private channel: ClientChannel | null = null
  /** Channels opened so far; the last is the one in use. */
  private opens = 0
  /** Of the channel in use, or last used. */
  private transport: Transport | null = null
  /** A channel that is opened to see whether it can be. */
  private probe: ClientChannel | null = null
  private probes = 0
  private probedAtMs = -Infinity
  private cancelProbe: Cancel | null = null
  /** Failed attempts since the session was last up. */
  private failures = 0
  private cancelRetry: Cancel | null = null
  private waiting: PromiseWithResolvers<void> | null = null
  private whenClosed: (() => void) | null = null

  constructor(link: AgentLink, shared: SessionShared) {
    this.link = link
    this.shared = shared
  }

  get hasChannel(): boolean {
    return this.channel !== null
  }

  useCredentials(credentials: Credentials): void {
    this.link.useCredentials(credentials)
    this.shared.paths.enrolled(this.link.agent, credentials)
  }

  connect(): Promise<void> {
    if (this.link.up) return Promise.resolve()
    this.waiting = Promise.withResolvers()
    if (this.channel === null) this.open()
    return this.waiting.promise
  }

  send(frame: string): void {
    this.channel?.send(frame)
  }

  private open(): void {
    const { link, shared } = this
    this.cancelRetry = null
    this.endProbe()
    if (shared.isClosed() || link.credentials === null) return
    link.heardAtMs = shared.nowMs()
    const transport = shared.paths.transportOf(link.agent)
    link.useChannel(transport.cumulative)
    this.transport = transport
    this.channel = transport.open(link.credentials, link.seen, this.eventsOf(transport))
  }

  /** What a channel that was left for another still reports is ignored. */
  private eventsOf(transport: Transport): ChannelEvents {
    const { link, shared } = this
    const number = ++this.opens
    let opened = false
    const isCurrent = (): boolean => number === this.opens
    return {
      opened: () => {
        opened = true
        shared.counts.openSockets++
      },
      message: (frame) => {
        if (isCurrent()) link.receive(frame)
      },
      taken: (nonce) => {
        if (isCurrent()) link.taken(nonce)
      },
      refused: (nonce, code, retryAfterMs) => {
        if (isCurrent()) link.refusedFrame(nonce, code, retryAfterMs)
      },
      unanswered: (nonce) => {
        if (isCurrent()) link.unanswered(nonce)
      },
      closed: (reason, why) => {
        if (opened) shared.counts.openSockets--
        if (isCurrent()) this.onClose(transport, reason, why)
      },
    }
  }

  private onClose(transport: Transport, reason: string, why: CloseReason): void {
    const { link, shared } = this
    this.channel = null
    const lost = link.up
    link.down()
    this.whenClosed?.()
    if (shared.isClosed()) return
    if (lost) shared.handlers.onLost(link.agent, reason)
    if (why === 'unauthorised') return this.useNewSession(reason)
    shared.paths.failed(link.agent, transport, why, lost)
    // Enrolment says which path the agent has now.
    if (why === 'pathClosed') void this.renewThenRetry()
    else this.retryLater(reason)
  }

  private useNewSession(reason: string): void {
    const newer = this.shared.issued(this.link.agent)
    if (newer === undefined || newer === this.link.credentials) return void this.renewThenRetry()
    // It was connecting with the old token while all enrolled again.
    this.useCredentials(newer)
    this.retryLater(reason)
  }

  private async renewThenRetry(): Promise<void> {
    try {
      await this.shared.renew()
      this.retryLater('the session was refused')
    } catch (error) {
      this.retryLater(error instanceof Error ? error.message : String(error))
    }
  }

  /** A first connection that fails is the caller's to know; an established one is opened again until the client closes. */
  private retryLater(reason: string): void {
    const { shared, link } = this
    if (shared.isClosed() || this.cancelRetry !== null) return
    this.failures++
    if (this.waiting !== null && this.failures >= attemptsOfFirstConnect) {
      const failure = new LighthouseError(
        'ENGINE_UNREACHABLE',
        `Agent ${link.name} cannot open a session at ${shared.url}: ${reason}.`,
        { suggestions: ['Check that the engine is running and that it accepts this many connections (ulimit -n).'] },
      )
      this.waiting.reject(failure)
      this.waiting = null
      this.failures = 0
      return
    }
    const ceilingMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(this.failures, 10))
    this.cancelRetry = shared.scheduler.after(shared.random.uniform() * ceilingMs, () => this.open())
  }

  /** The server has said hello. */
  established(): void {
    this.failures = 0
    if (this.transport !== null) this.shared.paths.opened(this.link.agent, this.transport)
    if (this.waiting !== null) {
      this.waiting.resolve()
      this.waiting = null
    } else {
      this.shared.counts.reconnects++
      this.shared.handlers.onRestored(this.link.agent)
    }
  }

  /** The link cannot go on with this channel; `code` says why. */
  broken(code: string): void {
    if (this.channel === null) return
    // Another client speaks for this agent now; coming back would only take it away again, in turns. Unless it was a probe of our own, late.
    const isOther = this.shared.nowMs() - this.probedAtMs > ownProbeMs
    if (code === 'REPLACED' && isOther) this.cancelRetry = () => undefined
    this.channel.terminate()
  }

  /** To be called now and then: ends a channel that has died, and changes to another when that is due. */
  housekeep(nowMs: number): void {
    if (this.channel === null || this.transport === null) return
    // Also of one that was opened and never said hello.
    if (nowMs - this.link.heardAtMs > this.transport.deadAfterMs) return this.channel.terminate()
    if (!this.link.up) return
    const todo = this.shared.paths.review(this.link.agent, this.transport)
    if (todo === 'change') this.change()
    else if (todo === 'probe') this.tryPush()
  }

  private change(): void {
    const { channel } = this
    this.channel = null
    // From here on the old channel's reports are those of another.
    this.opens++
    this.link.down()
    channel?.close()
    this.open()
  }

  /** Push works when a server says hello over it: that a connection was taken says nothing of what is behind. */
  private tryPush(): void {
    const { link, shared } = this
    const transport = shared.paths.probed()
    if (this.probe !== null || transport === null || link.credentials === null) return
    const number = ++this.probes
    this.probedAtMs = shared.nowMs()
    const done = (works: boolean): void => {
      // Not from within `open`, before the channel is known; and once.
      shared.scheduler.after(0, () => {
        if (number !== this.probes || this.probe === null) return
        this.endProbe()
        if (works) shared.paths.opened(link.agent, transport)
        else shared.paths.failed(link.agent, transport, 'broken', false)
      })
    }
    const ignore = (): void => undefined
    const events = { opened: ignore, taken: ignore, refused: ignore, unanswered: ignore }
    this.probe = transport.open(link.credentials, link.seen, {
      ...events,
      message: (frame) => {
        if (frame.startsWith('hello ')) done(true)
      },
      closed: () => done(false),
    })
    this.cancelProbe = shared.scheduler.after(probeWithinMs, () => done(false))
  }

  private endProbe(): void {
    this.cancelProbe?.()
    this.cancelProbe = null
    this.probe?.terminate()
    this.probe = null
  }

  /** Resolves when the channel is closed, which is bounded by its own limits. */
  async close(): Promise<void> {
    this.cancelRetry?.()
    this.endProbe()
    this.waiting?.reject(new LighthouseError('ENGINE_UNREACHABLE', 'the client was closed while it was connecting'))
    this.waiting = null
    const { channel } = this
    if (channel === null) return
    const closed = Promise.withResolvers<void>()
    this.whenClosed = closed.resolve
    channel.close()
    await closed.promise
  }
}
