/**
 * What a migration sees of the system it moves: counts of one interval, for the agents on the new path and for those on the old one.
 */

export interface ObservedGroup {
  /** Agents that are in the group at the end of the interval. */
  readonly agents: number
  /** Deliveries that came to an end in the interval, well or not. */
  readonly due: number
  /** Of these, what never arrived: expired, refused, lost. */
  readonly failed: number
  /** Of these, what arrived and took longer than so many ms. Only for bounds that the plan names. */
  above(boundMs: number): number
}

export interface Observation {
  /** Counts from 0 within a migration. */
  readonly sequence: number
  /** Wall clock. */
  readonly fromMs: number
  readonly toMs: number
  readonly candidate: ObservedGroup
  readonly baseline: ObservedGroup
  /** Acknowledged and never seen, in this interval. */
  readonly lost: number
  readonly securityViolations: number
  readonly healthy: boolean
}
