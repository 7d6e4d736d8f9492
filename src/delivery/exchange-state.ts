/**
 * The sixteen bits that the ledger keeps of an exchange, and the rule that puts an exchange into exactly one
 * of five ends when the drain is over: completed, refused, timedOut, lost, or withdrawn by its requester, which is
 * neither a success nor a failure and is accounted for beside the other four. `docs/ledger.md` has the rules in words. Bits only ever get set (the outcome is set once, and replaced once when a requester that had given
 * up is then told an answer), so that the order of events within one leg does not matter to the end.
 */
import type { EngineSemantics } from '../measurement/vocabulary.ts'

export const sentBit = 1
export const askAcknowledgedBit = 1 << 1
export const askRefusedBit = 1 << 2
export const deliveredBit = 1 << 3
export const answeredBit = 1 << 4
export const answerAcknowledgedBit = 1 << 5
export const answerRefusedBit = 1 << 6
export const outcomeShift = 7
export const outcomeMask = 7 << outcomeShift
/** The requester held the answer in time, and before any refusal: the exchange is completed. */
export const completedBit = 1 << 10
/** Its question overtook or was overtaken, so its answer is no evidence about the order of the way back. */
export const reorderedBit = 1 << 11
export const phantomBit = 1 << 12
export const misdeliveredBit = 1 << 13
/** Nothing more is expected of the exchange; the drain need not wait for it. */
export const resolvedBit = 1 << 14
/** Its requester asked the engine to withdraw it. */
export const withdrawalBit = 1 << 15

export type Leg = 'ask' | 'answer'

/** What a requester may be told; 0 stands for nothing. The words are those of the engine contract. */
export const outcomeCodes = { accept: 1, decline: 2, cancel: 3, expired: 4, withdrawn: 5 } as const
export type Outcome = keyof typeof outcomeCodes

export function outcomeOf(state: number): number {
  return (state & outcomeMask) >> outcomeShift
}

export type ExchangeEnd = 'completed' | 'refused' | 'timedOut' | 'lost' | 'withdrawn'
export type Expiry = EngineSemantics['expiry']

export function endOf(state: number, expiry: Expiry): ExchangeEnd {
  if ((state & completedBit) !== 0) return 'completed'
  if ((state & askRefusedBit) !== 0) return 'refused'
  if ((state & misdeliveredBit) !== 0) return 'timedOut'
  const outcome = outcomeOf(state)
  if (outcome === outcomeCodes.withdrawn && (state & withdrawalBit) !== 0) {
    // Where the engine decides the end, an acknowledged answer was that end: telling its requester another one lost it.
    return expiry === 'engine' && (state & answerAcknowledgedBit) !== 0 ? 'lost' : 'withdrawn'
  }
  const answerHeld = outcome >= outcomeCodes.accept && outcome <= outcomeCodes.cancel
  if (answerHeld) return 'timedOut'
  if ((state & answerAcknowledgedBit) !== 0) return 'lost'
  if (expiry === 'engine') {
    if (outcome === outcomeCodes.expired) return 'timedOut'
    return (state & (askAcknowledgedBit | deliveredBit)) !== 0 ? 'lost' : 'timedOut'
  }
  if ((state & deliveredBit) === 0) return (state & askAcknowledgedBit) !== 0 ? 'lost' : 'timedOut'
  return (state & answerRefusedBit) !== 0 ? 'refused' : 'timedOut'
}

/** What was lost, for the reader of the anomaly. */
export function lossText(state: number): string {
  if ((state & answerAcknowledgedBit) !== 0) {
    const outcome = outcomeOf(state)
    const told =
      outcome === outcomeCodes.expired
        ? 'told that it expired'
        : outcome === outcomeCodes.withdrawn
          ? 'told that it was withdrawn'
          : 'told nothing'
    return `answer acknowledged, requester ${told}`
  }
  if ((state & deliveredBit) === 0) return 'ask acknowledged, question never delivered'
  return 'question delivered, requester never told the end'
}
