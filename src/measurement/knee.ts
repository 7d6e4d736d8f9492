/**
 * The knee of an engine at a number of agents: the highest offered rate at which it still meets its service level, by search.
 *
 * A probe is one round at one rate. It held when the generator kept up, at least 99.9 % of the exchanges completed and round trip p99
 * stayed below the engine's bound. Which rate is probed next follows from the probes so far alone: rates quadruple until one does not
 * hold, then the gap is halved (geometrically) until it is small. The level's own rounds are the first probe: a search never ends below a
 * rate that the level held. What is published is the rate that a schedule had.
 */
import { mergeDistributions, quantile, type Distribution } from '../statistics/distribution.ts'
import { readHistogramLog } from './histogram-log.ts'
import type { RoundEvidence } from './round-evidence.ts'

const heldCompletedShare = 0.999
/** Neighbouring probes closer than this are the same rate. */
export const kneeResolution = 1.15

const stride = 4

/** Why a probe did not hold; `generator`: the load or the machine was the limit, so the engine's own knee lies higher or was not seen. */
export type ProbeOutcome = 'held' | 'latency' | 'errors' | 'generator'

export interface Probe {
  readonly ratePerSecond: number
  readonly outcome: ProbeOutcome
}

/**
 * `roundTrip`: of a round that counts; null when its evidence says that the generator, the machine or the evidence itself failed.
 * A refusal or a loss is the engine's own, whatever the generator did; a time-out or a latency of such a round may be the generator's.
 */
export function probeOutcome({ counts }: RoundEvidence, roundTrip: Distribution | null, boundMs: number): ProbeOutcome {
  const mostFailures = (1 - heldCompletedShare) * counts.scheduled
  if (counts.refused + counts.lost > mostFailures) return 'errors'
  if (roundTrip === null) return 'generator'
  if (counts.scheduled - counts.completed > mostFailures) return 'errors'
  const p99Us = quantile(roundTrip, 0.99)
  return p99Us === null || p99Us / 1000 >= boundMs ? 'latency' : 'held'
}

/**
 * What the rounds of a level say as a probe at its own rate: held, when one held and none failed by the engine; null when they say nothing
 * of the kind. `rounds`: of one engine at the number of agents of the search, as for `probeOutcome`.
 */
export function levelProbe(
  rounds: readonly { readonly evidence: RoundEvidence; readonly roundTrip: Distribution | null }[],
  boundMs: number,
): Probe | null {
  const outcomes = rounds.map(({ evidence, roundTrip }) => probeOutcome(evidence, roundTrip, boundMs))
  if (outcomes.some((outcome) => outcome === 'latency' || outcome === 'errors')) return null
  const held = rounds.filter((_, index) => outcomes[index] === 'held').map(({ evidence }) => offeredPerSecond(evidence))
  return held.length === 0 ? null : { ratePerSecond: Math.min(...held), outcome: 'held' }
}

/** Round trips of a round as it was just played; null of one that does not count. */
export function countedRoundTrip(played: {
  readonly evidence: RoundEvidence
  readonly hlog: string
}): Distribution | null {
  return played.evidence.audit.valid ? mergeDistributions(readHistogramLog(played.hlog).get('roundTrip') ?? []) : null
}

/** What the schedule of a round held, which is what is published. */
export function offeredPerSecond({ counts, durationMs }: RoundEvidence): number {
  return counts.scheduled / (durationMs / 1000)
}

/**
 * The rate to probe next, or null when the search is over. Probes in the order they were made, starting at `startPerSecond`; `level`: what
 * the level itself showed, below which nothing need be sought.
 */
export function nextProbeRate(
  probes: readonly Probe[],
  startPerSecond: number,
  mostProbes: number,
  level: Probe | null = null,
): number | null {
  const known = level === null ? probes : [level, ...probes]
  if (probes.length === 0) return Math.max(startPerSecond, (level?.ratePerSecond ?? 0) * stride)
  if (probes.length >= mostProbes) return null
  const { ratePerSecond: floor, ceilingPerSecond: ceiling } = kneeOf(known)
  if (ceiling === null) return (floor ?? 0) * stride
  if (floor === null) return ceiling / stride >= 1 ? ceiling / stride : null
  return ceiling / floor <= kneeResolution ? null : Math.sqrt(floor * ceiling)
}

export interface Knee {
  /** The highest rate that held; null when none did. */
  readonly ratePerSecond: number | null
  /** What the lowest rate above it that did not hold failed by. */
  readonly limit: Exclude<ProbeOutcome, 'held'> | 'not reached'
  /** That rate; null when every one held. */
  readonly ceilingPerSecond: number | null
}

/**
 * A rate above one at which the engine failed does not count, however often it held. Where only the generator or the machine failed, a
 * higher rate that held shows that the engine bears the lower one as well.
 */
export function kneeOf(probes: readonly Probe[]): Knee {
  const missed = probes.flatMap(({ ratePerSecond, outcome }) =>
    outcome === 'held' ? [] : [{ ratePerSecond, outcome }],
  )
  const failed = missed.filter(({ outcome }) => outcome !== 'generator').map(({ ratePerSecond }) => ratePerSecond)
  const failedFrom = Math.min(Infinity, ...failed)
  const held = probes.filter(({ outcome, ratePerSecond }) => outcome === 'held' && ratePerSecond < failedFrom)
  const best = held.length === 0 ? null : Math.max(...held.map(({ ratePerSecond }) => ratePerSecond))
  const above = missed
    .filter(({ ratePerSecond }) => best === null || ratePerSecond > best)
    .toSorted((a, b) => a.ratePerSecond - b.ratePerSecond)[0]
  return {
    ratePerSecond: best,
    limit: above?.outcome ?? 'not reached',
    ceilingPerSecond: above?.ratePerSecond ?? null,
  }
}
