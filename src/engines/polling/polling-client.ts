/**
 * The polling engine's client: both ends of every exchange of one arm. Each agent polls on a connection of its
 * own; asks and answers leave over shared lanes. Phases of the loops are drawn anew from the seed every round, so
 * that no round inherits the luck of another.
 */
import { type Clock, delay, type Scheduler, systemClock, systemScheduler } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { seededRandom } from '../../platform/random.ts'
import type {
  AnswerAction,
  ClientConfig,
  ClientHandlers,
  ClientStats,
  EngineClient,
  EngineSemantics,
  Leg,
} from '../engine.ts'
import { Enrolment } from './enrolment.ts'
import { ExchangeTable } from './exchange-table.ts'
import { InboxPoll, type PollCounts, type PollShared } from './inbox-poll.ts'
import type { PollingOptions } from './options.ts'
import { type PostEvents, type PostKind, PostLanes } from './post-lanes.ts'

/** How long an answer or a withdrawal is worth sending again; an ask has its own deadline. */
const answerWithinMs = 30_000
/** Connections that are opened again at the same time after a pause. */
const reopenTogether = 128
const reopenWithinMs = 5000

class PollingClient implements EngineClient {
  readonly semantics: EngineSemantics
  readonly #config: ClientConfig
  readonly #options: PollingOptions
  readonly #handlers: ClientHandlers
  readonly #enrolment: Enrolment
  readonly #table: ExchangeTable
  readonly #lanes: PostLanes
  readonly #pollShared: PollShared
  readonly #counts: PollCounts = { open: 0, polls: 0, wastedPolls: 0, reconnects: 0 }
  readonly #polls: InboxPoll[] = []

  constructor(
    config: ClientConfig,
    options: PollingOptions,
    semantics: EngineSemantics,
    clock: Clock,
    scheduler: Scheduler,
  ) {
    this.semantics = semantics
    this.#config = config
    this.#options = options
    this.#handlers = config.handlers
    const { url } = config
    const connect = config.ca === undefined ? {} : { ca: config.ca }
    const random = seededRandom(`${config.seed}/polling-jitter`)
    this.#enrolment = new Enrolment(url, config.enrolmentKey, connect)
    this.#table = new ExchangeTable(config.handlers)
    const { authorization, again: enrolAgain } = this.#enrolment
    const common = { url, connect, scheduler, random, authorization, enrolAgain }
    this.#lanes = new PostLanes({
      ...common,
      lanes: options.posts,
      maxQueued: options.queue,
      clock,
      events: this.#postEvents(),
    })
    this.#pollShared = {
      ...common,
      timeoutMs: options.timeoutMs,
      limit: options.limit,
      onEvent: (agent, event) => this.#table.receive(agent, event),
      onLost: (agent, reason) => this.#handlers.onLost(agent, reason),
      onRestored: (agent) => this.#handlers.onRestored(agent),
      counts: this.#counts,
    }
  }

  async prepare(agents: number): Promise<void> {
    await this.#enrolment.enrol(agents)
    for (let agent = this.#polls.length; agent < agents; agent++) {
      this.#polls.push(new InboxPoll(agent, this.#enrolment.startSequence, this.#pollShared))
    }
  }

  async connect(agent: number): Promise<void> {
    const poll = this.#polls[agent]
    if (poll === undefined) throw new LighthouseError('INTERNAL', `Agent ${agent} connects without being enrolled.`)
    const problem = await poll.connect()
    if (problem === null) return
    throw new LighthouseError('ENGINE_UNREACHABLE', `Agent ${agent} cannot poll ${this.#config.url}: ${problem}.`, {
      suggestions: ['Check that the engine runs and that enough file descriptors are left on both sides.'],
    })
  }

  beginRound(nonce: string, seed: string): void {
    this.#table.beginRound(nonce)
    this.#lanes.beginRound()
    this.#counts.polls = this.#counts.wastedPolls = this.#counts.reconnects = 0
    const phase = seededRandom(`${seed}/polling-phases`)
    for (const poll of this.#polls) {
      poll.stop()
      poll.start(phase.uniform() * this.#options.phaseMs)
    }
  }

  ask(exchange: number, requester: number, recipient: number, body: string, deadlineMs: number): void {
    this.#table.asked(exchange, requester, recipient)
    const data = `"timeout_seconds":${deadlineMs / 1000},"body":${JSON.stringify(body)}`
    this.#post(requester, recipient, exchange, 'ask', 'elicitation_request', data, deadlineMs)
  }

  answer(exchange: number, recipient: number, action: AnswerAction, body: string): void {
    const data = `"response_type":"${action}","body":${JSON.stringify(body)}`
    const requester = this.#table.requesterOf(exchange)
    if (requester === -1) {
      this.#handlers.onRefused(exchange, 'answer', 'ELICITATION_NOT_FOUND', 0)
      return
    }
    this.#post(recipient, requester, exchange, 'answer', 'elicitation_response', data, answerWithinMs)
  }

  cancel(exchange: number): void {
    const requester = this.#table.requesterOf(exchange)
    const recipient = this.#table.recipientOf(exchange)
    if (requester === -1) return
    this.#post(
      requester,
      recipient,
      exchange,
      'cancel',
      'elicitation_cancelled',
      '"reason":"withdrawn"',
      answerWithinMs,
    )
  }

  async pause(): Promise<void> {
    for (const poll of this.#polls) poll.stop()
    const giveUp = new AbortController()
    await Promise.race([this.#reopen(giveUp.signal), delay(reopenWithinMs, giveUp.signal)])
    giveUp.abort()
  }

  stats(): ClientStats {
    const lanes = this.#lanes.counts()
    return {
      openSockets: this.#counts.open + lanes.open,
      reconnects: this.#counts.reconnects,
      retries: lanes.retries,
      wastedPolls: this.#counts.wastedPolls,
      polls: this.#counts.polls,
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#polls.map((poll) => poll.destroy()), this.#lanes.destroy(), this.#enrolment.destroy()])
  }

  #postEvents(): PostEvents {
    return {
      onStored: (exchange, kind) => {
        if (kind !== 'cancel') this.#handlers.onAcknowledged(exchange, kind)
        else if (this.#table.withdraw(exchange)) {
          this.#handlers.onResult(exchange, this.#table.requesterOf(exchange), 'withdrawn', '')
        }
      },
      // A withdrawal that was refused changes nothing: the exchange goes on to its answer or its deadline.
      onRefused: (exchange, kind, code, retryAfterMs) => {
        if (kind !== 'cancel') this.#handlers.onRefused(exchange, kind, code, retryAfterMs)
      },
    }
  }

  #post(
    from: number,
    to: number,
    exchange: number,
    kind: PostKind,
    type: string,
    data: string,
    withinMs: number,
  ): void {
    const id = this.#table.wireId(exchange)
    const payload = `{"event_type":"${type}","agent_id":"a${from}","aggregate_id":"a${to}","aggregate_type":"agent","data":{"elicitation_id":"${id}",${data}}}`
    if (this.#lanes.post(from, exchange, kind, payload, withinMs) || kind === 'cancel') return
    const leg: Leg = kind
    this.#handlers.onRefused(exchange, leg, 'OVERLOADED', 0)
  }

  /** An aborted poll took its connection along; sessions shall stay open, so it is opened before the next round. */
  async #reopen(signal: AbortSignal): Promise<void> {
    let next = 0
    const work = async (): Promise<void> => {
      while (!signal.aborted) {
        const poll = this.#polls[next++]
        if (poll === undefined) return
        await poll.reopen()
      }
    }
    await Promise.all(Array.from({ length: reopenTogether }, work))
  }
}

export function createPollingClient(
  config: ClientConfig,
  options: PollingOptions,
  semantics: EngineSemantics,
  clock: Clock = systemClock(),
  scheduler: Scheduler = systemScheduler,
): EngineClient {
  return new PollingClient(config, options, semantics, clock, scheduler)
}
