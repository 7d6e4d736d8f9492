/**
 * One store of a contention run and, in a process of its own, the writers and readers that load it. The suite only sees "start", "play
 * this round", "stop".
 */
import { peerNodeFlags } from '../engines/hosts/running-engine.ts'
import { familyCpuUs } from '../engines/event-store/thread-usage.ts'
import type { RoundPlan, RoundProgress } from '../load/round-plan.ts'
import type { StoreStartRequest } from '../load/store-host.ts'
import type { StoreRoundReport, StoreRoundRequest } from '../load/store-session.ts'
import { noiseBetween, readMachineCpu } from '../measurement/machine-noise.ts'
import type { EngineArm } from '../measurement/round-evidence.ts'
import type { Durability } from '../measurement/vocabulary.ts'
import { entryModule } from '../platform/modules.ts'
import { startPeer, type Peer } from '../platform/peer.ts'
import { withNoise, type PlayedRound } from './arm.ts'
import type { PlannedArm } from './comparison-plan.ts'
import type { PlayableArm } from './comparison.ts'
import { storeSettings } from './store-options.ts'

/** Where the PostgreSQL store of a run is. */
export interface StoreServer {
  /** With the password. Never printed or written. */
  readonly url: string
  /** First process of a server that this run started; null for one of the user's own. */
  readonly pid: number | null
}

export interface StoreArmStart {
  readonly arm: PlannedArm
  readonly durability: Exclude<Durability, 'memory'>
  /** Of a PostgreSQL store. */
  readonly server: StoreServer | null
  /** [a-z0-9_]: schema of the run's own in a database. */
  readonly namespace: string
  readonly clockOrigin: number
  readonly onProgress: (progress: RoundProgress) => void
}

const startTimeoutMs = 60_000
const controlTimeoutMs = 30_000
/** A round follows its writes no further than this; a reader looks within a second even when nothing wakes it. */
const drainGraceMs = 2000

export class StoreArm implements PlayableArm {
  readonly label: string
  readonly drainGraceMs = drainGraceMs
  private readonly start: StoreArmStart
  private readonly peer: Peer
  private poolSize: number | null = null

  private constructor(start: StoreArmStart, peer: Peer) {
    this.label = start.arm.label
    this.start = start
    this.peer = peer
  }

  /** On failure nothing is left running. */
  static async open(start: StoreArmStart): Promise<StoreArm> {
    const { arm, durability, server, namespace, clockOrigin } = start
    const peer = startPeer(entryModule('load/store-host'), {
      kind: 'process',
      name: `store ${arm.label}`,
      nodeFlags: peerNodeFlags,
    })
    const { batching, connections } = storeSettings(arm)
    const request: StoreStartRequest =
      server === null
        ? { clockOrigin, kind: 'sqlite', options: { durability, batching, connections } }
        : {
            clockOrigin,
            kind: 'postgres',
            options: { url: server.url, durability, batching, namespace, serverPid: server.pid },
          }
    try {
      await peer.request('start', request, startTimeoutMs)
    } catch (error) {
      await peer.kill()
      throw error
    }
    peer.onTelemetry((type, payload) => {
      if (type === 'progress') start.onProgress(payload as RoundProgress)
    })
    return new StoreArm(start, peer)
  }

  /** The store as the run manifest names it. */
  describe(): EngineArm {
    const { arm, durability, server } = this.start
    const remote = server !== null && server.pid === null
    return {
      label: arm.label,
      name: arm.name,
      options: arm.options,
      role: arm.role,
      host: remote ? 'url' : 'process',
      transport: 'store',
      semantics: { delivery: 'exactly-once', durability, ordering: 'per-pair', replay: 'cursor', expiry: 'client' },
      semanticsBasis: remote ? 'declared' : 'started-by-this-run',
    }
  }

  /** Of the rounds from now on: connections of the pool, with every writer committing by itself; null for the store's own. */
  usePool(poolSize: number | null): void {
    this.poolSize = poolSize
  }

  async play(plan: RoundPlan): Promise<PlayedRound> {
    const { server, arm } = this.start
    const before = readMachineCpu()
    const ownBefore = this.cpuUs()
    const request: StoreRoundRequest = {
      plan,
      poolSize: this.poolSize ?? storeSettings(arm).poolSize,
      ownTransactions: this.poolSize !== null,
    }
    const timeoutMs = plan.durationMs + plan.workload.deadlineMs + plan.drainGraceMs + controlTimeoutMs
    const report = (await this.peer.request('round', request, timeoutMs)) as StoreRoundReport
    const after = readMachineCpu()
    const { evidence } = report
    const ownUs = this.cpuUs() - ownBefore
    const noise = noiseBetween(before, after, ownUs, evidence.durationMs + evidence.drainMs)
    // A server of the user's own may be on this machine, and what it uses is no disturbance.
    const foreign = server !== null && server.pid === null ? { ...noise, foreignCpuPercent: null } : noise
    return {
      evidence: { ...evidence, engine: this.label, audit: withNoise(evidence.audit, foreign) },
      hlog: report.hlog,
      stages: [],
    }
  }

  /** Stops writing at once; the round under way ends as interrupted. */
  async abort(): Promise<void> {
    await this.peer.request('abort', null, controlTimeoutMs)
  }

  async close(): Promise<void> {
    try {
      await this.peer.request('close', null, controlTimeoutMs)
    } finally {
      await this.peer.kill()
    }
  }

  /** Of this process, of that of the writers with all its threads, and of a server of the run, with what it spends around a round. */
  private cpuUs(): number {
    const { user, system } = process.cpuUsage()
    const others = [this.peer.pid, this.start.server?.pid ?? null]
    return others.reduce<number>((sum, pid) => sum + (pid === null ? 0 : (familyCpuUs(pid) ?? 0)), user + system)
  }
}
