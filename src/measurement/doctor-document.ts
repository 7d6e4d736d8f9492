/**
 * The shape of what `lighthouse doctor --json` prints, schema version 1: readings of a machine, what each means, and which suites can be
 * valid on it. Bytes and milliseconds are named in the keys; null means "not known", never zero.
 */
import type { ToolName } from './machine-tools.ts'
import type { MachineReading } from './read-machine.ts'
import type { Profile } from './targets-file.ts'
import type { Suite } from './vocabulary.ts'

export interface DoctorDocument {
  readonly schemaVersion: 1
  /** The profile that the exit code is about. */
  readonly profile: Profile
  readonly exitCode: number
  readonly checks: readonly Check[]
  readonly suites: readonly SuiteVerdict[]
  readonly machine: MachineReading
}

export type CheckState = 'OK' | 'LIMITED' | 'FAILED' | 'UNKNOWN'

export type CheckName =
  | 'node'
  | 'descriptors'
  | 'cores'
  | 'memory'
  | 'ports'
  | 'steal'
  | 'foreignCpu'
  | 'clock'
  | 'timers'
  | 'disk'
  | 'fsync'
  | ToolName

export interface Check {
  readonly name: CheckName
  readonly state: CheckState
  /** What was found. */
  readonly reading: string
  /** Why the state is not OK; null where it is. */
  readonly reason: string | null
  /** What to do about it; empty where it is OK. */
  readonly advice: readonly string[]
  /** While this lasts no round of any suite would be valid, or none would start. */
  readonly stopsSuites: boolean
}

export type SuiteState = 'CAN_BE_VALID' | 'LIMITED' | 'CANNOT_BE_VALID'

export interface SuiteReason {
  readonly check: CheckName
  readonly text: string
  readonly advice: readonly string[]
}

export interface SuiteVerdict {
  readonly suite: Suite
  readonly command: string
  readonly profile: Profile
  readonly state: SuiteState
  /** Agents of the largest level that the suite has, and of the largest that fits; null where none does. */
  readonly plannedAgents: number
  readonly fittingAgents: number | null
  /** Empty where it can be valid. */
  readonly reasons: readonly SuiteReason[]
  /** What the run would say before it starts, such as another host than the usual one. */
  readonly notes: readonly string[]
  /** Cases left out for want of a tool. */
  readonly skippedCases: readonly string[]
  /** Checks that could not be made and that the verdict therefore does not rest on. */
  readonly unknown: readonly CheckName[]
  readonly needs: SuiteNeeds
}

/** What a suite needs at a profile. */
export interface SuiteNeeds {
  readonly suite: Suite
  readonly command: string
  readonly profile: Profile
  /** Loads by number of agents, ascending; one that does not fit leaves out itself and those above it. */
  readonly levels: readonly LevelNeeds[]
  readonly host: 'thread' | 'process'
  /** Engines of this run that are up at the same time; each has a load host of its own. */
  readonly enginesAtOnce: number
  /** Fault proxies at the same time, each with both ends of every connection in the process of the command line. */
  readonly proxiesAtOnce: number
  readonly cores: number
  /** Bound of send lateness p99 above which a round is INVALID. */
  readonly latenessBoundMs: number
  /** Bytes that stay in the output folder. */
  readonly outputBytes: number
  /** Bytes of the engines' stores in the temporary folder while the run lasts. */
  readonly storeBytes: number
  readonly durationMs: number
  /** Cases that are SKIPPED by name where the tool is missing. */
  readonly optionalTools: readonly { readonly tool: ToolName; readonly cases: string }[]
}

export interface LevelNeeds {
  readonly agents: number
  /** Sockets that lead to one address and port at the same time. */
  readonly portsPerAddress: number
  readonly memoryBytes: number
}
