/**
 * Which channel carries an agent: one kind for all, or what a server with two paths asks for.
 */
import type { CloseReason, Transport } from './client-channel.ts'
import type { Credentials } from './enrolment-client.ts'
import type { PathAdvice } from './machine-ports.ts'

export interface PathChoice {
  /** To open now. */
  transportOf(agent: number): Transport
  /** What to do about an agent whose open channel is of `transport`: leave it, open another, or try whether another would open. */
  review(agent: number, transport: Transport): 'stay' | 'change' | 'probe'
  /** What enrolment said. */
  enrolled(agent: number, credentials: Credentials): void
  advised(agent: number, advice: PathAdvice): void
  /** The transport that `probe` is about; null where there is no other. */
  probed(): Transport | null
  /** A session is up, or a probe could be opened. */
  opened(agent: number, transport: Transport): void
  /** A channel ended, or could not be opened: `wasUp` tells which. */
  failed(agent: number, transport: Transport, why: CloseReason, wasUp: boolean): void
  close(): void
}

export function oneTransport(transport: Transport): PathChoice {
  return {
    transportOf: () => transport,
    review: () => 'stay',
    probed: () => null,
    enrolled: () => undefined,
    advised: () => undefined,
    opened: () => undefined,
    failed: () => undefined,
    close: () => transport.close(),
  }
}
