/**
 * What the state machine asks of the world, and what it may be told: the seam between protocol and I/O.
 *
 * Every output of the machine goes through a sink, every input is a method call with data, time comes from a clock: the
 * same machine runs on sockets and on the virtual time of a test.
 */
import type { RefusalCode } from '../engine.ts'

export type ByeCode =
  | 'REPLACED'
  | 'SHUTDOWN'
  | 'INVALID_SESSION'
  | 'INVALID_SIGNATURE'
  | 'REPLAY_ATTACK'
  | 'NONCE_GAP'
  | 'MALFORMED'
  | 'UNRESPONSIVE'

/** Which way an agent is asked to talk to a server that has two: this protocol, or the old one that it may replace. */
export const paths = ['push', 'poll'] as const
export type Path = (typeof paths)[number]

export interface PathAdvice {
  readonly path: Path
  /** The agent changes at a random time within so many milliseconds. */
  readonly withinMs: number
  /** Whether it may poll while push does not work. */
  readonly fallback: boolean
}

/** Kinds of log rows; the numbers are stored. */
export const rowKinds = { asked: 1, accept: 2, decline: 3, cancel: 4, expired: 5, withdrawn: 6 } as const
export type RowKind = (typeof rowKinds)[keyof typeof rowKinds]

export interface MachineSink {
  /** A ticket above 0, consecutive, or −1 when the store's queue is full. Must not settle the ticket before it returns. */
  append(agent: string, source: string, kind: number, exchange: string, body: string, producedAtMs: number): number
  /** Hands a frame to the agent's connection. `sequence` is 0 unless it is an inbox entry. False: no room for more. */
  send(agent: number, frame: string, sequence: number): boolean
  /** Whether the agent's connection takes more frames. */
  hasRoom(agent: number): boolean
  /** Definitive refusal of one frame; nonce 0 when it cannot be attributed. */
  refuse(agent: number, nonce: number, id: string, code: RefusalCode, retryAfterMs: number): void
  /** The frame with this nonce was taken, and what it rests on is committed. */
  settled(agent: number, nonce: number): void
  /** Ends the agent's connection after what was sent. The machine has already let go of it. */
  disconnect(agent: number, code: ByeCode): void
}

/** Single use of nonces; see nonce-window.ts. */
export interface NonceStore {
  floor(agent: number): number
  use(agent: number, nonce: number): boolean
}

export interface MachineLimits {
  readonly maxAgents: number
  /** Rows that may wait for their commit; a power of two, and at least the store's own bound. */
  readonly maxPendingRows: number
  readonly maxOpenExchanges: number
  readonly inboxLimit: number
  readonly pendingLimit: number
  readonly retentionCount: number
  readonly retentionMs: number
  readonly schemaCacheSize: number
  readonly ratePerSecond: number
  readonly burst: number
  readonly ackDelayAskMs: number
  readonly ackDelayAnswerMs: number
  /** Silence after which a connection is pinged, and after which it is dropped. */
  readonly pingAfterMs: number
  readonly deadAfterMs: number
  /** What a sender is told to wait when the server has no room. */
  readonly retryAfterMs: number
}

export const defaultLimits: MachineLimits = {
  maxAgents: 65_536,
  maxPendingRows: 16_384,
  maxOpenExchanges: 262_144,
  inboxLimit: 1024,
  pendingLimit: 1024,
  retentionCount: 65_536,
  retentionMs: 120_000,
  schemaCacheSize: 1024,
  ratePerSecond: 200,
  burst: 400,
  ackDelayAskMs: 1000,
  ackDelayAnswerMs: 3000,
  pingAfterMs: 4000,
  deadAfterMs: 9000,
  retryAfterMs: 100,
}

/** How often `tick` must be called, in ms: a quarter of the promised precision of deadlines. */
export const tickMs = 25
