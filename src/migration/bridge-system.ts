/**
 * A bridge as a migration sees it: its flags say who takes which path, its observations what came of it.
 */
import type { AdminClient } from '../engines/bridge/admin-client.ts'
import type { BridgeGroup, BridgeObservations } from '../measurement/bridge-observation.ts'
import type { Flags } from '../measurement/flags-document.ts'
import { LighthouseError } from '../platform/errors.ts'
import type { Directive, MeasuredGroup, MeasuredInterval, MigratedSystem, StreamPlace, Whereabouts } from './system.ts'

/** The flags' own limits. */
const longestActor = 64
const longestReason = 500

export class BridgeSystem implements MigratedSystem {
  readonly kind = 'bridge'
  readonly address: string
  private readonly client: AdminClient

  constructor(client: AdminClient, address: string) {
    this.client = client
    this.address = address
  }

  async intervalMs(): Promise<number> {
    return (await this.client.observations(0)).intervalMs
  }

  async measure(place: StreamPlace | null): Promise<readonly MeasuredInterval[]> {
    const answer = await this.client.observations(place === null ? 0 : place.sequence + 1)
    if (place === null || String(answer.epoch) === place.stream) return intervalsOf(answer)
    // It was started anew: what it counts begins at 0.
    return intervalsOf(await this.client.observations(0))
  }

  async health(expected: number | null): Promise<{ readonly healthy: boolean; readonly reason: string }> {
    try {
      const { flags, actor } = await this.client.status()
      const share = flags.enabled ? flags.percentage : 0
      if (expected === null || share === expected) return { healthy: true, reason: 'it answers' }
      // Evidence of one share says nothing about another, whoever chose it.
      return {
        healthy: false,
        reason: `its flags say ${share} % where ${expected} % was decided; last changed by ${actor}`,
      }
    } catch (error) {
      if (!(error instanceof LighthouseError)) throw error
      return { healthy: false, reason: error.message }
    }
  }

  async direct({ percentage, switches, actor, reason }: Directive): Promise<void> {
    const { flags } = await this.client.status()
    const wanted: Partial<Flags> = { enabled: percentage > 0, percentage, ...switches }
    const isSo = (Object.keys(wanted) as (keyof Flags)[]).every((name) => flags[name] === wanted[name])
    if (isSo) return
    await this.client.change(wanted, actor.slice(0, longestActor), reason.slice(0, longestReason))
  }

  async whereabouts(): Promise<Whereabouts> {
    const { agents, draining, oldPath } = await this.client.status()
    return {
      known: agents.known,
      onCandidate: agents.connectedPush,
      assignedCandidate: agents.assignedPush,
      draining,
      baselineRoom: oldPath.room,
    }
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

function intervalsOf({ epoch, openMs, observations }: BridgeObservations): MeasuredInterval[] {
  let endedAgoMs = openMs
  return observations
    .toReversed()
    .map(({ sequence, durationMs, push, poll, securityViolations }) => {
      const interval = { stream: String(epoch), sequence, durationMs, endedAgoMs, securityViolations }
      endedAgoMs += durationMs
      // A bridge sees both ends of no exchange, so it cannot tell what was lost.
      return { ...interval, candidate: groupOf(push), baseline: groupOf(poll), lost: null }
    })
    .toReversed()
}

function groupOf(group: BridgeGroup): MeasuredGroup {
  return { ...group, above: null }
}
