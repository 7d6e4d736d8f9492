/**
 * What one measured round leaves behind, and what a run leaves in all: the raw material from which every
 * published figure is derived (and derived again by a verifier). One folder per round holds `round.json`
 * (a RoundEvidence) and `histograms.hlog` (HDR log, V2, one tagged line per series and 1-second block).
 *
 * Tags of `histograms.hlog`: `delivery`, `roundTrip`, `serviceTime` (microseconds, one line per 1 s block of
 * the schedule, in order), `lateness` (microseconds, one line), `stage.<name>` (nanoseconds, one line), and of stores
 * `store.<name>` (microseconds, one line per second in which a wait ended).
 * Of a coordination round also `pattern` (microseconds, blocks of the schedule): whole instances, from arrival to end.
 */
import type { CoordinationEvidence, CoordinationPlan } from './coordination-evidence.ts'
import type { EnduranceCasePlan, RestReading } from './rest-evidence.ts'
import type { EngineSemantics, Suite } from './vocabulary.ts'
import type { Environment, ExchangeCounts } from './results-document.ts'

export interface RoundEvidence {
  readonly schemaVersion: 1
  /** 0-based place in the plan; repeats of an invalid round keep the number and raise `attempt`. */
  readonly round: number
  readonly attempt: number
  readonly engine: string
  readonly startedAtMs: number
  readonly durationMs: number
  readonly drainMs: number
  readonly counts: ExchangeCounts
  readonly ledger: { readonly state: 'COMPLETE' | 'UNKNOWN'; readonly reasons: readonly string[] }
  /** First 32 anomalies per class, as text without payloads. */
  readonly anomalies: readonly string[]
  /** Samples that no histogram holds. A non-zero count is a reason for INVALID. */
  readonly samples: { readonly negative: number; readonly outOfRange: number }
  readonly audit: RoundAudit
  readonly client: Readonly<Record<string, number>>
  readonly engineStats: Readonly<Record<string, number | null>>
  readonly resources: ResourceSummary
  /** Sessions opened per second before the first round of a case; absent where no case says how many agents there are. */
  readonly connectsPerSecond?: number
  /** Of suites that ask how a round went on, not only how it was in all. */
  readonly timeline?: RoundTimeline
  /** Moments that the suite marked while the round ran. */
  readonly marks?: readonly RoundMark[]
  /** What was done to the engine while the round ran. */
  readonly faults?: readonly FaultRecord[]
  /** Of a round that played a coordination pattern. */
  readonly coordination?: CoordinationEvidence
  /** What the engine's process held when its garbage was gone, of suites that ask for it, in the order of time. */
  readonly memory?: readonly MemoryReading[]
  /** What all processes held when the round had drained, of endurance runs. */
  readonly rest?: RestReading
}

export const memoryMoments = ['before', 'idle', 'during', 'after'] as const

/** See settled-memory.ts. */
export interface MemoryReading {
  /** Before the agents of the round connected, connected and idle, while the round ran, after they had gone. */
  readonly moment: (typeof memoryMoments)[number]
  /** From the round's zero; negative before it. */
  readonly atMs: number
  readonly heapUsedBytes: number
  readonly externalBytes: number
  readonly rssBytes: number
  /** Resident pages that are of no file, before the collections; absent where the system does not tell. */
  readonly anonymousBytes?: number
  /** Of all TCP sockets of the machine, in the kernel; null where the system does not tell. */
  readonly socketBytes: number | null
  /** Sessions, and exchanges that were sent and not resolved. */
  readonly agents: number
  readonly openExchanges: number
}

/** A fault as it was planned; ms from the round's zero. */
export interface FaultPlan {
  readonly kind: string
  readonly atMs: number
  /** From the injection to the healing; 0 for what is over at once. */
  readonly forMs: number
  /** The aftermath is followed until here. */
  readonly untilMs: number
  /** Of a fault of the agents: `agents` of them, from `firstAgent` on, keep their answers back for `delayMs`, from the injection for `forMs`. */
  readonly late?: {
    readonly agents: number
    /** 0 unless given. */
    readonly firstAgent?: number
    readonly delayMs: number
    readonly forMs: number
  }
}

/** A fault as it happened; ms from the round's zero. */
export interface FaultRecord {
  readonly kind: string
  readonly injectedAtMs: number
  /** When nothing stood in the engine's way any more; null when that did not come. */
  readonly healedAtMs: number | null
  readonly untilMs: number
  /** Whether it reached the engine, and what shows that. A fault that did not bite proves nothing. */
  readonly bit: boolean
  readonly shownBy: string
  /** Of the fault itself, e.g. `restartMs`, `connectionsReset`; units last. */
  readonly figures: Readonly<Record<string, number>>
}

/** A round second by second; the position in each list is the second since the round's zero. */
export interface RoundTimeline {
  /** By the second in which an exchange was scheduled. `completed` of them, whenever that was. */
  readonly scheduled: readonly number[]
  readonly completed: readonly number[]
  /** By the second of the result, to the end of the drain. */
  readonly results: readonly number[]
  /** Sent and neither completed, refused nor past its deadline, at the end of the second, to the end of the drain. */
  readonly backlog: readonly number[]
}

/** What followed a moment, in ms from the round's zero; null when nothing of the kind did. */
export interface RoundMark {
  readonly name: string
  readonly atMs: number
  /** Session lost, refusal, expiry or passed deadline at or after the mark. */
  readonly firstFailureMs: number | null
  /** Earliest result of an exchange that was sent at or after the mark. */
  readonly firstSuccessMs: number | null
}

/** A stretch of a round with a load of its own. */
export interface LoadPhase {
  readonly durationMs: number
  /** Who asks: agents 0 … `agents`−1; all agents of the load stay connected. */
  readonly agents: number
  readonly ratePerSecond: number
}

/** A part of a run with a load of its own. Its rounds are consecutive, and a round's number tells its case. */
export interface CasePlan {
  /** Unique in the run; letters, digits and hyphens. */
  readonly name: string
  readonly agents: number
  readonly ratePerSecond: number
  readonly loadModel: 'open' | 'closed'
  readonly roundDurationMs: number
  readonly firstRound: number
  readonly rounds: number
  /**
   * Set for a search of the knee (knee.ts): at most `rounds` probes per engine, starting at `ratePerSecond`; the bound of round trip p99 in
   * ms by engine label.
   */
  readonly searchBoundsMs?: Readonly<Record<string, number>>
  /** Consecutive stretches that fill each round; `ratePerSecond` is then the highest of them. */
  readonly phases?: readonly LoadPhase[]
  /** Labels of the engines that take part; all of them by default. */
  readonly engines?: readonly string[]
  /** Connections of the store's pool; every writer then commits by itself. */
  readonly poolSize?: number
  /** Done to every engine in each round, in this order. */
  readonly faults?: readonly FaultPlan[]
  /** The pattern that agents play; `ratePerSecond` is then the mean number of exchanges that it comes to. */
  readonly coordination?: CoordinationPlan
  /** What a case of the memory suite asks. */
  readonly memory?: MemoryCasePlan
  /** Of an endurance run. */
  readonly endurance?: EnduranceCasePlan
}

export const memoryCaseKinds = [
  'idle',
  'inFlight',
  'sustained',
  'heapNeed',
  'heapCap',
  'processCap',
  'descriptors',
  'slowReader',
  'flood',
] as const

export interface MemoryCasePlan {
  readonly kind: (typeof memoryCaseKinds)[number]
  /** Of a question; answers stay small. */
  readonly payloadBytes: number
  readonly deadlineMs: number
  /** Agents 0 … `lateAgents`−1 answer `answerDelayMs` late. */
  readonly lateAgents: number
  readonly answerDelayMs: number
  /** Settled readings while the round runs are this far apart; 0 for none. */
  readonly readEveryMs: number
  /** Of a cap on the heap or the whole process: over the need that the case `heapNeed` measured; 0 otherwise. */
  readonly capFactor: number
}

export interface RoundAudit {
  readonly valid: boolean
  readonly reasons: readonly string[]
  readonly scheduled: number
  /** Sent within the round's schedule window plus the lateness bound. */
  readonly sent: number
  readonly achievedRatio: number
  readonly latenessP99Ms: number
  readonly eventLoopP99Ms: number
  readonly cpuPercent: number
  readonly stealPercent: number | null
  readonly foreignCpuPercent: number | null
}

/** Of the engine's own thread or process during the round. `null` with a reason in `nullReasons`. */
export interface ResourceSummary {
  readonly rssMaxBytes: number | null
  readonly heapMaxBytes: number | null
  readonly cpuUs: number | null
  readonly eventLoopP99Ms: number | null
  readonly openConnectionsMax: number | null
  readonly walBytesMax: number | null
  readonly nullReasons: Readonly<Record<string, string>>
}

export interface EngineArm {
  readonly label: string
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly role: 'baseline' | 'candidate'
  readonly host: 'thread' | 'process' | 'url'
  /** `store`: no engine; the store itself is written to and read. */
  readonly transport: 'websocket' | 'sse' | 'http' | 'store'
  readonly semantics: EngineSemantics
  readonly semanticsBasis: 'started-by-this-run' | 'declared'
}

/** `run.json`: everything that was fixed before the first measured round, plus the environment. */
export interface RunManifest {
  readonly schemaVersion: 1
  readonly runId: string
  readonly suite: Suite
  readonly profile: 'smoke' | 'standard' | 'full'
  readonly startedAt: string
  readonly seed: string
  readonly plan: {
    readonly agents: number
    readonly ratePerSecond: number
    readonly rounds: number
    readonly minimumRounds: number
    readonly roundDurationMs: number
    readonly warmupMs: number
    readonly deadlineMs: number
    readonly pattern: string
    readonly payloadBytes: number
    readonly pacing: 'timer' | 'spin'
    readonly loadModel: 'open' | 'closed'
    readonly durability: string
    /** Order of engine labels in each round, drawn from the seed. */
    readonly order: readonly (readonly string[])[]
    /** Of a suite with several loads, in the order of play; `agents` and the other sizes above are those of the last. */
    readonly cases?: readonly CasePlan[]
    /** What was asked for and cannot be done on this machine. */
    readonly skippedCases?: readonly { readonly name: string; readonly reason: string }[]
  }
  readonly engines: readonly EngineArm[]
  readonly targets: { readonly source: string; readonly sha256: string }
  readonly claims: { readonly source: string; readonly sha256: string }
  readonly environment: Environment
  /** Set when the run ended; absent in the directory of a killed run. */
  readonly finishedAt?: string
  readonly interrupted?: boolean
  /** When the run was taken up again after it had been cut short; nothing was measured in between. */
  readonly resumedAt?: readonly string[]
  /** Of a run that is one of several under one decision: which campaign, and all suites asked for in it, in order. */
  readonly campaign?: { readonly id: string; readonly suites: readonly Suite[] }
}
