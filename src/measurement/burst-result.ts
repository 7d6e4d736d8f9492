/**
 * What a run of the burst suite publishes of its bursts. Times in milliseconds; what was not demonstrated is null.
 */

/** A stretch of the rounds of a case with a load of its own, over all valid rounds of one engine. */
export interface BurstStretch {
  /** Who asked; all agents of the case were connected. */
  readonly agents: number
  readonly ratePerSecond: number
  /** Exchanges scheduled in it. */
  readonly scheduled: number
  /** Of these, refused, timed out or lost, whenever that was. */
  readonly failed: number
  /** Round trip, an exchange that failed counting with its deadline; null below 20 exchanges for p50, 1,000 for p99. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

export const burstVerdicts = ['degraded', 'improved', '~', 'NOT_DEMONSTRATED'] as const

/** A quantile in a burst over the same before it: the median of the ratios per round, with its 95 % interval. */
export interface BurstFactor {
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  /** Rounds that gave a ratio: both stretches hold 10/(1−q) exchanges. */
  readonly rounds: number
  /** ~: no difference was shown. */
  readonly verdict: (typeof burstVerdicts)[number]
}

export interface BurstStep extends BurstStretch {
  /** Its rate over the one before. */
  readonly times: number
  readonly p50: BurstFactor
  readonly p99: BurstFactor
}

/** From the end of the burst to the first of `windows` consecutive seconds as good as before it; resolution 1 s. */
export interface BurstRecovery {
  /** Median over rounds; null where at least half of them were not as good within what was watched. */
  readonly medianMs: number | null
  /** Ends of its 95 % interval; null below 6 rounds, `highMs` also where it took longer than was watched. */
  readonly lowMs: number | null
  readonly highMs: number | null
  readonly rounds: number
  readonly recoveredRounds: number
  readonly windows: number
  readonly watchedMs: number
}

/** What the bursts of one case did to one engine. */
export interface BurstCaseResult {
  readonly case: string
  readonly engine: string
  /** Valid rounds of the case that the figures rest on. */
  readonly rounds: number
  readonly before: BurstStretch
  /** In the order of the rounds. */
  readonly steps: readonly BurstStep[]
  readonly after: BurstStretch
  readonly recovery: BurstRecovery
  /** Most exchanges waiting at the end of a second, before the burst and from its begin on; null without a valid round. */
  readonly backlogBefore: number | null
  readonly backlogMax: number | null
}

export interface BurstResult {
  readonly cases: readonly BurstCaseResult[]
}
