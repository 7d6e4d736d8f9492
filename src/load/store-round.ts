/**
 * One round of writers and readers on a store. Every write is an exchange of the ledger: scheduled, handed to the store, committed, and
 * read by the one reader whose inbox it went to; it is completed when it is both committed and read. So the delivery rules say of a
 * store what they say of an engine: a committed row that no reader saw is lost, one that failed and was read is a phantom, twice read is
 * duplicated, another body corrupt, another inbox misdelivered, an earlier row after a later one of its writer reordered.
 *
 * Latencies in microseconds, filed under the second in which a write was scheduled: `roundTrip` (scheduled → committed), `serviceTime`
 * (handed over → committed), `delivery` (scheduled → read), and `lateness` (scheduled → handed over).
 */
import { Ledger, type ExpectedExchanges, type LedgerReport } from '../delivery/ledger.ts'
import type { ContendedStore } from '../engines/event-store/contended-store.ts'
import type { StoredEvent } from '../engines/event-store/event-store.ts'
import type { LighthouseError } from '../platform/errors.ts'
import type { Cancel } from '../platform/clock.ts'
import { createBodyPool, type BodyPool } from './bodies.ts'
import { Injector } from './injector.ts'
import type { RoundPlan, RoundProgress } from './round-plan.ts'
import { RoundRecorders } from './round-recorders.ts'
import { buildSchedule, type Schedule } from './schedule.ts'
import type { Sender } from './sender.ts'
import type { GeneratorGauge, Timing } from './timing.ts'

/** Writers whose events go to one inbox, which one reader reads. */
export const writersPerReader = 10

export function readersFor(writers: number): number {
  return Math.ceil(writers / writersPerReader)
}

export function inboxName(reader: number): string {
  return `inbox${reader}`
}

const leadMs = 10
const drainCheckMs = 5
const settleMs = 50
const progressMs = 250

export interface StoreRoundSetup {
  readonly plan: RoundPlan
  readonly store: Pick<ContendedStore, 'append'>
  readonly timing: Timing
  readonly gauge: GeneratorGauge
  readonly onProgress: ((progress: RoundProgress) => void) | null
}

export interface StoreRoundOutcome {
  readonly ledger: LedgerReport
  readonly recorders: RoundRecorders
  readonly startedAtMs: number
  readonly drainMs: number
  readonly sentInTime: number
  readonly cpuPercent: number
  readonly eventLoopP99Ms: number
  readonly interrupted: boolean
}

export class StoreRound implements Sender {
  readonly ledger: Ledger
  private readonly setup: StoreRoundSetup
  private readonly schedule: Schedule
  private readonly pool: BodyPool
  private readonly injector: Injector
  private readonly recorders: RoundRecorders
  /** All in nanoseconds from the start of the round; NaN until it happened. */
  private readonly sentAtNs: Float64Array
  private readonly committedAtNs: Float64Array
  private readonly readAtNs: Float64Array
  private startNs = 0
  private startedAtMs = 0
  private lastSentNs = 0
  private lastArrivalNs = 0
  private sentInTime = 0
  private watching = false
  private cpuPercent = 0
  private eventLoopP99Ms = 0
  private timers: Cancel[] = []
  private finish: ((interrupted: boolean) => void) | null = null
  private fail: ((error: Error) => void) | null = null

  constructor(setup: StoreRoundSetup) {
    const { plan, timing } = setup
    this.setup = setup
    this.pool = createBodyPool(plan.seed, plan.workload.payloadBytes)
    this.schedule = buildSchedule(plan.workload, plan.seed, plan.durationMs, this.pool.questions.length)
    const { count, scheduledAtNs } = this.schedule
    this.ledger = new Ledger(expectedOf(this.schedule, this.pool), 'client')
    this.recorders = new RoundRecorders(plan.durationMs)
    const unset = (): Float64Array => new Float64Array(count).fill(Number.NaN)
    this.sentAtNs = unset()
    this.committedAtNs = unset()
    this.readAtNs = unset()
    const { ratePerSecond } = plan.workload
    this.injector = new Injector({ timing, scheduledAtNs, ratePerSecond, pacing: plan.pacing, sender: this })
  }

  /** Resolves when everything is committed and read, or the drain is over, or `signal` aborts. */
  run(signal: AbortSignal): Promise<StoreRoundOutcome> {
    const { timing, gauge, onProgress } = this.setup
    return new Promise((resolve, reject) => {
      const abort = (): void => this.finish?.(true)
      const end = (): void => {
        this.stop()
        signal.removeEventListener('abort', abort)
      }
      this.finish = (interrupted) => {
        end()
        resolve(this.outcome(interrupted))
      }
      this.fail = (error) => {
        end()
        reject(error)
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      gauge.start()
      this.watching = true
      this.startedAtMs = timing.clock.wallMs() + leadMs
      this.startNs = timing.clock.nowNs() + leadMs * 1e6
      if (onProgress !== null) this.timers.push(timing.scheduler.every(progressMs, () => this.report()))
      this.injector.start(this.startNs)
    })
  }

  send(exchange: number, nowNs: number, dueNs: number): void {
    const { plan, store } = this.setup
    const writer = this.schedule.requester[exchange] as number
    this.sentAtNs[exchange] = nowNs
    this.lastSentNs = nowNs
    if (nowNs <= this.schedule.durationNs + plan.latenessBoundMs * 1e6) this.sentInTime++
    this.recorders.lateness.record((nowNs - dueNs) / 1000)
    this.ledger.sent(exchange)
    const taken = store.append({
      writer,
      exchange,
      agent: inboxName(readerOf(writer)),
      source: `w${writer}`,
      wireId: `${plan.nonce}:${exchange}`,
      body: this.pool.questions[this.schedule.bodyIndex[exchange] as number] as string,
      atMs: this.startedAtMs + nowNs / 1e6,
    })
    if (!taken) this.refuse(exchange, 'OVERLOADED')
  }

  sendingDone(): void {
    this.readGauge()
    this.timers.push(this.setup.timing.scheduler.every(drainCheckMs, () => this.checkDrain()))
  }

  sendingFailed(error: unknown): void {
    this.fail?.(error instanceof Error ? error : new Error(String(error)))
  }

  onCommitted(exchange: number): void {
    this.committedAtNs[exchange] = this.lastArrivalNs = this.sinceStart()
    this.ledger.acknowledged(exchange, 'ask')
    if (!Number.isNaN(this.readAtNs[exchange])) this.complete(exchange)
  }

  onFailed(exchange: number, error: LighthouseError): void {
    this.lastArrivalNs = this.sinceStart()
    this.refuse(exchange, error.code)
  }

  onRead(reader: number, event: StoredEvent): void {
    const nowNs = (this.lastArrivalNs = this.sinceStart())
    const exchange = this.exchangeOf(event.exchange)
    if (exchange === null) {
      const { nonce } = this.setup.plan
      // Nonces of a run differ in their last part.
      const ours = event.exchange.startsWith(nonce.slice(0, nonce.lastIndexOf('-') + 1))
      return this.ledger.stray(reader, ours ? 'earlier' : 'foreign', event.exchange)
    }
    const writer = Number(event.source.slice(1))
    const body = typeof event.body === 'string' ? event.body : ''
    const { deadlineMs } = this.setup.plan.workload
    const overdue = nowNs - (this.sentAtNs[exchange] as number) > deadlineMs * 1e6
    // To the ledger an inbox is an agent; see `expectedOf`.
    if (!this.ledger.question(exchange, writer, reader, body, overdue)) return
    this.readAtNs[exchange] = nowNs
    const fromNs = this.schedule.scheduledAtNs[exchange] as number
    this.recorders.delivery.record(Math.floor(fromNs / 1e9), (nowNs - fromNs) / 1000)
    this.ledger.answered(exchange)
    if (!Number.isNaN(this.committedAtNs[exchange])) this.complete(exchange)
  }

  release(): void {
    this.recorders.destroy()
  }

  private complete(exchange: number): void {
    const committedNs = this.committedAtNs[exchange] as number
    const sentNs = this.sentAtNs[exchange] as number
    const fromNs = this.schedule.scheduledAtNs[exchange] as number
    const overdue = this.sinceStart() - sentNs > this.setup.plan.workload.deadlineMs * 1e6
    this.ledger.acknowledged(exchange, 'answer')
    const writer = this.schedule.requester[exchange] as number
    if (!this.ledger.result(exchange, writer, 'accept', '', overdue)) return
    const block = Math.floor(fromNs / 1e9)
    this.recorders.roundTrip.record(block, (committedNs - fromNs) / 1000)
    this.recorders.serviceTime.record(block, (committedNs - sentNs) / 1000)
    this.recorders.overall.record((committedNs - fromNs) / 1000)
  }

  private refuse(exchange: number, code: string): void {
    this.ledger.refused(exchange, 'ask', code)
  }

  /** Null for a row of no write of this round. */
  private exchangeOf(wireId: string): number | null {
    const { nonce } = this.setup.plan
    if (!wireId.startsWith(`${nonce}:`)) return null
    const exchange = Number(wireId.slice(nonce.length + 1))
    return Number.isInteger(exchange) && exchange >= 0 && exchange < this.schedule.count ? exchange : null
  }

  private sinceStart(): number {
    return this.setup.timing.clock.nowNs() - this.startNs
  }

  private checkDrain(): void {
    const { plan } = this.setup
    const nowNs = this.sinceStart()
    const { durationNs } = this.schedule
    const quietNs = nowNs - Math.max(this.lastArrivalNs, this.lastSentNs)
    if (this.ledger.unresolved === 0 && nowNs >= durationNs && quietNs >= settleMs * 1e6) return this.finish?.(false)
    const drainMs = plan.workload.deadlineMs + plan.drainGraceMs
    if (nowNs < Math.max(durationNs, this.lastSentNs) + drainMs * 1e6) return
    if (quietNs < (plan.drainGraceMs / 2) * 1e6) {
      this.ledger.markUnknown(
        `The drain ended after ${drainMs} ms while rows still arrived (${this.ledger.unresolved} writes unresolved).`,
      )
    }
    this.finish?.(false)
  }

  private stop(): void {
    this.injector.stop()
    this.readGauge()
    for (const cancel of this.timers) cancel()
    this.timers = []
    this.finish = null
    this.fail = null
  }

  private readGauge(): void {
    if (!this.watching) return
    this.watching = false
    const { cpuUs, eventLoopP99Ms } = this.setup.gauge.stop()
    const elapsedUs = (this.sinceStart() + leadMs * 1e6) / 1000
    this.cpuPercent = elapsedUs <= 0 ? 0 : (100 * cpuUs) / elapsedUs
    this.eventLoopP99Ms = eventLoopP99Ms
  }

  private outcome(interrupted: boolean): StoreRoundOutcome {
    if (interrupted) this.ledger.markUnknown('The round was interrupted before it drained.')
    return {
      ledger: this.ledger.close(),
      recorders: this.recorders,
      startedAtMs: this.startedAtMs,
      drainMs: this.startNs === 0 ? 0 : Math.max(0, (this.sinceStart() - this.schedule.durationNs) / 1e6),
      sentInTime: this.sentInTime,
      cpuPercent: this.cpuPercent,
      eventLoopP99Ms: this.eventLoopP99Ms,
      interrupted,
    }
  }

  private report(): void {
    const us = (q: number): number | null => this.recorders.overall.quantile(q)
    const ms = (value: number | null): number | null => (value === null ? null : value / 1000)
    this.setup.onProgress?.({
      round: this.setup.plan.round,
      scheduled: this.schedule.count,
      sent: this.ledger.sentSoFar,
      completed: this.ledger.completed,
      p50Ms: ms(us(0.5)),
      p99Ms: ms(us(0.99)),
    })
  }
}

function readerOf(writer: number): number {
  return Math.floor(writer / writersPerReader)
}

/** The recipient of a writer is its reader; what a writer is told is the commit, which carries no text. */
function expectedOf(schedule: Schedule, pool: BodyPool): ExpectedExchanges {
  const { count, agents, requester, bodyIndex } = schedule
  return {
    count,
    agents,
    requester,
    recipient: requester.map(readerOf),
    question: (exchange) => pool.questions[bodyIndex[exchange] as number] as string,
    answer: () => '',
    outcome: () => 1,
  }
}
