/**
 * Recipients that take their time: answers kept back for a fixed delay, in the order in which their questions came. One timer serves
 * all of them, since equal delays fall due in order; it fires at most every few milliseconds, so an answer leaves that much later than
 * planned, never earlier.
 */
import type { Cancel, Scheduler } from '../platform/clock.ts'
import type { LateAnswerPlan } from './round-plan.ts'

const leastWaitMs = 5

export interface LateAnswersOptions {
  readonly delayMs: number
  readonly scheduler: Scheduler
  /** In ns from any origin, the same for all calls. */
  readonly nowNs: () => number
  readonly answer: (exchange: number, recipient: number) => void
}

/** Bounded by the exchanges of a round: each is kept once at most. */
export class LateAnswers {
  private readonly options: LateAnswersOptions
  private exchanges: number[] = []
  private recipients: number[] = []
  private dueNs: number[] = []
  private next = 0
  private cancel: Cancel | null = null

  constructor(options: LateAnswersOptions) {
    this.options = options
  }

  /** Questions that wait for their answer. */
  get waiting(): number {
    return this.exchanges.length - this.next
  }

  keep(exchange: number, recipient: number): void {
    const { nowNs, delayMs } = this.options
    this.exchanges.push(exchange)
    this.recipients.push(recipient)
    this.dueNs.push(nowNs() + delayMs * 1e6)
    this.wait()
  }

  /** What is kept is not answered any more. */
  stop(): void {
    this.cancel?.()
    this.cancel = null
    this.exchanges = []
    this.recipients = []
    this.dueNs = []
    this.next = 0
  }

  private wait(): void {
    const dueNs = this.dueNs[this.next]
    if (this.cancel !== null || dueNs === undefined) return
    const waitMs = Math.max(leastWaitMs, Math.ceil((dueNs - this.options.nowNs()) / 1e6))
    this.cancel = this.options.scheduler.after(waitMs, () => this.release())
  }

  private release(): void {
    this.cancel = null
    const nowNs = this.options.nowNs()
    while (this.next < this.dueNs.length && (this.dueNs[this.next] as number) <= nowNs) {
      const index = this.next++
      this.options.answer(this.exchanges[index] as number, this.recipients[index] as number)
    }
    if (this.waiting === 0) this.stop()
    else this.wait()
  }
}

/** Whether what reaches a recipient at `atNs` of the round is among what the plan keeps back. */
export function answersLate(plan: LateAnswerPlan | undefined, recipient: number, atNs: number): boolean {
  if (plan === undefined) return false
  const { firstAgent = 0, agents, fromMs = 0, untilMs = Infinity } = plan
  if (recipient < firstAgent || recipient >= firstAgent + agents) return false
  return atNs >= fromMs * 1e6 && atNs < untilMs * 1e6
}
