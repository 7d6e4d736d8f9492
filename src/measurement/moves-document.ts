/**
 * What a bench of moves found: how agents were moved back and forth under load, what each share cost, and what became of every exchange.
 */
import type { MigrationAccount } from './migration-account.ts'
import type { MigrationStatus } from './migration-document.ts'
import type { ExchangeCounts } from './results-document.ts'

export interface GroupFigures {
  readonly agents: number
  readonly deliveries: number
  readonly failed: number
  /** Of deliveries, in ms; null without any. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

/** One share, from when agents had settled on it until the next one was asked for. */
export interface ShareFigures {
  readonly percentage: number
  readonly push: GroupFigures
  readonly poll: GroupFigures
}

export interface MoveFigures {
  readonly fromPercentage: number
  readonly toPercentage: number
  /** That had to change their path; null when the bridge did not say. */
  readonly agents: number | null
  /** From the change of the flag until the last of them had; null when they had not in the time that was watched. */
  readonly switchedMs: number | null
}

export interface MovesDocument {
  readonly schemaVersion: 1
  readonly profile: 'smoke' | 'standard' | 'full'
  readonly migration: MigrationStatus
  readonly load: MigrationAccount['load']
  readonly shares: readonly ShareFigures[]
  readonly moves: readonly MoveFigures[]
  /** The node that was killed: at which share, and how long until it answered again. */
  readonly kill: { readonly percentage: number; readonly downMs: number } | null
  /** P50 and P99 of push beside polling agents over those of push alone; null without both. */
  readonly dualCost: { readonly p50: number | null; readonly p99: number | null }
  readonly total: ExchangeCounts
  readonly account: MigrationAccount
  readonly broken: readonly string[]
  readonly exitCode: number
}
