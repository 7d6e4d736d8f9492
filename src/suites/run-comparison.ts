/**
 * One comparison from settings to a finished run directory: fix everything that is fixed beforehand and write it
 * down, start the arms, play the rounds, and derive what is published from what was written. A run that is
 * interrupted or breaks leaves the rounds it had, with results over them.
 */
import { drainGraceMs } from './arm-timing.ts'
import { Arm, noiseLimits, type PlayedRound } from './arm.ts'
import { chooseHost, drawOrder, estimateMs, type PlannedArm } from './comparison-plan.ts'
import { playComparison, type ComparisonPlan } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { engineFigures } from './run-histograms.ts'
import type { Durability, ServerConfig } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { Pacing, Workload } from '../load/round-plan.ts'
import { claimsSha256, claimsText, type Claim } from '../measurement/claims-file.ts'
import { deriveResults } from '../measurement/derive.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import { collectEnvironment, completeEnvironment } from '../measurement/environment.ts'
import { stageLines } from '../measurement/histogram-log.ts'
import type { MachineNoise } from '../measurement/machine-noise.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import { createRunDirectory, openRunDirectory, type RunDirectory } from '../measurement/run-directory.ts'
import { targetsSha256, targetsText, type Profile, type Target } from '../measurement/targets-file.ts'
import { newRunId, utcTimestamp } from '../measurement/utc-time.ts'
import { clockOrigin, systemClock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'
import { renderMarkdown } from '../reports/markdown.ts'

export interface ComparisonRequest {
  readonly profile: Profile
  readonly arms: readonly PlannedArm[]
  readonly workload: Workload
  readonly rounds: number
  readonly minimumRounds: number
  readonly roundDurationMs: number
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

export interface FinishedComparison {
  readonly results: ResultsDocument
  readonly runDirectory: string
  readonly ended: 'complete' | 'interrupted' | 'time-budget'
}

/** What a run would do, without doing it. */
export interface ComparisonOutline {
  readonly host: 'thread' | 'process'
  readonly hostNote: string | null
  readonly durationMs: number
  readonly diskBytes: number
  readonly order: readonly (readonly string[])[]
  readonly exchangesPerEngine: number
}

/** An encoded block of three digits takes up to about 4 kB in the log; four series per second, engine and round. */
const diskBytesPerBlock = 16_000

export async function outlineComparison(request: ComparisonRequest): Promise<ComparisonOutline> {
  const started = request.arms.filter(({ url }) => url === undefined).length
  const environment = await collectEnvironment(request.projectFolder)
  const { host, note } = chooseHost(
    request.host,
    request.workload.agents,
    Math.max(1, started),
    environment.descriptorLimit.value,
  )
  const blocks = Math.ceil(request.roundDurationMs / 1000)
  return {
    host,
    hostNote: note,
    durationMs: estimateMs({
      arms: request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) })),
      agents: request.workload.agents,
      rounds: request.rounds,
      roundDurationMs: request.roundDurationMs,
      warmupMs: request.warmupMs,
    }),
    diskBytes: request.rounds * request.arms.length * blocks * diskBytesPerBlock,
    order: drawOrder(labelsOf(request), request.rounds, request.seed),
    exchangesPerEngine: Math.round((request.workload.ratePerSecond * request.rounds * request.roundDurationMs) / 1000),
  }
}

function labelsOf(request: ComparisonRequest): string[] {
  return request.arms.map(({ label }) => label)
}

export async function runComparison(
  request: ComparisonRequest,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedComparison> {
  await validateEngines(request)
  const outline = await outlineComparison(request)
  if (outline.hostNote !== null) events.note(outline.hostNote)
  const origin = clockOrigin()
  const clock = systemClock(origin)
  const startedAtMs = clock.wallMs()
  const runId = newRunId(startedAtMs, seededRandom(`${request.seed}/run-id/${startedAtMs}`))
  const environment = await collectEnvironment(request.projectFolder)
  const directory = createRunDirectory(request.outputFolder, runId)
  events.started(runId, directory.path, request.seed)

  const arms: Arm[] = []
  try {
    for (const arm of request.arms) {
      if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
      events.stage(`starting ${arm.label} and connecting ${request.workload.agents} agents`)
      const opened = await Arm.open({
        arm,
        host: outline.host,
        agents: request.workload.agents,
        transport: request.transport,
        server: serverConfig(request, arm),
        seed: request.seed,
        clockOrigin: origin,
        onProgress: (progress) => events.progress(arm.label, progress),
        ...(request.ca === undefined ? {} : { ca: request.ca }),
      })
      arms.push(opened)
    }
    const manifest = manifestOf(request, { runId, startedAtMs, outline, arms, environment })
    directory.start(manifest, targetsText(request.targets.items), claimsText(request.claims.items))
    const noise = new NoiseLog()
    const plan = comparisonPlan(request, runId, outline)
    const hooks = {
      onWarmup: (engine: string) => events.stage(`warming ${engine} up`),
      onRoundStart: (engine: string, round: number, attempt: number) => events.roundStart(engine, round, attempt),
      onRound: (played: PlayedRound) => {
        noise.add(played)
        directory.writeRound(played.evidence, played.hlog + stageLines(played.stages, played.evidence.durationMs))
        events.roundDone(played.evidence)
      },
    }
    const { ended } = await playComparison(plan, arms, hooks, clock, signal)
    directory.updateManifest({
      ...manifest,
      environment: completeEnvironment(environment, noise.worst()),
      finishedAt: utcTimestamp(clock.wallMs()),
      ...(ended === 'complete' ? {} : { interrupted: true }),
    })
    return { results: publish(directory), runDirectory: directory.path, ended }
  } finally {
    await closeAll(arms, events)
  }
}

/** Options are checked before a port is opened or a file written. */
async function validateEngines(request: ComparisonRequest): Promise<void> {
  for (const arm of request.arms) (await loadEngine(arm.name)).validateOptions(arm.options)
}

function serverConfig(request: ComparisonRequest, arm: PlannedArm): ServerConfig {
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

function comparisonPlan(request: ComparisonRequest, runId: string, outline: ComparisonOutline): ComparisonPlan {
  return {
    rounds: request.rounds,
    roundDurationMs: request.roundDurationMs,
    warmupMs: request.warmupMs,
    workload: request.workload,
    pacing: request.pacing,
    loadModel: 'open',
    seed: request.seed,
    runId,
    latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
    order: outline.order,
    // The estimate errs on the long side; what it leaves over is what repeats may use.
    repeatUntilMs: Math.min(outline.durationMs, request.timeBudgetMs ?? Infinity),
    budgetMs: request.timeBudgetMs,
  }
}

interface Beginning {
  readonly runId: string
  readonly startedAtMs: number
  readonly outline: ComparisonOutline
  readonly arms: readonly Arm[]
  readonly environment: RunManifest['environment']
}

function manifestOf(request: ComparisonRequest, beginning: Beginning): RunManifest {
  const { workload } = request
  return {
    schemaVersion: 1,
    runId: beginning.runId,
    suite: 'comparison',
    profile: request.profile,
    startedAt: utcTimestamp(beginning.startedAtMs),
    seed: request.seed,
    plan: {
      agents: workload.agents,
      ratePerSecond: workload.ratePerSecond,
      rounds: request.rounds,
      minimumRounds: request.minimumRounds,
      roundDurationMs: request.roundDurationMs,
      warmupMs: request.warmupMs,
      deadlineMs: workload.deadlineMs,
      pattern: workload.pattern,
      payloadBytes: workload.payloadBytes,
      pacing: request.pacing,
      loadModel: 'open',
      durability: request.durability,
      order: beginning.outline.order,
    },
    engines: beginning.arms.map((arm) => arm.describe()),
    targets: { source: request.targets.source, sha256: targetsSha256(request.targets.items) },
    claims: { source: request.claims.source, sha256: claimsSha256(request.claims.items) },
    environment: beginning.environment,
  }
}

/** The worst reading of any round: a run is as quiet as its noisiest part. */
class NoiseLog {
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
async function closeAll(arms: readonly Arm[], events: RunEvents): Promise<void> {
  const outcomes = await Promise.allSettled(arms.map((arm) => arm.close()))
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected')
      events.note(`${arms[index]?.label ?? 'an engine'} did not stop cleanly: ${String(outcome.reason)}`)
  }
}
