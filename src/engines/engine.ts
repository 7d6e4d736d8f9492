/**
 * The engine contract: what a load generator may know about a system that carries messages.
 *
 * Agents and exchanges are dense unsigned integers taken from the schedule; wire ids
 * (`nonce:producer:sequence`) exist only inside engine clients. Handlers are set once per client, and
 * no call of the contract allocates a promise or a closure per exchange, so that 15,000 agents at
 * 10,000 exchanges/s cost what the wire costs. A body is one line of JSON text that the engine
 * carries as an opaque string: what arrives must be === what was sent.
 */

import type { Durability, EngineSemantics } from '../measurement/vocabulary.ts'

export type { Durability, EngineSemantics } from '../measurement/vocabulary.ts'

/** Which half of an exchange an event concerns: the ask (requester → recipient) or the answer back. */
export type Leg = 'ask' | 'answer'

/** How a recipient may answer; each is a terminal state of the exchange. */
export const answerActions = ['accept', 'decline', 'cancel'] as const
export type AnswerAction = (typeof answerActions)[number]

/** What a requester is told, exactly once: an answer, or that there will be none. */
export type Outcome = AnswerAction | 'expired' | 'withdrawn'

/** Stable refusal codes; the same words on the wire, in reports and in tests. */
export const refusalCodes = [
  'RATE_LIMIT_EXCEEDED',
  'INVALID_SESSION',
  'INVALID_SIGNATURE',
  'REPLAY_ATTACK',
  'NONCE_GAP',
  'UNAUTHORIZED_RESPONSE',
  'ELICITATION_NOT_FOUND',
  'UNKNOWN_RECIPIENT',
  'CONFLICT',
  'EXPIRED',
  'SCHEMA_VIOLATION',
  'RESUME_GAP',
  'PATH_CLOSED',
  'OVERLOADED',
  'MALFORMED',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

/** Set once per client, called for every event. A handler must not throw. */
export interface ClientHandlers {
  /** The engine has taken responsibility for this leg (for a durable engine: after its commit). */
  onAcknowledged(exchange: number, leg: Leg): void
  /** A question reached the application of agent `recipient`. `requester` is what the engine says of its sender. */
  onQuestion(exchange: number, requester: number, recipient: number, body: string): void
  /** The requester holds the terminal result. `body` is the answer's, or '' when there is none. */
  onResult(exchange: number, requester: number, outcome: Outcome, body: string): void
  /** Definitive refusal of a leg: the engine will not carry it. */
  onRefused(exchange: number, leg: Leg, code: RefusalCode, retryAfterMs: number): void
  /** A redelivery on the wire that the client recognised and kept from the application. */
  onWireDuplicate(exchange: number, leg: Leg): void
  /**
   * A well-formed message for agent `agent` whose wire id is not of this round: `earlier` for one of
   * an earlier round of this client, `foreign` for any other.
   */
  onStray(agent: number, origin: 'earlier' | 'foreign', wireId: string): void
  /** The session of an agent broke; the client reconnects and resumes by itself. */
  onLost(agent: number, reason: string): void
  onRestored(agent: number): void
}

/** Counters of a client since `beginRound`; absent counters do not apply to the engine. */
export interface ClientStats {
  readonly openSockets: number
  readonly reconnects: number
  readonly retries: number
  /** Polling only: polls that came back empty. */
  readonly wastedPolls?: number
  readonly polls?: number
}

/** Both ends of every exchange of one engine arm, in one process. */
export interface EngineClient {
  readonly semantics: EngineSemantics
  /** Enrols agents 0 … count−1 in bulk; throws LighthouseError('ENGINE_UNREACHABLE') when the server is not there. */
  prepare(agents: number): Promise<void>
  /** Opens the session of one agent. The caller bounds how many are under way at once. */
  connect(agent: number): Promise<void>
  /** Starts a round: `nonce` ([a-z0-9-]{1,24}) becomes part of every wire id; `seed` redraws loop phases. Resumes a paused client. */
  beginRound(nonce: string, seed: string): void
  ask(exchange: number, requester: number, recipient: number, body: string, deadlineMs: number): void
  /** Answers a delivered question; `body` is `{"action":…,"content":…}` and `action` repeats its action. */
  answer(exchange: number, recipient: number, action: AnswerAction, body: string): void
  /** The requester withdraws its question. */
  cancel(exchange: number): void
  /** Stops background traffic (polls) between rounds; sessions stay open. */
  pause(): Promise<void>
  stats(): ClientStats
  close(): Promise<void>
}

/** Where and how a client reaches its engine. Secrets come by value here and never enter argv or run directories. */
export interface ClientConfig {
  readonly url: string
  readonly options: EngineOptions
  readonly transport: 'websocket' | 'sse'
  readonly durability: Durability
  /** PEM text of extra certificate authorities for https/wss. */
  readonly ca?: string
  readonly enrolmentKey: string
  readonly handlers: ClientHandlers
  /** Seeds jitter and phases; the same seed gives the same draws. */
  readonly seed: string
}

export type EngineOptions = Readonly<Record<string, string>>

export interface ServerConfig {
  readonly options: EngineOptions
  readonly durability: Durability
  /** SQLite file, or null for a temporary file removed on close (`memory` durability: no file at all). */
  readonly storeFile: string | null
  readonly listen: string
  /** 0 picks a free port. */
  readonly port: number
  readonly tls: { readonly certificate: string; readonly key: string } | null
  readonly enrolmentKey: string
  /** Of the bridge: who holds it may change flags. Absent: nobody may. */
  readonly adminKey?: string
}

/** A duration series as HDR V2 compressed base64, in nanoseconds. */
export interface EncodedSeries {
  readonly tag: string
  readonly histogram: string
}

/** Engine-side figures since the last `resetStats`. Counts are exact, gauges are readings at the call. */
export interface EngineStats {
  readonly databaseQueries: number
  readonly commits: number
  readonly committedRows: number
  readonly openConnections: number
  readonly heldConnections: number
  readonly emptyPolls: number
  readonly pollTimeouts: number
  readonly walBytes: number | null
  readonly queueDepth: number
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>
  /** Tags: verify, nonce, rateLimit, schema, storeWait, push, total (elicitation only). */
  readonly stages: readonly EncodedSeries[]
}

export interface EngineGauges {
  readonly openConnections: number
  readonly walBytes: number | null
}

export interface EngineServer {
  /** http(s)://host:port the clients use. */
  readonly url: string
  readonly semantics: EngineSemantics
  stats(): EngineStats
  /** Cheap readings for a sampler that looks several times a second. */
  gauges(): EngineGauges
  resetStats(): void
  /** Stops accepting, answers what is in flight, flushes, closes the store. Bounded by 5 s. */
  close(): Promise<void>
}

/** An agent that subscribes and then reads nothing, and one that writes to it: load of no round, for which nobody accounts. */
export interface UnreadInbox {
  /** Of this end of the connection that is not read. */
  readonly port: number
  /** Sends it one more question; `body` is one of a round's. */
  feed(body: string): void
  /** Messages that the engine took responsibility for, and those that it would not carry. */
  counts(): { readonly taken: number; readonly refused: number }
  close(): void
}

export interface EngineDefinition {
  readonly name: string
  /** One line of help per option. */
  readonly optionHelp: Readonly<Record<string, string>>
  /** Throws LighthouseError('USAGE') that names the option, the value and what is allowed. */
  validateOptions(options: EngineOptions): void
  semantics(options: EngineOptions, durability: Durability): EngineSemantics
  /** The longest, in ms, for which it keeps anything of what is over: exchanges, polls. Absent: nothing is kept for a time. */
  longestTtlMs?(options: EngineOptions): number
  /** How many exchanges fill whatever it keeps by number or in rings. Absent: nothing is kept so. */
  exchangesKept?(options: EngineOptions): number
  startServer(config: ServerConfig): Promise<EngineServer>
  createClient(config: ClientConfig): EngineClient
  /** Throws LighthouseError('ENGINE_UNREACHABLE'). Over plain connections only. */
  openUnreadInbox?(config: Pick<ClientConfig, 'url' | 'enrolmentKey'>): Promise<UnreadInbox>
}
