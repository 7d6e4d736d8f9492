/**
 * The migration suite: agents are moved 0 → 5 → 25 → 50 → 100 → 0 % under live load, with the node killed in the middle. Is anything lost, duplicated or reordered, how long does a move
 * take, and what does it cost to serve both protocols at once?
 *
 * Workload design. Pairs of agents, open loop, at a rate that both paths carry with ease: the question is what moving does, not what load does. Both ends of every exchange
 * belong to one process that no fault touches, so its ledger accounts for each on both legs, whichever path its agents were on when it was asked, delivered and
 * answered. The shares are the phases of a plan without latency gates, moved by the runner that moves live systems; going back is its rollback.
 *
 * Why it answers the question. A message is in flight on either path whenever a share changes and when the node dies, at a thousand exchanges a second. The cost of both
 * protocols at once is the latency of push at 50 % over that at 100 %, on the same bridge, agents and load, minutes apart.
 *
 * What would fool it, and what is done. A pause of the load while agents move (rounds are longer than moves, and their drains are told). A move that is
 * over before it began (agents connected by push are counted, not those assigned). Deliveries of agents that still move (the first seconds of a share do not count). A
 * server that cannot see its own stalls (what waited unread counts from when reading stopped).
 */
import { AdminClient } from '../engines/bridge/admin-client.ts'
import { writeDurably } from '../measurement/durable-write.ts'
import { decodeHistogram } from '../measurement/histogram-codec.ts'
import { accountFile, brokenPromises, type MigrationAccount } from '../measurement/migration-account.ts'
import type { GroupFigures, MoveFigures, MovesDocument, ShareFigures } from '../measurement/moves-document.ts'
import type { OpenMigration } from '../migration/folders.ts'
import type { JournalLine, JournalledGroup, JournalledObservation } from '../migration/journal.ts'
import { writeRequest } from '../migration/requests.ts'
import { MigrationRunner, type RunnerParts } from '../migration/runner.ts'
import { delay, systemClock } from '../platform/clock.ts'
import { exitCodes, LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'
import { mergeDistributions, quantile, type Distribution } from '../statistics/distribution.ts'
import { AccountedSystem } from './rehearsal.ts'
import type { MovingLoad } from './moving-load.ts'
import { join } from 'node:path'

export const movedShares = [5, 25, 50, 100] as const
/** At this share the node is killed: messages are in flight on both paths. */
const killAt = 50
/** Of its time at that share, so that most of it is undisturbed. */
const killAfterShare = 0.75
const settleMs = 5000
const watchEveryMs = 50
const switchWithinMs = 60_000

/** Its gates only say that something was delivered: what moving costs is what is measured, and must not end it. */
export function movesPlanText(dwellMs: number): string {
  const phase = (name: string, percentage: number, gate: string): string =>
    `  - { name: ${name}, percentage: ${percentage}, soak: ${dwellMs}ms, gates: ['${gate}'] }\n`
  return `name: moves
evidence: { interval: 1s, settle: ${settleMs}ms, coverage: 0.1, patience: 5, window: 1m }
counted: { lost: 1, securityViolations: 1, failedHealthChecks: 60 }
watchAfter: 1h
phases:
${phase('share-0', 0, 'baseline.errorRate < 49%')}${movedShares.map((share) => phase(`share-${share}`, share, 'candidate.errorRate < 49%')).join('')}`
}

export interface MovesParts {
  readonly profile: MovesDocument['profile']
  readonly open: OpenMigration
  readonly load: MovingLoad
  readonly dwellMs: number
  readonly parts: Omit<RunnerParts, 'folder' | 'journal' | 'replay' | 'system'>
  readonly tell: (line: string) => void
}

type Measured = Omit<
  MovesDocument,
  'migration' | 'total' | 'account' | 'broken' | 'exitCode' | 'load' | 'profile' | 'schemaVersion'
>

/** Gives back the lock. The account lies beside the journal when it returns. */
export async function runMoves(
  inputs: MovesParts,
  signal: AbortSignal,
): Promise<Measured & { readonly account: MigrationAccount }> {
  const { open, load } = inputs
  const over = new AbortController()
  const bench = new MovesBench(inputs, () => over.abort())
  const either = AbortSignal.any([signal, over.signal])
  try {
    const loading = load.run(signal)
    // A load or a node that fails ends the bench; what it says is told when it is awaited.
    loading.catch(() => over.abort())
    const breaking = bench.killInTheMiddle(either)
    breaking.catch(() => over.abort())
    await bench.move(either)
    over.abort()
    load.stop()
    await breaking
    await loading
    const account = load.account(open.replay.begun.id, null)
    writeDurably(join(open.folder, accountFile), `${JSON.stringify(account)}\n`)
    return { ...bench.figures(), account }
  } finally {
    over.abort()
    open.lock.release()
    await bench.close()
  }
}

class MovesBench {
  private readonly inputs: MovesParts
  private readonly client: AdminClient
  private readonly clock = systemClock()
  private readonly observations: { readonly percentage: number; readonly observation: JournalledObservation }[] = []
  private readonly moves: MoveFigures[] = []
  private readonly watching: Promise<void>[] = []
  private percentage = 0
  private sharesSince = 0
  private assigned = 0
  /** Deliveries of a share in which the node died say what a death costs, and not what the share does. */
  private isBroken = false
  private kill: MovesDocument['kill'] = null
  private signal: AbortSignal = new AbortController().signal
  private readonly onHold: () => void

  constructor(inputs: MovesParts, onHold: () => void) {
    this.inputs = inputs
    this.onHold = onHold
    this.client = new AdminClient({ url: inputs.load.engine.url, adminKey: inputs.load.adminKey })
  }

  async move(signal: AbortSignal): Promise<void> {
    this.signal = signal
    const { open, load, parts } = this.inputs
    const { folder, journal, replay } = open
    const system = new AccountedSystem(this.client, load.engine.url, load)
    const onLine = (line: JournalLine): void => {
      parts.onLine(line)
      this.take(line)
    }
    await new MigrationRunner({ ...parts, onLine, folder, journal, replay, system }).run(signal)
    await Promise.all(this.watching)
  }

  private take({ entry }: JournalLine): void {
    if (entry.kind === 'step' && entry.ok && (entry.step === 'directed' || entry.step === 'shifted')) {
      const from = this.percentage
      this.percentage = entry.percentage
      this.sharesSince = entry.atMs
      this.isBroken = false
      if (from !== entry.percentage) this.watching.push(this.watchMove(from, entry.percentage))
    }
    if (entry.kind === 'decision' && entry.decision.kind === 'complete') this.askBack()
    // Nobody was on the new path, or nothing was delivered there: it will not be seen.
    if (entry.kind === 'decision' && entry.decision.kind === 'hold') this.onHold()
    if (entry.kind !== 'input' || entry.input.type !== 'observed') return
    const { observation } = entry.input
    if (!this.isBroken && observation.fromMs >= this.sharesSince + settleMs)
      this.observations.push({ percentage: this.percentage, observation })
  }

  /** The last move is a rollback by word, once 100 % has been seen for as long as every other share. */
  private askBack(): void {
    const { open, parts } = this.inputs
    const request = {
      type: 'rollbackAsked',
      actor: parts.by.actor,
      reason: 'the last move of the bench',
      mode: 'full',
    } as const
    writeRequest(open.folder, request, parts.clock.wallMs(), seededRandom(`${open.folder}/back`))
  }

  private async watchMove(fromPercentage: number, toPercentage: number): Promise<void> {
    const startNs = this.clock.nowNs()
    const elapsedMs = (): number => (this.clock.nowNs() - startNs) / 1e6
    let switchedMs: number | null = null
    let assigned: number | null = null
    while (switchedMs === null && elapsedMs() < switchWithinMs && !this.signal.aborted) {
      const where = await this.whereabouts()
      assigned = where?.assignedPush ?? assigned
      if (where !== null && where.connectedPush === where.assignedPush) switchedMs = elapsedMs()
      else await delay(watchEveryMs, this.signal)
    }
    const agents = assigned === null ? null : Math.abs(assigned - this.assigned)
    this.assigned = assigned ?? this.assigned
    this.moves.push({ fromPercentage, toPercentage, agents, switchedMs })
  }

  private async whereabouts(): Promise<{ readonly connectedPush: number; readonly assignedPush: number } | null> {
    try {
      return (await this.client.status()).agents
    } catch (error) {
      // The node is down for a moment, which is part of the bench.
      if (error instanceof LighthouseError) return null
      throw error
    }
  }

  async killInTheMiddle(signal: AbortSignal): Promise<void> {
    const { load, dwellMs, tell } = this.inputs
    while (this.percentage < killAt && !signal.aborted) await delay(watchEveryMs, signal)
    await delay(dwellMs * killAfterShare, signal)
    if (signal.aborted) return
    this.isBroken = true
    const startNs = this.clock.nowNs()
    await load.engine.crash()
    await load.engine.restart()
    this.kill = { percentage: killAt, downMs: (this.clock.nowNs() - startNs) / 1e6 }
    tell(`the node was killed, and answers again after ${Math.round(this.kill.downMs)} ms`)
  }

  figures(): Measured {
    const shares = [0, ...movedShares].map((percentage) => this.shareFigures(percentage))
    const at = (percentage: number): GroupFigures | undefined =>
      shares.find((each) => each.percentage === percentage)?.push
    const ratio = (of: (figures: GroupFigures) => number | null): number | null => {
      const [dual, single] = [at(killAt), at(100)]
      const [above, below] = [dual === undefined ? null : of(dual), single === undefined ? null : of(single)]
      return above === null || below === null || below === 0 ? null : above / below
    }
    const dualCost = { p50: ratio(({ p50Ms }) => p50Ms), p99: ratio(({ p99Ms }) => p99Ms) }
    return { shares, moves: this.moves, kill: this.kill, dualCost }
  }

  private shareFigures(percentage: number): ShareFigures {
    const seen = this.observations
      .filter((each) => each.percentage === percentage)
      .map(({ observation }) => observation)
    return {
      percentage,
      push: groupFigures(seen.map(({ candidate }) => candidate)),
      poll: groupFigures(seen.map(({ baseline }) => baseline)),
    }
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

function groupFigures(groups: readonly JournalledGroup[]): GroupFigures {
  const distribution: Distribution = mergeDistributions(
    groups.flatMap(({ histogram }) => (histogram === null ? [] : [decodeHistogram(histogram)])),
  )
  const at = (q: number): number | null => {
    const us = quantile(distribution, q)
    return us === null ? null : us / 1000
  }
  return {
    agents: groups.at(-1)?.agents ?? 0,
    deliveries: groups.reduce((sum, { due }) => sum + due, 0),
    failed: groups.reduce((sum, { failed }) => sum + failed, 0),
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
  }
}

/** 0 when every move was seen to end and no promise was broken; 22 for a broken promise, 23 for what was not seen. */
export function exitCodeOfMoves({ moves, kill, account }: Pick<MovesDocument, 'moves' | 'kill' | 'account'>): number {
  if (brokenPromises(account).length > 0) return exitCodes.EMERGENCY_STOP
  const closed = account.rounds.length > 0 && account.rounds.every(({ ledger }) => ledger.state === 'COMPLETE')
  const seen = moves.length === movedShares.length + 1 && moves.every(({ switchedMs }) => switchedMs !== null)
  return closed && seen && kill !== null ? exitCodes.APPROVED : exitCodes.NEEDS_FURTHER_REVIEW
}
