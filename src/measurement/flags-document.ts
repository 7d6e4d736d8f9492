/**
 * What a bridge says of its flags: the set in force, where agents are, and the log of all changes.
 */

export interface Flags {
  readonly enabled: boolean
  /** Of agents, 0 … 100 in steps of 0.01. */
  readonly percentage: number
  readonly optIn: readonly string[]
  readonly optOut: readonly string[]
  /** An agent that cannot open push may poll. */
  readonly fallback: boolean
  /** Both paths are open to every agent; else only the one it is assigned. */
  readonly dualMode: boolean
  /** Warnings on the old path. */
  readonly deprecation: boolean
  readonly legacyOff: boolean
}

export interface FlagRecord {
  /** 0 is the beginning of the log. */
  readonly revision: number
  readonly atWallMs: number
  readonly actor: string
  readonly reason: string
  readonly flags: Flags
  /** Of the line before; 64 zeros in the first. */
  readonly previous: string
  readonly hash: string
}

export interface FlagHistory {
  readonly salt: string
  readonly records: readonly FlagRecord[]
}

/** The last record, and where agents are. */
export interface BridgeStatus extends Omit<FlagRecord, 'previous'> {
  readonly agents: {
    readonly known: number
    readonly assignedPush: number
    readonly connectedPush: number
    /** Have polled within the time that a poll may take. */
    readonly polling: number
  }
  /** Agents that were told to change their path may still be on the one they leave. */
  readonly draining: boolean
  readonly oldPath: {
    readonly open: boolean
    /** Polls that are held now, and at most: an agent on the old path holds one. */
    readonly held: number
    readonly room: number
  }
  /** χ² test of the buckets of all known agents; null with too few. */
  readonly buckets: { readonly statistic: number; readonly degrees: number; readonly p: number } | null
}
