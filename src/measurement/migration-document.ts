/**
 * What a migration says of itself: where it stands, what its gates and trips have seen, and what was decided and done.
 */

export interface GateStanding {
  readonly title: string
  readonly expression: string
  readonly verdict: 'MET' | 'NOT_MET' | 'NOT_DEMONSTRATED'
  readonly trials: number
  readonly hits: number
  /** Further time until it would be met as things go; null when not foreseeable. */
  readonly forecastMs: number | null
  readonly reason: string
}

export interface TripStanding {
  readonly title: string
  readonly expression: string
  readonly fires: boolean
  /** In the phase, and in its present window. */
  readonly trials: number
  readonly hits: number
  readonly windowTrials: number
  readonly windowHits: number
}

export interface DecisionRecord {
  /** Of the journal. */
  readonly line: number
  readonly atWallMs: number
  readonly atMs: number
  readonly kind: string
  /** In words. */
  readonly text: string
  readonly steps: readonly StepRecord[]
}

export interface StepRecord {
  readonly line: number
  readonly atWallMs: number
  readonly atMs: number
  readonly step: string
  readonly ok: boolean
  readonly percentage: number
  readonly detail: string
}

export interface MigrationStatus {
  readonly schemaVersion: 1
  readonly id: string
  readonly folder: string
  readonly plan: string
  readonly planSha256: string
  readonly system: { readonly kind: 'bridge' | 'hooks'; readonly address: string }
  readonly status: 'soaking' | 'awaitingApproval' | 'held' | 'completed' | 'rolledBack'
  readonly paused: boolean
  /** Null after going back. */
  readonly phase: {
    readonly name: string
    readonly index: number
    readonly of: number
    readonly attempt: number
    readonly soakMs: number
    readonly elapsedMs: number
    readonly observedMs: number
  } | null
  readonly percentage: number
  readonly gates: readonly GateStanding[]
  readonly trips: readonly TripStanding[]
  readonly requires: readonly { readonly title: string; readonly found: boolean; readonly reason: string }[]
  readonly decisions: readonly DecisionRecord[]
  /** Whether a process carries it on. */
  readonly carriedOn: boolean
  /** What people asked and nobody has taken yet. */
  readonly waitingRequests: number
  readonly startedAtWallMs: number
  readonly lastAtWallMs: number
  readonly observations: number
  /** Time since the start in which nobody watched. */
  readonly unwatchedMs: number
  /** Times at which a process took it up. */
  readonly taken: number
  /** Null when the system does not count it. */
  readonly lost: number | null
  readonly journal: { readonly lines: number; readonly sha256: string }
}

/** One time that agents went back: why, what was done, and what it showed. */
export interface Incident {
  readonly id: string
  readonly plan: string
  readonly planSha256: string
  readonly system: { readonly kind: 'bridge' | 'hooks'; readonly address: string }
  /** Of the journal: the decision. */
  readonly line: number
  readonly mode: 'full' | 'stepped' | 'canary'
  readonly reasons: readonly string[]
  /** Who asked for it; null when a trip did. */
  readonly askedBy: { readonly actor: string; readonly reason: string } | null
  readonly decidedAtWallMs: number
  /** Phase and share that were left. */
  readonly phase: string
  readonly percentage: number
  readonly through: readonly number[]
  readonly trips: readonly TripStanding[]
  readonly steps: readonly StepRecord[]
  /** From the decision until the last agent had moved, and until the old path was seen to carry; null while that is not so. */
  readonly movedMs: number | null
  readonly verifiedMs: number | null
  readonly verified: boolean
  /** Since the phase began; null when the system does not count it. */
  readonly lost: number | null
  /** The last intervals before the decision, the oldest first. */
  readonly before: readonly {
    readonly fromMs: number
    readonly toMs: number
    readonly due: number
    readonly failed: number
    readonly above: Readonly<Record<string, number>>
  }[]
  /** Hash of the last line of the journal that this was written from. */
  readonly journalSha256: string
}

export interface GateEvidenceRecord {
  readonly title: string
  readonly expression: string
  readonly verdict: 'MET' | 'NOT_MET' | 'NOT_DEMONSTRATED'
  readonly trials: number
  readonly hits: number
  readonly phi: number
  /** ln of the evidence; null where none is needed. */
  readonly logFor: number | null
  readonly logAgainst: number | null
  readonly reason: string
}

/** A past decision, come to again. */
export interface DecisionExplanation {
  readonly schemaVersion: 1
  readonly id: string
  readonly plan: string
  readonly planSha256: string
  readonly line: number
  readonly atWallMs: number
  readonly kind: string
  readonly text: string
  readonly because: { readonly line: number; readonly text: string }
  /** That was left or gone on with; null before the first. */
  readonly phase: string | null
  /** Observed before it, and histograms that were counted again. */
  readonly intervals: number
  readonly histograms: number
  readonly gates: readonly GateEvidenceRecord[]
  readonly trips: readonly TripStanding[]
  /** Evidence that a first attempt needs, before it is shared between bars and attempts. */
  readonly needed: { readonly promote: number; readonly rollBack: number }
  readonly others: readonly { readonly line: number; readonly text: string }[]
}
