/**
 * A client's choice between push and the old path: the server's word, unless push does not work.
 *
 * When push fails as often as the circuit breaker allows, the agent polls, if flags let it; when polling fails too, the server is away altogether, and
 * push is tried first again. A path that is closed to the agent opens the breaker at once; its session asks the server anew which path it has.
 */
import type { Clock } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import type { CloseReason, Transport } from '../elicitation/client-channel.ts'
import type { Credentials } from '../elicitation/enrolment-client.ts'
import type { Path, PathAdvice } from '../elicitation/machine-ports.ts'
import type { PathChoice } from '../elicitation/path-choice.ts'
import { CircuitBreaker } from './circuit-breaker.ts'

interface AgentChoice {
  assigned: Path
  fallback: boolean
  /** Where the agent was asked to go, and when it does; null when it is where it should be. */
  next: { readonly path: Path; readonly atMs: number } | null
  readonly breaker: CircuitBreaker
}

export class DualPath implements PathChoice {
  private readonly push: Transport
  private readonly poll: Transport
  private readonly clock: Clock
  private readonly random: Random
  private readonly agents: AgentChoice[] = []

  constructor(push: Transport, poll: Transport, clock: Clock, random: Random) {
    this.push = push
    this.poll = poll
    this.clock = clock
    this.random = random
  }

  private nowMs(): number {
    return this.clock.nowNs() / 1e6
  }

  private of(agent: number): AgentChoice {
    return (this.agents[agent] ??= { assigned: 'push', fallback: true, next: null, breaker: new CircuitBreaker() })
  }

  enrolled(agent: number, credentials: Credentials): void {
    const choice = this.of(agent)
    choice.assigned = credentials.path ?? 'push'
    choice.fallback = credentials.fallback ?? false
    choice.next = null
  }

  advised(agent: number, advice: PathAdvice): void {
    const choice = this.of(agent)
    choice.fallback = advice.fallback
    if (advice.path === choice.assigned) choice.next = null
    // Said again, as every poll does, it is no new reason to wait.
    else if (choice.next?.path !== advice.path)
      choice.next = { path: advice.path, atMs: this.nowMs() + this.random.uniform() * advice.withinMs }
  }

  transportOf(agent: number): Transport {
    const choice = this.of(agent)
    this.moveIfDue(choice)
    if (choice.assigned === 'poll') return this.poll
    return choice.fallback && choice.breaker.state(this.nowMs()) !== 'closed' ? this.poll : this.push
  }

  review(agent: number, transport: Transport): 'stay' | 'change' | 'probe' {
    const choice = this.of(agent)
    this.moveIfDue(choice)
    if (choice.assigned === 'poll') return transport === this.poll ? 'stay' : 'change'
    if (transport === this.push) return 'stay'
    const state = choice.breaker.state(this.nowMs())
    if (!choice.fallback || state === 'closed') return 'change'
    return state === 'halfOpen' ? 'probe' : 'stay'
  }

  probed(): Transport {
    return this.push
  }

  private moveIfDue(choice: AgentChoice): void {
    if (choice.next === null || this.nowMs() < choice.next.atMs) return
    choice.assigned = choice.next.path
    choice.next = null
  }

  opened(agent: number, transport: Transport): void {
    if (transport === this.push) this.of(agent).breaker.succeeded(this.nowMs())
  }

  failed(agent: number, transport: Transport, why: CloseReason, wasUp: boolean): void {
    const choice = this.of(agent)
    if (transport !== this.push) {
      // A poll that broke once says nothing; one that cannot be opened says that the server is away.
      if (!wasUp) choice.breaker.reset()
    } else if (why === 'pathClosed') choice.breaker.trip(this.nowMs())
    else choice.breaker.failed(this.nowMs())
  }

  close(): void {
    this.push.close()
    this.poll.close()
  }
}
