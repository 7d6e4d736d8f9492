/**
 * One memory run from settings to a finished run directory: case after case, each round on an engine process of its own, then the control
 * on engines that stay. Every round is on disk before the next begins.
 */
import { drainGraceMs } from './arm-timing.ts'
import type { Arm, PlayedRound } from './arm.ts'
import { descriptorNeeds, type PlannedArm } from './comparison-plan.ts'
import { maximumRepeats, playComparison, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import { whyDescriptorsCannotBeLimited } from './descriptor-limit.ts'
import { MemoryArm } from './memory-arm.ts'
import { estimateMemory, planMemory, type MemoryPlan, type MemorySizes } from './memory-pressure.ts'
import type { RunEvents } from './run-events.ts'
import { closeAll, openArm, validateEngines } from './run-frame.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { CasePlan, EngineArm } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'

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
  private readonly startNs: number
  /** Highest settled heap without a cap, by engine. */
  private readonly needs = new Map<string, number>()
  /** Rounds repeated, by case: each starts three processes. */
  private readonly repeats = new Map<string, number>()

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.startNs = parts.run.clock.nowNs()
  }

  /** The control's engines are up throughout, paused: they are what the run declares. */
  async playAll(): Promise<ComparisonOutcome['ended']> {
    const { request, outline, run, events, signal } = this.parts
    const control = outline.cases.at(-1)
    if (control === undefined) throw new LighthouseError('INTERNAL', 'a memory plan without cases')
    const arms: Arm[] = []
    try {
      for (const arm of request.arms) {
        if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the engines were up')
        const { agents } = control
        arms.push(await openArm(request, { arm, agents, host: 'process', clockOrigin: run.origin }, events))
      }
      this.writeDeclaration(
        arms.map((arm) => arm.describe()),
        control,
      )
      for (const arm of arms) await arm.pause()
      for (const each of outline.cases.slice(0, -1)) {
        const ended = await this.playCase(each)
        if (ended !== 'complete') return ended
      }
      const hooks = {
        onWarmup: () => undefined,
        onRoundStart: (engine: string, round: number, attempt: number) =>
          events.roundStart(`${engine}, control`, round, attempt),
        onRound: (played: PlayedRound) => run.keep(played),
      }
      const order = outline.order.slice(control.firstRound)
      return (await playComparison(this.planOf(control, order), arms, hooks, run.clock, signal)).ended
    } finally {
      await closeAll(arms, events)
    }
  }

  private writeDeclaration(engines: readonly EngineArm[], control: CasePlan): void {
    const { request, outline, run } = this.parts
    const { agents, ratePerSecond, roundDurationMs } = control
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    const { minimumRounds } = request
    const { order, cases, skippedCases } = outline
    const sizes = { agents, ratePerSecond, rounds, minimumRounds, roundDurationMs, order, cases }
    run.declare(engines, {
      suite: 'memory-pressure',
      sizes: skippedCases.length === 0 ? sizes : { ...sizes, skippedCases },
    })
  }

  /** Round by round, so that engines take turns; side by side where seconds are short. */
  private async playCase(each: CasePlan): Promise<ComparisonOutcome['ended']> {
    const { request, outline } = this.parts
    for (let round = each.firstRound; round < each.firstRound + each.rounds; round++) {
      const arms = (outline.order[round] ?? []).flatMap((label) => request.arms.filter((arm) => arm.label === label))
      const ended = request.sizes.together
        ? await Promise.all(arms.map((arm) => this.playRound(each, round, arm)))
        : await this.inTurn(each, round, arms)
      const early = ended.find((how) => how !== 'complete')
      if (early !== undefined) return early
    }
    return 'complete'
  }

  private async inTurn(
    each: CasePlan,
    round: number,
    arms: readonly PlannedArm[],
  ): Promise<ComparisonOutcome['ended'][]> {
    const ended: ComparisonOutcome['ended'][] = []
    for (const arm of arms) {
      ended.push(await this.playRound(each, round, arm))
      if (ended.at(-1) !== 'complete') break
    }
    return ended
  }

  private async playRound(each: CasePlan, round: number, planned: PlannedArm): Promise<ComparisonOutcome['ended']> {
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
      needBytes: this.needs.get(planned.label) ?? null,
      clockOrigin: run.origin,
      clock: run.clock,
      events,
      signal,
    })
    const hooks = {
      onWarmup: () => undefined,
      onRoundStart: (engine: string, number: number, attempt: number) => {
        if (attempt > 0) this.repeats.set(each.name, (this.repeats.get(each.name) ?? 0) + 1)
        events.roundStart(`${engine}, ${each.name}`, number, attempt)
      },
      onRound: (played: PlayedRound) => {
        if (memory.kind === 'heapNeed') this.needs.set(planned.label, heapNeedOf(played))
        run.keep(played)
      },
    }
    const planOfCase = this.planOf(each, [[planned.label]])
    const repeatUntilMs = (this.repeats.get(each.name) ?? 0) < maximumRepeats ? planOfCase.repeatUntilMs : 0
    const plan = { ...planOfCase, firstRound: round, rounds: 1, repeatUntilMs }
    return (await playComparison(plan, [arm], hooks, run.clock, signal)).ended
  }

  private planOf(each: CasePlan, order: ComparisonPlan['order']): ComparisonPlan {
    const { request, outline, run } = this.parts
    const elapsedMs = (run.clock.nowNs() - this.startNs) / 1e6
    const leftMs = (until: number): number => Math.max(0, until - elapsedMs)
    return {
      rounds: each.rounds,
      firstRound: each.firstRound,
      roundDurationMs: each.roundDurationMs,
      warmupMs: 0,
      workload: { ...request.workload, agents: each.agents, ratePerSecond: each.ratePerSecond },
      pacing: request.pacing,
      loadModel: 'open',
      seed: request.seed,
      runId: run.runId,
      latenessBoundMs: latenessBoundMs(request.targets.items, request.profile),
      order,
      repeatUntilMs: leftMs(Math.min(outline.durationMs, request.timeBudgetMs ?? Infinity)),
      budgetMs: request.timeBudgetMs === null ? null : leftMs(request.timeBudgetMs),
    }
  }
}

function heapNeedOf({ evidence }: PlayedRound): number {
  return Math.max(0, ...(evidence.memory ?? []).map(({ heapUsedBytes }) => heapUsedBytes))
}
