/** Whether recipients of a round take their time, and which of the two ways to keep answers back that means. */
import type { Scheduler } from '../platform/clock.ts'
import { answersLate, LateAnswers } from './late-answers.ts'
import type { PlannedRound } from './planned-round.ts'
import { RecipientWork } from './recipient-work.ts'
import type { RoundPlan } from './round-plan.ts'

export interface RecipientDelay {
  /** True when the answer comes later. */
  keeps(exchange: number, recipient: number, nowNs: number): boolean
  /** Answers that were kept back so far. */
  readonly kept: number
  /** What is kept is not answered any more. */
  stop(): void
}

export interface DelayOptions {
  readonly scheduler: Scheduler
  readonly nowNs: () => number
  readonly answer: (exchange: number, recipient: number) => void
}

/** Null where every recipient answers at once. */
export function recipientDelay(
  { lateAnswers }: RoundPlan,
  { graph }: PlannedRound,
  options: DelayOptions,
): RecipientDelay | null {
  if (graph !== null && graph.workNs !== null) {
    const { recipient, workNs } = graph
    const answer = (exchange: number): void => options.answer(exchange, recipient[exchange] as number)
    const work = new RecipientWork({ ...options, workNs, answer })
    let kept = 0
    return {
      keeps(exchange) {
        work.keep(exchange)
        kept++
        return true
      },
      get kept() {
        return kept
      },
      stop: () => work.stop(),
    }
  }
  if (lateAnswers === undefined) return null
  const late = new LateAnswers({ ...options, delayMs: lateAnswers.delayMs })
  let kept = 0
  return {
    keeps(exchange, recipient, nowNs) {
      if (!answersLate(lateAnswers, recipient, nowNs)) return false
      late.keep(exchange, recipient)
      kept++
      return true
    },
    get kept() {
      return kept
    },
    stop: () => late.stop(),
  }
}
