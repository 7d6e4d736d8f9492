/**
 * One comparison from settings to a finished run directory: fix everything that is fixed beforehand and write it
 * down, start the arms, play the rounds, and derive what is published from what was written. A run that is
 * interrupted or breaks leaves the rounds it had, with results over them.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { chooseHost, drawOrder, estimateMs } from './comparison-plan.ts'
import { playComparison, type ComparisonPlan } from './comparison.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, manifestOf, NoiseLog, openArm, publish, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { claimsText } from '../measurement/claims-file.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import { collectEnvironment, completeEnvironment } from '../measurement/environment.ts'
import { stageLines } from '../measurement/histogram-log.ts'
import { createRunDirectory } from '../measurement/run-directory.ts'
import { targetsText } from '../measurement/targets-file.ts'
import { newRunId, utcTimestamp } from '../measurement/utc-time.ts'
import { clockOrigin, systemClock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'

export interface ComparisonRequest extends SuiteRequest {
  readonly rounds: number
  readonly minimumRounds: number
  readonly roundDurationMs: number
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
): Promise<FinishedRun> {
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
      const { host } = outline
      arms.push(await openArm(request, { arm, agents: request.workload.agents, host, clockOrigin: origin }, events))
    }
    const { rounds, minimumRounds, roundDurationMs } = request
    const { agents, ratePerSecond } = request.workload
    const sizes = { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order: outline.order }
    const engines = arms.map((arm) => arm.describe())
    const manifest = manifestOf(request, { runId, startedAtMs, suite: 'comparison', sizes, engines, environment })
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
