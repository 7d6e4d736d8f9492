/**
 * The system that is moved, as a migration sees it: it can be measured, asked for its health, and told which share of agents takes the new path.
 *
 * There are two: a bridge (bridge-system.ts), and whatever a plan's hooks speak to (hook-system.ts).
 */
import { decodeHistogram, HistogramFormatError, type DecodeBudget } from '../measurement/histogram-codec.ts'
import { countAbove } from '../statistics/distribution.ts'
import type { Switches } from './plan.ts'

export interface MeasuredGroup {
  readonly agents: number
  readonly due: number
  readonly failed: number
  /** Deliveries after a time that the histogram cannot hold. */
  readonly unmeasured: number
  /** HDR V2, compressed, base64, in microseconds; null when the system counts by itself. */
  readonly histogram: string | null
  /** What the system counted, by bound in ms; null with a histogram. */
  readonly above: Readonly<Record<string, number>> | null
}

/** One closed interval of what the system measured of itself. */
export interface MeasuredInterval {
  /** Changes when the system counts its intervals anew. */
  readonly stream: string
  readonly sequence: number
  readonly durationMs: number
  /** Before the moment at which it was read. */
  readonly endedAgoMs: number
  readonly candidate: MeasuredGroup
  readonly baseline: MeasuredGroup
  /** Null when the system does not count it. */
  readonly lost: number | null
  readonly securityViolations: number
}

/** The last interval that was read. */
export interface StreamPlace {
  readonly stream: string
  readonly sequence: number
}

export interface Directive {
  /** Of agents on the new path; 0 turns it off. */
  readonly percentage: number
  readonly switches: Switches
  readonly actor: string
  readonly reason: string
}

/** Where agents are; a system that does not know says null. */
export interface Whereabouts {
  readonly known: number
  /** On the new path now, and meant to be. */
  readonly onCandidate: number
  readonly assignedCandidate: number
  /** Agents that were told to move may still be about to. */
  readonly draining: boolean
  /** Agents that the old path has room for. */
  readonly baselineRoom: number
}

/** Calls throw LighthouseError when the system cannot be reached or does not make sense. */
export interface MigratedSystem {
  readonly kind: 'bridge' | 'hooks'
  /** For people: where it is. */
  readonly address: string
  /** Length of its intervals; null when that is the plan's to say. */
  intervalMs(): Promise<number | null>
  /** Closed intervals after `place`, the oldest first; all that are kept without one. */
  measure(place: StreamPlace | null): Promise<readonly MeasuredInterval[]>
  /** `expected`: the share that was last brought about; a system that says it has another is not well. Null when none is known. */
  health(expected: number | null): Promise<{ readonly healthy: boolean; readonly reason: string }>
  /** Changes nothing when all is so already. */
  direct(directive: Directive): Promise<void>
  whereabouts(): Promise<Whereabouts | null>
  close(): Promise<void>
}

/**
 * Deliveries of a group above each bound, in ms. Throws HistogramFormatError for a histogram that cannot be read, or does not hold what the group says it
 * holds. `budget` bounds how much many of them unfold into together.
 */
export function countsAbove(
  group: MeasuredGroup,
  boundsMs: readonly number[],
  budget?: DecodeBudget,
): Record<string, number> {
  const { histogram, above, unmeasured, due, failed } = group
  if (histogram === null) {
    return Object.fromEntries(
      boundsMs.map((bound) => {
        const count = above?.[String(bound)]
        if (count === undefined) throw new HistogramFormatError(`it does not count deliveries above ${bound} ms`)
        return [String(bound), count]
      }),
    )
  }
  const distribution = decodeHistogram(histogram, budget)
  if (distribution.n + unmeasured + failed !== due)
    throw new HistogramFormatError(
      `${due} deliveries were due, and its histogram holds ${distribution.n} beside ${failed} failed and ${unmeasured} unmeasured`,
    )
  return Object.fromEntries(
    boundsMs.map((bound) => [String(bound), countAbove(distribution, bound * 1000) + unmeasured]),
  )
}
