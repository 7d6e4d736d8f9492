/**
 * One round under way: owns the exchanges scheduled in it, from the first send to the end of the drain, and
 * turns the events of the engine client into ledger entries and latency samples. Per exchange it touches
 * typed arrays and histograms only.
 *
 * Three latencies of an exchange, in microseconds, filed under the block in which it was scheduled:
 * `delivery` (scheduled → recipient holds the question), `roundTrip` (scheduled → requester holds the answer),
 * `serviceTime` (sent → requester holds the answer); and `lateness` (scheduled → sent). `roundTrip` and
 * `serviceTime` hold exactly the completed exchanges; what timed out or was refused is in the counts and never
 * in a latency. In the closed loop all latencies count from the send, and `lateness` from when it was possible.
 *
 * The drain ends when everything sent is resolved and nothing arrived for a moment, or `deadlineMs +
 * drainGraceMs` after the last send. If messages still flowed then, the ledger is UNKNOWN.
 */
import { Ledger } from '../delivery/ledger.ts'
import type { Leg, Outcome, RefusalCode } from '../engines/engine.ts'
import type { Cancel } from '../platform/clock.ts'
import { answerBody, createBodyPool, type BodyPool } from './bodies.ts'
import { coordinationEvidence } from './coordination-round.ts'
import type { InstanceSender } from './graph-pacer.ts'
import type { RoundTimeline } from '../measurement/round-evidence.ts'
import { expectedOf, filedAtNs, pacerOf, planRound, type PlannedRound, type RoundPacer } from './planned-round.ts'
import { Recipients } from './recipients.ts'
import { RoundRecorders } from './round-recorders.ts'
import { msOf, type RoundOutcome, type RoundSetup } from './round-setup.ts'
import { FailureTimes, markOf, timelineOf } from './round-timeline.ts'
import { actionName, type Schedule } from './schedule.ts'

/** An engine decides the end itself and may take 100 ms to tell it; only what comes later counts as late. */
const engineExpiryToleranceMs = 100
/** Time between the start of a round and its zero, so that the first arrival is not late. */
const leadMs = 10
const drainCheckMs = 5
/** A redelivery follows its original closely; whatever comes after the round shows as a message of an earlier round. */
const settleMs = 50
const progressMs = 250

export class RoundRun implements InstanceSender {
  readonly ledger: Ledger
  private readonly setup: RoundSetup
  private readonly planned: PlannedRound
  private readonly schedule: Schedule
  private readonly pool: BodyPool
  private readonly load: RoundPacer
  private readonly recorders: RoundRecorders
  /** All in nanoseconds from the start of the round; NaN until it happened. */
  readonly sentAtNs: Float64Array
  readonly deliveredAtNs: Float64Array
  private readonly answeredAtNs: Float64Array
  readonly resultAtNs: Float64Array
  /** What latencies count from: the schedule, or the send in the closed loop. */
  private readonly countedFromNs: Float64Array
  /** What tells the second that an exchange is filed under. */
  private readonly filedAtNs: Float64Array
  private readonly overdueNs: number
  private startNs = 0
  private startedAtMs = 0
  private lastSentNs = 0
  private lastArrivalNs = 0
  private sentInTime = 0
  private watching = false
  private cpuPercent = 0
  private eventLoopP99Ms = 0
  private readonly failures = new FailureTimes()
  /** Refusals of asks alone, since they are rare where figures are good. */
  private readonly refusedAtNs = new Map<number, number>()
  private readonly marked: { readonly name: string; readonly atNs: number }[] = []
  private readonly recipients: Recipients
  private timers: Cancel[] = []
  private finish: ((interrupted: boolean) => void) | null = null
  private fail: ((error: Error) => void) | null = null

  constructor(setup: RoundSetup) {
    const { plan, timing, client } = setup
    this.setup = setup
    this.pool = createBodyPool(plan.seed, plan.workload.payloadBytes)
    this.planned = planRound(plan, this.pool.questions.length)
    const { schedule, graph } = this.planned
    this.schedule = schedule
    const { expiry } = client.semantics
    this.overdueNs = (plan.workload.deadlineMs + (expiry === 'engine' ? engineExpiryToleranceMs : 0)) * 1e6
    this.ledger = new Ledger(expectedOf(this.planned, this.pool), expiry)
    this.recorders = new RoundRecorders(plan.durationMs, graph !== null, plan.blockMs)
    const unset = (): Float64Array => new Float64Array(schedule.count).fill(Number.NaN)
    this.sentAtNs = unset()
    this.deliveredAtNs = unset()
    this.answeredAtNs = unset()
    this.resultAtNs = unset()
    this.countedFromNs = plan.loadModel === 'open' ? schedule.scheduledAtNs : this.sentAtNs
    this.filedAtNs = filedAtNs(this.planned, this.countedFromNs)
    this.load = pacerOf(plan, this.planned, timing, this.overdueNs, this)
    this.recipients = new Recipients(plan, this.planned, {
      chain: this.load.chain,
      sentAtNs: this.sentAtNs,
      scheduler: timing.scheduler,
      nowNs: () => this.sinceStart(),
      answer: (exchange, recipient, nowNs) => this.answer(exchange, recipient, nowNs),
    })
  }

  /** Resolves when the round has drained or `signal` aborts; rejects when the client throws. */
  run(signal: AbortSignal | undefined): Promise<RoundOutcome> {
    const { plan, client, timing, gauge } = this.setup
    return new Promise((resolve, reject) => {
      const abort = (): void => this.finish?.(true)
      const end = (): void => {
        this.stop()
        signal?.removeEventListener('abort', abort)
      }
      this.finish = (interrupted) => {
        end()
        resolve(this.outcome(interrupted))
      }
      this.fail = (error) => {
        end()
        reject(error)
      }
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      client.beginRound(plan.nonce, plan.seed)
      gauge.start()
      this.watching = true
      this.startedAtMs = timing.clock.wallMs() + leadMs
      this.startNs = timing.clock.nowNs() + leadMs * 1e6
      if (this.setup.onProgress !== null) this.timers.push(timing.scheduler.every(progressMs, () => this.report()))
      this.setup.onStart?.(this.startNs)
      this.load.pacer.start(this.startNs)
    })
  }

  send(exchange: number, nowNs: number, dueNs: number): void {
    const { schedule } = this
    const { latenessBoundMs, workload } = this.setup.plan
    this.sentAtNs[exchange] = nowNs
    this.lastSentNs = nowNs
    // What follows from another exchange is due with that one's end, whenever that is.
    const inTimeUntilNs = this.planned.graph === null ? schedule.durationNs : dueNs
    if (nowNs <= inTimeUntilNs + latenessBoundMs * 1e6) this.sentInTime++
    this.recorders.lateness.record((nowNs - dueNs) / 1000)
    this.ledger.sent(exchange)
    this.setup.client.ask(
      exchange,
      schedule.requester[exchange] as number,
      schedule.recipient[exchange] as number,
      this.pool.questions[schedule.bodyIndex[exchange] as number] as string,
      workload.deadlineMs,
    )
  }

  withdraw(exchange: number): void {
    this.ledger.withdrawalAsked(exchange)
    this.setup.client.cancel(exchange)
  }

  answerHeld(exchange: number, nowNs: number): void {
    this.answer(exchange, this.schedule.recipient[exchange] as number, nowNs)
  }

  arrivalsDone(): void {
    this.readGauge()
  }

  instanceCompleted(arrivedAtNs: number, endedAtNs: number): void {
    this.recorders.pattern?.record(this.recorders.blockOf(arrivedAtNs), (endedAtNs - arrivedAtNs) / 1000)
  }

  sendingDone(): void {
    this.readGauge()
    this.timers.push(this.setup.timing.scheduler.every(drainCheckMs, () => this.checkDrain()))
  }

  sendingFailed(error: unknown): void {
    this.fail?.(error instanceof Error ? error : new Error(String(error)))
  }

  onAcknowledged(exchange: number, leg: Leg): void {
    this.ledger.acknowledged(exchange, leg)
  }

  onQuestion(exchange: number, requester: number, recipient: number, body: string): void {
    const nowNs = this.sinceStart()
    this.lastArrivalNs = nowNs
    const overdue = nowNs - (this.sentAtNs[exchange] as number) > this.overdueNs
    if (!this.ledger.question(exchange, requester, recipient, body, overdue)) return
    this.deliveredAtNs[exchange] = nowNs
    const fromNs = this.countedFromNs[exchange] as number
    this.recorders.delivery.record(this.recorders.blockOf(this.filedAtNs[exchange] as number), (nowNs - fromNs) / 1000)
    this.recipients.received(exchange, recipient, nowNs)
  }

  private answer(exchange: number, recipient: number, nowNs: number): void {
    const action = this.schedule.action[exchange] as number
    this.ledger.answered(exchange)
    this.answeredAtNs[exchange] = nowNs
    const answer = answerBody(this.pool, this.schedule.bodyIndex[exchange] as number, action)
    this.setup.client.answer(exchange, recipient, actionName(action), answer)
  }

  onResult(exchange: number, requester: number, outcome: Outcome, body: string): void {
    const nowNs = this.sinceStart()
    this.lastArrivalNs = nowNs
    const sentNs = this.sentAtNs[exchange] as number
    const completed = this.ledger.result(exchange, requester, outcome, body, nowNs - sentNs > this.overdueNs)
    if (completed) {
      this.resultAtNs[exchange] = nowNs
      const fromNs = this.countedFromNs[exchange] as number
      const block = this.recorders.blockOf(this.filedAtNs[exchange] as number)
      this.recorders.roundTrip.record(block, (nowNs - fromNs) / 1000)
      this.recorders.serviceTime.record(block, (nowNs - sentNs) / 1000)
      this.recorders.overall.record((nowNs - fromNs) / 1000)
    } else if (outcome === 'expired') this.failures.note(nowNs)
    if (this.ledger.isResolved(exchange)) this.load.pacer.ended(exchange, completed, nowNs)
  }

  onRefused(exchange: number, leg: Leg, code: RefusalCode): void {
    const nowNs = this.sinceStart()
    this.lastArrivalNs = nowNs
    this.failures.note(nowNs)
    if (leg === 'ask') this.refusedAtNs.set(exchange, nowNs)
    this.ledger.refused(exchange, leg, code)
    // Of a refused answer its asker hears nothing, so it does not ask again for that.
    const heard = leg === 'ask' || this.load.chain === null
    if (heard && this.ledger.isResolved(exchange)) this.load.pacer.ended(exchange, false, nowNs)
  }

  onLost(): void {
    this.failures.note(this.sinceStart())
  }

  /** Asks the report to tell what followed the moment `atNs` of the clock. */
  mark(name: string, atNs: number): void {
    this.marked.push({ name, atNs: atNs - this.startNs })
  }

  /** When each exchange was sent, delivered, answered and ended, in ns from the start of the round; NaN where it was not. */
  times(): Readonly<
    Record<'sentAtNs' | 'deliveredAtNs' | 'answeredAtNs' | 'resultAtNs' | 'scheduledAtNs', Float64Array>
  > {
    const { sentAtNs, deliveredAtNs, answeredAtNs, resultAtNs } = this
    return { scheduledAtNs: this.schedule.scheduledAtNs, sentAtNs, deliveredAtNs, answeredAtNs, resultAtNs }
  }

  /** Frees the histograms; the outcome's must have been encoded. */
  release(): void {
    this.recorders.destroy()
  }

  private sinceStart(): number {
    return this.setup.timing.clock.nowNs() - this.startNs
  }

  private checkDrain(): void {
    const { plan } = this.setup
    const nowNs = this.sinceStart()
    const { durationNs } = this.schedule
    // What was withdrawn may still reach its recipient, and its answer the requester, both unseen by the account.
    const withdrew = (this.load.instances?.withdrawalsAsked ?? 0) > 0
    const settleNs = (withdrew ? plan.drainGraceMs : Math.min(settleMs, plan.drainGraceMs)) * 1e6
    const quietNs = nowNs - Math.max(this.lastArrivalNs, this.lastSentNs)
    if (this.ledger.unresolved === 0 && nowNs >= durationNs && quietNs >= settleNs) return this.finish?.(false)
    const boundNs = Math.max(durationNs, this.lastSentNs) + (plan.workload.deadlineMs + plan.drainGraceMs) * 1e6
    if (nowNs < boundNs) return
    if (quietNs < (plan.drainGraceMs / 2) * 1e6) {
      this.ledger.markUnknown(
        `The drain ended after ${plan.workload.deadlineMs + plan.drainGraceMs} ms while messages still arrived ` +
          `(${this.ledger.unresolved} exchanges unresolved).`,
      )
    }
    this.finish?.(false)
  }

  private stop(): void {
    this.load.pacer.stop()
    this.recipients.stop()
    this.readGauge()
    for (const cancel of this.timers) cancel()
    this.timers = []
    this.finish = null
    this.fail = null
  }

  /** Over the time of sending; the idle drain would dilute both. */
  private readGauge(): void {
    if (!this.watching) return
    this.watching = false
    const { cpuUs, eventLoopP99Ms } = this.setup.gauge.stop()
    const elapsedUs = (this.sinceStart() + leadMs * 1e6) / 1000
    this.cpuPercent = elapsedUs <= 0 ? 0 : (100 * cpuUs) / elapsedUs
    this.eventLoopP99Ms = eventLoopP99Ms
  }

  private outcome(interrupted: boolean): RoundOutcome {
    const { plan, disconnected } = this.setup
    if (interrupted) {
      this.ledger.markUnknown('The round was interrupted before it drained.')
    }
    const without = disconnected()
    if (without > 0)
      this.ledger.markUnknown(`${without} of ${this.schedule.agents} agents had no session when the drain ended.`)
    const drainMs = this.startNs === 0 ? 0 : Math.max(0, (this.sinceStart() - this.schedule.durationNs) / 1e6)
    const { graph } = this.planned
    const { instances, chain } = this.load
    const ledger = this.ledger.close(plan.loadModel === 'closed' || graph !== null)
    return {
      plan,
      ledger,
      recorders: this.recorders,
      startedAtMs: this.startedAtMs,
      drainMs,
      // What was withdrawn is not in what was scheduled either.
      sentInTime: Math.max(0, this.sentInTime - ledger.withdrawn),
      cpuPercent: this.cpuPercent,
      eventLoopP99Ms: this.eventLoopP99Ms,
      interrupted,
      timeline: plan.timeline === true ? this.timeline(drainMs) : null,
      coordination:
        graph === null || instances === null || plan.coordination === undefined
          ? null
          : coordinationEvidence(plan.coordination.pattern, graph, chain ?? instances, ledger, this),
      answersKeptBack: plan.lateAnswers === undefined ? null : this.recipients.kept,
      marks: this.marked.map((mark) => markOf(mark, this.sentAtNs, this.resultAtNs, this.overdueNs, this.failures)),
    }
  }

  private timeline(drainMs: number): RoundTimeline {
    const { scheduledAtNs, durationNs } = this.schedule
    const { sentAtNs, resultAtNs, refusedAtNs, overdueNs } = this
    const endNs = durationNs + drainMs * 1e6
    return timelineOf({ scheduledAtNs, sentAtNs, resultAtNs, refusedAtNs, overdueNs, durationNs, endNs })
  }

  private report(): void {
    const { plan, onProgress } = this.setup
    onProgress?.({
      round: plan.round,
      scheduled: this.schedule.count,
      sent: this.ledger.sentSoFar,
      completed: this.ledger.completed,
      p50Ms: msOf(this.recorders.overall.quantile(0.5)),
      p99Ms: msOf(this.recorders.overall.quantile(0.99)),
    })
  }
}
