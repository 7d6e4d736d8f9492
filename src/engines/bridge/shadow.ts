/**
 * The shadow of the old path: a copy of each exchange between agents that poll goes over push as well, between stand-ins, and what becomes of the two is compared. No
 * agent sees anything of a copy, and no copy answers anybody: the stand-in of a recipient says what the recipient said, once it has said it.
 *
 * Everything is bounded. An exchange that finds no room has no copy and is counted; after so many copies the new path is opened anew, since its store is
 * memory, and copies that are under way then are given up and counted.
 */
import type { ShadowDrop, ShadowReport } from '../../measurement/shadow-document.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import { answerActions, type AnswerAction, type Outcome } from '../engine.ts'
import type { StoredEvent } from '../event-store/event-store.ts'
import { parseJsonObject } from '../elicitation/schema.ts'
import type { PostedRequest } from './old-path-events.ts'
import { digestOf, noDrops, ShadowComparer, type ComparedPair } from './shadow-comparer.ts'
import { openShadowLink, type OpenShadowLink, type ShadowLink } from './shadow-link.ts'

export interface ShadowOptions {
  /** Of exchanges, 0 … 1. */
  readonly share: number
  readonly slaMs: number
}

export interface ShadowParts extends ShadowOptions {
  readonly clock: Clock
  readonly random: Random
  /** Connected by push: not an agent of the old path now. */
  readonly isPushed: (agent: string) => boolean
  readonly open?: OpenShadowLink
}

const mostOpen = 1000
const copiesPerLink = 65_536
/** A result may be fetched, and a copy may end, so long after the deadline. */
const graceMs = 2000
const sweepMs = 200
const longestReason = 2000

interface Pair extends ComparedPair {
  readonly copy: number
  readonly requester: string
  readonly recipient: string
  readonly askedAtNs: number
  readonly copiedAtNs: number
  readonly endsMs: number
  /** What the recipient said, until its stand-in has said it. */
  answer: { readonly action: AnswerAction; readonly body: string } | null
  answeredAtNs: number
  copyAnsweredAtNs: number
}

interface Waiting {
  readonly posted: PostedRequest
  readonly sender: string
  readonly atNs: number
}

export class Shadow {
  private readonly parts: ShadowParts
  private readonly comparer: ShadowComparer
  private readonly waiting = new Map<number, Waiting>()
  private readonly pairs = new Map<string, Pair>()
  private byCopy = new Map<number, Pair>()
  private readonly dropped: Record<ShadowDrop, number> = { ...noDrops }
  private link: ShadowLink | null = null
  private opening: Promise<void>
  private state: ShadowReport['state'] = 'starting'
  private reason = ''
  private lastCopy = 0
  private copies = 0
  private nextSweepMs = 0

  constructor(parts: ShadowParts) {
    this.parts = parts
    this.comparer = new ShadowComparer(parts.slaMs)
    this.opening = this.openLink()
  }

  private async openLink(): Promise<void> {
    const byCopy = new Map<number, Pair>()
    this.byCopy = byCopy
    this.lastCopy = 0
    // What an earlier link still reports finds its own copies, which were given up.
    const of = (copy: number): Pair | undefined => (this.byCopy === byCopy ? byCopy.get(copy) : undefined)
    try {
      this.link = await (this.parts.open ?? openShadowLink)({
        question: (copy, body) => this.copyArrived(of(copy), body),
        result: (copy, outcome, body) => this.copyEnded(of(copy), outcome, body),
        refused: (copy) => this.copyRefused(of(copy)),
      })
      this.state = 'on'
    } catch (error) {
      this.state = 'failed'
      this.reason = (error instanceof Error ? error.message : String(error)).slice(0, longestReason)
    }
  }

  private async renew(): Promise<void> {
    const { link } = this
    this.link = null
    this.state = 'starting'
    this.dropped.renewed += this.pairs.size
    this.pairs.clear()
    await link?.close()
    await this.openLink()
  }

  /** A request of the old path, before the machine has it. */
  posted(ticket: number, sender: string, posted: PostedRequest): void {
    const { id, to } = posted.request
    const { isPushed, random, share, clock } = this.parts
    if (posted.verb !== 'ask') {
      if (!this.pairs.has(id)) return
    } else if (to === sender || isPushed(sender) || isPushed(to) || random.uniform() >= share) return
    this.waiting.set(ticket, { posted, sender, atNs: clock.nowNs() })
  }

  refused(ticket: number): void {
    this.waiting.delete(ticket)
  }

  /** The machine took it. */
  settled(ticket: number): void {
    const taken = this.waiting.get(ticket)
    if (taken === undefined) return
    this.waiting.delete(ticket)
    const { verb, request } = taken.posted
    if (verb === 'ask') return this.begin(taken)
    const pair = this.pairs.get(request.id)
    if (pair === undefined) return
    if (verb === 'cancel') this.link?.cancel(pair.copy)
    else if (pair.answer === null) {
      pair.answeredAtNs = taken.atNs
      this.answerCopy(pair, String(parseJsonObject(request.body)?.['action']), request.body)
    }
  }

  private begin({ posted: { request }, sender, atNs }: Waiting): void {
    const { id, to, body, ttlMs } = request
    // The same ask, sent again.
    if (this.pairs.has(id)) return
    if (this.link === null) return void this.dropped.notReady++
    if (this.pairs.size >= mostOpen) return void this.dropped.full++
    const nowNs = this.parts.clock.nowNs()
    const pair: Pair = {
      id,
      copy: this.lastCopy++,
      requester: sender,
      recipient: to,
      askedAtNs: atNs,
      copiedAtNs: nowNs,
      endsMs: nowNs / 1e6 + ttlMs + graceMs,
      old: { question: null, result: null },
      new: { question: null, result: null },
      refused: false,
      answer: null,
      answeredAtNs: 0,
      copyAnsweredAtNs: 0,
    }
    this.copies++
    this.pairs.set(id, pair)
    this.byCopy.set(pair.copy, pair)
    this.link.ask(pair.copy, body, ttlMs)
  }

  private tookMs(sinceNs: number): number | null {
    return sinceNs === 0 ? null : (this.parts.clock.nowNs() - sinceNs) / 1e6
  }

  private answerCopy(pair: Pair, word: string, body: string): void {
    const action = answerActions.find((each) => each === word)
    if (action === undefined) return
    pair.answer = { action, body }
    this.sayIfAsked(pair)
  }

  private sayIfAsked(pair: Pair): void {
    if (pair.answer === null || pair.new.question === null || pair.copyAnsweredAtNs !== 0) return
    pair.copyAnsweredAtNs = this.parts.clock.nowNs()
    this.link?.answer(pair.copy, pair.answer.action, pair.answer.body)
  }

  private copyArrived(pair: Pair | undefined, body: string): void {
    if (pair === undefined || pair.new.question !== null) return
    pair.new.question = { digest: digestOf(body), tookMs: this.tookMs(pair.copiedAtNs) }
    this.sayIfAsked(pair)
  }

  private copyEnded(pair: Pair | undefined, outcome: Outcome, body: string): void {
    if (pair === undefined || pair.new.result !== null) return
    pair.new.result = { outcome, digest: digestOf(body), tookMs: this.tookMs(pair.copyAnsweredAtNs) }
    this.endIfWhole(pair)
  }

  private copyRefused(pair: Pair | undefined): void {
    if (pair !== undefined) pair.refused = true
  }

  /** An event that is about to be read on the old path; a redelivery changes nothing. */
  handed({ agent, exchange, body }: StoredEvent): void {
    const pair = this.pairs.get(exchange)
    if (pair === undefined || typeof body !== 'string') return
    const data = parseJsonObject(body)
    const said = typeof data?.['body'] === 'string' ? data['body'] : ''
    if (agent === pair.recipient) {
      // A question that ended before it was read is no question any more.
      if (data?.['timeout_seconds'] !== undefined)
        pair.old.question ??= { digest: digestOf(said), tookMs: this.tookMs(pair.askedAtNs) }
      return
    }
    if (agent !== pair.requester || pair.old.result !== null) return
    const outcome = String(data?.['response_type'] ?? data?.['reason'])
    pair.old.result = { outcome, digest: digestOf(said), tookMs: this.tookMs(pair.answeredAtNs) }
    // Answered by push: what was said is known only now.
    if (pair.answer === null) this.answerCopy(pair, outcome, said)
    this.endIfWhole(pair)
  }

  private endIfWhole(pair: Pair): void {
    if (pair.old.result !== null && pair.new.result !== null) this.end(pair)
  }

  private end(pair: Pair): void {
    if (!this.pairs.delete(pair.id)) return
    this.byCopy.delete(pair.copy)
    this.comparer.compare(pair)
  }

  /** Ends what has had its time. */
  tick(): void {
    const nowMs = this.parts.clock.nowNs() / 1e6
    if (nowMs < this.nextSweepMs) return
    this.nextSweepMs = nowMs + sweepMs
    for (const pair of this.pairs.values()) {
      if (pair.endsMs > nowMs) continue
      const { isPushed } = this.parts
      const unseen = pair.old.question === null || pair.old.result === null
      if (unseen && (isPushed(pair.recipient) || isPushed(pair.requester))) {
        this.pairs.delete(pair.id)
        this.byCopy.delete(pair.copy)
        this.dropped.moved++
      } else this.end(pair)
    }
    if (this.link !== null && this.lastCopy >= copiesPerLink) this.opening = this.renew()
  }

  report(): ShadowReport {
    const { state, reason, copies, dropped } = this
    const { share } = this.parts
    return { state, reason, share, copies, open: this.pairs.size, dropped, ...this.comparer.report() }
  }

  async close(): Promise<void> {
    await this.opening
    const { link } = this
    this.link = null
    await link?.close()
    this.comparer.destroy()
  }
}
