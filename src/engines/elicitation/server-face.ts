/**
 * A second way to the same exchanges, put in front of the elicitation server: it sees requests first, and is told by ticket
 * what became of what it handed to the machine. Without one the server speaks its own protocol alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../platform/clock.ts'
import type { EngineStats, RefusalCode, ServerConfig } from '../engine.ts'
import type { DeliveryObserver } from './deliveries.ts'
import type { ElicitationMachine } from './machine.ts'
import type { SessionAuthority } from './sessions.ts'

/** What a face may use of its server. */
export interface ServerParts {
  readonly config: ServerConfig
  readonly machine: ElicitationMachine
  readonly authority: SessionAuthority
  readonly clock: Clock
}

export interface ServerFace {
  readonly deliveries: DeliveryObserver
  /** True when the request is its own to answer. Requests of browsers never come here. */
  take(request: IncomingMessage, response: ServerResponse, path: string, query: string): boolean
  /** Outcomes of `ElicitationMachine.receiveUnsigned`. */
  settled(ticket: number): void
  refused(ticket: number, code: RefusalCode, retryAfterMs: number): void
  /** Whether the agent may open a connection. */
  admits(agent: string): boolean
  /** What enrolment tells an agent besides its session. */
  enrolled(agent: string): Readonly<Record<string, unknown>>
  /** A connection of the agent was opened. */
  attached(agent: number): void
  /** Every `tickMs`. */
  tick(): void
  stats(): Partial<EngineStats>
  resetStats(): void
  /** The server closes: whoever waits is answered. */
  release(): void
  /** The server is closed. */
  destroy(): void | Promise<void>
}
