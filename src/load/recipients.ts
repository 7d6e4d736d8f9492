/** What recipients do with a question that reached them: answer at once, answer later, or ask another agent first. */
import type { ChainPacer } from './chain-pacer.ts'
import type { PlannedRound } from './planned-round.ts'
import { recipientDelay, type DelayOptions, type RecipientDelay } from './recipient-delay.ts'
import type { RoundPlan } from './round-plan.ts'

export interface RecipientsOptions extends Omit<DelayOptions, 'answer'> {
  /** Null where nobody asks on. */
  readonly chain: ChainPacer | null
  /** By exchange, in ns on the clock of `nowNs`. */
  readonly sentAtNs: Float64Array
  readonly answer: (exchange: number, recipient: number, nowNs: number) => void
}

export class Recipients {
  private readonly options: RecipientsOptions
  private readonly deadlineNs: number
  private readonly delay: RecipientDelay | null

  constructor(plan: RoundPlan, planned: PlannedRound, options: RecipientsOptions) {
    this.options = options
    this.deadlineNs = plan.workload.deadlineMs * 1e6
    this.delay = recipientDelay(plan, planned, {
      scheduler: options.scheduler,
      nowNs: options.nowNs,
      answer: (exchange, recipient) => this.takeUpLate(exchange, recipient),
    })
  }

  /** Questions that somebody was slow with; 0 where nobody is. */
  get kept(): number {
    return this.delay?.kept ?? 0
  }

  received(exchange: number, recipient: number, nowNs: number): void {
    if (this.delay?.keeps(exchange, recipient, nowNs) === true) this.options.chain?.hold()
    else this.takeUp(exchange, recipient, nowNs)
  }

  /** What is kept is not answered any more. */
  stop(): void {
    this.delay?.stop()
  }

  private takeUp(exchange: number, recipient: number, nowNs: number): void {
    const { chain, answer } = this.options
    if (chain?.asksOn(exchange, nowNs) !== true) answer(exchange, recipient, nowNs)
  }

  /** Nobody waits for an answer after the deadline, but whoever does not look at deadlines asks on all the same. */
  private takeUpLate(exchange: number, recipient: number): void {
    const { chain, nowNs, sentAtNs } = this.options
    const now = nowNs()
    chain?.letGo()
    if (now - (sentAtNs[exchange] as number) < this.deadlineNs) this.takeUp(exchange, recipient, now)
    else chain?.asksOn(exchange, now)
  }
}
