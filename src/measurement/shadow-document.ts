/**
 * What a bridge says of its shadow: exchanges of the old path whose copies went over push beside them, and where the two came to something else.
 */
import type { McNemar } from '../statistics/paired-outcomes.ts'

/** What a copy did otherwise than its exchange. */
export const shadowDifferences = [
  /** The question, or the result, arrived on the old path alone. */
  'questionLost',
  'resultLost',
  'questionBody',
  'resultBody',
  'outcome',
  /** The new path did not take the copy, or the answer to it. */
  'refused',
  /** The question arrived on the new path alone: on the old one nobody read it in time. */
  'onlyNew',
] as const
export type ShadowDifference = (typeof shadowDifferences)[number]

/** Why an exchange has no copy, or a copy was given up. */
export const shadowDrops = ['notReady', 'full', 'renewed', 'moved'] as const
export type ShadowDrop = (typeof shadowDrops)[number]

/** From taken to handed over, in ms; null without one. */
export interface ShadowLatency {
  readonly n: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

export interface ShadowReport {
  readonly state: 'off' | 'starting' | 'on' | 'failed'
  /** Why it failed; else empty. */
  readonly reason: string
  readonly share: number
  readonly slaMs: number
  /** Exchanges of which a copy was sent, whose outcome was compared, and that are under way. */
  readonly copies: number
  readonly compared: number
  readonly open: number
  readonly dropped: Readonly<Record<ShadowDrop, number>>
  readonly differences: Readonly<Record<ShadowDifference, number>>
  /** The first ones, without what they said. */
  readonly examples: readonly { readonly id: string; readonly what: readonly ShadowDifference[] }[]
  /** By which path the question arrived. */
  readonly delivered: {
    readonly both: number
    readonly onlyOld: number
    readonly onlyNew: number
    readonly neither: number
  }
  readonly oldPath: ShadowLatency
  readonly newPath: ShadowLatency
  /** Exchanges that missed `slaMs`; the candidate is the new path. */
  readonly sla: McNemar
}
