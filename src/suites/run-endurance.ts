/**
 * One endurance run from settings to a finished run directory. Every interval is written and synced when it ends and then let go of, so
 * that this process holds as much on the third day as in the first hour; what is published is read back from disk.
 */
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { drainGraceMs } from './arm-timing.ts'
import type { PlayedRound } from './arm.ts'
import { chooseHost } from './comparison-plan.ts'
import { playComparison, type ComparisonOutcome, type PlayableArm } from './comparison.ts'
import { openEnduringArm, type EnduringArm } from './enduring-arm.ts'
import {
  estimateEndurance,
  planEndurance,
  type EndurancePlace,
  type EndurancePlan,
  type EnduranceSizes,
} from './endurance.ts'
import type { RunEvents } from './run-events.ts'
import { validateEngines, type FinishedRun, type SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { loadEngine } from '../engines/registry.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { EngineArm } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface EnduranceRequest extends SuiteRequest {
  readonly sizes: EnduranceSizes
  readonly minimumRounds: (rounds: number) => number
  /** Directory of a run that was cut short, or null. */
  readonly resume: string | null
}

export interface EnduranceOutline extends EndurancePlan {
  readonly host: 'process'
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  readonly durationMs: number
  readonly diskBytes: number
  /** What the engines' stores grow to; 0 without a store. */
  readonly storeBytes: number
}

/** Rows of a question and its answer beside the question itself: 200 and 420 by measurement, since polling keeps an index, and a little more. */
const rowBytes = { elicitation: 250, others: 450 } as const

/** Throws USAGE for a plan that cannot be and for an engine that runs elsewhere, ENVIRONMENT when the agents do not fit the machine. */
export async function outlineEndurance(request: EnduranceRequest): Promise<EnduranceOutline> {
  const remote = request.arms.find(({ url }) => url !== undefined)
  if (remote !== undefined) {
    throw new LighthouseError(
      'USAGE',
      `${remote.label} runs elsewhere, and what its process holds cannot be read from here`,
      {
        suggestions: ['Leave the URL of the engine out.'],
      },
    )
  }
  const places = await placesOf(request)
  const { sizes, seed, warmupMs, durability } = request
  const plan = planEndurance(sizes, places, seed)
  const environment = await collectEnvironment(request.projectFolder)
  chooseHost('process', sizes.agents, 1, environment.descriptorLimit.value)
  return {
    ...plan,
    host: 'process',
    skippedCases: [],
    ...estimateEndurance(plan, places, warmupMs),
    storeBytes: durability === 'memory' ? 0 : storeBytesOf(request),
  }
}

/** What the stores of all engines grow to. */
export function storeBytesOf({ arms, sizes, workload }: EnduranceRequest): number {
  const exchanges = (sizes.ratePerSecond * sizes.durationMs) / 1000 / arms.length
  const perExchange = arms.map(
    ({ name }) =>
      workload.payloadBytes + (name === 'elicitation' || name === 'bridge' ? rowBytes.elicitation : rowBytes.others),
  )
  return Math.round(perExchange.reduce((sum, each) => sum + each, 0) * exchanges)
}

/** A run that fills the disk on its third day is better not begun. Throws ENVIRONMENT. */
function requireDisk(storeBytes: number): void {
  const { bavail, bsize } = statfsSync(tmpdir())
  const freeBytes = bavail * bsize
  if (storeBytes <= freeBytes) return
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  throw new LighthouseError(
    'ENVIRONMENT',
    `the stores of the engines grow to about ${gib(storeBytes)}, and ${gib(freeBytes)} are free in ${tmpdir()}`,
    { suggestions: ['Name a folder on a larger disk with TMPDIR, offer a lower --rate, or use --durability memory.'] },
  )
}

async function placesOf({ arms, workload }: EnduranceRequest): Promise<EndurancePlace[]> {
  const places: EndurancePlace[] = []
  for (const arm of arms) {
    const definition = await loadEngine(arm.name)
    const ttlMs = definition.longestTtlMs?.(arm.options) ?? 0
    const exchangesKept = definition.exchangesKept?.(arm.options) ?? 0
    // What is open is kept until its deadline.
    const longestTtlMs = Math.max(ttlMs, workload.deadlineMs)
    places.push({ label: arm.label, drainGraceMs: drainGraceMs(arm), longestTtlMs, exchangesKept })
  }
  return places
}

export async function runEndurance(
  request: EnduranceRequest,
  outline: EnduranceOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  requireDisk(outline.storeBytes)
  const run = await beginRun(request, events, request.resume)
  const arms: EnduringArm[] = []
  try {
    for (const arm of request.arms) {
      if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
      const { agents } = request.sizes
      arms.push(await openEnduringArm(request, { arm, agents, clockOrigin: run.origin }, run.clock, events))
    }
    declare(
      run,
      arms.map((arm) => arm.describe()),
      request,
      outline,
    )
    for (const arm of arms) await arm.pause()
    return run.finish(await playIntervals({ request, outline, run, arms, events, signal }))
  } finally {
    await closeAll(arms, events)
  }
}

function declare(
  run: BegunRun,
  engines: readonly EngineArm[],
  request: EnduranceRequest,
  outline: EnduranceOutline,
): void {
  const { order, cases } = outline
  const { agents, ratePerSecond, roundDurationMs, rounds } = cases[0]
  const minimumRounds = request.minimumRounds(rounds)
  run.declare(engines, {
    suite: 'endurance',
    sizes: { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order, cases },
  })
}

export interface IntervalsToPlay {
  readonly request: Pick<
    EnduranceRequest,
    'profile' | 'workload' | 'sizes' | 'warmupMs' | 'pacing' | 'seed' | 'targets' | 'timeBudgetMs'
  >
  readonly outline: EndurancePlan & Pick<EnduranceOutline, 'durationMs'>
  readonly run: Pick<BegunRun, 'runId' | 'clock' | 'has' | 'keep'>
  readonly arms: readonly PlayableArm[]
  readonly events: Pick<RunEvents, 'stage' | 'roundStart'>
  readonly signal: AbortSignal
}

/** Plays what is not on disk yet. Of a played interval nothing is kept here. */
export async function playIntervals(parts: IntervalsToPlay): Promise<ComparisonOutcome['ended']> {
  const { request, outline, run, arms, events, signal } = parts
  const [plan] = outline.cases
  const { agents, ratePerSecond } = request.sizes
  const hooks = {
    onWarmup: (engine: string) => events.stage(`warming ${engine} up`),
    onRoundStart: (engine: string, round: number, attempt: number) => events.roundStart(engine, round, attempt),
    onRound: (played: PlayedRound) => run.keep(played),
  }
  const intervals = {
    rounds: plan.rounds,
    roundDurationMs: plan.roundDurationMs,
    warmupMs: request.warmupMs,
    workload: { ...request.workload, agents, ratePerSecond },
    pacing: request.pacing,
    loadModel: 'open' as const,
    seed: request.seed,
    runId: run.runId,
    latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
    order: outline.order.map((labels, round) => labels.filter((label) => !run.has(label, round))),
    blockMs: outline.blockMs,
    repeatUntilMs: Math.min(outline.durationMs, request.timeBudgetMs ?? Infinity),
    budgetMs: request.timeBudgetMs,
  }
  return (await playComparison(intervals, arms, hooks, run.clock, signal)).ended
}

async function closeAll(arms: readonly EnduringArm[], events: RunEvents): Promise<void> {
  for (const arm of arms) {
    await arm.close().catch((error: unknown) => events.note(`${arm.label} did not stop cleanly: ${String(error)}`))
  }
}
