/**
 * How asks and answers leave a polling client: a fixed number of connections ("lanes"), each with one request
 * under way and a queue behind it. An agent always uses the same lane, and a post that must be tried again
 * holds its lane, so what one agent sends to another is stored in the order it was sent.
 *
 * A failed connection leaves it open whether the event was stored: the post is sent again with the same id, a bounded
 * number of times and not beyond its deadline. The server cannot tell a repeat (it never could), so it may deliver
 * twice; the receiving client recognises that. What is never answered stays indeterminate: nobody is told.
 */
import { Client, type Dispatcher } from 'undici'
import type { Clock, Scheduler } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import { type RefusalCode, refusalCodes } from '../engine.ts'
import { backoffMs } from './backoff.ts'

export type PostKind = 'ask' | 'answer' | 'cancel'

export interface PostEvents {
  onStored(exchange: number, kind: PostKind): void
  onRefused(exchange: number, kind: PostKind, code: RefusalCode, retryAfterMs: number): void
}

export interface PostLanesInputs {
  readonly url: string
  readonly connect: { readonly ca?: string }
  readonly lanes: number
  readonly maxQueued: number
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly events: PostEvents
  /** The `authorization` header of an agent as it is now. */
  readonly authorization: (agent: number) => string
  /** Enrols again after the server forgot its sessions; rejects when it cannot be reached. */
  readonly enrolAgain: (agent: number, refused: string) => Promise<void>
}

const maxAttempts = 10
const backoffCapMs = 2000
const answerWithinMs = 10_000
const maxAnswerBytes = 64 * 1024

/** A post, and the handler of its own response. */
class Post implements Dispatcher.DispatchHandler {
  readonly agent: number
  readonly exchange: number
  readonly kind: PostKind
  readonly payload: string
  readonly giveUpNs: number
  attempts = 0
  /** As sent with the last attempt. */
  authorization = ''
  #status = 0
  #text = ''
  #lane: Lane | null = null

  constructor(agent: number, exchange: number, kind: PostKind, payload: string, giveUpNs: number) {
    this.agent = agent
    this.exchange = exchange
    this.kind = kind
    this.payload = payload
    this.giveUpNs = giveUpNs
  }

  sendOn(lane: Lane, authorization: string): this {
    this.authorization = authorization
    this.#lane = lane
    this.#status = 0
    this.#text = ''
    this.attempts++
    return this
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // What a success says is not needed; a refusal is short.
    if (this.#status < 300) return
    this.#text += chunk.toString('latin1')
    if (this.#text.length > maxAnswerBytes) controller.abort(new Error('The answer is too long.'))
  }

  onResponseEnd(): void {
    this.#lane?.answered(this, this.#status, this.#text)
  }

  onResponseError(): void {
    this.#lane?.failed(this)
  }
}

class Lane {
  readonly #client: Client
  readonly #inputs: PostLanesInputs
  readonly #shared: SharedCounts
  readonly #round: () => number
  /** Posts not sent yet, from `#head`, each with the round it belongs to. */
  #queue: Post[] = []
  #rounds: number[] = []
  #head = 0
  #currentRound = -1
  #busy = false

  constructor(inputs: PostLanesInputs, shared: SharedCounts, round: () => number) {
    this.#inputs = inputs
    this.#shared = shared
    this.#round = round
    this.#client = new Client(inputs.url, {
      pipelining: 1,
      connect: inputs.connect,
      allowH2: false,
      headersTimeout: answerWithinMs,
      bodyTimeout: answerWithinMs,
    })
    this.#client.on('connect', () => shared.open++)
    this.#client.on('disconnect', () => shared.open--)
  }

  add(post: Post): void {
    this.#queue.push(post)
    this.#rounds.push(this.#round())
    this.#next()
  }

  destroy(): Promise<void> {
    this.#busy = true
    this.#shared.waiting -= this.#queue.length - this.#head
    this.#queue = []
    this.#head = 0
    return this.#client.destroy()
  }

  answered(post: Post, status: number, text: string): void {
    if (status === 401 && post.attempts < maxAttempts) {
      // Not stored, so this is no repeat; the server has started anew and wants its agents to enrol.
      this.#inputs.enrolAgain(post.agent, post.authorization).then(
        () => this.#send(post),
        () => this.#retry(post),
      )
      return
    }
    if (this.#currentRound === this.#round()) {
      if (status >= 200 && status < 300) this.#inputs.events.onStored(post.exchange, post.kind)
      else {
        const { code, retryAfterMs } = refusalOf(status, text)
        this.#inputs.events.onRefused(post.exchange, post.kind, code, retryAfterMs)
      }
    }
    this.#done()
  }

  failed(post: Post): void {
    if (!this.#client.destroyed) this.#retry(post)
  }

  #retry(post: Post): void {
    const stale = this.#currentRound !== this.#round()
    if (stale || post.attempts >= maxAttempts || this.#inputs.clock.nowNs() > post.giveUpNs) {
      // The next post may not be sent from within a failure: undici is still failing what it had, and asserts that nothing is left.
      this.#inputs.scheduler.after(0, () => this.#done())
      return
    }
    this.#shared.retries++
    const pauseMs = backoffMs(post.attempts, backoffCapMs, this.#inputs.random)
    this.#inputs.scheduler.after(pauseMs, () => this.#send(post))
  }

  #done(): void {
    this.#busy = false
    this.#shared.waiting--
    this.#next()
  }

  #next(): void {
    while (!this.#busy) {
      const post = this.#take()
      if (post === null) return
      // Posts of an earlier round are dropped: nobody waits for them any more.
      if (this.#currentRound === this.#round()) {
        this.#busy = true
        this.#send(post)
      } else this.#shared.waiting--
    }
  }

  #take(): Post | null {
    const post = this.#queue[this.#head]
    if (post === undefined) return null
    this.#currentRound = this.#rounds[this.#head] ?? -1
    this.#head++
    if (this.#head === this.#queue.length || this.#head > 1024) {
      this.#queue.splice(0, this.#head)
      this.#rounds.splice(0, this.#head)
      this.#head = 0
    }
    return post
  }

  #send(post: Post): void {
    if (this.#client.destroyed) return
    if (this.#currentRound !== this.#round()) {
      this.#done()
      return
    }
    const authorization = this.#inputs.authorization(post.agent)
    this.#client.dispatch(
      {
        method: 'POST',
        path: '/event/store',
        headers: ['authorization', authorization, 'content-type', 'application/json'],
        body: post.payload,
      },
      post.sendOn(this, authorization),
    )
  }
}

interface SharedCounts {
  waiting: number
  retries: number
  open: number
}

/** The code and pause that a refusal names; a status without a known code is read by its class. */
function refusalOf(status: number, text: string): { code: RefusalCode; retryAfterMs: number } {
  let named: unknown
  let pause: unknown
  try {
    const answer = JSON.parse(text) as {
      readonly error?: { readonly code?: unknown; readonly retry_after_ms?: unknown }
    }
    named = answer.error?.code
    pause = answer.error?.retry_after_ms
  } catch {
    // A proxy's page, say; the status must do.
  }
  const code = refusalCodes.find((known) => known === named)
  return {
    code: code ?? (status >= 500 || status === 429 ? 'OVERLOADED' : 'MALFORMED'),
    retryAfterMs: typeof pause === 'number' && pause >= 0 ? pause : 0,
  }
}

export class PostLanes {
  readonly #inputs: PostLanesInputs
  readonly #lanes: Lane[] = []
  readonly #shared: SharedCounts = { waiting: 0, retries: 0, open: 0 }
  #round = 0

  constructor(inputs: PostLanesInputs) {
    this.#inputs = inputs
    for (let index = 0; index < inputs.lanes; index++)
      this.#lanes.push(new Lane(inputs, this.#shared, () => this.#round))
  }

  /** False when the queue is full: the post was not taken. */
  post(agent: number, exchange: number, kind: PostKind, payload: string, withinMs: number): boolean {
    if (this.#shared.waiting >= this.#inputs.maxQueued) return false
    this.#shared.waiting++
    const giveUpNs = this.#inputs.clock.nowNs() + withinMs * 1e6
    this.#lanes[agent % this.#lanes.length]?.add(new Post(agent, exchange, kind, payload, giveUpNs))
    return true
  }

  /** What is queued of earlier rounds is dropped, and their answers are no longer told. */
  beginRound(): void {
    this.#round++
    this.#shared.retries = 0
  }

  counts(): Readonly<SharedCounts> {
    return this.#shared
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.destroy()))
  }
}
