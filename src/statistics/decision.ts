/**
 * The decision about a run's candidate, by five rules in a fixed order; the first that applies decides:
 *   1. a broken promise of delivery in any of its rounds              → EMERGENCY_STOP
 *   2. too few valid rounds, an UNKNOWN ledger, or a mandatory target NOT_DEMONSTRATED → NEEDS_FURTHER_REVIEW
 *   3. a mandatory target NOT_MET                                     → REQUIRES_REMEDIATION
 *   4. a mandatory target MARGINAL, or an optional one NOT_MET        → CONDITIONALLY_APPROVED, with conditions
 *   5. else                                                           → APPROVED
 * Pure and total: the same input always gives the same words.
 */
import { exitCodes } from '../platform/errors.ts'
import type { Decision, TargetVerdict } from './verdict.ts'

/** Classes of delivery that no engine may show, in the order in which they are named. */
export const stopClasses = ['duplicated', 'misdelivered', 'phantom', 'corrupt', 'unexpected', 'doubleTerminal'] as const
export type StopClass = (typeof stopClasses)[number]

export type DeliveryCounts = Readonly<Record<StopClass | 'reordered' | 'lost', number>>

export interface DeliveredRound {
  readonly round: number
  readonly attempt: number
  readonly counts: DeliveryCounts
  /** Whether the drain finished, so that what is missing is lost rather than late. */
  readonly drained: boolean
}

export interface JudgedTarget {
  readonly expression: string
  readonly title: string
  readonly verdict: TargetVerdict
  readonly mandatory: boolean
  /** The measured value and bounds in words. */
  readonly measured: string
  readonly reason: string
}

export interface DecisionInput {
  readonly candidate: string
  /** Every round of the candidate, valid or not. */
  readonly candidateRounds: readonly DeliveredRound[]
  readonly orderDeclared: boolean
  readonly validRounds: number
  readonly requiredRounds: number
  readonly plannedRounds: number
  /** Why the ledger is UNKNOWN; empty when it is complete. */
  readonly unknownLedger: readonly string[]
  readonly targets: readonly JudgedTarget[]
}

export interface DecisionResult {
  readonly decision: Decision
  readonly exitCode: number
  readonly reasons: readonly string[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
}

/** Valid rounds that a decision needs: 3 in a smoke run, else 6 or 80 % of those planned, whichever is more. */
export function requiredRounds(profile: 'smoke' | 'standard' | 'full', plannedRounds: number): number {
  return profile === 'smoke' ? 3 : Math.max(6, Math.ceil(plannedRounds * 0.8 - 1e-9))
}

/** What in one round breaks the delivery that the engine declared, in words; empty when nothing does. */
export function brokenDelivery(round: DeliveredRound, orderDeclared: boolean): string[] {
  const broken = stopClasses
    .filter((name) => occurred(round.counts[name]))
    .map((name) => `${round.counts[name]} ${name}`)
  if (orderDeclared && occurred(round.counts.reordered)) broken.push(`${round.counts.reordered} reordered`)
  if (round.drained && occurred(round.counts.lost)) broken.push(`${round.counts.lost} lost`)
  return broken
}

/** A count that is not a number might be any number; a negative one makes its round INVALID elsewhere. */
function occurred(count: number): boolean {
  return !(count <= 0)
}

export function decide(input: DecisionInput): DecisionResult {
  const mandatory = input.targets.filter((target) => target.mandatory)
  const stops = input.candidateRounds.flatMap((round) =>
    brokenDelivery(round, input.orderDeclared).map(
      (what) =>
        `${input.candidate}, round ${round.round + 1}${round.attempt > 0 ? `, attempt ${round.attempt + 1}` : ''}: ${what}`,
    ),
  )
  if (stops.length > 0) return result('EMERGENCY_STOP', stops)

  const doubts = reviewReasons(input, mandatory)
  if (doubts.length > 0) return result('NEEDS_FURTHER_REVIEW', doubts)

  const missed = mandatory.filter((target) => target.verdict === 'NOT_MET')
  if (missed.length > 0) {
    return result(
      'REQUIRES_REMEDIATION',
      missed.map((target) => `${named(target)} is NOT_MET: ${target.measured}`),
    )
  }

  const open = input.targets.filter((target) => target.verdict === (target.mandatory ? 'MARGINAL' : 'NOT_MET'))
  if (open.length > 0) {
    const reasons = open.map(
      (target) =>
        `${target.mandatory ? '' : 'optional target '}${named(target)} is ${target.verdict}: ${target.measured}`,
    )
    const conditions = open.map((target, index) => ({ id: `C${index + 1}`, text: conditionOf(target) }))
    return result('CONDITIONALLY_APPROVED', reasons, conditions)
  }
  return result('APPROVED', [
    `all ${mandatory.length} mandatory targets are MET in ${input.validRounds} valid rounds`,
    `every exchange of ${input.candidate} is accounted for as its engine declares`,
  ])
}

function reviewReasons(input: DecisionInput, mandatory: readonly JudgedTarget[]): string[] {
  const reasons: string[] = []
  if (!(input.validRounds >= input.requiredRounds)) {
    reasons.push(
      `the run is INVALID: ${input.validRounds} of ${input.plannedRounds} planned rounds are valid, ` +
        `a decision needs ${input.requiredRounds}`,
    )
  }
  reasons.push(...input.unknownLedger.map((reason) => `the ledger is UNKNOWN: ${reason}`))
  if (mandatory.length === 0) reasons.push('no target is mandatory, so nothing could be approved')
  for (const target of mandatory) {
    if (target.verdict === 'NOT_DEMONSTRATED') reasons.push(`${named(target)} is NOT_DEMONSTRATED: ${target.reason}`)
  }
  return reasons
}

function named(target: JudgedTarget): string {
  return target.title === target.expression ? target.expression : `${target.title} (${target.expression})`
}

function conditionOf(target: JudgedTarget): string {
  return target.mandatory
    ? `Show ${named(target)} as MET in a later run; measured here: ${target.measured}.`
    : `Bring ${named(target)} within its bound or withdraw it; measured here: ${target.measured}.`
}

function result(
  decision: Decision,
  reasons: readonly string[],
  conditions: DecisionResult['conditions'] = [],
): DecisionResult {
  return { decision, exitCode: exitCodes[decision], reasons, conditions }
}
