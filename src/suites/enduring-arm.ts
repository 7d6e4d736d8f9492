/**
 * An arm whose engine stays up for the whole of an endurance run: after each interval, when its load has drained, engine, load and this process collect
 * their garbage and say what they hold.
 */
import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Arm, PlayedRound } from './arm.ts'
import type { PlayableArm } from './comparison.ts'
import { openArm, serverConfig, type ArmOpening, type SuiteRequest } from './run-frame.ts'
import type { RunEvents } from './run-events.ts'
import { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import type { RoundPlan } from '../load/round-plan.ts'
import { readProcess } from '../measurement/process-reading.ts'
import type { RestReading } from '../measurement/rest-evidence.ts'
import type { EngineArm } from '../measurement/round-evidence.ts'
import type { Clock } from '../platform/clock.ts'

/** Starts engine and load, each in a process of its own. On failure nothing is left running. */
export async function openEnduringArm(
  request: SuiteRequest,
  opening: Omit<ArmOpening, 'host' | 'engine' | 'clientUrl'>,
  clock: Clock,
  events: RunEvents,
): Promise<EnduringArm> {
  const { storeFile: _file, port: _port, ...config } = serverConfig(request, opening.arm)
  const engine = await BreakableEngine.open({ engine: opening.arm.name, label: opening.arm.label, config })
  const storeFile = request.durability === 'memory' ? null : engine.storeFile
  // The arm stops the engine when it does not come up, as it does when it is closed.
  const arm = await openArm(request, { ...opening, host: 'process', engine }, events)
  return new EnduringArm(arm, engine, storeFile, clock)
}

export class EnduringArm implements PlayableArm {
  readonly label: string
  readonly drainGraceMs: number
  private readonly arm: Arm
  private readonly engine: BreakableEngine
  private readonly storeFile: string | null
  private readonly clock: Clock

  constructor(arm: Arm, engine: BreakableEngine, storeFile: string | null, clock: Clock) {
    this.label = arm.label
    this.drainGraceMs = arm.drainGraceMs
    this.arm = arm
    this.engine = engine
    this.storeFile = storeFile
    this.clock = clock
  }

  describe(): EngineArm {
    return this.arm.describe()
  }

  /** Stages are left out: over days they would be most of what a run holds, and no question of this suite asks for them. */
  async play(plan: RoundPlan): Promise<PlayedRound> {
    let startNs = this.clock.nowNs()
    const played = await this.arm.play(plan, (atNs) => {
      startNs = atNs
    })
    const rest = await this.readAtRest(startNs)
    return { ...played, evidence: { ...played.evidence, rest }, stages: [] }
  }

  abort(): Promise<void> {
    return this.arm.abort()
  }

  pause(): Promise<void> {
    return this.arm.pause()
  }

  close(): Promise<void> {
    return this.arm.close()
  }

  private async readAtRest(startNs: number): Promise<RestReading> {
    const atNs = this.clock.nowNs()
    const engine = await this.engine.rest()
    const load = await this.arm.loadAtRest()
    const main = await readProcess()
    return {
      atMs: (atNs - startNs) / 1e6,
      tookMs: (this.clock.nowNs() - atNs) / 1e6,
      engine: engine.process,
      openConnections: engine.openConnections,
      storeBytes: this.storeFile === null ? null : statSync(this.storeFile).size,
      walBytes: engine.walBytes,
      diskFreeBytes: this.storeFile === null ? null : freeBytes(dirname(this.storeFile)),
      load,
      main,
    }
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
