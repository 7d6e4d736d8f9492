/**
 * Words that results, reports and certificates share with the engines. They live here because reports
 * and certificates may not import engines; the engine contract re-exports them.
 */

export const durabilities = ['memory', 'os', 'fsync'] as const
/** `memory`: no disk; `os`: survives a killed process; `fsync`: each commit is synced. */
export type Durability = (typeof durabilities)[number]

/** What an engine promises. Mandatory, and printed beside every figure of the engine. */
export interface EngineSemantics {
  readonly delivery: 'at-most-once' | 'at-least-once' | 'exactly-once'
  readonly durability: Durability
  /** `per-pair`: messages of one producer reach one recipient in the order they were sent. */
  readonly ordering: 'none' | 'per-pair'
  readonly replay: 'none' | 'cursor'
  /** Whether the engine itself tells the requester, once, that the deadline has passed. */
  readonly expiry: 'engine' | 'client'
}

export const suites = [
  'comparison',
  'scaling',
  'failure-recovery',
  'burst',
  'memory-pressure',
  'contention',
  'coordination',
  'endurance',
] as const
/** The question a run puts to its engines. */
export type Suite = (typeof suites)[number]
