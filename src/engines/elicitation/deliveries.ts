/**
 * Who watches how long messages take to reach their agents, and what counts as reached: the hand-over of an inbox entry to whatever carries it, the first time.
 *
 * An entry that is sent again after a lost connection was delivered before or will be recognised; either way its first hand-over is what the server can know.
 */
import type { Exchange } from './exchange-table.ts'

export interface DeliveryObserver {
  /** `takenAtNs`: when the request that caused the entry was taken, by the machine's clock. */
  delivered(agent: number, takenAtNs: number): void
  /** A question ended by its deadline before it was handed over. */
  missed(agent: number): void
}

/** `isQuestion`: which of its two entries of the exchange was handed to `agent`. */
export function noteHandOver(observer: DeliveryObserver, agent: number, exchange: Exchange, isQuestion: boolean): void {
  const takenAtNs = isQuestion ? exchange.questionTakenAtNs : exchange.resultTakenAtNs
  if (isQuestion ? exchange.questionHanded : exchange.resultHanded) return
  if (isQuestion) exchange.questionHanded = true
  else exchange.resultHanded = true
  // What came from the log of an earlier process, or has no sender, was taken at no time known.
  if (takenAtNs > 0) observer.delivered(agent, takenAtNs)
}
