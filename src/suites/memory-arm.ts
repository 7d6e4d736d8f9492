/**
 * An arm of the memory suite: for every round it starts an engine process, lets a few agents come and go so that code is there that runs first, reads what is settled, connects
 * the round's agents, plays, and reads again when they have gone. What the case does to the engine meanwhile is a strain.
 */
import type { Arm, PlayedRound } from './arm.ts'
import { drainGraceMs } from './arm-timing.ts'
import type { PlayableArm } from './comparison.ts'
import type { PlannedArm } from './comparison-plan.ts'
import { capRecord, deathRecord, messageOf, shortenDescriptors, supervise, type Cap } from './memory-strains.ts'
import type { RunEvents } from './run-events.ts'
import { openArm, serverConfig, type SuiteRequest } from './run-frame.ts'
import { readSlowly, type SlowReaderTarget } from './slow-reader.ts'
import { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import type { RunningEngine } from '../engines/hosts/running-engine.ts'
import type { RoundPlan } from '../load/round-plan.ts'
import type { FaultRecord, MemoryCasePlan, MemoryReading } from '../measurement/round-evidence.ts'
import { anonymousBytes, settlingFlags, socketMemoryBytes } from '../measurement/settled-memory.ts'
import { delay, type Clock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { makeMemoryCgroup, type MemoryCgroup } from '../platform/memory-cgroup.ts'

export interface MemoryArmParts {
  readonly request: SuiteRequest
  readonly planned: PlannedArm
  readonly memory: MemoryCasePlan
  readonly agents: number
  readonly settleMs: number
  /** Under this load without a cap: of the heap, or of the process where that is capped; null where it is not known. */
  readonly needBytes: number | null
  readonly clockOrigin: number
  readonly clock: Clock
  readonly events: RunEvents
  readonly signal: AbortSignal
}

/**
 * The young generation, in MB, wherever the need of the heap is measured or capped: V8 counts it beside the cap, and one of the usual
 * size would hold most of the load.
 */
const cappedSemiSpaceMb = 1
const cappedKinds: ReadonlySet<MemoryCasePlan['kind']> = new Set(['heapNeed', 'heapCap', 'processCap'])
const idleReadings = 3
/** They come and go before the first reading. */
const warmUpAgents = 10
const deathWithinMs = 1000
const mib = 2 ** 20

export class MemoryArm implements PlayableArm {
  readonly label: string
  readonly drainGraceMs: number
  private readonly parts: MemoryArmParts
  private playing: Arm | null = null
  private cgroup: MemoryCgroup | null = null

  constructor(parts: MemoryArmParts) {
    this.label = parts.planned.label
    this.drainGraceMs = drainGraceMs(parts.planned)
    this.parts = parts
  }

  async play(plan: RoundPlan): Promise<PlayedRound> {
    const { request, planned, events } = this.parts
    const { storeFile: _file, port: _port, ...config } = serverConfig(request, planned)
    const nodeFlags = this.flags(null)
    const engine = await BreakableEngine.open({ engine: planned.name, label: planned.label, config, nodeFlags })
    try {
      return await this.playOn(engine, await this.cap(engine), plan)
    } finally {
      await engine
        .stop()
        .catch((error: unknown) => events.note(`${this.label} did not stop cleanly: ${messageOf(error)}`))
      await this.cgroup?.remove()
      this.cgroup = null
    }
  }

  async abort(): Promise<void> {
    await this.playing?.abort()
  }

  /** Starts the engine again under the cap of the case; without one where it does not come up, which is a result and not the end. */
  private async cap(engine: BreakableEngine): Promise<Cap | null> {
    const { memory, needBytes } = this.parts
    if (memory.kind !== 'heapCap' && memory.kind !== 'processCap') return null
    if (needBytes === null) throw new LighthouseError('INTERNAL', `the memory need of ${this.label} is not known`)
    const capBytes = Math.ceil((memory.capFactor * needBytes) / mib) * mib
    const cap = { of: memory.kind === 'heapCap' ? 'heap' : 'process', capBytes, needBytes } as const
    if (cap.of === 'process') this.cgroup = makeMemoryCgroup(capBytes)
    await engine.stopGracefully()
    try {
      if (this.cgroup === null) await engine.restart(this.flags(capBytes))
      else await engine.restart(this.flags(null), this.cgroup.processes)
      return { ...cap, startFailure: null }
    } catch (error) {
      await engine.restart()
      return { ...cap, startFailure: messageOf(error) }
    }
  }

  private flags(capBytes: number | null): string[] {
    const { kind } = this.parts.memory
    const small = cappedKinds.has(kind) ? [`--max-semi-space-size=${cappedSemiSpaceMb}`] : []
    return [...settlingFlags, ...small, ...(capBytes === null ? [] : [`--max-old-space-size=${capBytes / mib}`])]
  }

  private async playOn(engine: BreakableEngine, cap: Cap | null, plan: RoundPlan): Promise<PlayedRound> {
    const { agents, settleMs, signal } = this.parts
    const readings = new Readings(engine, this.parts.clock)
    // What is in the heap before and after tells nothing of a cap, and collecting would help the engine to bear it.
    const reads = cap === null
    if (reads) {
      await this.warmUp(engine)
      await delay(settleMs, signal)
      await readings.take('before', 0, null)
    }
    const { arm, cap: borne } = await this.connect(engine, cap)
    this.playing = arm
    let played: PlayedRound
    try {
      await delay(settleMs, signal)
      for (let index = 0; reads && index < idleReadings; index++) await readings.take('idle', agents, null)
      played = await this.load(engine, arm, readings, borne, this.planOf(plan))
    } finally {
      this.playing = null
      await arm.close()
    }
    await delay(settleMs, signal)
    if (reads) await readings.take('after', 0, null)
    return { ...played, evidence: { ...played.evidence, memory: readings.sinceRoundZero() } }
  }

  private async load(
    engine: BreakableEngine,
    arm: Arm,
    readings: Readings,
    cap: Cap | null,
    plan: RoundPlan,
  ): Promise<PlayedRound> {
    const { memory, agents, clock, signal } = this.parts
    const { durationMs } = plan
    const over = new AbortController()
    const started = Promise.withResolvers<number>()
    const meanwhile = started.promise.then(async (startNs): Promise<FaultRecord[]> => {
      const times = { clock, startNs, durationMs, over: AbortSignal.any([over.signal, signal]) }
      readings.startNs = startNs
      const [death, shortage, slow] = await Promise.all([
        supervise(engine, this.flags(null), times),
        memory.kind === 'descriptors' ? shortenDescriptors(engine, times) : null,
        memory.kind === 'slowReader' ? readSlowly(this.slowReader(engine, plan), times) : null,
        memory.readEveryMs > 0 ? readings.takeEvery(memory.readEveryMs, durationMs, agents, arm, times.over) : null,
      ])
      if (cap !== null) return [capRecord(cap, death, durationMs, this.cgroup?.kills() ?? null)]
      const strains = [shortage, slow].filter((each) => each !== null)
      return death === null ? strains : [...strains, deathRecord(death, durationMs)]
    })
    // It is waited for when the round is over, and must not be unheard until then.
    meanwhile.catch(() => undefined)
    try {
      const played = await arm.play(plan, started.resolve)
      over.abort()
      const faults = await meanwhile
      return faults.length === 0 ? played : { ...played, evidence: { ...played.evidence, faults } }
    } finally {
      over.abort()
    }
  }

  private slowReader(engine: BreakableEngine, { seed }: RoundPlan): SlowReaderTarget {
    const { request, planned } = this.parts
    const { enrolmentKey } = serverConfig(request, planned)
    return { engine, name: planned.name, enrolmentKey, seed }
  }

  private planOf(plan: RoundPlan): RoundPlan {
    const { payloadBytes, deadlineMs, lateAgents, answerDelayMs } = this.parts.memory
    const workload = { ...plan.workload, payloadBytes, deadlineMs }
    // Evenly, so that readings see ever more open exchanges; a burst of the schedule is no question here.
    if (lateAgents === 0) return { ...plan, workload }
    const lateAnswers = { agents: lateAgents, delayMs: answerDelayMs }
    return { ...plan, workload: { ...workload, arrivals: 'uniform' }, lateAnswers }
  }

  /** An engine that dies of its cap, or serves nobody under it, before the load begins: agents connect again to one without. */
  private async connect(engine: BreakableEngine, cap: Cap | null): Promise<{ arm: Arm; cap: Cap | null }> {
    const { agents } = this.parts
    try {
      return { arm: await this.openArm(engine, agents), cap }
    } catch (error) {
      if (cap === null) throw error
      const died = await engine.died(deathWithinMs)
      if (!died) await engine.crash()
      await engine.restart(this.flags(null))
      const startFailure = `${died ? 'it died while agents connected' : 'agents could not connect'}: ${messageOf(error)}`
      return { arm: await this.openArm(engine, agents), cap: { ...cap, startFailure } }
    }
  }

  /** They come and go without a word: what they left in an inbox would reach the agents that come after them. */
  private async warmUp(engine: BreakableEngine): Promise<void> {
    await (await this.openArm(engine, warmUpAgents)).close()
  }

  private openArm(engine: BreakableEngine, agents: number): Promise<Arm> {
    const { request, planned, clockOrigin, events } = this.parts
    return openArm(request, { arm: planned, agents, host: 'process', clockOrigin, engine: borrowed(engine) }, events)
  }
}

/** The engine outlives the agents of one load host, and may die under them: then there is nothing to read. */
function borrowed(engine: BreakableEngine): RunningEngine {
  const orNothing = async <T>(ask: () => Promise<T>): Promise<T | null> => {
    try {
      return await ask()
    } catch (error) {
      if (error instanceof LighthouseError && error.code === 'ENVIRONMENT') return null
      throw error
    }
  }
  return {
    url: engine.url,
    semantics: engine.semantics,
    semanticsBasis: engine.semanticsBasis,
    pid: engine.pid,
    reset: async () => void (await orNothing(() => engine.reset())),
    read: () => orNothing(() => engine.read()),
    stop: () => Promise.resolve(),
  }
}

class Readings {
  startNs: number | null = null
  private readonly engine: BreakableEngine
  private readonly clock: Clock
  private readonly taken: (Omit<MemoryReading, 'atMs'> & { readonly atNs: number })[] = []

  constructor(engine: BreakableEngine, clock: Clock) {
    this.engine = engine
    this.clock = clock
  }

  /** What cannot be read, of an engine that has just died, is left out. */
  async take(moment: MemoryReading['moment'], agents: number, arm: Arm | null): Promise<void> {
    try {
      await this.read(moment, agents, arm)
    } catch (error) {
      if (!(error instanceof LighthouseError && error.code === 'ENVIRONMENT')) throw error
    }
  }

  /** Open exchanges are asked for before and after, since collecting takes time: what is kept is between both. */
  private async read(moment: MemoryReading['moment'], agents: number, arm: Arm | null): Promise<void> {
    const before = (await arm?.openExchanges()) ?? 0
    const anonymous = this.engine.pid === null ? null : anonymousBytes(this.engine.pid)
    const settled = await this.engine.settle()
    const after = (await arm?.openExchanges()) ?? 0
    this.taken.push({
      moment,
      atNs: this.clock.nowNs(),
      ...settled,
      ...(anonymous === null ? {} : { anonymousBytes: anonymous }),
      socketBytes: socketMemoryBytes(),
      agents,
      openExchanges: Math.round((before + after) / 2),
    })
  }

  /** Every `everyMs` of the round, until it ends. */
  async takeEvery(everyMs: number, untilMs: number, agents: number, arm: Arm, signal: AbortSignal): Promise<void> {
    const startNs = this.startNs ?? 0
    for (let atMs = everyMs; atMs <= untilMs; atMs += everyMs) {
      const waitMs = atMs - (this.clock.nowNs() - startNs) / 1e6
      if (waitMs > 0) await delay(waitMs, signal)
      if (signal.aborted) return
      await this.take('during', agents, arm)
    }
  }

  sinceRoundZero(): MemoryReading[] {
    const startNs = this.startNs ?? 0
    return this.taken.map(({ atNs, ...reading }) => ({ ...reading, atMs: Math.round((atNs - startNs) / 1e5) / 10 }))
  }
}
