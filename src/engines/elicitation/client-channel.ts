/**
 * What the client needs of a transport: one channel per agent, frames both ways, and one report of its end.
 */
import type { RefusalCode } from '../engine.ts'
import type { Credentials } from './enrolment-client.ts'

export interface ClientChannel {
  /** A signed frame, `<mac> LF <envelope> [LF <body>]`. */
  send(frame: string): void
  close(): void
  terminate(): void
}

export interface ChannelEvents {
  opened(): void
  /** A frame of the server. */
  message(frame: string): void
  /** Transports that answer each frame: it was committed, was refused, or nobody knows. */
  taken(nonce: number): void
  refused(nonce: number, code: RefusalCode, retryAfterMs: number): void
  unanswered(nonce: number): void
  /** Once, after which nothing is reported any more. */
  closed(reason: string, why: CloseReason): void
}

/** `unauthorised`: the token was refused. `pathClosed`: the server does not let this agent use this kind of channel. */
export type CloseReason = 'unauthorised' | 'pathClosed' | 'broken'

/** A server with heartbeats is heard of more often than this. */
export const heartbeatDeadMs = 9000

export interface Transport {
  /** Whether `ackNonce` acknowledges all frames up to it; else each frame is answered by itself. */
  readonly cumulative: boolean
  /** Silence of an open channel after which it is dead; Infinity where the channel finds out by itself. */
  readonly deadAfterMs: number
  /** `cursor` 0: everything unacknowledged. */
  open(credentials: Credentials, cursor: number, events: ChannelEvents): ClientChannel
  close(): void
}

/** Why a request for a channel was refused. */
export function closeReasonOf(status: number | undefined): CloseReason {
  if (status === 401) return 'unauthorised'
  return status === 403 || status === 410 ? 'pathClosed' : 'broken'
}

/** Codes that speak of the session or of the channel, not of one exchange; null for all others. */
export function closeReasonOfCode(code: RefusalCode): CloseReason | null {
  if (code === 'INVALID_SESSION') return 'unauthorised'
  if (code === 'PATH_CLOSED') return 'pathClosed'
  return code === 'INVALID_SIGNATURE' || code === 'REPLAY_ATTACK' ? 'broken' : null
}
