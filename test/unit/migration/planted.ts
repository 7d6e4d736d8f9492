/** Plans and observations for tests of the migration: an interval of ten seconds, a hundred deliveries in it. */
import { parsePlan } from '../../../src/migration/plan-file.ts'
import type { Observation, ObservedGroup } from '../../../src/migration/observation.ts'
import type { MigrationPlan } from '../../../src/migration/plan.ts'
import { Migration, type Decision } from '../../../src/migration/state-machine.ts'

export const intervalMs = 10_000

export function planOf(text = ''): MigrationPlan {
  return parsePlan(
    `name: planted
evidence: { interval: 10s, window: 10m }
trips:
  - candidate.errorRate <= 5%
  - candidate.delivery.p99 <= 1000ms
investigate:
  - candidate.delivery.p99 <= 500ms
phases:
  - name: canary
    percentage: 5
    soak: 10m
    gates:
      - candidate.delivery.p99 < 300ms
      - candidate.errorRate < 1%
  - name: half
    percentage: 50
    soak: 10m
    approval: true
    gates:
      - candidate.delivery.p99 < 300ms
  - name: all
    percentage: 100
    soak: 10m
    gates:
      - candidate.agents >= 100
      - candidate.delivery.p99 < 300ms
${text}`,
    'planted.yaml',
  )
}

export interface PlantedInterval {
  readonly due?: number
  readonly failed?: number
  /** Deliveries that took so many ms; all others took none. */
  readonly slow?: { readonly count: number; readonly ms: number }
  readonly agents?: number
  readonly lost?: number
  readonly securityViolations?: number
  readonly healthy?: boolean
  readonly watched?: boolean
}

export function observation(
  sequence: number,
  planted: PlantedInterval = {},
  fromMs = sequence * intervalMs,
): Observation {
  const { due = 100, failed = 0, slow = { count: 0, ms: 0 }, agents = 100 } = planted
  const group: ObservedGroup = { agents, due, failed, above: (boundMs) => (slow.ms > boundMs ? slow.count : 0) }
  return {
    sequence,
    fromMs,
    toMs: fromMs + intervalMs,
    candidate: group,
    baseline: { agents: 100, due: 100, failed: 0, above: () => 0 },
    lost: planted.lost ?? 0,
    securityViolations: planted.securityViolations ?? 0,
    watched: planted.watched ?? true,
  }
}

/** A migration that was started, fed interval by interval; decisions with the interval they came after. */
export class Played {
  readonly migration: Migration
  readonly decisions: { readonly after: number; readonly decision: Decision }[] = []
  private sequence = 0

  constructor(plan: MigrationPlan = planOf()) {
    this.migration = new Migration(plan)
    for (const decision of this.migration.take({ type: 'started', atMs: 0 }))
      this.decisions.push({ after: -1, decision })
  }

  get nowMs(): number {
    return this.sequence * intervalMs
  }

  intervals(count: number, planted: (index: number) => PlantedInterval = () => ({})): Decision[] {
    const came: Decision[] = []
    for (let index = 0; index < count; index++) {
      const after = this.sequence
      const what = planted(index)
      const observed = { type: 'observed', observation: observation(this.sequence++, what) } as const
      const checked = { type: 'checked', healthy: what.healthy ?? true } as const
      for (const decision of [...this.migration.take(observed), ...this.migration.take(checked)]) {
        this.decisions.push({ after, decision })
        came.push(decision)
      }
    }
    return came
  }

  kinds(): string[] {
    return this.decisions.map(({ decision }) => (decision.kind === 'enter' ? `enter ${decision.phase}` : decision.kind))
  }
}
