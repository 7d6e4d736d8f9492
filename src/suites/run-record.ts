/**
 * The record of a run: its directory, what is declared in it before the first round, every round as it ends, and what is published at
 * the end, which is derived from what was written and from nothing else.
 */
import { noiseLimits, type PlayedRound } from './arm.ts'
import type { RunEvents } from './run-events.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { engineFigures } from './run-histograms.ts'
import { claimsSha256, claimsText } from '../measurement/claims-file.ts'
import { deriveResults } from '../measurement/derive.ts'
import { collectEnvironment, completeEnvironment } from '../measurement/environment.ts'
import { stageLines } from '../measurement/histogram-log.ts'
import type { MachineNoise } from '../measurement/machine-noise.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import type { EngineArm, RoundEvidence, RunManifest } from '../measurement/round-evidence.ts'
import { resumed, takeUp } from './resume.ts'
import {
  createRunDirectory,
  openRunDirectory,
  type OpenedRun,
  type RunDirectory,
} from '../measurement/run-directory.ts'
import { targetsSha256, targetsText } from '../measurement/targets-file.ts'
import { newRunId, utcTimestamp } from '../measurement/utc-time.ts'
import { clockOrigin, systemClock, type Clock } from '../platform/clock.ts'
import { seededRandom } from '../platform/random.ts'
import { sweepScratchFolders } from '../platform/scratch.ts'
import { renderMarkdown } from '../reports/markdown.ts'

export interface BegunRun {
  readonly runId: string
  /** Broadcast to every host, so that all of them stamp on one clock. */
  readonly origin: number
  readonly clock: Clock
  /** Once, before the first round is kept. */
  declare(engines: readonly EngineArm[], declaration: Declaration): void
  /** Puts a round on disk. */
  keep(played: PlayedRound): void
  /** Whether a resumed run has this round already; rounds that did not count are not played again. */
  has(engine: string, round: number): boolean
  /** Derives what is published; `ended` other than complete marks the run as interrupted. */
  finish(ended: FinishedRun['ended']): FinishedRun
}

/**
 * Creates the run directory, or takes up the one that was cut short, and says where it is. Throws ENVIRONMENT when it cannot be written,
 * USAGE when what is to be resumed is complete or was made by other code.
 */
export async function beginRun(
  request: SuiteRequest,
  events: RunEvents,
  resume: string | null = null,
): Promise<BegunRun> {
  const origin = clockOrigin()
  const clock = systemClock(origin)
  sweepScratchFolders()
  const environment = await collectEnvironment(request.projectFolder)
  const noise = new NoiseLog()
  const done = new Set<string>()
  const earlier = resume === null ? null : goOn(resume, environment, noise, done)
  const startedAtMs = clock.wallMs()
  const runId = earlier?.manifest.runId ?? newRunId(startedAtMs, seededRandom(`${request.seed}/run-id/${startedAtMs}`))
  const directory = earlier?.directory ?? createRunDirectory(request.outputFolder, runId)
  events.started(runId, directory.path, request.seed)
  let manifest: RunManifest | null = null
  return {
    runId,
    origin,
    clock,
    declare(engines, declaration) {
      const declared = manifestOf(request, { ...declaration, runId, startedAtMs, engines, environment })
      if (earlier === null) {
        manifest = declared
        directory.start(manifest, targetsText(request.targets.items), claimsText(request.claims.items))
      } else {
        manifest = resumed(earlier.manifest, declared, utcTimestamp(startedAtMs))
        directory.updateManifest(manifest)
      }
    },
    has: (engine, round) => done.has(`${round} ${engine}`),
    keep(played) {
      noise.add(played.evidence)
      directory.writeRound(played.evidence, played.hlog + stageLines(played.stages, played.evidence.durationMs))
      events.roundDone(played.evidence)
    },
    finish(ended) {
      if (manifest === null) throw new Error('a run ended before it was declared')
      directory.updateManifest({
        ...manifest,
        environment: completeEnvironment(manifest.environment, noise.worst()),
        finishedAt: utcTimestamp(clock.wallMs()),
        ...(ended === 'complete' ? {} : { interrupted: true }),
      })
      return { results: publish(directory), runDirectory: directory.path, ended }
    },
  }
}

/** What a resumed run goes on with. Its rounds may be many; what is needed of them is noted, and they are let go of. */
function goOn(
  path: string,
  environment: RunManifest['environment'],
  noise: NoiseLog,
  done: Set<string>,
): Pick<OpenedRun, 'manifest' | 'directory'> {
  const { manifest, directory, rounds } = takeUp(path, environment)
  for (const { evidence } of rounds) {
    noise.add(evidence)
    done.add(`${evidence.round} ${evidence.engine}`)
  }
  return { manifest, directory }
}

/** What is fixed before the first round, beside the request. */
interface Declaration {
  readonly suite: RunManifest['suite']
  readonly sizes: Pick<
    RunManifest['plan'],
    'agents' | 'ratePerSecond' | 'rounds' | 'minimumRounds' | 'roundDurationMs' | 'order'
  > &
    Partial<Pick<RunManifest['plan'], 'cases' | 'skippedCases' | 'pattern' | 'payloadBytes' | 'deadlineMs'>>
}

interface ManifestParts extends Declaration {
  readonly runId: string
  readonly startedAtMs: number
  readonly engines: readonly EngineArm[]
  readonly environment: RunManifest['environment']
}

function manifestOf(request: SuiteRequest, parts: ManifestParts): RunManifest {
  const { workload } = request
  return {
    schemaVersion: 1,
    runId: parts.runId,
    suite: parts.suite,
    profile: request.profile,
    startedAt: utcTimestamp(parts.startedAtMs),
    seed: request.seed,
    plan: {
      warmupMs: request.warmupMs,
      deadlineMs: workload.deadlineMs,
      pattern: workload.pattern,
      payloadBytes: workload.payloadBytes,
      pacing: request.pacing,
      loadModel: 'open',
      durability: request.durability,
      ...parts.sizes,
    },
    engines: parts.engines,
    targets: { source: request.targets.source, sha256: targetsSha256(request.targets.items) },
    claims: { source: request.claims.source, sha256: claimsSha256(request.claims.items) },
    environment: parts.environment,
    ...(request.campaign === undefined ? {} : { campaign: request.campaign }),
  }
}

/** The worst reading of any round: a run is as quiet as its noisiest part. */
class NoiseLog {
  private steal: number | null = null
  private foreign: number | null = null

  add({ audit }: RoundEvidence): void {
    const { stealPercent, foreignCpuPercent } = audit
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
function publish(directory: RunDirectory): ResultsDocument {
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
