/**
 * What the bridge measures of itself, interval by interval, for the agents assigned push and for those on the old path: how long messages took from being
 * taken to being handed to their recipient, and how many never were.
 *
 * The group is the one an agent is assigned at the time of the delivery, not the path it happens to be on: an agent that had to fall back to polling is a
 * failure of push. What the event loop could not read in time counts from when it stopped reading (stalls.ts). Intervals are closed on the server's tick and kept in a ring, so that whoever reads late reads all the same, up to its length.
 */
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'
import type { BridgeGroup, BridgeObservation } from '../../measurement/bridge-observation.ts'
import type { Clock } from '../../platform/clock.ts'
import type { RefusalCode } from '../engine.ts'
import type { DeliveryObserver } from '../elicitation/deliveries.ts'
import { tickMs, type Path } from '../elicitation/machine-ports.ts'
import { StallWatch } from './stalls.ts'

/** Kept intervals: an hour of those of ten seconds. */
export const keptObservations = 360
const highestUs = 600e6

/** Refusals that no honest client causes. */
const violations: readonly RefusalCode[] = ['INVALID_SIGNATURE', 'REPLAY_ATTACK', 'UNAUTHORIZED_RESPONSE']

export interface ObservationsInputs {
  readonly clock: Clock
  readonly intervalMs: number
  /** Assigned now. */
  readonly pathOf: (agent: number) => Path
  readonly agents: () => Readonly<Record<Path, number>>
  readonly refusals: () => Readonly<Partial<Record<RefusalCode, number>>>
  /** See StallWatch. */
  readonly afterReading?: (run: () => void) => void
}

class Group {
  readonly latency: LatencyRecorder = createLatencyRecorder({ unit: 'us', highest: highestUs })
  missed = 0

  close(agents: number): BridgeGroup {
    const { count, negative, outOfRange } = this.latency
    const failed = this.missed
    const histogram = this.latency.encode()
    this.latency.reset()
    this.missed = 0
    return { agents, due: count + negative + outOfRange + failed, failed, unmeasured: negative + outOfRange, histogram }
  }
}

export class Observations implements DeliveryObserver {
  private readonly inputs: ObservationsInputs
  private readonly groups: Readonly<Record<Path, Group>> = { push: new Group(), poll: new Group() }
  private readonly kept: BridgeObservation[] = []
  private readonly stalls: StallWatch
  private sequence = 0
  private fromNs: number
  private fromWallMs: number
  private violationsBefore = 0

  constructor(inputs: ObservationsInputs) {
    this.inputs = inputs
    this.stalls = new StallWatch(tickMs, () => inputs.clock.nowNs(), inputs.afterReading)
    this.fromNs = inputs.clock.nowNs()
    this.fromWallMs = inputs.clock.wallMs()
  }

  delivered(agent: number, takenAtNs: number): void {
    const waitedUs = (this.inputs.clock.nowNs() - this.stalls.earliest(takenAtNs)) / 1e3
    this.groups[this.inputs.pathOf(agent)].latency.record(waitedUs)
  }

  missed(agent: number): void {
    this.groups[this.inputs.pathOf(agent)].missed++
  }

  /** To be called every `tickMs`, by a timer. */
  tick(): void {
    const { clock, intervalMs } = this.inputs
    this.stalls.tick()
    const nowNs = clock.nowNs()
    if (nowNs - this.fromNs < intervalMs * 1e6) return
    const durationMs = (nowNs - this.fromNs) / 1e6
    const agents = this.inputs.agents()
    this.kept.push({
      sequence: this.sequence++,
      fromWallMs: this.fromWallMs,
      durationMs,
      push: this.groups.push.close(agents.push),
      poll: this.groups.poll.close(agents.poll),
      securityViolations: this.newViolations(),
    })
    if (this.kept.length > keptObservations) this.kept.shift()
    this.fromNs = nowNs
    this.fromWallMs = clock.wallMs()
  }

  /** Counters may have been set to zero in between; what came before that is lost to nobody but this interval. */
  private newViolations(): number {
    const refusals = this.inputs.refusals()
    const now = violations.reduce((sum, code) => sum + (refusals[code] ?? 0), 0)
    const since = now >= this.violationsBefore ? now - this.violationsBefore : now
    this.violationsBefore = now
    return since
  }

  /** Closed intervals from `sequence` on, the oldest first. */
  since(sequence: number): readonly BridgeObservation[] {
    return this.kept.filter((each) => each.sequence >= sequence)
  }

  /** Since the last closed interval ended. */
  openMs(): number {
    return (this.inputs.clock.nowNs() - this.fromNs) / 1e6
  }

  destroy(): void {
    for (const group of Object.values(this.groups)) group.latency.destroy()
  }
}
