/**
 * What a pacer (open or closed loop) needs of the round it drives, and what the round needs of its pacer.
 * Times are nanoseconds from the start of the round; no call allocates.
 */
export interface Sender {
  /** `nowNs` is the actual send; `dueNs` is when the generator could first have sent it. */
  send(exchange: number, nowNs: number, dueNs: number): void
  /** Nothing more will be sent. Called once, unless the pacer was stopped. */
  sendingDone(): void
  /** The engine client broke its contract by throwing; nothing more will be sent. */
  sendingFailed(error: unknown): void
}

export interface Pacer {
  /** `startNs` is the start of the round on the clock; may lie ahead. */
  start(startNs: number): void
  /** The requester of the exchange waits for nothing more; `completed` when it holds an answer. */
  ended(exchange: number, completed: boolean, nowNs: number): void
  stop(): void
}
