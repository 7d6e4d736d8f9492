/**
 * What a migration sees of the system it moves: counts of one interval, for the agents on the new path and for those on the old one.
 */

import type { Phase } from './plan.ts'

export interface ObservedGroup {
  /** Agents that are in the group at the end of the interval. */
  readonly agents: number
  /** Deliveries that came to an end in the interval, well or not. */
  readonly due: number
  /** Of these, what never arrived: expired, refused, lost. */
  readonly failed: number
  /** Of these, what arrived and took longer than so many ms. Only for bounds that the plan names. */
  above(boundMs: number): number
}

export interface Observation {
  /** Counts from 0 within a migration. */
  readonly sequence: number
  /** Of one clock that does not go back, from any zero. */
  readonly fromMs: number
  readonly toMs: number
  readonly candidate: ObservedGroup
  readonly baseline: ObservedGroup
  /** Acknowledged and never seen, in this interval; null when the system does not count it. */
  readonly lost: number | null
  readonly securityViolations: number
  /** Whether somebody was watching when it ended. What was measured while nobody did can send everybody back, and never promotes. */
  readonly watched: boolean
}

/** An interval longer than so many planned ones is no measurement of one. */
const longestIntervals = 10

/** Whether it follows the last one and its numbers can be counts; what cannot is no evidence of anything. */
export function isCredible(
  observation: Observation,
  lastSequence: number,
  lastToMs: number,
  intervalMs: number,
): boolean {
  const { sequence, fromMs, toMs, candidate, baseline, lost, securityViolations } = observation
  const follows =
    sequence > lastSequence && fromMs >= lastToMs && toMs > fromMs && toMs - fromMs <= longestIntervals * intervalMs
  const isCount = (value: number): boolean => Number.isFinite(value) && value >= 0
  const isGroup = ({ agents, due, failed }: ObservedGroup): boolean =>
    isCount(agents) && isCount(due) && isCount(failed) && failed <= due
  return follows && isCount(lost ?? 0) && isCount(securityViolations) && isGroup(candidate) && isGroup(baseline)
}

/** The group that a phase is about: those who have moved or, before anybody has, all others. */
export function groupOfPhase(phase: Pick<Phase, 'percentage'> | undefined, observation: Observation): ObservedGroup {
  return (phase?.percentage ?? 0) > 0 ? observation.candidate : observation.baseline
}
