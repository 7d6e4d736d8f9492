/**
 * An arm whose engine is broken on purpose while a round runs: injects the round's faults at their times, marks the moments for the
 * load's own evidence, and adds what was done to the round's record.
 */
import type { Arm, PlayedRound } from './arm.ts'
import type { PlayableArm } from './comparison.ts'
import { faultKind } from './fault-kinds.ts'
import type { Bite } from './fault.ts'
import type { RunEvents } from './run-events.ts'
import { openArm, serverConfig, type ArmOpening, type SuiteRequest } from './run-frame.ts'
import { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import { startFaultProxy, type FaultProxy } from '../faults/fault-proxy.ts'
import type { RoundPlan } from '../load/round-plan.ts'
import type { FaultPlan, FaultRecord } from '../measurement/round-evidence.ts'
import { delay, systemScheduler, type Clock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'

export interface FaultScript {
  readonly faults: readonly FaultPlan[]
  /** Of this round alone: each has another moment and other victims. */
  readonly seed: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Room for what both ends of a connection hold while a fault is healed. */
const proxyConnectionsPerAgent = 4

/** Starts engine, proxy where a fault needs one, and load. On failure nothing is left running. */
export async function openFaultyArm(
  request: SuiteRequest,
  opening: ArmOpening,
  script: FaultScript,
  events: RunEvents,
): Promise<FaultyArm> {
  const { storeFile: _file, port: _port, ...config } = serverConfig(request, opening.arm)
  const engine = await BreakableEngine.open({ engine: opening.arm.name, label: opening.arm.label, config })
  let proxy: FaultProxy | null = null
  try {
    if (script.faults.some(({ kind }) => faultKind(kind)?.network === true)) {
      const { hostname: host, port } = new URL(engine.url)
      proxy = await startFaultProxy({
        upstream: { host, port: Number(port) },
        seed: script.seed,
        clock: script.clock,
        scheduler: systemScheduler,
        maxConnections: proxyConnectionsPerAgent * opening.agents + 1000,
      })
    }
    const clientUrl = proxy === null ? engine.url : `http://${proxy.host}:${proxy.port}`
    const arm = await openArm(request, { ...opening, engine, clientUrl }, events)
    return new FaultyArm(arm, engine, proxy, script)
  } catch (error) {
    await proxy?.close()
    await engine.stop()
    throw error
  }
}

class FaultyArm implements PlayableArm {
  readonly label: string
  readonly drainGraceMs: number
  private readonly arm: Arm
  private readonly engine: BreakableEngine
  private readonly proxy: FaultProxy | null
  private readonly script: FaultScript

  constructor(arm: Arm, engine: BreakableEngine, proxy: FaultProxy | null, script: FaultScript) {
    this.label = arm.label
    this.drainGraceMs = arm.drainGraceMs
    this.arm = arm
    this.engine = engine
    this.proxy = proxy
    this.script = script
  }

  async play(plan: RoundPlan): Promise<PlayedRound> {
    const started = Promise.withResolvers<number>()
    const records = this.injectAll(started.promise)
    // The round goes on whatever a fault does; its failure is told when the round is over.
    records.catch(() => undefined)
    const played = await this.arm.play(this.withLateAnswers(plan), started.resolve)
    const { evidence } = played
    const faults = (await records).map((each) => ({ ...each, ...faultKind(each.kind)?.biteOf?.(evidence) }))
    const blunt = faults.filter(({ bit }) => !bit)
    const ledger = blunt.length === 0 ? evidence.ledger : unknownBecause(evidence.ledger, blunt)
    return { ...played, evidence: { ...evidence, ledger, faults } }
  }

  abort(): Promise<void> {
    return this.arm.abort()
  }

  /** What agents do wrong is the load's own part of a fault. */
  private withLateAnswers(plan: RoundPlan): RoundPlan {
    const fault = this.script.faults.find(({ late }) => late !== undefined)
    if (fault?.late === undefined) return plan
    const { forMs, ...late } = fault.late
    return { ...plan, lateAnswers: { ...late, fromMs: fault.atMs, untilMs: fault.atMs + forMs } }
  }

  async close(): Promise<void> {
    try {
      await this.arm.close()
    } finally {
      await this.proxy?.close()
    }
  }

  private async injectAll(started: Promise<number>): Promise<FaultRecord[]> {
    const startNs = await started
    const records: FaultRecord[] = []
    for (const [index, fault] of this.script.faults.entries()) {
      const waitMs = fault.atMs - (this.script.clock.nowNs() - startNs) / 1e6
      if (waitMs > 0) await delay(waitMs, this.script.signal)
      if (this.script.signal.aborted) break
      records.push(await this.inject(fault, index, startNs))
    }
    return records
  }

  private async inject(plan: FaultPlan, index: number, startNs: number): Promise<FaultRecord> {
    const { clock, seed, signal } = this.script
    const kind = faultKind(plan.kind)
    if (kind === undefined) throw new LighthouseError('INTERNAL', `there is no fault ${plan.kind}`)
    const figures: Record<string, number> = {}
    const rss = (await this.engine.read())?.resources.rssMaxBytes ?? null
    if (rss !== null) figures['rssBeforeBytes'] = rss
    const times: { injected: number | null; healed: number | null } = { injected: null, healed: null }
    const marks: Promise<void>[] = []
    const moment = (name: 'injected' | 'healed') => (): void => {
      const atNs = clock.nowNs()
      times[name] = Math.max(0, (atNs - startNs) / 1e6)
      marks.push(this.arm.mark(`${name}-${index}`, atNs))
    }
    let bite: Bite
    try {
      bite = await kind.run(
        {
          engine: this.engine,
          proxy: this.proxy,
          random: seededRandom(`${seed}/fault/${index}`),
          clock,
          signal,
          injected: moment('injected'),
          healed: moment('healed'),
          figure: (name, value) => void (figures[name] = value),
        },
        plan.forMs,
      )
    } catch (error) {
      // An engine that does not come up again is a result, not the end of the run.
      bite = {
        bit: true,
        shownBy: `the engine did not come back: ${error instanceof Error ? error.message : String(error)}`,
      }
      times.healed = null
    }
    await Promise.all(marks)
    return {
      kind: plan.kind,
      injectedAtMs: times.injected ?? plan.atMs,
      healedAtMs: times.healed,
      untilMs: plan.untilMs,
      ...bite,
      figures,
    }
  }
}

function unknownBecause(
  ledger: PlayedRound['evidence']['ledger'],
  blunt: readonly FaultRecord[],
): PlayedRound['evidence']['ledger'] {
  const reasons = blunt.map(({ kind, shownBy }) => `The fault ${kind} did not bite: ${shownBy}.`)
  return { state: 'UNKNOWN', reasons: [...ledger.reasons, ...reasons] }
}
