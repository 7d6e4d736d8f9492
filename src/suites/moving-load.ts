/**
 * A bridge in a process of its own under a load in another, for as long as somebody moves its agents: the load goes on round after round on the same sessions, and
 * accounts for every exchange whichever path its two agents were on.
 *
 * Workload design. Pairs of agents, open loop, Poisson arrivals drawn from the seed. A round ends with a drain, so that its account closes; agents stay connected
 * and keep their paths through it. Between two rounds deliveries pause for as long as the slowest open exchange takes, at most its deadline.
 */
import { randomBytes } from 'node:crypto'
import { AdminClient } from '../engines/bridge/admin-client.ts'
import { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import type { RoundPlan, RoundProgress } from '../load/round-plan.ts'
import type { MigrationAccount } from '../measurement/migration-account.ts'
import type { RoundEvidence } from '../measurement/round-evidence.ts'
import { clockOrigin, delay } from '../platform/clock.ts'
import { Arm, type PlayedRound } from './arm.ts'

export interface MovingLoadPlan {
  readonly agents: number
  readonly ratePerSecond: number
  readonly payloadBytes: number
  readonly deadlineMs: number
  readonly roundDurationMs: number
  readonly seed: string
  /** Options of the bridge, e.g. the length of the intervals it observes. */
  readonly options: Readonly<Record<string, string>>
  readonly durability: 'memory' | 'os' | 'fsync'
  readonly transport: 'websocket' | 'sse'
}

/** What is broken on purpose: from a share of agents on, the bridge's event loop is stalled again and again. */
export interface PlantedRegression {
  readonly fromPercentage: number
  readonly stallMs: number
}

export interface MovingLoadEvents {
  readonly onProgress: (progress: RoundProgress) => void
  readonly onRound: (evidence: RoundEvidence) => void
  readonly onNote: (text: string) => void
}

/** Of the time: enough that a P99 misses any bound below the stall, little enough that the bridge still carries. */
const stalledShare = 0.5
const watchShareEveryMs = 250
const generousLatenessMs = 1000

export class MovingLoad {
  readonly engine: BreakableEngine
  readonly adminKey: string
  private readonly plan: MovingLoadPlan
  private readonly arm: Arm
  private readonly events: MovingLoadEvents
  private readonly rounds: MigrationAccount['rounds'] = []
  private lostUnseen = 0
  private stopping = false

  private constructor(
    plan: MovingLoadPlan,
    engine: BreakableEngine,
    arm: Arm,
    adminKey: string,
    events: MovingLoadEvents,
  ) {
    this.plan = plan
    this.engine = engine
    this.arm = arm
    this.adminKey = adminKey
    this.events = events
  }

  /** Starts both and connects every agent. On failure nothing is left running. */
  static async open(plan: MovingLoadPlan, events: MovingLoadEvents): Promise<MovingLoad> {
    const adminKey = randomBytes(32).toString('base64url')
    const config = {
      options: plan.options,
      durability: plan.durability,
      listen: '127.0.0.1',
      tls: null,
      enrolmentKey: randomBytes(32).toString('base64url'),
      adminKey,
    }
    const engine = await BreakableEngine.open({ engine: 'bridge', label: 'bridge', config })
    // The arm stops the engine when it does not come up, as it does when it is closed.
    const arm = await Arm.open({
      arm: { name: 'bridge', label: 'bridge', options: plan.options, role: 'candidate' },
      host: 'process',
      agents: plan.agents,
      transport: plan.transport,
      server: { ...config, storeFile: null, port: 0 },
      seed: plan.seed,
      clockOrigin: clockOrigin(),
      onProgress: events.onProgress,
      engine,
    })
    return new MovingLoad(plan, engine, arm, adminKey, events)
  }

  get agents(): number {
    return this.plan.agents
  }

  /** Round after round until `stop`, which lets the one under way come to its end, or until `signal` aborts, which does not. */
  async run(signal: AbortSignal): Promise<void> {
    const abort = (): void => void this.arm.abort().catch((error: unknown) => this.events.onNote(String(error)))
    signal.addEventListener('abort', abort, { once: true })
    try {
      for (let round = 0; !this.stopping && !signal.aborted; round++)
        this.keep(await this.arm.play(this.roundPlan(round)))
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  stop(): void {
    this.stopping = true
  }

  private roundPlan(round: number): RoundPlan {
    const { agents, ratePerSecond, payloadBytes, deadlineMs, roundDurationMs, seed } = this.plan
    return {
      round,
      attempt: 0,
      nonce: `m${round}`,
      seed: `${seed}/m${round}`,
      durationMs: roundDurationMs,
      workload: {
        name: 'pairs',
        agents,
        ratePerSecond,
        pattern: 'pairs',
        arrivals: 'poisson',
        payloadBytes,
        answers: { accept: 0.9, decline: 0.08, cancel: 0.02 },
        deadlineMs,
      },
      pacing: 'timer',
      loadModel: 'open',
      drainGraceMs: this.arm.drainGraceMs,
      latenessBoundMs: generousLatenessMs,
      timeline: true,
    }
  }

  private keep({ evidence }: PlayedRound): void {
    const { round, startedAtMs, counts, ledger } = evidence
    this.rounds.push({
      round,
      startedAtMs,
      counts,
      ledger: { state: ledger.state, reasons: [...ledger.reasons].slice(0, 100) },
    })
    // What a round lost that did not close is not known.
    if (ledger.state === 'COMPLETE') this.lostUnseen += counts.lost
    this.events.onRound(evidence)
    for (const anomaly of evidence.anomalies) {
      // A redelivery that was recognised is what at-least-once means.
      if (!anomaly.startsWith('wireDuplicates')) this.events.onNote(`round ${round + 1}: ${anomaly}`)
    }
  }

  /** Lost exchanges that nobody has asked for yet. */
  takeLost(): number {
    const lost = this.lostUnseen
    this.lostUnseen = 0
    return lost
  }

  /** Of all rounds that have ended; `migration`: id of the one that they ran beside. */
  account(migration: string, planted: PlantedRegression | null): MigrationAccount {
    const { agents, ratePerSecond, payloadBytes, deadlineMs, roundDurationMs, seed } = this.plan
    const load = { agents, ratePerSecond, payloadBytes, deadlineMs, roundDurationMs, seed }
    return { schemaVersion: 1, migration, load, planted, rounds: [...this.rounds] }
  }

  /** Stalls the bridge while its share is at least the planted one, until `signal` aborts. */
  async plant({ fromPercentage, stallMs }: PlantedRegression, signal: AbortSignal): Promise<void> {
    const client = new AdminClient({ url: this.engine.url, adminKey: this.adminKey })
    try {
      while (!signal.aborted) {
        const { flags } = await client.status()
        if (!flags.enabled || flags.percentage < fromPercentage) await delay(watchShareEveryMs, signal)
        else {
          await this.engine.stall(stallMs)
          await delay(stallMs / stalledShare - stallMs, signal)
        }
      }
    } finally {
      await client.close()
    }
  }

  close(): Promise<void> {
    return this.arm.close()
  }
}
