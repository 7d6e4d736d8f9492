/**
 * The shape of `results.json`, schema version 1: what a run found. Milliseconds, microseconds and bytes
 * are named in the keys. `null` means "not known or not demonstrated", never zero.
 */
import type { BurstResult } from './burst-result.ts'
import type { MemoryResult } from './memory-result.ts'
import type { ContentionResult } from './contention-result.ts'
import type { CoordinationResult } from './coordination-result.ts'
import type { EnduranceResult } from './endurance-result.ts'
import type { RecoveryResult } from './recovery-result.ts'
import type { EngineSemantics, Suite } from './vocabulary.ts'
import type { Decision, TargetVerdict } from '../statistics/verdict.ts'

export { faultStates, type FaultResult, type RecoveryResult } from './recovery-result.ts'

export type Interval = readonly [low: number | null, high: number | null]

/** Quantiles of one series over all valid rounds; each is the upper edge of its HDR bucket. */
export interface SeriesResult {
  readonly n: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly maxMs: number | null
  /** 95 % intervals, `[null, null]` below the n that an interval needs. */
  readonly intervals: {
    readonly p50Ms: Interval
    readonly p95Ms: Interval
    readonly p99Ms: Interval
    readonly p999Ms: Interval
  }
}

export interface ExchangeCounts {
  readonly scheduled: number
  readonly completed: number
  readonly refused: number
  readonly timedOut: number
  readonly lost: number
  readonly duplicated: number
  readonly wireDuplicates: number
  readonly phantom: number
  readonly misdelivered: number
  readonly reordered: number
  readonly doubleTerminal: number
  readonly corrupt: number
  readonly late: number
  readonly unexpected: number
}

export interface StageResult {
  readonly n: number
  readonly p50Us: number | null
  readonly p99Us: number | null
}

export const stageNames = ['verify', 'nonce', 'rateLimit', 'schema', 'storeWait', 'push', 'total'] as const
export type StageName = (typeof stageNames)[number]

export interface EngineResult {
  /** Unique in the run: the spec as given, with `#2` … on repetition. */
  readonly label: string
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly role: 'baseline' | 'candidate'
  readonly host: 'thread' | 'process' | 'url'
  readonly transport: 'websocket' | 'sse' | 'http' | 'store'
  readonly semantics: EngineSemantics
  /** Whether the semantics were observed on an engine this run started, or declared for a remote one. */
  readonly semanticsBasis: 'started-by-this-run' | 'declared'
  readonly validRounds: number
  readonly exchanges: ExchangeCounts
  readonly delivery: SeriesResult
  readonly roundTrip: SeriesResult
  readonly serviceTime: SeriesResult
  readonly throughputPerSecond: number | null
  readonly offeredPerSecond: number
  readonly errorRate: number | null
  readonly stages?: Readonly<Record<StageName, StageResult>>
  readonly polling?: {
    readonly databaseQueries: number
    readonly emptyPolls: number
    readonly heldConnections: number
    readonly pollTimeouts: number
    readonly wastedPolls: number
    /** Of one leg, for a loop that sleeps `intervalMs` between checks: uniform over 0 … interval. */
    readonly theoreticalDelivery: { readonly intervalMs: number; readonly meanMs: number; readonly maxMs: number }
  }
  readonly resources: {
    readonly rssMaxBytes: number | null
    /** Why a figure of `resources` is null, by key. */
    readonly nullReasons: Readonly<Record<string, string>>
    readonly heapMaxBytes: number | null
    readonly cpuPercent: number | null
    readonly cpuUsPerExchange: number | null
    readonly eventLoopP99Ms: number | null
    readonly openConnectionsMax: number | null
    readonly walBytesMax: number | null
    readonly commits: number | null
  }
}

export interface ComparisonResult {
  readonly baseline: string
  readonly candidate: string
  readonly metric: 'roundTrip' | 'delivery' | 'serviceTime'
  readonly quantile: 'p50' | 'p95' | 'p99'
  /** Baseline over candidate, the median of the per-round ratios: 30 means "thirty times faster". */
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  readonly rounds: number
  readonly verdict: 'faster' | 'slower' | '~' | 'NOT_DEMONSTRATED'
}

/** What the candidate saves against another arm of its own engine, i.e. what an option that differs is worth. */
export interface SavingResult {
  readonly arm: string
  readonly against: string
  readonly metric: 'serviceTimeP50' | 'serviceTimeP99' | 'cpuUsPerExchange'
  /** The arm over the candidate, the median of the per-round ratios: 1.2 means the candidate saves a sixth. */
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  readonly rounds: number
  readonly verdict: 'saves' | 'costs' | '~' | 'NOT_DEMONSTRATED'
}

export interface TargetResult {
  readonly expression: string
  readonly title: string
  readonly verdict: TargetVerdict
  readonly mandatory: boolean
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly n: number
  /** What the verdict needs, e.g. `n >= 299`, `agents >= 10000`. */
  readonly required: string
  readonly unit: string
  /** Empty, or why the verdict is NOT_DEMONSTRATED. */
  readonly reason: string
}

export type ClaimVerdict = 'SHOWN' | 'REFUTED' | 'NOT_SHOWN'

export interface ClaimResult {
  readonly id: string
  readonly source: string
  readonly statement: string
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly verdict: ClaimVerdict
  /** Why, in one sentence; for NOT_SHOWN, what would show it. */
  readonly reason: string
}

export interface GeneratorResult {
  readonly valid: boolean
  readonly reasons: readonly string[]
  readonly achievedRatio: number | null
  readonly latenessP99Ms: number | null
  readonly eventLoopP99Ms: number | null
  readonly cpuPercent: number | null
}

export interface InvalidRound {
  readonly round: number
  readonly engine: string
  readonly reasons: readonly string[]
  /** Name of the case; absent in a run of one load. */
  readonly case?: string
}

/** One load of a run that has several; the figures of its engines as they would stand in a run of their own. */
export interface CaseResult {
  readonly name: string
  readonly agents: number
  readonly ratePerSecond: number
  readonly loadModel: 'open' | 'closed'
  readonly plannedRounds: number
  readonly engines: readonly EngineResult[]
  readonly generator: { readonly cpuPercent: number | null; readonly latenessP99Ms: number | null }
}

export const growthMetrics = ['rssBytes', 'openConnections', 'databaseQueriesPerSecond'] as const
/** How a figure of an engine grows with the number of agents, by least squares over the valid rounds of all loads. */
export interface GrowthResult {
  readonly engine: string
  readonly metric: (typeof growthMetrics)[number]
  readonly perAgent: number | null
  readonly low: number | null
  readonly high: number | null
  readonly n: number
  readonly shape: 'linear' | 'curved' | 'NOT_DEMONSTRATED'
  /** Mid-range bend of a quadratic against the straight line through its ends, in percent of the range it spans. */
  readonly bendPercent: number | null
  readonly bendLow: number | null
  readonly bendHigh: number | null
  /** Largest distance of a load's mean from the line, in percent of the range of these means. */
  readonly departurePercent: number | null
  /** Why nothing was demonstrated; empty otherwise. */
  readonly reason: string
}

/** The highest offered rate at which an engine met its service level at a number of agents. */
export interface KneeResult {
  readonly engine: string
  readonly agents: number
  /** Of round trip p99. */
  readonly boundMs: number
  /** null when no probe held. */
  readonly ratePerSecond: number | null
  /** What the lowest rate that did not hold failed by; `generator`: the load or the machine, so the engine's own knee was not seen. */
  readonly limit: 'latency' | 'errors' | 'generator' | 'not reached'
  readonly probes: number
  /** Of the highest probe that held. */
  readonly engineCpuPercent: number | null
  readonly generatorCpuPercent: number | null
}

/** The Universal Scalability Law (Gunther) through the knees of one engine; 95 % intervals. */
export interface ScalabilityResult {
  readonly engine: string
  readonly status: 'FITTED' | 'NOT_DEMONSTRATED'
  readonly reason: string
  readonly lambda: readonly [value: number, low: number | null, high: number | null] | null
  readonly sigma: readonly [value: number, low: number | null, high: number | null] | null
  readonly kappa: readonly [value: number, low: number | null, high: number | null] | null
  /** Agents at which throughput is highest; null when the data show no peak. */
  readonly peakAgents: readonly [value: number, low: number | null, high: number | null] | null
  readonly testedTo: number
}

export interface ScalingResult {
  readonly knees: readonly KneeResult[]
  readonly scalability: readonly ScalabilityResult[]
  readonly growth: readonly GrowthResult[]
  /** Per engine and load: sessions opened per second, and the share of exchanges that completed. */
  readonly levels: readonly {
    readonly case: string
    readonly engine: string
    readonly connectsPerSecond: number | null
    readonly successShare: number | null
    readonly databaseQueriesPerExchange: number | null
    /** Below 95 % of success a warning, below 90 % the engine is not put to larger loads; invalid: no round counts. */
    readonly state: 'held' | 'warning' | 'stopped' | 'invalid' | 'not played'
  }[]
}

export interface ResultsDocument {
  readonly schemaVersion: 1
  readonly runId: string
  readonly suite: Suite
  readonly profile: 'smoke' | 'standard' | 'full'
  /** In words: what the decision covers, e.g. "100 agents, 200 exchanges/s, 10 × 3 s, websocket, loopback". */
  readonly scope: string
  readonly decision: Decision
  readonly exitCode: number
  /** One line each: what led to the decision. */
  readonly decisionReasons: readonly string[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
  /** What this run cannot say, each with the command that would show it. */
  readonly notAssessed: readonly { readonly what: string; readonly command: string }[]
  readonly seed: string
  readonly engines: readonly EngineResult[]
  readonly comparisons: readonly ComparisonResult[]
  /** Empty unless another arm is of the candidate's engine. */
  readonly savings: readonly SavingResult[]
  readonly targets: readonly TargetResult[]
  readonly claims: readonly ClaimResult[]
  readonly generator: GeneratorResult
  readonly ledger: { readonly state: 'COMPLETE' | 'UNKNOWN'; readonly reasons: readonly string[] }
  readonly invalidRounds: readonly InvalidRound[]
  /** Of the load that the decision is about. */
  readonly plannedRounds: number
  /** Every load of a suite that has several, in the order of play. */
  readonly cases?: readonly CaseResult[]
  readonly scaling?: ScalingResult
  readonly recovery?: RecoveryResult
  readonly burst?: BurstResult
  readonly memory?: MemoryResult
  readonly contention?: ContentionResult
  readonly coordination?: CoordinationResult
  readonly endurance?: EnduranceResult
  readonly environment: Environment
}

/** A fact of the machine, or null with the reason why it is not known. */
export interface Fact<T> {
  readonly value: T | null
  readonly reason?: string
}

/** Where the run was made. Host names, user names and absolute paths never appear here. */
export interface Environment {
  readonly lighthouseVersion: string
  readonly commit: Fact<string>
  readonly dirty: Fact<boolean>
  readonly lockfileSha256: Fact<string>
  readonly nodeVersion: string
  readonly libraries: Readonly<Record<string, string>>
  readonly platform: string
  readonly kernel: string
  readonly cpuModel: string
  readonly logicalCpus: number
  readonly memoryBytes: number
  readonly descriptorLimit: Fact<number>
  readonly loadAverageBefore: readonly number[]
  readonly loadAverageAfter: readonly number[]
  readonly stealPercent: Fact<number>
  readonly foreignCpuPercent: Fact<number>
}
