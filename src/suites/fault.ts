/**
 * What a fault is to the recovery suite: something that is injected, held and healed, says when each was, and shows that it bit. It runs on
 * its own from injection to healing; everything that it opens it closes again, also when it is told to stop early.
 */
import type { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import type { FaultProxy } from '../faults/fault-proxy.ts'
import type { RoundEvidence } from '../measurement/round-evidence.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

export interface FaultTools {
  readonly engine: BreakableEngine
  /** Between the clients and the engine, for faults that are of the network. */
  readonly proxy: FaultProxy | null
  readonly random: Random
  readonly clock: Clock
  readonly signal: AbortSignal
  /** To be called at the moment from which the engine is broken, and at that from which nothing stands in its way. */
  readonly injected: () => void
  readonly healed: () => void
  readonly figure: (name: string, value: number) => void
}

export interface Bite {
  readonly bit: boolean
  readonly shownBy: string
}

export interface FaultKind {
  readonly summary: string
  /** Needs the proxy between clients and engine. */
  readonly network: boolean
  /** A program without which it cannot be done. */
  readonly tool?: string
  /** The rate during the fault over that before it. */
  readonly loadFactor?: number
  /** Exchanges that are asked at once when the fault begins. */
  readonly atOnce?: number
  /** The share of the agents that keep their answers back: for a time or, without one, beyond the deadline; throughout, or only at the beginning. */
  readonly late?: { readonly share: number; readonly delayMs?: number; readonly forMs?: number }
  /** Plays chains of questions in place of single exchanges; `late` is then of those that are asked, and beyond their deadline. */
  readonly chain?: { readonly depth: number; readonly deadlines: 'heeded' | 'ignored' }
  /** Over as soon as it is done; nothing is held. */
  readonly instant?: true
  /** Of a fault of the load or the agents: what the round's own evidence says of it. */
  readonly biteOf?: (evidence: RoundEvidence) => Bite
  /** Injects, holds for `forMs`, heals. */
  readonly run: (tools: FaultTools, forMs: number) => Promise<Bite>
}
