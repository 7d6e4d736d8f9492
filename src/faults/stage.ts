/**
 * The contract of a stage: one toxic on one direction of one connection. A stage takes what arrives, in order, and
 * passes it on, in order, when and as far as its toxic lets it; nothing may overtake within a stage.
 */
import type { Clock, Scheduler } from '../platform/clock.ts'
import type { ConnectionTally } from './toxic-tally.ts'

/** What passes through a stage. `end` is the source's FIN, `reset` its RST; `close` is the proxy's own act. */
export type Passage =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' | 'reset' }
  /** Closes the whole connection, behind whatever waits ahead of it, a full sink included; `by` counts it once it has. */
  | { readonly kind: 'close'; readonly by: ConnectionTally }

export interface StagePort {
  readonly clock: Clock
  readonly scheduler: Scheduler
  emit(passage: Passage): void
  /** These bytes go no further. */
  dropped(bytes: number): void
  /** False while so many chunks wait behind the stage that it must not cut more; `proceed` follows. */
  hasRoom(): boolean
  /** Resets the whole connection at once; false when that was over already. */
  reset(): boolean
}

export interface Stage {
  /** Chunks and ends that wait here. */
  readonly waiting: number
  accept(passage: Passage): void
  /** There is room again behind a stage that found none. */
  proceed(): void
  /** The toxic was removed: what waits here leaves at once, in order, with whatever arrives meanwhile. */
  release(): void
  /** The connection is over: no timer survives. */
  dispose(): void
}
