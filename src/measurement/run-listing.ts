/**
 * What is known of the directories below an output folder: runs, and campaigns of several runs. Read from `run.json`, `results.json`
 * and `campaign.json` as they stand, so nothing here is a verdict; `report` derives one.
 */

/** `decided` has results; `interrupted` has them over what was measured; `cut-short` has none; `unreadable` says why in `reason`. */
export type RunState = 'decided' | 'interrupted' | 'cut-short' | 'unreadable'

export interface RunEntry {
  readonly id: string
  /** As given by whoever lists, so relative when that was. */
  readonly path: string
  readonly kind: 'run' | 'campaign'
  /** `all` for a campaign; null when it cannot be read, as the members below. */
  readonly suite: string | null
  readonly profile: string | null
  /** UTC, ISO 8601. */
  readonly startedAt: string | null
  /** Null for a run without an end. */
  readonly durationMs: number | null
  /** Labels, the candidate last. */
  readonly engines: readonly string[]
  readonly state: RunState
  readonly decision: string | null
  /** Empty, or why the directory is unreadable or what is odd about it. */
  readonly reason: string
  /** IDs of the certificates in it, by name. */
  readonly certificates: readonly string[]
  /** Ids of the runs that a campaign names; empty for a run. */
  readonly members: readonly string[]
  /** What its files take on disk. */
  readonly sizeBytes: number
  /** There were too many files to count; it is larger. */
  readonly sizeIsLeast: boolean
}

export interface RunListing {
  readonly outputFolder: string
  /** Newest first. */
  readonly runs: readonly RunEntry[]
  /** How many more the limit left out. */
  readonly notShown: number
  /** Entries of the folder that are not named like a run. */
  readonly others: number
}

/** One run in short: what is in its manifest and its results, as recorded. */
export interface RunOverview {
  readonly entry: RunEntry
  readonly scope: string | null
  readonly exitCode: number | null
  readonly decisionReasons: readonly string[]
  /** What was planned, in words. */
  readonly plan: readonly string[]
  /** By name below the directory: a file, or a folder with all that is in it. */
  readonly files: readonly { readonly name: string; readonly files: number; readonly bytes: number }[]
}

export interface PruneItem {
  readonly id: string
  readonly suite: string | null
  readonly startedAt: string | null
  readonly sizeBytes: number
  readonly certificates: readonly string[]
}

/** What `runs prune` removes, or would remove. */
export interface PruneReport {
  readonly outputFolder: string
  /** False: nothing was touched. */
  readonly confirmed: boolean
  readonly items: readonly PruneItem[]
  /** Matched the age or the number, and stay all the same. */
  readonly kept: readonly { readonly id: string; readonly reason: string }[]
  /** Remains of a prune that was interrupted; they are removed as well. */
  readonly leftovers: readonly string[]
  /** What could not be removed. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[]
  readonly freedBytes: number
}
