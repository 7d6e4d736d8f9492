/**
 * One interval of what a bridge measured of itself: deliveries to agents assigned push, and to those on the old path.
 */

export interface BridgeGroup {
  /** Assigned at the end of the interval. */
  readonly agents: number
  /** Messages that reached their agent in the interval, or ended without having. */
  readonly due: number
  /** Of these, what ended by its deadline before it was handed over. */
  readonly failed: number
  /** Of these, what was handed over after a time that the histogram cannot hold: negative, or above ten minutes. */
  readonly unmeasured: number
  /** HDR V2, compressed, base64; microseconds from taken to handed over. */
  readonly histogram: string
}

export interface BridgeObservation {
  /** Counts from 0 since the bridge was started. */
  readonly sequence: number
  readonly fromWallMs: number
  readonly durationMs: number
  readonly push: BridgeGroup
  readonly poll: BridgeGroup
  /** Refusals that no honest client causes: bad signatures, replays, answers of those who were not asked. */
  readonly securityViolations: number
}

/** What a bridge answers of the intervals that it keeps. */
export interface BridgeObservations {
  /** Another one: the bridge was started anew, and counts intervals from 0 again. */
  readonly epoch: number
  /** How long they are meant to be. */
  readonly intervalMs: number
  /** Since the last closed interval ended. */
  readonly openMs: number
  /** The oldest first. Within an epoch each begins where the one before it ends. */
  readonly observations: readonly BridgeObservation[]
}
