/**
 * The knee of an engine at a number of agents: the highest offered rate at which it still meets its service level, by search.
 *
 * A probe is one round at one rate. It held when the generator kept up, at least 99.9 % of the exchanges completed and round trip p99
 * stayed below the engine's bound. Which rate is probed next follows from the probes so far alone: rates quadruple until one does not
 * hold, then the gap is halved (geometrically) until it is small. What is published is the rate that a probe's schedule had.
 */
import { quantile, type Distribution } from '../statistics/distribution.ts'
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

/** The rate to probe next, or null when the search is over. Probes in the order they were made, starting at `startPerSecond`. */
export function nextProbeRate(probes: readonly Probe[], startPerSecond: number, mostProbes: number): number | null {
  if (probes.length === 0) return startPerSecond
  if (probes.length >= mostProbes) return null
  const held = probes.filter(({ outcome }) => outcome === 'held').map(({ ratePerSecond }) => ratePerSecond)
  const missed = probes.filter(({ outcome }) => outcome !== 'held').map(({ ratePerSecond }) => ratePerSecond)
  if (missed.length === 0) return Math.max(...held) * stride
  const ceiling = Math.min(...missed)
  const floor = Math.max(0, ...held.filter((rate) => rate < ceiling))
  if (floor === 0) return ceiling / stride >= 1 ? ceiling / stride : null
  return ceiling / floor <= kneeResolution ? null : Math.sqrt(floor * ceiling)
}

/** null when no rate held. A rate above one that did not hold does not count, however often it held. */
export function kneeOf(probes: readonly Probe[]): {
  readonly ratePerSecond: number | null
  readonly limit: Exclude<ProbeOutcome, 'held'> | 'not reached'
} {
  const missed = probes.flatMap(({ ratePerSecond, outcome }) =>
    outcome === 'held' ? [] : [{ ratePerSecond, outcome }],
  )
  const first = missed.toSorted((a, b) => a.ratePerSecond - b.ratePerSecond)[0]
  const ceiling = first?.ratePerSecond ?? Infinity
  const held = probes.filter(({ outcome, ratePerSecond }) => outcome === 'held' && ratePerSecond < ceiling)
  return {
    ratePerSecond: held.length === 0 ? null : Math.max(...held.map(({ ratePerSecond }) => ratePerSecond)),
    limit: first?.outcome ?? 'not reached',
  }
}
