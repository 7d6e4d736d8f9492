/**
 * The generator's audit of itself: whether the load of a round was the load that was planned. A round that
 * fails is INVALID, is listed with its reasons and never counts, because its latencies would describe the
 * generator or the machine and not the engine. Pure; percentages are of one core, times in milliseconds.
 *
 * The limits: 99 % of the offered exchanges sent by the end of the schedule plus the lateness bound (arrival
 * rates below that are a different workload), 90 % of one core (Locust's warning threshold), send lateness
 * p99 within the plan's bound, and no sample that a histogram could not hold. What was taken
 * from the machine by others is added by the suite, which alone can tell others from ourselves.
 */
import type { RoundAudit } from '../measurement/round-evidence.ts'
import type { Pacing } from './round-plan.ts'

export const auditLimits = { achievedRatio: 0.99, cpuPercent: 90 } as const

export interface AuditFacts {
  readonly loadModel: 'open' | 'closed'
  readonly pacing: Pacing
  readonly scheduled: number
  /** Sent by the end of the schedule plus the lateness bound. */
  readonly sentInTime: number
  readonly unsent: number
  readonly latenessP99Ms: number
  readonly latenessBoundMs: number
  readonly cpuPercent: number
  readonly eventLoopP99Ms: number
  readonly negativeSamples: number
  readonly outOfRangeSamples: number
  readonly interrupted: boolean
}

/**
 * A spinning generator takes its whole core by design, so its CPU says nothing and lateness alone judges it.
 * In the closed loop what was not sent was not offered, so only the
 * generator's own health is judged.
 */
export function auditRound(facts: AuditFacts): RoundAudit {
  const achievedRatio = facts.scheduled === 0 ? 0 : facts.sentInTime / facts.scheduled
  const reasons: string[] = []
  if (facts.interrupted) reasons.push('The round was interrupted.')
  if (facts.scheduled === 0) reasons.push('The schedule of the round holds no exchange.')
  if (facts.loadModel === 'open' && facts.scheduled > 0) {
    if (achievedRatio < auditLimits.achievedRatio) {
      reasons.push(
        `The generator sent ${facts.sentInTime} of ${facts.scheduled} exchanges in time (${percent(achievedRatio)}), ` +
          `less than ${auditLimits.achievedRatio * 100} %.`,
      )
    }
    if (facts.unsent > 0) reasons.push(`${facts.unsent} of ${facts.scheduled} exchanges were never sent.`)
  }
  if (facts.pacing === 'timer' && facts.cpuPercent > auditLimits.cpuPercent) {
    reasons.push(
      `The generator used ${facts.cpuPercent.toFixed(1)} % of its core, more than ${auditLimits.cpuPercent} %.`,
    )
  }
  if (facts.latenessP99Ms > facts.latenessBoundMs) {
    reasons.push(
      `Sends were late by ${facts.latenessP99Ms.toFixed(2)} ms at p99, more than ${facts.latenessBoundMs.toFixed(2)} ms.`,
    )
  }
  if (facts.negativeSamples > 0) reasons.push(`${facts.negativeSamples} durations were negative: two clocks disagree.`)
  if (facts.outOfRangeSamples > 0) {
    reasons.push(`${facts.outOfRangeSamples} durations were longer than the histograms hold.`)
  }
  return {
    valid: reasons.length === 0,
    reasons,
    scheduled: facts.scheduled,
    sent: facts.sentInTime,
    achievedRatio,
    latenessP99Ms: facts.latenessP99Ms,
    eventLoopP99Ms: facts.eventLoopP99Ms,
    cpuPercent: facts.cpuPercent,
    stealPercent: null,
    foreignCpuPercent: null,
  }
}

/** Rounded down, so that what is below a limit never prints as the limit. */
function percent(ratio: number): string {
  return `${(Math.floor(ratio * 10_000) / 100).toFixed(2)} %`
}
