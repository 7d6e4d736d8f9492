/**
 * The protocol as a state machine without I/O: frames and time go in, rows and frames come out through a sink.
 *
 * This file holds the order in which a frame is checked (docs/wire-protocol.md §3) and the state of connections; what an
 * exchange goes through is lifecycle.ts, what is said to agents outgoing.ts. A frame costs no promise and no closure.
 */
import { timingSafeEqual } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import type { Clock } from '../../platform/clock.ts'
import type { RefusalCode } from '../engine.ts'
import { emptyAdmitted, fill, type AdmittedFrame, type FrameToAdmit, type UnsignedRequest } from './admitted-frame.ts'
import { AgentTable } from './agents.ts'
import type { DeliveryObserver } from './deliveries.ts'
import { decodeClientFrame, emptyClientFrame, macLength, maxFrameBytes, type ClientFrame } from './frame-codec.ts'
import { signBytes, type FrameMac } from './frame-mac.ts'
import type { HeapRoom } from './heap-room.ts'
import { Lifecycle } from './lifecycle.ts'
import type { ByeCode, MachineLimits, MachineSink, NonceStore, PathAdvice } from './machine-ports.ts'
import { Outgoing } from './outgoing.ts'
import type { SessionAuthority } from './sessions.ts'
import type { Stages } from './stages.ts'
import { TokenBuckets } from './token-bucket.ts'
import { ValidationQueue } from './validation-queue.ts'
import { ViolationLog } from './violation-log.ts'

/** Codes of the checks 1–4: the frame cannot be attributed, so the connection that carried it ends. */
export type FatalCode = 'MALFORMED' | 'INVALID_SESSION' | 'INVALID_SIGNATURE' | 'REPLAY_ATTACK' | 'NONCE_GAP'

export interface MachineParts {
  readonly authority: SessionAuthority
  readonly nonces: NonceStore
  readonly sink: MachineSink
  readonly clock: Clock
  readonly stages: Stages
  readonly limits: MachineLimits
  /** Identifies the store to clients; characters of an envelope token. */
  readonly log: string
  /** `pipelined` validation: runs bodies of several frames together, once their turn of the event loop was read. null: inline. */
  readonly soon: ((run: () => void) => void) | null
  /** Asks are refused while it is short; without one the heap is not looked at. */
  readonly heap?: Pick<HeapRoom, 'isShort'>
  /** Hears of each delivery; without one nobody measures them. */
  readonly deliveries?: DeliveryObserver
}

/** Heartbeats look at every agent once in so many ticks. */
const heartbeatSlices = 40

export class ElicitationMachine {
  readonly agents: AgentTable
  readonly lifecycle: Lifecycle
  readonly violations = new ViolationLog(256)
  private readonly parts: MachineParts
  private readonly outgoing: Outgoing
  private readonly buckets: TokenBuckets
  private readonly queue: ValidationQueue | null
  private readonly frame = emptyClientFrame()
  private readonly admitted = emptyAdmitted()
  private readonly scratch = new Uint8Array(macLength)
  private readonly refusalCounts = new Map<RefusalCode, number>()
  private slice = 0

  constructor(parts: MachineParts) {
    const { limits, sink, clock, stages, nonces } = parts
    this.parts = parts
    this.agents = new AgentTable(limits.maxAgents)
    const deliveries = parts.deliveries ?? null
    this.outgoing = new Outgoing(this.agents, sink, limits, deliveries)
    this.buckets = new TokenBuckets(limits.maxAgents, limits.ratePerSecond, limits.burst)
    const floorOf = (agent: number): number => nonces.floor(agent)
    const { agents, outgoing } = this
    const heap = parts.heap ?? null
    this.lifecycle = new Lifecycle({ agents, outgoing, sink, clock, stages, limits, floorOf, heap, deliveries })
    const { soon } = parts
    this.queue = soon === null ? null : new ValidationQueue(limits.maxPendingRows, soon, this.runQueued.bind(this))
  }

  /** A connection of a verified session. `cursor` −1: everything unacknowledged. Replaces the agent's older connection. */
  attach(agent: number, session: string, key: FrameMac, expiresAtMs: number, cursor: number): void {
    const nowMs = this.parts.clock.nowNs() / 1e6
    const inbox = this.agents.inboxOf(agent)
    const gap = cursor >= 0 && (cursor < inbox.floor || cursor > inbox.head)
    if (cursor >= 0 && !gap) this.agents.acknowledgeInbox(agent, cursor)
    this.agents.connected[agent] = 1
    this.agents.sessions[agent] = session
    this.agents.keys[agent] = key
    this.agents.expiresAtMs[agent] = expiresAtMs
    this.agents.heardAtMs[agent] = nowMs
    this.agents.pushed[agent] = inbox.floor
    this.outgoing.forget(agent)
    const { limits, authority, log, nonces } = this.parts
    const rest = `${nonces.floor(agent)} ${inbox.floor} ${inbox.head} ${maxFrameBytes} ${limits.ratePerSecond} ${limits.burst}`
    this.outgoing.hello(agent, ` ${authority.epoch} ${log} ${rest}`, nowMs)
    if (gap) this.refuse(agent, 0, '-', 'RESUME_GAP', 0)
    this.outgoing.pump(agent, inbox, nowMs)
  }

  /** The agent's connection is gone. What it has not acknowledged waits in its inbox. */
  detach(agent: number): void {
    this.agents.connected[agent] = 0
    this.agents.keys[agent] = undefined
    this.outgoing.forget(agent)
  }

  /** One message of the agent's present connection: signature line and frame. */
  receive(agent: number, message: Buffer): void {
    const key = this.agents.keys[agent]
    if (key === undefined || this.agents.connected[agent] !== 1) return
    let fatal: FatalCode | null = 'INVALID_SIGNATURE'
    if (message.length > maxFrameBytes) fatal = 'MALFORMED'
    else if (message.length > macLength && message[macLength] === 10) {
      const session = this.agents.sessions[agent] ?? ''
      fatal = this.take(agent, session, key, message.subarray(0, macLength), message.subarray(macLength + 1), true)
    }
    if (fatal === null) return
    this.count(fatal, agent, '-')
    this.parts.sink.refuse(agent, 0, '-', fatal, 0)
    this.drop(agent, fatal)
  }

  /** A signed frame by POST: the caller verified the bearer token and answers the request with what is returned. */
  receivePosted(agent: number, session: string, key: FrameMac, mac: Buffer, signed: Buffer): FatalCode | null {
    const fatal = mac.length === macLength ? this.take(agent, session, key, mac, signed, false) : 'INVALID_SIGNATURE'
    if (fatal !== null) this.count(fatal, agent, '-')
    return fatal
  }

  /**
   * A request whose sender was made sure of by other means than a signed frame; its grammar was checked. `ticket`, a negative number, takes the
   * place of the nonce: the sink is told by it what became of the request, and no acknowledgement of a connection covers it.
   */
  receiveUnsigned(agent: number, verb: 'ask' | 'answer' | 'cancel', request: UnsignedRequest, ticket: number): void {
    const receivedAtNs = this.parts.clock.nowNs()
    const waitMs = this.buckets.take(agent, receivedAtNs)
    if (waitMs > 0) return this.refuseTaken(agent, ticket, request.id, 'RATE_LIMIT_EXCEEDED', waitMs)
    const frame = { ...request, nonce: ticket, cursor: this.agents.inboxOf(agent).floor }
    this.admit(agent, verb, frame, receivedAtNs, this.parts.stages.sampleFrame())
  }

  /** One token of the agent's rate limit, for what is no frame: 0, or the milliseconds until there is one. */
  spend(agent: number): number {
    return this.buckets.take(agent, this.parts.clock.nowNs())
  }

  /** Checks 2–4, then the rest. `inOrder`: the frame follows all others of its connection, whose acknowledgements are cumulative. */
  private take(
    agent: number,
    session: string,
    key: FrameMac,
    mac: Buffer,
    signed: Buffer,
    inOrder: boolean,
  ): FatalCode | null {
    const { clock, stages, nonces } = this.parts
    const receivedAtNs = clock.nowNs()
    const sampled = stages.sampleFrame()
    const genuine = this.isGenuine(key, mac, signed)
    let markNs = 0
    if (sampled) {
      markNs = clock.nowNs()
      stages.verify.record(markNs - receivedAtNs)
    }
    if (!genuine) return this.isRecording(agent, mac, signed) ? 'REPLAY_ATTACK' : 'INVALID_SIGNATURE'
    const frame = this.frame
    if (!isUtf8(signed) || !decodeClientFrame(signed, frame)) return 'MALFORMED'
    if (frame.epoch !== this.parts.authority.epoch || frame.session !== session) return 'INVALID_SESSION'
    if (sampled) markNs = clock.nowNs()
    // A frame went missing on the way: acknowledging this one would acknowledge that one too.
    if (inOrder && frame.nonce > nonces.floor(agent) + 1) return 'NONCE_GAP'
    if (!nonces.use(agent, frame.nonce)) return 'REPLAY_ATTACK'
    if (sampled) {
      const doneNs = clock.nowNs()
      stages.nonce.record(doneNs - markNs)
      markNs = doneNs
    }
    this.agents.heardAtMs[agent] = receivedAtNs / 1e6
    this.agents.acknowledgeInbox(agent, frame.cursor)
    const waitMs = this.buckets.take(agent, receivedAtNs)
    if (sampled) stages.rateLimit.record(clock.nowNs() - markNs)
    if (waitMs > 0) this.refuseTaken(agent, frame.nonce, frame.id, 'RATE_LIMIT_EXCEEDED', waitMs)
    else this.dispatch(agent, frame, receivedAtNs, sampled)
    return null
  }

  /** Compares text, not decoded bytes: base64url decoders accept several spellings of one value. */
  private isGenuine(key: FrameMac, mac: Buffer, signed: Buffer): boolean {
    const expected = signBytes(key, signed)
    for (let index = 0; index < macLength; index++) this.scratch[index] = expected.charCodeAt(index)
    return timingSafeEqual(mac, this.scratch)
  }

  /** Whether this agent itself signed the frame in another session or an earlier epoch. Judged anew every time. */
  private isRecording(agent: number, mac: Buffer, signed: Buffer): boolean {
    const { authority } = this.parts
    const claimed = emptyClientFrame()
    if (!isUtf8(signed) || !decodeClientFrame(signed, claimed)) return false
    if (claimed.epoch > authority.epoch) return false
    const key = authority.sessionKey(this.agents.nameOf(agent), claimed.session, claimed.epoch)
    return timingSafeEqual(Buffer.from(signBytes(key, signed)), mac)
  }

  private dispatch(agent: number, frame: ClientFrame, receivedAtNs: number, sampled: boolean): void {
    switch (frame.verb) {
      case 'ask':
      case 'answer':
      case 'cancel':
        this.admit(agent, frame.verb, frame, receivedAtNs, sampled)
        return
      case 'ping':
        this.lifecycle.advance(agent, 0)
        this.outgoing.pong(agent, receivedAtNs / 1e6)
        break
      case 'pong':
      case 'cursor':
        this.lifecycle.advance(agent, 0)
        break
    }
    this.parts.sink.settled(agent, frame.nonce)
  }

  private admit(
    agent: number,
    verb: 'ask' | 'answer' | 'cancel',
    frame: FrameToAdmit,
    receivedAtNs: number,
    sampled: boolean,
  ): void {
    if (this.queue === null) this.act(agent, verb, fill(this.admitted, frame, receivedAtNs), sampled)
    else this.enqueue(agent, verb, frame, receivedAtNs, sampled)
  }

  private act(agent: number, verb: 'ask' | 'answer' | 'cancel', frame: AdmittedFrame, sampled: boolean): void {
    frame.bodyStageAtNs = sampled ? this.parts.clock.nowNs() : 0
    const { lifecycle } = this
    // Not lifecycle[verb]: a keyed call is looked up anew for every frame.
    const refusal =
      verb === 'ask'
        ? lifecycle.ask(agent, frame)
        : verb === 'answer'
          ? lifecycle.answer(agent, frame)
          : lifecycle.cancel(agent, frame)
    if (refusal === null) return
    this.refuseTaken(
      agent,
      frame.nonce,
      frame.id,
      refusal,
      refusal === 'OVERLOADED' ? this.parts.limits.retryAfterMs : 0,
    )
  }

  private enqueue(
    agent: number,
    verb: 'ask' | 'answer' | 'cancel',
    frame: FrameToAdmit,
    receivedAtNs: number,
    sampled: boolean,
  ): void {
    const waiting = { agent, verb, sampled, admitted: fill(emptyAdmitted(), frame, receivedAtNs) }
    if (this.queue?.add(waiting) !== true) {
      this.refuseTaken(agent, frame.nonce, frame.id, 'OVERLOADED', this.parts.limits.retryAfterMs)
      return
    }
    // Until its body is judged, the frame must not be acknowledged by another one's commit.
    this.agents.add(this.agents.unsettled, agent, 1)
  }

  private runQueued(agent: number, verb: 'ask' | 'answer' | 'cancel', frame: AdmittedFrame, sampled: boolean): void {
    this.agents.add(this.agents.unsettled, agent, -1)
    this.act(agent, verb, frame, sampled)
  }

  /** Refuses a frame whose nonce is used; from then on acknowledgements may cover it. */
  private refuseTaken(agent: number, nonce: number, id: string, code: RefusalCode, retryAfterMs: number): void {
    this.refuse(agent, nonce, id === '' ? '-' : id, code, retryAfterMs)
    this.lifecycle.advance(agent, 0)
  }

  private refuse(agent: number, nonce: number, id: string, code: RefusalCode, retryAfterMs: number): void {
    this.count(code, agent, id)
    this.outgoing.refuse(agent, nonce, id, code, retryAfterMs)
  }

  /** Counts a refusal, also those decided before a frame is known (token, upgrade). `agent` −1: nobody known. */
  count(code: RefusalCode, agent: number, id: string): void {
    this.refusalCounts.set(code, (this.refusalCounts.get(code) ?? 0) + 1)
    this.violations.add({ atMs: this.parts.clock.wallMs(), agent, id, code })
  }

  /** Tells an agent which path it is assigned, if it is connected. */
  advise(agent: number, advice: PathAdvice): void {
    if (this.agents.connected[agent] === 1) this.outgoing.mode(agent, advice, this.parts.clock.nowNs() / 1e6)
  }

  /** Ends the agent's connection and says why. */
  drop(agent: number, code: ByeCode): void {
    if (this.agents.connected[agent] !== 1) return
    this.detach(agent)
    this.parts.sink.disconnect(agent, code)
  }

  /** The store has committed tickets `from` … `to`. */
  committed(from: number, to: number): void {
    this.lifecycle.committed(from, to)
  }

  /** The store has stored none of the tickets `from` … `to`. */
  failed(from: number, to: number): void {
    this.refusalCounts.set('OVERLOADED', (this.refusalCounts.get('OVERLOADED') ?? 0) + to - from + 1)
    this.lifecycle.failed(from, to)
  }

  /** To be called every `tickMs`: deadlines, owed acknowledgements, heartbeats. */
  tick(): void {
    const nowMs = this.parts.clock.nowNs() / 1e6
    this.lifecycle.expireUpTo(nowMs)
    this.outgoing.tick(nowMs)
    this.slice = (this.slice + 1) % heartbeatSlices
    const wallMs = this.parts.clock.wallMs()
    for (let agent = this.slice; agent < this.agents.count; agent += heartbeatSlices) this.checkOn(agent, nowMs, wallMs)
  }

  private checkOn(agent: number, nowMs: number, wallMs: number): void {
    if (this.agents.connected[agent] !== 1) return
    const { pingAfterMs, deadAfterMs } = this.parts.limits
    const silentMs = nowMs - (this.agents.heardAtMs[agent] ?? 0)
    if (silentMs > deadAfterMs) this.drop(agent, 'UNRESPONSIVE')
    else if ((this.agents.expiresAtMs[agent] ?? 0) <= wallMs) this.drop(agent, 'INVALID_SESSION')
    else if (silentMs >= pingAfterMs || nowMs - (this.agents.sentAtMs[agent] ?? 0) >= pingAfterMs) {
      this.outgoing.ping(agent, nowMs)
    }
  }

  refusals(): Partial<Record<RefusalCode, number>> {
    return Object.fromEntries(this.refusalCounts)
  }

  resetCounts(): void {
    this.refusalCounts.clear()
    this.parts.stages.reset()
  }

  /** Judges what `pipelined` validation has put off, before the store is closed. */
  flush(): void {
    this.queue?.run()
  }
}
