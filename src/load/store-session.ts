/**
 * Rounds of writers and readers on one store, in one process: opens what a round needs, plays it, and gives its evidence back with what the
 * store says of itself.
 */
import { runCheckerSelfTest } from '../delivery/self-test.ts'
import type { ContendedStore, StoreReading, StoreRoundHandlers } from '../engines/event-store/contended-store.ts'
import { histogramLogLine, seriesLines, storePrefix } from '../measurement/histogram-log.ts'
import { createLatencyRecorder, type LatencyRecorder } from '../measurement/latency-recorder.ts'
import type { RoundEvidence } from '../measurement/round-evidence.ts'
import { auditRound } from './round-audit.ts'
import { InboxReaders, type ReadCounts } from './inbox-readers.ts'
import type { RoundPlan, RoundProgress } from './round-plan.ts'
import { inboxName, readersFor, StoreRound, type StoreRoundOutcome } from './store-round.ts'
import type { GeneratorGauge, Timing } from './timing.ts'

const blockMs = 1000
const longestUs = 600_000_000

/** What a round of a store is told beside its plan; plain data. */
export interface StoreRoundRequest {
  readonly plan: RoundPlan
  readonly poolSize: number | null
  readonly ownTransactions: boolean
}

export interface StoreRoundReport {
  /** The suite adds the arm's label. */
  readonly evidence: Omit<RoundEvidence, 'engine'>
  readonly hlog: string
}

export interface StoreSessionOptions {
  readonly store: ContendedStore
  readonly timing: Timing
  readonly gauge: GeneratorGauge
  readonly onProgress?: (progress: RoundProgress) => void
  /** What the checker of deliveries gets wrong; the real self-test unless a test plants a failure. */
  readonly checkerSelfTest?: () => readonly string[]
}

export class StoreSession {
  private readonly options: StoreSessionOptions
  private interruption: AbortController | null = null
  private selfTestFailures: readonly string[] | null = null

  constructor(options: StoreSessionOptions) {
    this.options = options
  }

  async playRound({ plan, poolSize, ownTransactions }: StoreRoundRequest): Promise<StoreRoundReport> {
    const { store, timing, gauge, onProgress } = this.options
    this.selfTestFailures ??= (this.options.checkerSelfTest ?? runCheckerSelfTest)()
    const interruption = new AbortController()
    this.interruption = interruption
    const round = new StoreRound({ plan, store, timing, gauge, onProgress: onProgress ?? null })
    if (this.selfTestFailures.length > 0) {
      round.ledger.markUnknown(`The checker failed its self-test: ${this.selfTestFailures[0]}.`)
    }
    const readTime = createLatencyRecorder({ unit: 'us', highest: longestUs })
    try {
      const handlers: StoreRoundHandlers = {
        onCommitted: (exchange) => round.onCommitted(exchange),
        onFailed: (exchange, error) => round.onFailed(exchange, error),
      }
      await store.begin({ writers: plan.workload.agents, poolSize, ownTransactions }, handlers)
      let played: Played
      try {
        played = await this.playOn(store, round, plan, { readTime, signal: interruption.signal })
      } catch (error) {
        // What broke the round is the news, not what it takes to end it.
        await store.end().catch(() => undefined)
        throw error
      }
      return reportOf(plan, played, await store.end())
    } finally {
      this.interruption = null
      round.release()
      readTime.destroy()
    }
  }

  private async playOn(
    store: ContendedStore,
    round: StoreRound,
    plan: RoundPlan,
    { readTime, signal }: { readonly readTime: LatencyRecorder; readonly signal: AbortSignal },
  ): Promise<Played> {
    const { timing } = this.options
    const readers = new InboxReaders({
      store,
      clock: timing.clock,
      inboxes: Array.from({ length: readersFor(plan.workload.agents) }, (_, reader) => inboxName(reader)),
      after: await store.lastSequence(),
      readTime,
      onEvent: (reader, event) => round.onRead(reader, event),
      onFailure: (error) =>
        round.ledger.markUnknown(`A reader failed: ${error instanceof Error ? error.message : String(error)}`),
    })
    const blocks = new SeriesBlocks({ ...store.series(), read: readTime })
    const cancel = timing.scheduler.every(blockMs, () => blocks.cut(plan.durationMs))
    try {
      const outcome = await round.run(signal)
      await readers.stop()
      return { outcome, reads: readers.counts(), storeSeries: blocks.lines(plan.durationMs) }
    } finally {
      cancel()
      await readers.stop()
    }
  }

  /** Ends the round under way at once; its report is marked invalid. */
  abort(): void {
    this.interruption?.abort()
  }

  async close(): Promise<void> {
    this.abort()
    await this.options.store.close()
  }
}

/** Series of waits by the second in which a wait ended; the last block takes the drain as well. */
class SeriesBlocks {
  private readonly series: Readonly<Record<string, LatencyRecorder>>
  private readonly blocks = new Map<string, string[]>()

  constructor(series: Readonly<Record<string, LatencyRecorder>>) {
    this.series = series
    for (const tag of Object.keys(series)) this.blocks.set(tag, [])
  }

  /** Closes a block, but for the last one of the schedule. */
  cut(durationMs: number): void {
    for (const [tag, recorder] of Object.entries(this.series)) {
      const own = this.blocks.get(tag)
      if (own === undefined || own.length >= Math.ceil(durationMs / blockMs) - 1) continue
      own.push(recorder.encode())
      recorder.reset()
    }
  }

  lines(durationMs: number): string {
    return Object.entries(this.series)
      .map(([tag, recorder]) => {
        const own = [...(this.blocks.get(tag) ?? []), recorder.encode()]
        const name = `${storePrefix}${tag}`
        // A round that was cut short has fewer blocks than its schedule.
        return own.length === Math.ceil(durationMs / blockMs)
          ? seriesLines(name, own, durationMs)
          : own
              .map((histogram, index) =>
                histogramLogLine({ tag: name, startMs: index * blockMs, intervalMs: blockMs, histogram }),
              )
              .join('')
      })
      .join('')
  }
}

interface Played {
  readonly outcome: StoreRoundOutcome
  readonly reads: ReadCounts
  /** Lines of the log. */
  readonly storeSeries: string
}

function reportOf(plan: RoundPlan, { outcome, reads, storeSeries }: Played, reading: StoreReading): StoreRoundReport {
  const { ledger, recorders } = outcome
  const { negative, outOfRange } = recorders
  const audit = auditRound({
    loadModel: 'open',
    pacing: plan.pacing,
    scheduled: ledger.counts.scheduled,
    sentInTime: outcome.sentInTime,
    unsent: ledger.unsent,
    latenessP99Ms: recorders.latenessP99Ms,
    latenessBoundMs: plan.latenessBoundMs,
    cpuPercent: outcome.cpuPercent,
    eventLoopP99Ms: outcome.eventLoopP99Ms,
    negativeSamples: negative,
    outOfRangeSamples: outOfRange,
    interrupted: outcome.interrupted,
  })
  const shared = 'the writers and readers share the process with the store'
  return {
    evidence: {
      schemaVersion: 1,
      round: plan.round,
      attempt: plan.attempt,
      startedAtMs: outcome.startedAtMs,
      durationMs: plan.durationMs,
      drainMs: outcome.drainMs,
      counts: ledger.counts,
      ledger: { state: ledger.state, reasons: ledger.reasons },
      anomalies: ledger.anomalies,
      samples: { negative, outOfRange },
      audit,
      client: {
        writers: plan.workload.agents,
        readers: readersFor(plan.workload.agents),
        ...reads,
        ...Object.fromEntries(Object.entries(ledger.refusals).map(([code, count]) => [`refused.${code}`, count])),
      },
      engineStats: reading.figures,
      resources: {
        rssMaxBytes: null,
        heapMaxBytes: null,
        cpuUs: reading.cpuUs,
        eventLoopP99Ms: null,
        openConnectionsMax: reading.openConnections,
        walBytesMax: reading.walBytesMax,
        nullReasons: { rssMaxBytes: shared, heapMaxBytes: shared, eventLoopP99Ms: shared, ...reading.nullReasons },
      },
    },
    hlog: recorders.encode(outcome.startedAtMs) + storeSeries,
  }
}
