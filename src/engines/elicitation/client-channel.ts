/**
 * What the client needs of a transport: one channel per agent, frames both ways, and one report of its end.
 */
import type { RefusalCode } from '../engine.ts'

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
  /** Once, after which nothing is reported any more. `unauthorised`: the token was refused. */
  closed(reason: string, unauthorised: boolean): void
}

export interface Transport {
  /** Whether `ackNonce` acknowledges all frames up to it; else each frame is answered by itself. */
  readonly cumulative: boolean
  /** `cursor` 0: everything unacknowledged. */
  open(token: string, cursor: number, events: ChannelEvents): ClientChannel
  close(): void
}
