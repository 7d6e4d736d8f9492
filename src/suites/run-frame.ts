/**
 * What every suite does around its rounds: check the engines before anything starts, write down what is fixed before the first
 * round, open and close arms, keep the worst noise, and derive what is published from what was written.
 */
import { Arm, noiseLimits, type PlayedRound } from './arm.ts'
import type { PlannedArm } from './comparison-plan.ts'
import type { RunEvents } from './run-events.ts'
import { engineFigures } from './run-histograms.ts'
import type { Durability, ServerConfig } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { Pacing, Workload } from '../load/round-plan.ts'
import { claimsSha256, type Claim } from '../measurement/claims-file.ts'
import { deriveResults } from '../measurement/derive.ts'
import type { MachineNoise } from '../measurement/machine-noise.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { EngineArm, RunManifest } from '../measurement/round-evidence.ts'
import { openRunDirectory, type RunDirectory } from '../measurement/run-directory.ts'
import { targetsSha256, type Profile, type Target } from '../measurement/targets-file.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import { LighthouseError } from '../platform/errors.ts'
import { renderMarkdown } from '../reports/markdown.ts'

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

function serverConfig(request: SuiteRequest, arm: PlannedArm): ServerConfig {
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

export interface ManifestParts {
  readonly runId: string
  readonly startedAtMs: number
  readonly suite: RunManifest['suite']
  readonly sizes: Pick<
    RunManifest['plan'],
    'agents' | 'ratePerSecond' | 'rounds' | 'minimumRounds' | 'roundDurationMs' | 'order'
  > &
    Partial<Pick<RunManifest['plan'], 'cases' | 'skippedCases'>>
  readonly engines: readonly EngineArm[]
  readonly environment: RunManifest['environment']
}

export function manifestOf(request: SuiteRequest, parts: ManifestParts): RunManifest {
  const { workload } = request
  return {
    schemaVersion: 1,
    runId: parts.runId,
    suite: parts.suite,
    profile: request.profile,
    startedAt: utcTimestamp(parts.startedAtMs),
    seed: request.seed,
    plan: {
      ...parts.sizes,
      warmupMs: request.warmupMs,
      deadlineMs: workload.deadlineMs,
      pattern: workload.pattern,
      payloadBytes: workload.payloadBytes,
      pacing: request.pacing,
      loadModel: 'open',
      durability: request.durability,
    },
    engines: parts.engines,
    targets: { source: request.targets.source, sha256: targetsSha256(request.targets.items) },
    claims: { source: request.claims.source, sha256: claimsSha256(request.claims.items) },
    environment: parts.environment,
  }
}

/** The worst reading of any round: a run is as quiet as its noisiest part. */
export class NoiseLog {
  private steal: number | null = null
  private foreign: number | null = null

  add(played: PlayedRound): void {
    const { stealPercent, foreignCpuPercent } = played.evidence.audit
    if (stealPercent !== null) this.steal = Math.max(this.steal ?? 0, stealPercent)
    if (foreignCpuPercent !== null) this.foreign = Math.max(this.foreign ?? 0, foreignCpuPercent)
  }

  worst(): MachineNoise {
    return {
      stealPercent: this.steal,
      foreignCpuPercent: this.foreign,
      ...(this.steal === null
        ? { reason: `no round was long enough to tell (limits ${noiseLimits.stealPercent} % steal)` }
        : {}),
    }
  }
}

/** Reads the run back from disk, so that what is published follows from what was written. */
export function publish(directory: RunDirectory): ResultsDocument {
  const record = openRunDirectory(directory.path)
  const results = deriveResults(record)
  for (const { engine, series, text } of engineFigures(record)) directory.writeHgrm(engine, series, text)
  directory.writeLedger({
    schemaVersion: 1,
    state: results.ledger.state,
    rounds: record.rounds.map(({ folder, evidence }) => ({
      folder,
      engine: evidence.engine,
      valid: evidence.audit.valid,
      state: evidence.ledger.state,
      reasons: evidence.ledger.reasons,
      counts: evidence.counts,
      anomalies: evidence.anomalies,
    })),
  })
  directory.writeResults(results)
  directory.writeReport(renderMarkdown(results))
  return results
}

/** Every arm is closed whatever happens to the others; a failure to stop is said, not thrown over the result. */
export async function closeAll(arms: readonly Arm[], events: RunEvents): Promise<void> {
  const outcomes = await Promise.allSettled(arms.map((arm) => arm.close()))
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected')
      events.note(`${arms[index]?.label ?? 'an engine'} did not stop cleanly: ${String(outcome.reason)}`)
  }
}
