/**
 * What every suite is asked, and what it does with engines around its rounds: check them before anything starts, open and close arms.
 */
import { Arm } from './arm.ts'
import type { PlannedArm } from './comparison-plan.ts'
import type { RunEvents } from './run-events.ts'
import type { Durability, ServerConfig } from '../engines/engine.ts'
import type { RunningEngine } from '../engines/hosts/running-engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { Pacing, Workload } from '../load/round-plan.ts'
import type { Claim } from '../measurement/claims-file.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import type { Profile, Target } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'

/** What every suite is asked; a suite adds what it alone needs. */
export interface SuiteRequest {
  readonly profile: Profile
  readonly arms: readonly PlannedArm[]
  readonly workload: Workload
  readonly warmupMs: number
  readonly pacing: Pacing
  readonly host: 'thread' | 'process'
  readonly transport: 'websocket' | 'sse'
  readonly durability: Durability
  readonly seed: string
  readonly targets: { readonly source: string; readonly items: readonly Target[] }
  readonly claims: { readonly source: string; readonly items: readonly Claim[] }
  /** Of engines that this run starts; a fresh one per run. */
  readonly ownEnrolmentKey: string
  /** Of engines that run elsewhere. */
  readonly remoteEnrolmentKey: string | null
  readonly ca?: string
  readonly timeBudgetMs: number | null
  readonly outputFolder: string
  /** Set where the run is one of several under one decision. */
  readonly campaign?: NonNullable<RunManifest['campaign']>
  readonly projectFolder: string
}

export interface FinishedRun {
  readonly results: ResultsDocument
  readonly runDirectory: string
  readonly ended: 'complete' | 'interrupted' | 'time-budget'
}

/** Options are checked before a port is opened or a file written. */
export async function validateEngines(request: SuiteRequest): Promise<void> {
  for (const arm of request.arms) (await loadEngine(arm.name)).validateOptions(arm.options)
}

export function serverConfig(request: SuiteRequest, arm: PlannedArm): ServerConfig {
  const remote = arm.url !== undefined
  if (remote && request.remoteEnrolmentKey === null) {
    throw new LighthouseError('USAGE', `engine ${arm.label} runs elsewhere and no enrolment key is given for it`, {
      suggestions: ['Name the file of its key: --enrolment-key-file enrolment.key.'],
    })
  }
  return {
    options: arm.options,
    durability: request.durability,
    storeFile: null,
    listen: '127.0.0.1',
    port: 0,
    tls: null,
    enrolmentKey: (remote ? request.remoteEnrolmentKey : null) ?? request.ownEnrolmentKey,
  }
}

export interface ArmOpening {
  readonly arm: PlannedArm
  readonly agents: number
  readonly host: 'thread' | 'process'
  readonly clockOrigin: number
  /** See ArmStart. */
  readonly engine?: RunningEngine
  readonly staggerMs?: number
  readonly clientUrl?: string
}

export function openArm(request: SuiteRequest, opening: ArmOpening, events: RunEvents): Promise<Arm> {
  const { arm } = opening
  events.stage(`starting ${arm.label} and connecting ${opening.agents} agents`)
  return Arm.open({
    ...opening,
    transport: request.transport,
    server: serverConfig(request, arm),
    seed: request.seed,
    onProgress: (progress) => events.progress(arm.label, progress),
    ...(request.ca === undefined ? {} : { ca: request.ca }),
  })
}

/** Every arm is closed whatever happens to the others; a failure to stop is said, not thrown over the result. */
export async function closeAll(arms: readonly Arm[], events: RunEvents): Promise<void> {
  const outcomes = await Promise.allSettled(arms.map((arm) => arm.close()))
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected')
      events.note(`${arms[index]?.label ?? 'an engine'} did not stop cleanly: ${String(outcome.reason)}`)
  }
}
