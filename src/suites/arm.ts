/**
 * One arm of a comparison: an engine on its host and, apart from it, a load host that owns both ends of every
 * exchange. The suite only sees "start", "play this round", "stop".
 */
import type { EncodedSeries, EngineStats, ServerConfig } from '../engines/engine.ts'
import { peerNodeFlags, remoteEngine, startEngine, type RunningEngine } from '../engines/hosts/running-engine.ts'
import { maximumStages } from '../load/coordination.ts'
import type { LoadStartAnswer, LoadStartRequest, MarkRequest, RoundStart } from '../load/load-host.ts'
import type { RoundPlan, RoundProgress, RoundReport } from '../load/round-plan.ts'
import { noiseBetween, readMachineCpu, type MachineNoise } from '../measurement/machine-noise.ts'
import type { ProcessReading } from '../measurement/process-reading.ts'
import type { EngineArm, ResourceSummary, RoundAudit, RoundEvidence } from '../measurement/round-evidence.ts'
import { entryModule } from '../platform/modules.ts'
import { startPeer, type Peer } from '../platform/peer.ts'
import { drainGraceMs } from './arm-timing.ts'
import type { PlannedArm } from './comparison-plan.ts'

export interface ArmStart {
  readonly arm: PlannedArm
  readonly host: 'thread' | 'process'
  readonly agents: number
  readonly transport: 'websocket' | 'sse'
  readonly server: ServerConfig
  readonly ca?: string
  readonly seed: string
  readonly clockOrigin: number
  readonly onProgress: (progress: RoundProgress) => void
  /** An engine that is up already and that this arm shall stop in the end; otherwise it starts its own. */
  readonly engine?: RunningEngine
  /** Sessions are opened evenly over this time instead of at once. */
  readonly staggerMs?: number
  /** Where clients reach it, if not at its own address: something stands between. */
  readonly clientUrl?: string
}

export interface PlayedRound {
  readonly evidence: RoundEvidence
  /** Body of `histograms.hlog` without the engine's stages. */
  readonly hlog: string
  readonly stages: readonly EncodedSeries[]
}

/** Connecting 15,000 agents takes seconds; a minute is a failure. */
const connectTimeoutMs = 120_000
const controlTimeoutMs = 15_000
/** Two collections of a large heap. */
const restTimeoutMs = 30_000
/** What the end of a stage may be told after its deadline. */
const stageSlackMs = 200

/** Shares of the machine's whole capacity above which a round is not trusted. */
export const noiseLimits = { stealPercent: 5, foreignCpuPercent: 25 } as const

export class Arm {
  readonly label: string
  readonly connectPerSecond: number
  readonly drainGraceMs: number
  private readonly start: ArmStart
  private readonly engine: RunningEngine
  private readonly load: Peer
  private onStart: ((startNs: number) => void) | undefined

  private constructor(start: ArmStart, engine: RunningEngine, load: Peer, connectPerSecond: number) {
    this.label = start.arm.label
    this.start = start
    this.engine = engine
    this.load = load
    this.connectPerSecond = connectPerSecond
    this.drainGraceMs = drainGraceMs(start.arm)
  }

  /** Starts both hosts and opens every session. On failure nothing is left running. */
  static async open(start: ArmStart): Promise<Arm> {
    const engine = start.engine ?? (await openEngine(start))
    const load = startPeer(entryModule('load/load-host'), {
      kind: start.host,
      name: `load ${start.arm.label}`,
      nodeFlags: peerNodeFlags,
    })
    try {
      const request: LoadStartRequest = {
        engine: start.arm.name,
        agents: start.agents,
        clockOrigin: start.clockOrigin,
        ...(start.staggerMs === undefined ? {} : { staggerMs: start.staggerMs }),
        client: {
          url: start.clientUrl ?? engine.url,
          options: start.arm.options,
          transport: start.transport,
          durability: start.server.durability,
          enrolmentKey: start.server.enrolmentKey,
          seed: `${start.seed}/client/${start.arm.label}`,
          ...(start.ca === undefined ? {} : { ca: start.ca }),
        },
      }
      const answer = (await load.request(
        'start',
        request,
        connectTimeoutMs + (start.staggerMs ?? 0),
      )) as LoadStartAnswer
      const arm = new Arm(start, engine, load, answer.connectsPerSecond)
      load.onTelemetry((type, payload) => {
        if (type === 'progress') start.onProgress(payload as RoundProgress)
        else if (type === 'roundStart') arm.onStart?.((payload as RoundStart).startNs)
      })
      return arm
    } catch (error) {
      await load.kill()
      await engine.stop()
      throw error
    }
  }

  /** The arm as the run manifest names it. */
  describe(): EngineArm {
    const { arm, host, transport } = this.start
    return {
      label: arm.label,
      name: arm.name,
      options: arm.options,
      role: arm.role,
      host: arm.url === undefined ? host : 'url',
      transport: arm.name === 'elicitation' || arm.name === 'bridge' ? transport : 'http',
      semantics: this.engine.semantics,
      semanticsBasis: this.engine.semanticsBasis,
    }
  }

  /** `onStart` gets the round's zero, in ns of the broadcast clock, when sending begins. */
  async play(plan: RoundPlan, onStart?: (startNs: number) => void): Promise<PlayedRound> {
    this.onStart = onStart
    await this.engine.reset()
    const before = readMachineCpu()
    const ownBefore = process.cpuUsage()
    const stages = plan.coordination === undefined ? 1 : maximumStages(plan.coordination.pattern)
    const waitMs = stages * (plan.workload.deadlineMs + stageSlackMs)
    const timeoutMs = plan.durationMs + waitMs + plan.drainGraceMs + controlTimeoutMs
    const report = (await this.load.request('round', plan, timeoutMs)) as RoundReport
    const after = readMachineCpu()
    const own = process.cpuUsage(ownBefore)
    const reading = await this.engine.read()
    await this.load.request('pause', null, controlTimeoutMs)
    const resources =
      reading?.resources ?? unobserved(this.foreignIsForeign() ? 'the engine was down' : 'remote engine')
    const elapsedMs = report.evidence.durationMs + report.evidence.drainMs
    const childrenUs =
      this.start.host === 'process'
        ? (resources.cpuUs ?? 0) + (report.evidence.audit.cpuPercent / 100) * elapsedMs * 1000
        : 0
    const noise = noiseBetween(before, after, own.user + own.system + childrenUs, elapsedMs)
    const audit = withNoise(
      report.evidence.audit,
      this.foreignIsForeign() ? noise : { ...noise, foreignCpuPercent: null },
    )
    return {
      evidence: {
        ...report.evidence,
        engine: this.label,
        audit,
        engineStats: reading === null ? {} : flatten(reading.stats),
        resources,
      },
      hlog: report.hlog,
      stages: reading?.stats.stages ?? [],
    }
  }

  /** A remote engine on this machine is one of the other processes, and what it uses is no disturbance. */
  private foreignIsForeign(): boolean {
    return this.start.arm.url === undefined
  }

  /** Asks the round under way to tell what followed the moment `atNs` of the broadcast clock. */
  async mark(name: string, atNs: number): Promise<void> {
    await this.load.request('mark', { name, atNs } satisfies MarkRequest, controlTimeoutMs)
  }

  /** Exchanges of the round under way that were sent and are not resolved. */
  async openExchanges(): Promise<number> {
    return (await this.load.request('open', null, controlTimeoutMs)) as number
  }

  /** What the load's own process holds when its garbage is gone. */
  async loadAtRest(): Promise<ProcessReading> {
    return (await this.load.request('rest', null, restTimeoutMs)) as ProcessReading
  }

  /** Stops background traffic until the next round. */
  async pause(): Promise<void> {
    await this.load.request('pause', null, controlTimeoutMs)
  }

  /** Stops sending at once; the round under way ends as interrupted. */
  async abort(): Promise<void> {
    await this.load.request('abort', null, controlTimeoutMs)
  }

  async close(): Promise<void> {
    try {
      await this.load.request('close', null, controlTimeoutMs)
    } finally {
      await this.load.kill()
      await this.engine.stop()
    }
  }
}

function openEngine(start: ArmStart): Promise<RunningEngine> {
  const { arm, server } = start
  if (arm.url !== undefined) {
    return remoteEngine({ engine: arm.name, url: arm.url, options: arm.options, durability: server.durability })
  }
  return startEngine({ engine: arm.name, label: arm.label, host: start.host, config: server })
}

function unobserved(reason: string): ResourceSummary {
  const unknown = {
    rssMaxBytes: null,
    heapMaxBytes: null,
    cpuUs: null,
    eventLoopP99Ms: null,
    openConnectionsMax: null,
    walBytesMax: null,
  }
  return { ...unknown, nullReasons: Object.fromEntries(Object.keys(unknown).map((key) => [key, reason])) }
}

/** A round during which the machine was taken away measured the neighbours as well. */
export function withNoise(audit: RoundAudit, noise: MachineNoise): RoundAudit {
  const reasons = [...audit.reasons]
  const { stealPercent, foreignCpuPercent } = noise
  if (stealPercent !== null && stealPercent > noiseLimits.stealPercent) {
    reasons.push(
      `The hypervisor took ${stealPercent.toFixed(1)} % of the machine, more than ${noiseLimits.stealPercent} %.`,
    )
  }
  if (foreignCpuPercent !== null && foreignCpuPercent > noiseLimits.foreignCpuPercent) {
    reasons.push(
      `Other processes used ${foreignCpuPercent.toFixed(1)} % of the machine, more than ${noiseLimits.foreignCpuPercent} %.`,
    )
  }
  return { ...audit, stealPercent, foreignCpuPercent, reasons, valid: reasons.length === 0 }
}

/** The numbers of an engine's stats, as the round's evidence keeps them. */
function flatten(stats: EngineStats): Record<string, number | null> {
  const { refusals, stages: _stages, ...numbers } = stats
  const flat: Record<string, number | null> = { ...numbers }
  for (const [code, count] of Object.entries(refusals)) flat[`refused.${code}`] = count
  return flat
}
