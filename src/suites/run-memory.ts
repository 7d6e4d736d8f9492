/**
 * One memory run from settings to a finished run directory: case after case, each round on an engine process of its own, then the control
 * on engines that stay. Every round is on disk before the next begins.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { PlayedRound } from './arm.ts'
import { CasePlanner } from './case-plan.ts'
import { descriptorNeeds, type PlannedArm } from './comparison-plan.ts'
import { maximumRepeats, playComparison } from './comparison.ts'
import { caseHooks, playControlled, type Ended } from './controlled-cases.ts'
import { whyDescriptorsCannotBeLimited } from './descriptor-limit.ts'
import { MemoryArm } from './memory-arm.ts'
import { estimateMemory, planMemory, type MemoryPlan, type MemorySizes } from './memory-pressure.ts'
import type { RunEvents } from './run-events.ts'
import { validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { anonymousBytes } from '../measurement/settled-memory.ts'
import { LighthouseError } from '../platform/errors.ts'
import { whyMemoryCannotBeLimited } from '../platform/memory-cgroup.ts'

export interface MemoryRequest extends SuiteRequest {
  readonly sizes: MemorySizes
  readonly minimumRounds: number
}

export interface MemoryOutline extends MemoryPlan {
  readonly host: 'process'
  readonly durationMs: number
  readonly diskBytes: number
}

/** Throws USAGE where an engine runs elsewhere: the memory of another machine's process cannot be read or capped. */
export async function outlineMemory(request: MemoryRequest): Promise<MemoryOutline> {
  const remote = request.arms.find(({ url }) => url !== undefined)
  if (remote !== undefined) {
    throw new LighthouseError(
      'USAGE',
      `memory is read from engines that this run starts, and ${remote.label} runs elsewhere`,
      { suggestions: ['Leave the URL of the engine out.'] },
    )
  }
  const cannot = new Map<string, string>()
  const noDescriptors = await whyDescriptorsCannotBeLimited()
  if (noDescriptors !== null) cannot.set('descriptors', noDescriptors)
  const untold =
    anonymousBytes(process.pid) === null ? 'the system does not tell what a process keeps in no file' : null
  const noCgroup = untold ?? (await whyMemoryCannotBeLimited())
  if (noCgroup !== null) cannot.set('process-cap', noCgroup)
  const limit = (await collectEnvironment(request.projectFolder)).descriptorLimit.value
  for (const agents of request.sizes.idleAgents) {
    const needed = descriptorNeeds(agents, 1).inChild
    if (limit === null || needed <= limit) continue
    const reason = `${agents} agents need about ${needed} file descriptors in one process, the limit is ${limit}`
    cannot.set(`idle-${agents}`, reason)
  }
  const labels = request.arms.map(({ label }) => label)
  const plan = planMemory(request.sizes, labels, request.seed, cannot)
  const arms = request.arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return { ...plan, host: 'process', ...estimateMemory(plan, arms, request.sizes) }
}

export async function runMemory(
  request: MemoryRequest,
  outline: MemoryOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  await validateEngines(request)
  for (const { name, reason } of outline.skippedCases) events.note(`${name} SKIPPED: ${reason}`)
  const run = await beginRun(request, events)
  const player = new MemoryPlayer({ request, outline, run, events, signal })
  return run.finish(await player.playAll())
}

interface PlayerParts {
  readonly request: MemoryRequest
  readonly outline: MemoryOutline
  readonly run: BegunRun
  readonly events: RunEvents
  readonly signal: AbortSignal
}

class MemoryPlayer {
  private readonly parts: PlayerParts
  private readonly planner: CasePlanner
  /** Without a cap, by engine. */
  private readonly needs = new Map<string, MemoryNeed>()
  /** Rounds repeated, by case: each starts three processes. */
  private readonly repeats = new Map<string, number>()

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.planner = new CasePlanner(parts.request, parts.outline.durationMs, parts.run)
  }

  playAll(): Promise<Ended> {
    const { request, outline, run, events, signal } = this.parts
    return playControlled({
      suite: 'memory-pressure',
      request,
      outline,
      run,
      events,
      signal,
      together: request.sizes.together,
      playRound: (each, round, arm) => this.playRound(each, round, arm),
      planOf: (control, order) => this.planner.toPlay(control, { order }),
    })
  }

  private async playRound(each: CasePlan, round: number, planned: PlannedArm): Promise<Ended> {
    const { request, run, events, signal } = this.parts
    const { memory, agents } = each
    if (signal.aborted) return 'interrupted'
    if (memory === undefined) throw new LighthouseError('INTERNAL', `the case ${each.name} asks nothing of memory`)
    const arm = new MemoryArm({
      request,
      planned,
      memory,
      agents,
      settleMs: request.sizes.settleMs,
      needBytes: this.needs.get(planned.label)?.[memory.kind === 'processCap' ? 'processBytes' : 'heapBytes'] ?? null,
      clockOrigin: run.origin,
      clock: run.clock,
      events,
      signal,
    })
    const usual = caseHooks({ run, events }, each)
    const hooks = {
      ...usual,
      onRoundStart: (engine: string, number: number, attempt: number) => {
        if (attempt > 0) this.repeats.set(each.name, (this.repeats.get(each.name) ?? 0) + 1)
        usual.onRoundStart(engine, number, attempt)
      },
      onRound: (played: PlayedRound) => {
        if (memory.kind === 'heapNeed') this.needs.set(planned.label, needOf(played))
        usual.onRound(played)
      },
    }
    const planOfCase = this.planner.toPlay(each, { order: [[planned.label]] })
    const repeatUntilMs = (this.repeats.get(each.name) ?? 0) < maximumRepeats ? planOfCase.repeatUntilMs : 0
    const plan = { ...planOfCase, firstRound: round, rounds: 1, repeatUntilMs }
    return (await playComparison(plan, [arm], hooks, run.clock, signal)).ended
  }
}

interface MemoryNeed {
  /** The highest settled heap. */
  readonly heapBytes: number
  /** The most that was resident and of no file, garbage included; null where the system does not tell. */
  readonly processBytes: number | null
}

function needOf({ evidence }: PlayedRound): MemoryNeed {
  const readings = evidence.memory ?? []
  const resident = readings.flatMap(({ anonymousBytes }) => anonymousBytes ?? [])
  return {
    heapBytes: Math.max(0, ...readings.map(({ heapUsedBytes }) => heapUsedBytes)),
    processBytes: resident.length === 0 ? null : Math.max(...resident),
  }
}
