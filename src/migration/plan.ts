/**
 * A migration plan: phases with a share of agents each, what has to be shown before the next begins, and what sends everybody back.
 *
 * Bars are targets in the one grammar of the project, over two groups that are watched at the same time: `candidate` is the agents assigned the new
 * path, `baseline` those on the old one. A gate has to be shown to hold; a trip has to be shown *not* to hold before it acts; `investigate`
 * is a trip that only tells somebody.
 */
import { canonicalSha256 } from '../measurement/canonical-json.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import type { QuantileName, TargetExpression } from '../statistics/target-expression.ts'

export interface Bar {
  readonly title: string
  /** Canonical text of `target`. */
  readonly expression: string
  readonly target: TargetExpression
}

/** What a system can be told besides a share of agents; only a phase's own change of them is named. */
export interface Switches {
  /** Warnings on the old path. */
  readonly deprecation?: boolean
  /** Whether both paths are open to every agent, or only the one it is assigned. */
  readonly dualMode?: boolean
  /** The old path is closed. */
  readonly legacyOff?: boolean
}

/** Something that has to be there before a phase ends and that no observation shows. */
export type Requirement =
  | {
      readonly kind: 'certificate'
      readonly title: string
      readonly suite: Suite | null
      readonly decision: 'APPROVED' | 'CONDITIONALLY_APPROVED'
      readonly minAgents: number | null
      /** Exchanges per second. */
      readonly minRate: number | null
      readonly maxAgeMs: number | null
      /** Of the commit that the migration names. */
      readonly sameCommit: boolean
    }
  | {
      readonly kind: 'run'
      readonly title: string
      readonly suite: Suite
      /** `valid`: it was measured well enough to be decided at all. */
      readonly decision: 'valid' | 'APPROVED' | 'CONDITIONALLY_APPROVED'
      readonly maxAgeMs: number | null
    }
  /** The groups of the phase, compared as an experiment (comparison.ts). */
  | ({ readonly kind: 'comparison'; readonly title: string } & ComparisonRules)

/** The new path is to be shown not to be worse than the old one by `margin` times or more. */
export interface ComparisonRules {
  readonly quantile: QuantileName
  readonly margin: number
}

export interface Phase {
  readonly name: string
  /** Of agents, 0 … 100. */
  readonly percentage: number
  readonly switches: Switches
  readonly requires: readonly Requirement[]
  /** Time that has to be observed in the phase, however clear the evidence. */
  readonly soakMs: number
  readonly gates: readonly Bar[]
  /** Somebody has to say yes after the gates have been met. */
  readonly approval: boolean
}

export interface EvidenceRules {
  /** Observations cover so long each. */
  readonly intervalMs: number
  /** After a phase was entered agents are still moving; deliveries of so long are no evidence. */
  readonly settleMs: number
  /** Error of a promotion, over all looks of a phase and each gate. */
  readonly promoteAlpha: number
  /** Error of a rollback, over all looks of a phase and each trip. */
  readonly rollbackAlpha: number
  /** A trip also looks at each window by itself, so that what went well for long does not outweigh what goes wrong now. */
  readonly windowMs: number
  /** A trip acts on what is left when one interval less than these, the worst, are left out; one stall is no regression. */
  readonly minimumIntervals: number
  /** Share of a soak that has to be covered by observations. */
  readonly coverage: number
  /** A phase whose gates are not met after so many times its soak waits for a person. */
  readonly patience: number
}

export interface CountedTrips {
  /** Exchanges that were acknowledged and never arrived. */
  readonly lost: number
  readonly securityViolations: number
  /** In a row. */
  readonly failedHealthChecks: number
}

/** A program that is started for each call: without a shell, what it is to do on its standard input. */
export interface CommandHook {
  readonly kind: 'command'
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly timeoutMs: number
  /** Names of environment variables that it is given besides what every child is given. */
  readonly environment: readonly string[]
}

export interface HttpHook {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly timeoutMs: number
  /** By header, the environment variable that its value is read from: no secret stands in a plan. */
  readonly headers: Readonly<Record<string, string>>
}

export type Hook = CommandHook | HttpHook

/** How a system that is no bridge is moved and watched (docs/migration-hooks.md). */
export interface Hooks {
  readonly setPercentage: Hook
  readonly health: Hook
  readonly observe: Hook
  readonly whereabouts: Hook | null
}

export interface MigrationPlan {
  readonly name: string
  /** Null: the system is a bridge. */
  readonly hooks: Hooks | null
  readonly evidence: EvidenceRules
  readonly trips: readonly Bar[]
  readonly counted: CountedTrips
  readonly investigate: readonly Bar[]
  /** By which the groups of a phase are compared; decides nothing unless a phase requires it. */
  readonly comparison: ComparisonRules
  /** How everybody goes back when a trip acts. */
  readonly rollback: 'full' | 'stepped'
  readonly phases: readonly Phase[]
  /** So long trips stay armed after the last phase. */
  readonly watchAfterMs: number
}

/** SHA-256 of everything the plan says, whatever its layout; fixed when a migration starts. */
export function planSha256({ hooks, ...plan }: MigrationPlan): string {
  return canonicalSha256({
    ...plan,
    // Left out where there are none, so that such a plan keeps the digest it had before there were hooks.
    ...(hooks === null ? {} : { hooks }),
    trips: plan.trips.map(barText),
    investigate: plan.investigate.map(barText),
    phases: plan.phases.map((phase) => ({ ...phase, gates: phase.gates.map(barText) })),
  })
}

function barText({ title, expression }: Bar): { title: string; expression: string } {
  return { title, expression }
}
