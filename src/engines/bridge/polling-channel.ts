/**
 * Client channels over the old path: one held poll per agent for what it is told, POSTs over a shared pool for what it says.
 *
 * An agent's POSTs leave one at a time, so that what it says is taken in the order in which it said it; one that is not answered ends the channel. A poll that ends early without events
 * brings news of the agent's path; were it to happen again and again, the next one would wait a little.
 */
import { Client, Pool, type Dispatcher } from 'undici'
import type { Cancel, Scheduler } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import {
  closeReasonOf,
  closeReasonOfCode,
  type ChannelEvents,
  type ClientChannel,
  type CloseReason,
  type Transport,
} from '../elicitation/client-channel.ts'
import type { Credentials } from '../elicitation/enrolment-client.ts'
import { signText } from '../elicitation/frame-mac.ts'
import { backoffMs } from '../polling/backoff.ts'
import { TextRequest } from '../polling/text-request.ts'
import { postedFrame, readPollAnswer, readRefusal, type PollAnswer } from './old-path-client.ts'

export interface PollingChannelSettings {
  readonly url: string
  readonly ca: string | undefined
  readonly timeoutMs: number
  readonly limit: number
  readonly scheduler: Scheduler
  readonly random: Random
}

const postConnections = 256
const answerWithinMs = 10_000
const largestRefusal = 65_536
/** A question and its envelope, as JSON in JSON. */
const largestEvent = 131_072
const backoffCapMs = 2000

export function pollingTransport(settings: PollingChannelSettings): Transport {
  const connect = settings.ca === undefined ? {} : { ca: settings.ca }
  const pool = new Pool(settings.url, {
    connections: postConnections,
    pipelining: 1,
    connect,
    allowH2: false,
    headersTimeout: answerWithinMs,
    bodyTimeout: answerWithinMs,
  })
  return {
    cumulative: false,
    deadAfterMs: Infinity,
    open: (credentials, cursor, events) =>
      new PollingChannel({ ...settings, connect, pool }, credentials, cursor, events),
    close: () => void pool.destroy(),
  }
}

interface Shared extends PollingChannelSettings {
  readonly connect: { readonly ca?: string }
  readonly pool: Pool
}

class PollingChannel implements ClientChannel {
  private readonly shared: Shared
  private readonly credentials: Credentials
  private readonly events: ChannelEvents
  private readonly client: Client
  private cursor: number
  private opened = false
  private over = false
  private poll: TextRequest | null = null
  /** Polls in a row that ended early and empty. */
  private early = 0
  private cancelPause: Cancel | null = null
  /** Frames that wait for the POST under way, from `first` on. */
  private waiting: string[] = []
  private first = 0
  private posting = false

  constructor(shared: Shared, credentials: Credentials, cursor: number, events: ChannelEvents) {
    this.shared = shared
    this.credentials = credentials
    this.events = events
    this.cursor = cursor
    const patienceMs = shared.timeoutMs + answerWithinMs
    this.client = new Client(shared.url, {
      pipelining: 1,
      connect: shared.connect,
      allowH2: false,
      headersTimeout: patienceMs,
      bodyTimeout: answerWithinMs,
    })
    // The first is answered at once: it shows that the session is good and where the inbox stands.
    this.ask(0)
  }

  private end(reason: string, why: CloseReason): void {
    if (this.stop()) this.events.closed(reason, why)
  }

  /** At once: another poll would acknowledge what nobody takes any more. False when it has stopped before. */
  private stop(): boolean {
    if (this.over) return false
    this.over = true
    this.poll?.abandon()
    this.cancelPause?.()
    void this.client.destroy()
    return true
  }

  /** As other channels do, it reports its end later and not from within the call. */
  close(): void {
    if (this.stop()) this.shared.scheduler.after(0, () => this.events.closed('closed', 'broken'))
  }

  terminate(): void {
    if (this.stop()) this.shared.scheduler.after(0, () => this.events.closed('terminated', 'broken'))
  }

  private ask(timeoutMs: number): void {
    const { agent, token } = this.credentials
    const since = this.cursor
    this.poll = new TextRequest(
      (this.shared.limit + 1) * largestEvent,
      (status, text) => this.answered(status, text, timeoutMs, since),
      (reason) => this.end(reason, 'broken'),
    )
    this.client.dispatch(
      {
        method: 'GET',
        path: `/event/wait?agent_id=${agent}&since_sequence=${since}&timeout_seconds=${timeoutMs / 1000}`,
        headers: ['authorization', `Bearer ${token}`],
      },
      this.poll,
    )
  }

  private answered(status: number, text: string, timeoutMs: number, since: number): void {
    if (this.over) return
    if (status === 409 && !this.opened && since > 0) {
      // The inbox is another than the cursor came from: it is read from its beginning.
      this.cursor = 0
      return this.ask(0)
    }
    if (status !== 200) return this.end(`refused with ${status}`, closeReasonOf(status))
    const answer = readPollAnswer(text, since)
    if (answer === null) return this.end('the answer was not that of a bridge', 'broken')
    if (!this.opened) this.open(answer)
    for (const frame of answer.frames) {
      if (this.over) return
      this.events.message(frame)
    }
    if (this.over) return
    this.cursor = answer.lastSequence
    const { path, withinMs, fallback } = answer.advice
    this.events.message(`mode 0 ${path} ${withinMs} ${fallback ? 1 : 0}`)
    this.goOn(answer, timeoutMs)
  }

  private open(answer: PollAnswer): void {
    const { epoch, log } = this.credentials
    this.opened = true
    this.events.opened()
    this.events.message(`hello 0 ${epoch} ${log} 0 ${answer.floor} ${answer.head} 32768 1 1`)
  }

  private goOn(answer: PollAnswer, timeoutMs: number): void {
    const isEarly = answer.frames.length === 0 && timeoutMs > 0 && answer.waitedMs < timeoutMs / 2
    this.early = isEarly ? this.early + 1 : 0
    if (this.early < 2) return this.ask(this.shared.timeoutMs)
    const pauseMs = backoffMs(this.early, backoffCapMs, this.shared.random)
    this.cancelPause = this.shared.scheduler.after(pauseMs, () => {
      if (!this.over) this.ask(this.shared.timeoutMs)
    })
  }

  send(frame: string): void {
    if (this.over) return
    this.waiting.push(frame)
    this.postNext()
  }

  private postNext(): void {
    while (!this.posting && !this.over) {
      const frame = this.waiting[this.first]
      if (frame === undefined) return
      this.first++
      if (this.first === this.waiting.length || this.first > 1024) {
        this.waiting.splice(0, this.first)
        this.first = 0
      }
      const { nonce, text } = postedFrame(frame, this.credentials.agent)
      if (text !== null) this.post(nonce, text)
    }
  }

  private post(nonce: number, text: string): void {
    const { token, key } = this.credentials
    this.posting = true
    const done = (report: () => void): void => {
      this.posting = false
      if (this.over) return
      report()
      this.postNext()
    }
    const handler: Dispatcher.DispatchHandler = new TextRequest(
      largestRefusal,
      (status, answer) => done(() => this.posted(nonce, status, answer)),
      // Not from within the failure: undici is still failing what else it had.
      () => this.shared.scheduler.after(0, () => done(() => this.unanswered())),
    )
    this.shared.pool.dispatch(
      {
        method: 'POST',
        path: '/event/store',
        headers: [
          'authorization',
          `Bearer ${token}`,
          'content-type',
          'application/json',
          'x-lighthouse-signature',
          signText(key, text),
        ],
        body: text,
      },
      handler,
    )
  }

  /** Nobody knows whether it was taken. What comes after it must not overtake it, so all that is open is said again, in order, on a new channel. */
  private unanswered(): void {
    this.end('a POST was not answered', 'broken')
  }

  private posted(nonce: number, status: number, text: string): void {
    if (status === 200) return this.events.taken(nonce)
    const refusal = readRefusal(text)
    if (refusal === null) return this.unanswered()
    const fatal = closeReasonOfCode(refusal.code)
    if (fatal !== null) this.end(refusal.code, fatal)
    else this.events.refused(nonce, refusal.code, refusal.retryAfterMs)
  }
}
