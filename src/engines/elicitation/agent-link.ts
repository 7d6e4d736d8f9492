/**
 * One agent's end of the wire: its connection, its nonces, its place in the inbox, and the legs it must not lose.
 *
 * A leg stays here from the moment it is asked for until it is acknowledged or refused; a new connection repeats what is
 * here. Sequences decide what is new to the application, so a redelivery never reaches it twice. The link knows
 * nothing of sockets or timers; what owns it passes frames both ways and decides when to connect.
 */
import type { Leg, Outcome, RefusalCode } from '../engine.ts'
import { refusalCodes } from '../engine.ts'
import type { Credentials } from './enrolment-client.ts'
import { signText } from './frame-mac.ts'
import { paths, type PathAdvice } from './machine-ports.ts'
import { ServerFrameReader } from './server-frame.ts'
import { agentNameOf } from './wire-ids.ts'

/** What a link reports and needs; implemented once per client. */
export interface LinkOwner {
  /** Monotonic. */
  nowMs(): number
  transmit(link: AgentLink, frame: string): void
  /** The server has said hello: the session is up. */
  established(link: AgentLink): void
  /** The connection cannot go on; `code` is the server's word, or why the link gave up. */
  broken(link: AgentLink, code: string): void
  acknowledged(exchange: number, leg: Leg): void
  refused(exchange: number, leg: Leg, code: RefusalCode, retryAfterMs: number): void
  question(link: AgentLink, id: string, from: string, body: string): void
  result(link: AgentLink, id: string, outcome: Outcome, body: string): void
  wireDuplicate(id: string, leg: Leg): void
  /** A leg was sent again. */
  repeated(): void
  /** A leg waits for its retry-after. */
  delayed(link: AgentLink): void
  /** The server says which path the agent is to take from now on. */
  advised(link: AgentLink, advice: PathAdvice): void
}

interface OpenLeg {
  readonly verb: 'ask' | 'answer' | 'cancel'
  readonly round: number
  readonly exchange: number
  readonly id: string
  /** '' unless it is an ask. */
  readonly to: string
  readonly body: string
  /** Monotonic; asks only. */
  readonly deadlineAtMs: number
  /** Among all that the agent has ever started, from 1. */
  readonly place: number
  /** 0 while it waits for a connection. */
  nonce: number
  attempts: number
  notBeforeMs: number
}

/** Legs of one agent that may be unacknowledged at once. */
export const maxOpenLegs = 8192
const cursorEvery = 64
const unansweredRetryMs = 50
const outcomes: readonly string[] = ['accept', 'decline', 'cancel', 'expired', 'withdrawn'] satisfies readonly Outcome[]

/** Shared by all links: a frame is read to its end before the next is loaded. */
const reader = new ServerFrameReader()

export class AgentLink {
  readonly agent: number
  readonly name: string
  readonly owner: LinkOwner
  /** One acknowledgement of the present channel covers all frames up to it; else each frame is answered by itself. */
  private cumulative: boolean
  credentials: Credentials | null = null
  heardAtMs = 0
  up = false
  /** Highest sequence processed, and the highest the server was told of. */
  seen = 0
  private told = 0
  private nonce = 0
  private log = ''
  /** Epoch and session as every envelope has them. */
  private speaker = ''
  private legs: OpenLeg[] = []
  private waiting: OpenLeg[] = []
  private started = 0

  constructor(agent: number, owner: LinkOwner, cumulative = true) {
    this.cumulative = cumulative
    this.agent = agent
    this.name = agentNameOf(agent)
    this.owner = owner
  }

  /** Another store knows nothing of what was seen; another epoch counts nonces anew. */
  useCredentials(credentials: Credentials): void {
    if (credentials.log !== this.log) this.seen = 0
    if (credentials.epoch !== this.credentials?.epoch || credentials.log !== this.log) {
      this.nonce = 0
      for (const leg of this.legs) leg.nonce = 0
    }
    this.log = credentials.log
    this.credentials = credentials
    this.speaker = ` ${credentials.epoch} ${credentials.session} `
  }

  /** False when too many legs are open already. */
  start(
    verb: OpenLeg['verb'],
    round: number,
    exchange: number,
    id: string,
    to: string,
    body: string,
    ttlMs: number,
  ): boolean {
    if (this.legs.length + this.waiting.length >= maxOpenLegs) return false
    const deadlineAtMs = verb === 'ask' ? this.owner.nowMs() + ttlMs : Infinity
    const place = ++this.started
    const leg = { verb, round, exchange, id, to, body, deadlineAtMs, place, nonce: 0, attempts: 0, notBeforeMs: 0 }
    this.legs.push(leg)
    if (this.up) this.transmit(leg)
    return true
  }

  private transmit(leg: OpenLeg): void {
    leg.attempts++
    let tail = leg.id
    if (leg.verb === 'ask') {
      tail += ` ${leg.to} ${Math.max(1, Math.ceil(leg.deadlineAtMs - this.owner.nowMs()))}`
    }
    if (leg.attempts > 1) this.owner.repeated()
    leg.nonce = this.say(leg.verb, tail, leg.body)
  }

  /** Signs and sends one frame and returns its nonce. */
  private say(verb: string, tail: string, body: string): number {
    const { credentials } = this
    if (credentials === null) return 0
    const nonce = ++this.nonce
    this.told = this.seen
    const envelope = verb + this.speaker + nonce + ' ' + this.seen
    const signed = `${envelope}${tail === '' ? '' : ' '}${tail}${body === '' ? '' : '\n'}${body}`
    this.owner.transmit(this, `${signText(credentials.key, signed)}\n${signed}`)
    return nonce
  }

  /** The link is about to be carried by another kind of channel. */
  useChannel(cumulative: boolean): void {
    this.cumulative = cumulative
  }

  /** A frame of the server on the present connection. */
  receive(text: string): void {
    this.heardAtMs = this.owner.nowMs()
    if (!reader.load(text)) return this.owner.broken(this, 'MALFORMED')
    const verb = reader.token()
    switch (verb) {
      case 'question':
      case 'result':
      case 'void':
        return this.entry(verb)
      case 'ack':
      case 'pong':
        return this.acknowledge(reader.count())
      case 'ping':
        return this.ping()
      case 'hello':
        return this.hello()
      case 'refused':
        return this.refusal()
      case 'mode':
        return this.mode()
      case 'bye': {
        const code = reader.token()
        return this.owner.broken(this, code === '' ? 'MALFORMED' : code)
      }
      default:
        return this.owner.broken(this, 'MALFORMED')
    }
  }

  private mode(): void {
    this.acknowledge(reader.count())
    const word = reader.token()
    const path = paths.find((known) => known === word)
    const withinMs = reader.count()
    const fallback = reader.count()
    if (path === undefined || withinMs < 0 || fallback < 0) return this.owner.broken(this, 'MALFORMED')
    this.owner.advised(this, { path, withinMs, fallback: fallback === 1 })
  }

  /** An entry that was sent before the ping and did not come is noticed now, not when the next one comes. */
  private ping(): void {
    const ackNonce = reader.count()
    const pushed = reader.count()
    this.acknowledge(ackNonce)
    if (pushed > this.seen) return this.owner.broken(this, 'SEQUENCE_GAP')
    this.say('pong', '', '')
  }

  private hello(): void {
    for (let skipped = 0; skipped < 3; skipped++) reader.token()
    const nonceFloor = reader.count()
    const cursorFloor = reader.count()
    const head = reader.count()
    if (nonceFloor < 0 || cursorFloor < 0 || head < 0) return this.owner.broken(this, 'MALFORMED')
    // The store lost its end, as by a power failure: what comes after it has numbers that were seen before, and is new all the same.
    if (head < this.seen) this.seen = head
    // Frames in order on one connection: the server misses none when each is one above the last, from its floor on. POSTs of
    // the last connection may still be under way, so theirs only grow.
    this.nonce = this.cumulative ? nonceFloor : Math.max(this.nonce, nonceFloor)
    // Entries below the floor are gone for good; RESUME_GAP says so when this agent had not seen them.
    this.seen = Math.max(this.seen, cursorFloor)
    this.up = true
    // An acknowledgement speaks of this connection only: the refusal of a frame sent on the last one may have been lost with
    // it. Everything open is repeated, under nonces above all that were used, in the order in which it was started: what waited
    // to be tried again would else be overtaken.
    const open = [...this.legs, ...this.waiting].sort((one, other) => one.place - other.place)
    this.legs = []
    this.waiting = []
    for (const leg of open) this.repeat(leg)
    this.owner.established(this)
  }

  private repeat(leg: OpenLeg): void {
    if (leg.deadlineAtMs <= this.owner.nowMs()) return
    this.legs.push(leg)
    this.transmit(leg)
  }

  private entry(verb: 'question' | 'result' | 'void'): void {
    const ackNonce = reader.count()
    const sequence = reader.count()
    const id = reader.token()
    const detail = reader.token()
    const body = reader.body()
    if (sequence < 1 || id === '') return this.owner.broken(this, 'MALFORMED')
    this.acknowledge(ackNonce)
    if (verb === 'result') this.dropAsk(id)
    if (sequence <= this.seen) {
      if (verb !== 'void') this.owner.wireDuplicate(id, verb === 'question' ? 'ask' : 'answer')
      return
    }
    if (sequence !== this.seen + 1) return this.owner.broken(this, 'SEQUENCE_GAP')
    this.seen = sequence
    if (verb === 'question') this.owner.question(this, id, detail, body)
    else if (verb === 'result') {
      if (!isOutcome(detail)) return this.owner.broken(this, 'MALFORMED')
      this.owner.result(this, id, detail, body)
    }
    if (this.up && this.seen - this.told >= cursorEvery) this.say('cursor', '', '')
  }

  /** A result proves that its ask arrived, even if the acknowledgement of a repetition is still on its way. */
  private dropAsk(id: string): void {
    const { legs } = this
    for (let index = 0; index < legs.length; index++) {
      const leg = legs[index]
      if (leg === undefined || leg.verb !== 'ask' || leg.id !== id) continue
      legs.splice(index, 1)
      return this.report(leg)
    }
  }

  /** The frame with this nonce is committed; it says nothing about others. */
  taken(nonce: number): void {
    const leg = this.take(nonce)
    if (leg !== null) this.report(leg)
  }

  /** Nobody knows what became of the frame with this nonce. */
  unanswered(nonce: number): void {
    const leg = this.take(nonce)
    if (leg !== null) this.delay(leg, unansweredRetryMs)
  }

  private take(nonce: number): OpenLeg | null {
    const index = nonce < 1 ? -1 : this.legs.findIndex((leg) => leg.nonce === nonce)
    return index < 0 ? null : (this.legs.splice(index, 1)[0] ?? null)
  }

  private delay(leg: OpenLeg, waitMs: number): void {
    leg.notBeforeMs = this.owner.nowMs() + waitMs
    this.waiting.push(leg)
    this.owner.delayed(this)
  }

  private acknowledge(upTo: number): void {
    while (this.cumulative && this.legs.length > 0) {
      const leg = this.legs[0]
      if (leg === undefined || leg.nonce === 0 || leg.nonce > upTo) return
      this.legs.shift()
      this.report(leg)
    }
  }

  private report(leg: OpenLeg): void {
    if (leg.verb !== 'cancel') this.owner.acknowledged(leg.exchange, leg.verb)
  }

  private refusal(): void {
    const nonce = reader.count()
    reader.token()
    const name = reader.token()
    const code = refusalCodes.find((known) => known === name)
    const retryAfterMs = reader.count()
    if (nonce < 0 || code === undefined || retryAfterMs < 0) return this.owner.broken(this, 'MALFORMED')
    this.refusedFrame(nonce, code, retryAfterMs)
  }

  refusedFrame(nonce: number, code: RefusalCode, retryAfterMs: number): void {
    const leg = this.take(nonce)
    if (leg === null) return
    // The first attempt may have been taken: only a code that speaks of the exchange itself is definitive now.
    if (leg.attempts > 1 && (code === 'RATE_LIMIT_EXCEEDED' || code === 'OVERLOADED')) {
      this.delay(leg, Math.max(retryAfterMs, 10))
    } else if (leg.verb !== 'cancel') this.owner.refused(leg.exchange, leg.verb, code, retryAfterMs)
  }

  /** Sends legs whose retry-after has passed; true while some still wait. */
  retryDue(nowMs: number): boolean {
    if (!this.up) return this.waiting.length > 0
    const waiting = this.waiting
    this.waiting = []
    for (const leg of waiting) {
      if (leg.notBeforeMs > nowMs) this.waiting.push(leg)
      else this.repeat(leg)
    }
    return this.waiting.length > 0
  }

  /** The connection is gone: nothing sent on it counts until the server says so on the next. */
  down(): void {
    this.up = false
  }

  /** Forgets legs of rounds before `round`; their exchange numbers mean something else now. */
  dropBefore(round: number): void {
    const isCurrent = (leg: OpenLeg): boolean => leg.round >= round
    this.legs = this.legs.filter(isCurrent)
    this.waiting = this.waiting.filter(isCurrent)
  }
}

function isOutcome(text: string): text is Outcome {
  return outcomes.includes(text)
}
