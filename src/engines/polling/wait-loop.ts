/**
 * The wait of `wait_for_messages`, without HTTP: look into the store; if there is nothing, sleep one interval and
 * look again, until the timeout. That sleep is what makes polling slow, so it is kept exactly as it was: nothing
 * wakes a held poll, unless `wakeable` (the hybrid arm), where a commit for the agent does and the sleep is
 * only a safety net.
 *
 * Clock and timers are parameters; every path answers exactly once or, after `cancel`, never.
 */
import type { Cancel, Clock, Scheduler } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { EventStore, StoredEvent } from '../event-store/event-store.ts'

export interface WaitLoopOptions {
  readonly intervalMs: number
  readonly limit: number
  readonly wakeable: boolean
}

/** How a poll ended: events, or none because time was up, or the store could not be read. */
export interface WaitAnswer {
  onEvents(events: readonly StoredEvent[], waitedMs: number): void
  onTimeout(waitedMs: number): void
  onFailure(error: LighthouseError): void
}

export interface WaitCounts {
  /** Looks at the database. */
  readonly queries: number
  /** Looks that found nothing. */
  readonly emptyPolls: number
  /** Polls answered empty because their timeout was up. */
  readonly timeouts: number
}

export interface WaitLoop {
  /** Answers at once when there is something to read. The cancel stops sleeping and looking, without an answer. */
  wait(agent: string, sinceSequence: number, timeoutMs: number, answer: WaitAnswer): Cancel
  /** A commit for this agent has happened. Only for a wakeable loop. */
  wake(agent: string): void
  /** Polls that are held at this moment. */
  held(): number
  counts(): WaitCounts
  resetCounts(): void
  /** Answers every held poll as timed out. */
  release(): void
}

export type InboxReader = Pick<EventStore, 'readAfter'>

export function waitLoop(reader: InboxReader, clock: Clock, scheduler: Scheduler, options: WaitLoopOptions): WaitLoop {
  const held = new Set<HeldPoll>()
  const sleepers = new Map<string, Set<HeldPoll>>()
  let queries = 0
  let emptyPolls = 0
  let timeouts = 0

  /** One held poll; it leaves `held` when it has answered or was cancelled. */
  class HeldPoll {
    readonly agent: string
    readonly #since: number
    readonly #startedNs = clock.nowNs()
    readonly #timeoutMs: number
    readonly #answer: WaitAnswer
    #wakeUp: Cancel | null = null

    constructor(agent: string, since: number, timeoutMs: number, answer: WaitAnswer) {
      this.agent = agent
      this.#since = since
      this.#timeoutMs = timeoutMs
      this.#answer = answer
      held.add(this)
    }

    #waitedMs(): number {
      return (clock.nowNs() - this.#startedNs) / 1e6
    }

    /** Looks once, and answers or goes to sleep. */
    readonly look = (): void => {
      this.#wakeUp?.()
      this.#wakeUp = null
      queries++
      let events: readonly StoredEvent[]
      try {
        events = reader.readAfter(this.agent, this.#since, options.limit)
      } catch (error) {
        this.leave()
        this.#answer.onFailure(
          error instanceof LighthouseError
            ? error
            : new LighthouseError('STORE', 'The event store could not be read.', { cause: error }),
        )
        return
      }
      if (events.length > 0) {
        this.leave()
        this.#answer.onEvents(events, this.#waitedMs())
        return
      }
      emptyPolls++
      const leftMs = this.#timeoutMs - this.#waitedMs()
      // Timers count whole milliseconds and may fire up to one early; a remainder below that is over.
      if (leftMs < 1) this.timeOut()
      else this.#wakeUp = scheduler.after(Math.min(options.intervalMs, leftMs), this.look)
    }

    timeOut(): void {
      this.leave()
      timeouts++
      this.#answer.onTimeout(this.#waitedMs())
    }

    leave(): void {
      this.#wakeUp?.()
      this.#wakeUp = null
      held.delete(this)
      if (!options.wakeable) return
      const others = sleepers.get(this.agent)
      others?.delete(this)
      if (others?.size === 0) sleepers.delete(this.agent)
    }
  }

  const register = (poll: HeldPoll): void => {
    const others = sleepers.get(poll.agent)
    if (others === undefined) sleepers.set(poll.agent, new Set([poll]))
    else others.add(poll)
  }

  return {
    wait(agent, sinceSequence, timeoutMs, answer) {
      const poll = new HeldPoll(agent, sinceSequence, timeoutMs, answer)
      if (options.wakeable) register(poll)
      poll.look()
      return () => poll.leave()
    },
    wake(agent) {
      const polls = sleepers.get(agent)
      if (polls === undefined) return
      // A copy: an answer may bring the agent's next poll, which has looked already.
      const present = Array.from(polls)
      for (const poll of present) poll.look()
    },
    held: () => held.size,
    counts: () => ({ queries, emptyPolls, timeouts }),
    resetCounts() {
      queries = emptyPolls = timeouts = 0
    },
    release() {
      const present = Array.from(held)
      for (const poll of present) poll.timeOut()
    },
  }
}
