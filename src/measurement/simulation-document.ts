/**
 * What `migrate plan` and `migrate simulate` publish of a plan: what it asks for, and how often its rules err.
 */

export interface PlannedGate {
  readonly title: string
  readonly expression: string
  /** Deliveries that show it when none of them misses it, and when half as many miss it as it allows; null where none are needed. */
  readonly leastDeliveries: number | null
  readonly usualDeliveries: number | null
}

export interface PlannedPhase {
  readonly name: string
  readonly percentage: number
  readonly soakMs: number
  readonly approval: boolean
  readonly gates: readonly PlannedGate[]
  /** In words. */
  readonly requires: readonly string[]
  /** That are set when it is entered, as name=value. */
  readonly switches: readonly string[]
  /** That its group has in the soak at the rate that was given; null without one. */
  readonly deliveriesInSoak: number | null
}

export interface PlannedHook {
  readonly name: string
  readonly kind: 'command' | 'http'
  /** The program and its arguments, or the method and the address without its query. */
  readonly title: string
  readonly timeoutMs: number
  /** Names of the environment variables that it is given, or that its headers are read from. */
  readonly variables: readonly string[]
}

export interface PlanDocument {
  readonly schemaVersion: 1
  readonly name: string
  readonly planSha256: string
  readonly phases: readonly PlannedPhase[]
  readonly trips: readonly string[]
  readonly counted: {
    readonly lost: number
    readonly securityViolations: number
    readonly failedHealthChecks: number
  }
  readonly investigate: readonly string[]
  /** None: the system is a bridge. */
  readonly hooks: readonly PlannedHook[]
  /** All soaks together: no migration by this plan is shorter. */
  readonly shortestMs: number
}

export interface Scenario {
  readonly name: string
  /** Share that misses each latency gate, and each latency trip, as a multiple of what it allows. */
  readonly gateFactor: number
  readonly tripFactor: number
  /** Share that fails, as a multiple of what the tightest bar on errors allows. */
  readonly errorFactor: number
  /** From so far into the phase's soak on (0 … 1); before it the engine misses a tenth of what is allowed. */
  readonly onset: number
  /** Misses come together, once in so many intervals; 1: evenly. */
  readonly clustering: number
}

export interface ScenarioResult {
  readonly scenario: Scenario
  readonly runs: number
  readonly promoted: number
  readonly rolledBack: number
  /** Neither: it waits for a person. */
  readonly held: number
  /** One-sided 95 % Clopper–Pearson bounds of the shares. */
  readonly promotedAtMost: number
  readonly rolledBackAtMost: number
  /** Of runs that were rolled back after the onset, the median from there on; null when none was. */
  readonly medianExchangesToRollback: number | null
  readonly medianMsToRollback: number | null
}

export interface SimulationGoal {
  readonly title: string
  /** What was found, in words. */
  readonly found: string
  readonly shown: boolean
}

export interface SimulationDocument {
  readonly schemaVersion: 1
  readonly plan: string
  readonly planSha256: string
  readonly phase: string
  readonly percentage: number
  readonly soakMs: number
  readonly intervalMs: number
  readonly seed: string
  readonly runs: number
  readonly agents: number
  /** Deliveries of all agents together. */
  readonly perSecond: number
  readonly scenarios: readonly ScenarioResult[]
  readonly goals: readonly SimulationGoal[]
}
