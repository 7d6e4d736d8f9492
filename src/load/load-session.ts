/**
 * Both ends of every exchange of one engine arm, in one process: connects the agents once, then runs rounds
 * and gives each round's evidence back. The load generator knows an engine by its client alone.
 *
 * Refusals are counted and never retried here: what an engine refuses is a failure of the run. Messages that
 * arrive between two rounds belong to the ledger of the next one, as messages of an earlier round.
 */
import { runCheckerSelfTest } from '../delivery/self-test.ts'
import type { ClientHandlers, EngineClient, EngineSemantics, Leg, Outcome, RefusalCode } from '../engines/engine.ts'
import { LighthouseError } from '../platform/errors.ts'
import { auditRound } from './round-audit.ts'
import type { RoundPlan, RoundProgress, RoundReport } from './round-plan.ts'
import { RoundRun } from './round-run.ts'
import type { RoundOutcome } from './round-setup.ts'
import type { GeneratorGauge, Timing } from './timing.ts'

export interface LoadSessionOptions {
  readonly createClient: (handlers: ClientHandlers) => EngineClient
  readonly timing: Timing
  readonly gauge: GeneratorGauge
  /** At most four calls a second while a round runs. */
  readonly onProgress?: (progress: RoundProgress) => void
  /** The zero of a round in ns of the clock, before its first send. */
  readonly onRoundStart?: (round: number, startNs: number) => void
  /** What the checker of deliveries gets wrong; the real self-test unless a test plants a failure. */
  readonly checkerSelfTest?: () => readonly string[]
}

export interface ConnectReport {
  readonly agents: number
  readonly elapsedMs: number
  readonly connectsPerSecond: number
}

export interface WarmUpReport {
  readonly scheduled: number
  readonly completed: number
}

/** Sessions opened at once: enough to hide the round trip, few enough not to overflow a listen queue. */
export const defaultConnectConcurrency = 64

const noncePattern = /^[a-z0-9-]{1,24}$/
/** Strays between rounds whose wire ids are kept; the rest are counted under the last of them. */
const maximumPendingStrays = 256

interface Stray {
  readonly agent: number
  readonly origin: 'earlier' | 'foreign'
  readonly wireId: string
}

export class LoadSession implements ClientHandlers {
  private readonly options: LoadSessionOptions
  private readonly client: EngineClient
  private agents = 0
  private round: RoundRun | null = null
  private interruption: AbortController | null = null
  private selfTestFailures: readonly string[] | null = null
  private pendingStrays: Stray[] = []
  private strayCount = 0
  private disconnected = new Uint8Array(0)
  private disconnectedCount = 0
  private lostSessions = 0
  /** Refusals that said when to come back, and when the first of them came. */
  private refusedWithHint = 0
  private firstHintNs: number | null = null
  private roundStartNs = 0

  constructor(options: LoadSessionOptions) {
    this.options = options
    this.client = options.createClient(this)
  }

  get semantics(): EngineSemantics {
    return this.client.semantics
  }

  /**
   * Enrols and connects agents 0 … `agents`−1, at most `concurrency` at once, spread evenly over `staggerMs`. Throws LighthouseError
   * that says how many succeeded and the first cause; sessions that are open stay open until `close`.
   */
  async connect(
    agents: number,
    concurrency: number = defaultConnectConcurrency,
    staggerMs: number = 0,
  ): Promise<ConnectReport> {
    const { clock, scheduler } = this.options.timing
    await this.client.prepare(agents)
    this.agents = agents
    this.disconnected = new Uint8Array(agents)
    this.disconnectedCount = 0
    const startNs = clock.nowNs()
    let next = 0
    let connected = 0
    let failure: { readonly agent: number; readonly cause: unknown } | null = null
    const worker = async (): Promise<void> => {
      while (next < agents && failure === null) {
        const agent = next++
        const waitMs = (agent / agents) * staggerMs - (clock.nowNs() - startNs) / 1e6
        if (waitMs > 0) await new Promise<void>((resolve) => void scheduler.after(Math.ceil(waitMs), resolve))
        try {
          await this.client.connect(agent)
          connected++
        } catch (cause) {
          failure ??= { agent, cause }
        }
      }
    }
    await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, agents)) }, worker))
    if (failure !== null) throw connectError(failure, connected, agents)
    // The clock's own resolution is the shortest time that can have passed.
    const elapsedMs = Math.max(1, clock.nowNs() - startNs) / 1e6
    return { agents, elapsedMs, connectsPerSecond: (connected * 1000) / elapsedMs }
  }

  /** A round whose figures are thrown away; its stragglers would show in the first measured round. */
  async warmUp(plan: RoundPlan, signal?: AbortSignal): Promise<WarmUpReport> {
    const { evidence } = await this.runRound(plan, signal)
    return { scheduled: evidence.counts.scheduled, completed: evidence.counts.completed }
  }

  /** Throws LighthouseError for a plan that cannot be run; an abort gives a report marked invalid. */
  async runRound(plan: RoundPlan, signal?: AbortSignal): Promise<RoundReport> {
    this.checkPlan(plan)
    this.selfTestFailures ??= (this.options.checkerSelfTest ?? runCheckerSelfTest)()
    const { timing, gauge, onProgress } = this.options
    const round = new RoundRun({
      plan,
      client: this.client,
      timing,
      gauge,
      onProgress: onProgress ?? null,
      disconnected: () => this.disconnectedCount,
      onStart: (startNs) => {
        this.roundStartNs = startNs
        this.options.onRoundStart?.(plan.round, startNs)
      },
    })
    if (this.selfTestFailures.length > 0) {
      round.ledger.markUnknown(`The checker failed its self-test: ${this.selfTestFailures[0]}.`)
    }
    this.handOverStrays(round)
    this.lostSessions = 0
    this.refusedWithHint = 0
    this.firstHintNs = null
    const interruption = new AbortController()
    this.interruption = interruption
    this.round = round
    try {
      const either = signal === undefined ? interruption.signal : AbortSignal.any([signal, interruption.signal])
      const outcome = await round.run(either)
      return this.reportOf(outcome)
    } catch (error) {
      if (error instanceof LighthouseError) throw error
      throw new LighthouseError('INTERNAL', `the engine client failed in round ${plan.round}: ${messageOf(error)}`, {
        cause: error,
      })
    } finally {
      this.round = null
      this.interruption = null
      round.release()
    }
  }

  /** Ends the round under way at once; its report is marked invalid. */
  abort(): void {
    this.interruption?.abort()
  }

  /** Asks the round under way to tell what followed the moment `atNs` of the clock. */
  mark(name: string, atNs: number): void {
    this.round?.mark(name, atNs)
  }

  /** Exchanges of the round under way that were sent and of which something may yet come; 0 between rounds. */
  get open(): number {
    return this.round?.ledger.unresolved ?? 0
  }

  async pause(): Promise<void> {
    await this.client.pause()
  }

  async close(): Promise<void> {
    this.abort()
    await this.client.close()
  }

  onAcknowledged(exchange: number, leg: Leg): void {
    this.round?.onAcknowledged(exchange, leg)
  }

  onQuestion(exchange: number, requester: number, recipient: number, body: string): void {
    if (this.round === null) this.keepStray(recipient, 'earlier', `question of exchange ${exchange}`)
    else this.round.onQuestion(exchange, requester, recipient, body)
  }

  onResult(exchange: number, requester: number, outcome: Outcome, body: string): void {
    if (this.round === null) this.keepStray(requester, 'earlier', `result of exchange ${exchange}`)
    else this.round.onResult(exchange, requester, outcome, body)
  }

  onRefused(exchange: number, leg: Leg, code: RefusalCode, retryAfterMs = 0): void {
    if (retryAfterMs > 0) {
      this.refusedWithHint++
      this.firstHintNs ??= this.options.timing.clock.nowNs()
    }
    this.round?.onRefused(exchange, leg, code)
  }

  onWireDuplicate(exchange: number, leg: Leg): void {
    this.round?.ledger.wireDuplicate(exchange, leg)
  }

  onStray(agent: number, origin: 'earlier' | 'foreign', wireId: string): void {
    if (this.round === null) this.keepStray(agent, origin, wireId)
    else this.round.ledger.stray(agent, origin, wireId)
  }

  onLost(agent: number): void {
    this.lostSessions++
    this.round?.onLost()
    if (this.disconnected[agent] !== 0) return
    this.disconnected[agent] = 1
    this.disconnectedCount++
  }

  onRestored(agent: number): void {
    if (this.disconnected[agent] !== 1) return
    this.disconnected[agent] = 0
    this.disconnectedCount--
  }

  private checkPlan(plan: RoundPlan): void {
    const fail = (message: string): never => {
      throw new LighthouseError('INTERNAL', `round ${plan.round} cannot run: ${message}`)
    }
    if (this.round !== null) fail('another round is under way')
    if (plan.workload.agents > this.agents)
      fail(`it needs ${plan.workload.agents} agents, ${this.agents} are connected`)
    if (!noncePattern.test(plan.nonce)) fail(`its nonce "${plan.nonce}" is not of the form [a-z0-9-]{1,24}`)
    for (const key of ['deadlineMs', 'payloadBytes'] as const) {
      if (!(plan.workload[key] > 0)) fail(`${key} is ${plan.workload[key]}, not above 0`)
    }
    if (!(plan.drainGraceMs >= 0)) fail(`drainGraceMs is ${plan.drainGraceMs}, below 0`)
  }

  private keepStray(agent: number, origin: Stray['origin'], wireId: string): void {
    this.strayCount++
    if (this.pendingStrays.length < maximumPendingStrays) this.pendingStrays.push({ agent, origin, wireId })
  }

  private handOverStrays(round: RoundRun): void {
    const strays = this.pendingStrays
    for (const { agent, origin, wireId } of strays) round.ledger.stray(agent, origin, wireId)
    const last = strays.at(-1)
    for (let extra = this.strayCount - strays.length; last !== undefined && extra > 0; extra--) {
      round.ledger.stray(last.agent, last.origin, last.wireId)
    }
    this.pendingStrays = []
    this.strayCount = 0
  }

  private reportOf(outcome: RoundOutcome): RoundReport {
    const { plan, ledger, recorders } = outcome
    const { negative, outOfRange } = recorders
    const audit = auditRound({
      loadModel: plan.loadModel,
      pacing: plan.pacing,
      scheduled: ledger.counts.scheduled,
      sentInTime: outcome.sentInTime,
      // What follows from an exchange that failed was never offered.
      unsent: outcome.coordination === null ? ledger.unsent : 0,
      latenessP99Ms: recorders.latenessP99Ms,
      latenessBoundMs: plan.latenessBoundMs,
      cpuPercent: outcome.cpuPercent,
      eventLoopP99Ms: outcome.eventLoopP99Ms,
      negativeSamples: negative,
      outOfRangeSamples: outOfRange,
      interrupted: outcome.interrupted,
    })
    const hlog = recorders.encode(outcome.startedAtMs)
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
        client: this.clientFigures(outcome),
        ...(outcome.timeline === null ? {} : { timeline: outcome.timeline }),
        ...(outcome.coordination === null ? {} : { coordination: outcome.coordination }),
        ...(outcome.marks.length === 0 ? {} : { marks: outcome.marks }),
      },
      hlog,
    }
  }

  private clientFigures({ ledger, answersKeptBack }: RoundOutcome): Record<string, number> {
    const figures: Record<string, number> = { ...this.client.stats() }
    figures['lostSessions'] = this.lostSessions
    figures['timedOutUndelivered'] = ledger.timedOutUndelivered
    if (answersKeptBack !== null) figures['answersKeptBack'] = answersKeptBack
    if (this.firstHintNs !== null) {
      figures['refusedWithRetryAfter'] = this.refusedWithHint
      figures['firstRetryAfterMs'] = Math.max(0, (this.firstHintNs - this.roundStartNs) / 1e6)
    }
    for (const [key, count] of Object.entries(ledger.refusals)) figures[`refused.${key}`] = count
    return figures
  }
}

function connectError(failure: { agent: number; cause: unknown }, connected: number, agents: number): LighthouseError {
  const { cause, agent } = failure
  const known = cause instanceof LighthouseError
  const outOfDescriptors = messageOf(cause).includes('EMFILE')
  return new LighthouseError(
    known ? cause.code : 'ENGINE_UNREACHABLE',
    `connected ${connected} of ${agents} agents, then agent ${agent} failed: ${messageOf(cause)}`,
    {
      cause,
      suggestions: outOfDescriptors
        ? ['Raise the limit of open files (ulimit -n), use fewer agents, or run the engine as a process.']
        : known
          ? cause.suggestions
          : ['Check that the engine runs and takes as many sessions.'],
    },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
