/**
 * The polling loop of one agent: ask for what comes after the cursor, hand it on, ask again. One connection per
 * agent (a shared pool is slower with thousands of held polls), one request under way.
 *
 * A broken connection is reported once, then tried again with full jitter; the first poll after it asks for an immediate
 * answer, so that "restored" is known at once and not when a held poll ends.
 */
import { Client } from 'undici'
import type { Cancel, Scheduler } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import { backoffMs } from './backoff.ts'
import { agentIndex, type InboxEvent } from './exchange-table.ts'
import { TextRequest } from './text-request.ts'
import { type EventType, eventTypes, maxEventBytes } from './wire.ts'

export interface PollShared {
  readonly url: string
  readonly connect: { readonly ca?: string }
  readonly timeoutMs: number
  readonly limit: number
  readonly scheduler: Scheduler
  readonly random: Random
  readonly authorization: (agent: number) => string
  readonly enrolAgain: (agent: number, refused: string) => Promise<void>
  readonly onEvent: (agent: number, event: InboxEvent) => void
  readonly onLost: (agent: number, reason: string) => void
  readonly onRestored: (agent: number) => void
  readonly counts: PollCounts
}

export interface PollCounts {
  open: number
  polls: number
  wastedPolls: number
  reconnects: number
}

const backoffCapMs = 5000
/** An answer later than the poll's timeout by this much will not come. */
const overdueMs = 10_000

interface WireAnswer {
  readonly events: readonly WireEvent[]
  readonly waited_seconds: number
}

interface WireEvent {
  readonly sequence: number
  readonly event_type: string
  readonly source_agent: string
  readonly data: {
    readonly elicitation_id?: unknown
    readonly response_type?: unknown
    readonly body?: unknown
  }
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

function toInboxEvent(event: WireEvent): InboxEvent {
  const type: EventType = eventTypes.find((known) => known === event.event_type) ?? 'custom'
  return {
    type,
    source: agentIndex(event.source_agent),
    wireId: textOr(event.data.elicitation_id, ''),
    action: textOr(event.data.response_type, ''),
    body: textOr(event.data.body, ''),
  }
}

interface Answer {
  readonly events: readonly { readonly sequence: number; readonly event: InboxEvent }[]
  readonly waitedMs: number
}

/** Null when the text is not an answer to a poll. */
function parsed(text: string): Answer | null {
  try {
    const answer = JSON.parse(text) as WireAnswer
    const events = answer.events.map((event) => ({ sequence: event.sequence, event: toInboxEvent(event) }))
    if (!events.every(({ sequence }) => Number.isSafeInteger(sequence))) return null
    return { events, waitedMs: answer.waited_seconds * 1000 }
  } catch {
    return null
  }
}

export class InboxPoll {
  readonly agent: number
  readonly #shared: PollShared
  readonly #client: Client
  #cursor: number
  #running = false
  #request: TextRequest | null = null
  #cancelTimer: Cancel | null = null
  /** As sent with the last request. */
  #authorization = ''
  #askedMs = 0
  #attempt = 0
  #lost = false
  /** Settles `connect`. */
  #onFirstAnswer: ((problem: string | null) => void) | null = null

  constructor(agent: number, cursor: number, shared: PollShared) {
    this.agent = agent
    this.#cursor = cursor
    this.#shared = shared
    const headersTimeout = shared.timeoutMs + overdueMs
    this.#client = new Client(shared.url, {
      pipelining: 1,
      connect: shared.connect,
      allowH2: false,
      headersTimeout,
      bodyTimeout: overdueMs,
    })
    this.#client.on('connect', () => shared.counts.open++)
    this.#client.on('disconnect', () => shared.counts.open--)
  }

  /** One poll that is answered at once: opens the connection and proves the session. Resolves with what was wrong, or null. */
  connect(): Promise<string | null> {
    return new Promise((resolve) => {
      this.#onFirstAnswer = resolve
      this.#send(0)
    })
  }

  start(afterMs: number): void {
    this.#running = true
    this.#pause(afterMs)
  }

  /** The held poll is let go, which closes its connection; the server sees that and stops looking. */
  stop(): void {
    this.#running = false
    this.#cancelTimer?.()
    this.#cancelTimer = null
    this.#request?.abandon()
    this.#request = null
  }

  /** Opens the connection again after `stop`, without reading anything. Never rejects. */
  async reopen(): Promise<void> {
    try {
      const { body } = await this.#client.request({ method: 'GET', path: '/health' })
      await body.dump()
    } catch {
      // The next poll will find out and report it.
    }
  }

  async destroy(): Promise<void> {
    this.stop()
    await this.#client.destroy()
  }

  #ended(status: number, text: string): void {
    this.#request = null
    if (status === 200) this.#read(text)
    else if (status === 401) this.#enrolAndContinue()
    else if (status === 409) {
      // Another store than the cursor came from: read it from its start, and recognise what was seen.
      this.#cursor = 0
      this.#settle(null)
      if (this.#running) this.#send()
    } else this.#failed(`the server answered ${status}`)
  }

  #failed(reason: string): void {
    this.#request = null
    this.#settle(reason)
    if (!this.#running) return
    if (!this.#lost) {
      this.#lost = true
      this.#shared.onLost(this.agent, reason)
    }
    this.#pause(backoffMs(this.#attempt++, backoffCapMs, this.#shared.random))
  }

  #settle(problem: string | null): void {
    const settle = this.#onFirstAnswer
    this.#onFirstAnswer = null
    settle?.(problem)
  }

  #read(text: string): void {
    const answer = parsed(text)
    if (answer === null) {
      this.#failed('the answer was not that of a polling engine')
      return
    }
    this.#settle(null)
    this.#shared.counts.polls++
    // A server that answers empty long before time is up would be asked without end.
    if (answer.events.length === 0 && answer.waitedMs < this.#askedMs / 2) this.#attempt++
    else this.#attempt = 0
    this.#restored()
    if (answer.events.length === 0) this.#shared.counts.wastedPolls++
    for (const { sequence, event } of answer.events) {
      // The cursor is exact: what is not beyond it was handed on before.
      if (sequence <= this.#cursor) continue
      this.#cursor = sequence
      this.#shared.onEvent(this.agent, event)
    }
    if (!this.#running) return
    if (this.#attempt === 0) this.#send()
    else this.#pause(backoffMs(this.#attempt, backoffCapMs, this.#shared.random))
  }

  #restored(): void {
    if (!this.#lost) return
    this.#lost = false
    this.#shared.counts.reconnects++
    this.#shared.onRestored(this.agent)
  }

  #enrolAndContinue(): void {
    this.#shared.enrolAgain(this.agent, this.#authorization).then(
      () => {
        if (this.#running || this.#onFirstAnswer !== null) this.#send(0)
      },
      () => this.#failed('the server does not take the enrolment'),
    )
  }

  #pause(ms: number): void {
    this.#cancelTimer?.()
    this.#cancelTimer = this.#shared.scheduler.after(ms, () => {
      this.#cancelTimer = null
      if (this.#running) this.#send()
    })
  }

  #send(timeoutMs: number = this.#lost ? 0 : this.#shared.timeoutMs): void {
    // One request at a time: a second would queue behind a held one.
    if (this.#request !== null || this.#client.destroyed) return
    this.#authorization = this.#shared.authorization(this.agent)
    this.#askedMs = timeoutMs
    // A fresh one per poll, so that late callbacks of one that was given up meet nobody.
    this.#request = new TextRequest(
      (this.#shared.limit + 1) * maxEventBytes * 2,
      (status, text) => this.#ended(status, text),
      (reason) => this.#failed(reason),
    )
    this.#client.dispatch(
      {
        method: 'GET',
        path: `/event/wait?agent_id=a${this.agent}&since_sequence=${this.#cursor}&timeout_seconds=${timeoutMs / 1000}`,
        headers: ['authorization', this.#authorization],
      },
      this.#request,
    )
  }
}
