/**
 * What a coordination round is asked and what it leaves behind: the pattern that its agents play, how many instances of it came to
 * their end, and how evenly the engine served agents of one role.
 */

export const coordinationKinds = [
  'fan-out',
  'pipeline',
  'chain',
  'review',
  'quorum',
  'expert-pool',
  'hot-spot',
] as const
export type CoordinationKind = (typeof coordinationKinds)[number]

/** Who takes part and how one instance goes; src/load/coordination.ts says it step by step. */
export type CoordinationPattern =
  | { readonly kind: 'fan-out'; readonly orchestrators: number; readonly workers: number; readonly fanOut: number }
  | {
      readonly kind: 'pipeline'
      readonly coordinators: number
      readonly agentsPerStage: number
      readonly depth: number
    }
  | {
      readonly kind: 'chain'
      readonly callers: number
      /** Agents that are asked, and ask another one before they answer. */
      readonly links: number
      readonly depth: number
      /** How often an agent asks at most, each time one drawn anew. */
      readonly attempts: number
      /** Whether an agent goes on with a question whose own deadline has passed. */
      readonly deadlines: 'heeded' | 'ignored'
    }
  | {
      readonly kind: 'review'
      readonly authors: number
      readonly reviewers: number
      /** Reviewers asked in a round; all have to approve. */
      readonly approvals: number
      /** Share of rounds in which one of them asks for changes. */
      readonly declineShare: number
      /** Share of rounds in which one of them ends the review. */
      readonly cancelShare: number
      readonly maximumRounds: number
    }
  | {
      readonly kind: 'quorum'
      readonly broadcasters: number
      readonly members: number
      /** Members asked at once, and how many answers are enough. */
      readonly audience: number
      readonly quorum: number
    }
  | {
      readonly kind: 'expert-pool'
      readonly workers: number
      readonly experts: number
      /** Share of experts that decline because they are busy; the worker then asks another. */
      readonly declineShare: number
      readonly maximumAttempts: number
    }
  | {
      readonly kind: 'hot-spot'
      readonly workers: number
      readonly peers: number
      /** Share of questions that go to one and the same of the peers. */
      readonly hotShare: number
    }

/** The load of one case of a coordination run. */
export interface CoordinationPlan {
  readonly pattern: CoordinationPattern
  readonly instancesPerSecond: number
  readonly arrivals: 'poisson' | 'uniform'
  readonly payloadBytes: number
  /** Mean time that a recipient works on a question, exponential; 0: all answer at once. */
  readonly workMs: number
  /** Of each exchange, from its send. */
  readonly deadlineMs: number
}

/** How evenly agents of one role were served; null where no agent of the role took part. */
export interface RoleFairness {
  readonly role: string
  readonly agents: number
  /** What was timed: `delivery` to this agent, or `roundTrip` of its own questions. */
  readonly measure: 'delivery' | 'roundTrip'
  /** Agents with at least one sample. */
  readonly served: number
  readonly exchangesPerAgent: number
  /** Jain's index of the agents' mean latencies: 1 when all are alike, 1/agents when one waits alone. */
  readonly index: number | null
  /** The index to expect of an engine that treats all alike, since means of few samples differ by chance. */
  readonly indexByChance: number | null
  readonly medianMs: number | null
  readonly worstMs: number | null
  /** Mean latency of the agent served worst over the median agent's. */
  readonly worstToMedian: number | null
}

/** What retries made of chains of questions; all by the second in which the chain began. */
export interface ChainEvidence {
  readonly begun: readonly number[]
  readonly completed: readonly number[]
  /** Questions sent; a chain without a retry takes as many as it is deep. */
  readonly asked: readonly number[]
  /** Of `asked`: sent when nobody waited any more for what they were to bring. */
  readonly askedInVain: readonly number[]
}

export interface CoordinationEvidence {
  /** `scheduled = completed + failed`; an instance has failed when a step that it needed did. */
  readonly instances: { readonly scheduled: number; readonly completed: number; readonly failed: number }
  /** Exchanges whose requester asked to withdraw them, and those that ended so; the latter are in no other count. */
  readonly withdrawals: { readonly asked: number; readonly withdrawn: number }
  /** Exchanges that would have followed from steps that failed; nobody sent them. */
  readonly neverOffered: number
  readonly fairness: readonly RoleFairness[]
  /** Of chains alone. */
  readonly chain?: ChainEvidence
}
