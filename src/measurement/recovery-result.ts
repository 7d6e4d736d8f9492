/** What a run of the recovery suite publishes of its faults. */

export const faultStates = [
  'recovered',
  'not recovered',
  'metastable',
  'not steady before',
  'did not bite',
  'invalid',
] as const
/** What retries made of chains of questions. */
export interface ChainResult {
  /** Questions that a chain takes without a retry. */
  readonly depth: number
  /** Chains that began in the whole seconds of the fault, and those of them whose caller got no answer. */
  readonly begun: number
  readonly failed: number
  /** Questions asked over those that the same chains take without a retry; also of chains whose callers were done before the fault. */
  readonly questionRatio: number | null
  readonly questionRatioBefore: number | null
  /** Of the questions asked, those that were sent when nobody waited any more for what they were to bring. */
  readonly inVainShare: number | null
}

/** What one fault did to one engine. Times in ms; null where there was nothing to time. */
export interface FaultResult {
  readonly case: string
  readonly kind: string
  readonly engine: string
  /** 0-based within its case. */
  readonly round: number
  /**
   * metastable: full load, and no recovery within a minute and five times the fault; not steady before: most seconds before the fault were no
   * better than those after it; invalid: the round does not count.
   */
  readonly state: (typeof faultStates)[number]
  /** From the injection to the first failure that a client saw. */
  readonly timeToDetectMs: number | null
  /** From the healing to the first result of an exchange sent after it. */
  readonly timeToFirstSuccessMs: number | null
  /** From the healing to the first of `windows` consecutive seconds as good as before the fault; resolution 1 s. */
  readonly timeToFullMs: number | null
  /** From the healing to the end of the first second with no more waiting than before the fault. */
  readonly backlogDrainedMs: number | null
  readonly windows: number
  /** How long the aftermath was watched. */
  readonly watchedMs: number
  /** Most exchanges waiting at the end of a second. */
  readonly backlogMax: number | null
  /** Failed exchanges over those that an error budget of 0.1 % of the round allows. */
  readonly budgetBurnt: number | null
  /** Attempts over exchanges, as the clients count them. */
  readonly amplification: number | null
  /** Highest RSS over that before the fault; null where the process was another one then, or memory is not known. */
  readonly rssOvershoot: number | null
  /**
   * Round trip p99 of what was due from the second of the injection to that after the healing, over p99 of the seconds before the first
   * fault. Under a reset, which takes the engine nothing, it is what the clients' own retrying costs.
   */
  readonly p99Ratio: number | null
  /** Of timeout cascades alone. */
  readonly chains: ChainResult | null
  readonly failed: number
  readonly lost: number
  readonly duplicated: number
  readonly wireDuplicates: number
  readonly shownBy: string
  readonly figures: Readonly<Record<string, number>>
}

export interface RecoveryResult {
  readonly faults: readonly FaultResult[]
}
