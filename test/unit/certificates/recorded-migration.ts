/**
 * Recorded migrations for tests: TEST DATA, invented figures, never measured. A journal is written through the journal's own writer, with every decision that
 * the state machine comes to, as the runner does it; time is a number.
 */
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accountFile, type MigrationAccount } from '../../../src/measurement/migration-account.ts'
import { beginMigration } from '../../../src/migration/folders.ts'
import {
  decisionEntry,
  Journal,
  journalFile,
  type EntryOf,
  type JournalEntry,
  type JournalledGroup,
  type JournalledInput,
  type Step,
} from '../../../src/migration/journal.ts'
import { parsePlan } from '../../../src/migration/plan-file.ts'
import { planSha256 } from '../../../src/migration/plan.ts'
import { boundsOf, Replay } from '../../../src/migration/replay.ts'
import { countsAbove } from '../../../src/migration/system.ts'

export const migrationCommit = 'fedcba9876543210fedcba9876543210fedcba98'
export const beganWallMs = 1_795_312_800_000
export const intervalMs = 10_000

export const shortPlan = `name: rehearsed
evidence: { interval: 10s, window: 10m }
trips:
  - title: Errors
    expression: candidate.errorRate <= 5%
  - candidate.delivery.p99 <= 1000ms
investigate:
  - candidate.delivery.p99 <= 500ms
phases:
  - name: baseline
    percentage: 0
    soak: 30s
    gates:
      - baseline.errorRate < 5%
  - name: canary-5
    percentage: 5
    soak: 2m
    gates:
      - title: P99 of the canary
        expression: candidate.delivery.p99 < 300ms
      - candidate.errorRate < 5%
  - name: half
    percentage: 50
    soak: 2m
    approval: true
    gates:
      - candidate.delivery.p99 < 300ms
  - name: all
    percentage: 100
    soak: 2m
    gates:
      - candidate.agents >= 100
      - candidate.delivery.p99 < 300ms
watchAfter: 1m
`

export interface RecordedInterval {
  readonly due?: number
  readonly failed?: number
  /** Of the deliveries that arrived, so many took a second and a half. */
  readonly slow?: number
  readonly lost?: number | null
  readonly securityViolations?: number
  readonly watched?: boolean
  /** The system counts by itself. */
  readonly withoutHistogram?: boolean
}

const encoded = new Map<string, string>()

function histogramOf(fast: number, slow: number): string {
  const key = `${fast} ${slow}`
  const known = encoded.get(key)
  if (known !== undefined) return known
  const histogram = build({ highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 })
  for (let index = 0; index < fast; index++) histogram.recordValue(2000 + 10 * (index % 50))
  if (slow > 0) histogram.recordValueWithCount(1_500_000, slow)
  const text = encodeIntoCompressedBase64(histogram)
  encoded.set(key, text)
  return text
}

export class RecordedMigration {
  readonly folder: string
  readonly replay: Replay
  private readonly journal: Journal
  private atMs = 0
  private observedToMs = 0
  private sequence = 0
  private words = 0

  constructor(
    parent: string,
    {
      change = (plan) => plan,
      id = 'migration-20261122-020000-00aa',
      commit = migrationCommit,
      address = 'http://127.0.0.1:8765',
      planSource = 'rehearsed.yaml',
    }: {
      readonly change?: (plan: string) => string
      readonly id?: string
      readonly commit?: string | null
      readonly address?: string
      readonly planSource?: string
    } = {},
  ) {
    mkdirSync(parent, { recursive: true })
    const plan = change(shortPlan)
    this.folder = beginMigration(parent, {
      id,
      plan,
      planSource,
      planSha256: planSha256(parsePlan(plan, planSource)),
      system: { kind: 'bridge', address },
      lighthouse: '0.1.0',
      commit,
      atWallMs: beganWallMs,
    })
    const file = join(this.folder, journalFile)
    this.replay = new Replay(file)
    this.journal = Journal.open(file, (line) => this.replay.take(line))
    this.write({ kind: 'watching', ...this.now() })
  }

  private now(): { readonly atMs: number; readonly atWallMs: number } {
    return { atMs: this.atMs, atWallMs: beganWallMs + this.atMs }
  }

  private write(...entries: readonly JournalEntry[]): void {
    for (const line of this.journal.append(...entries)) this.replay.take(line)
  }

  give(input: JournalledInput): this {
    this.write({ kind: 'input', ...this.now(), input })
    this.write(...this.replay.due.map((decision) => decisionEntry(decision)))
    return this
  }

  private by(actor: string, reason: string): { request: string; actor: string; reason: string } {
    return { request: `request-${++this.words}`, actor, reason }
  }

  start(actor = 'ada', reason = 'first try'): this {
    return this.give({ type: 'started', atMs: this.atMs, by: this.by(actor, reason) })
  }

  say(type: 'approved' | 'paused' | 'resumed', actor = 'ada', reason = 'it looks well'): this {
    return this.give({ type, by: this.by(actor, reason) })
  }

  askBack(mode: 'full' | 'stepped' | 'canary', actor = 'bob', reason = 'complaints'): this {
    return this.give({ type: 'rollbackAsked', mode, by: this.by(actor, reason) })
  }

  /** Nobody watches for so long; then a process takes it up again. */
  away(ms: number): this {
    this.atMs += ms
    this.observedToMs = this.atMs
    this.write({ kind: 'watching', ...this.now() })
    return this
  }

  unhealthy(reason = 'no answer'): this {
    return this.give({ type: 'checked', healthy: false, reason })
  }

  intervals(count: number, what: RecordedInterval = {}): this {
    for (let index = 0; index < count; index++) this.interval(what)
    return this
  }

  private interval(what: RecordedInterval): void {
    const { migration, plan } = this.replay
    const share = migration.percentage / 100
    const { due = 400, failed = 0, slow = 0, lost = null, securityViolations = 0, watched = true } = what
    const group = (agents: number, own: number, bad: number, late: number): JournalledGroup => {
      const histogram = histogramOf(own - bad - late, late)
      const counted = { agents, due: own, failed: bad, unmeasured: 0, histogram, above: null }
      const above = countsAbove(counted, boundsOf(plan))
      return { ...counted, above, histogram: what.withoutHistogram === true ? null : histogram }
    }
    const onNew = share > 0 ? due : 0
    const [fromMs, toMs] = [this.observedToMs, this.observedToMs + intervalMs]
    this.observedToMs = toMs
    this.atMs = toMs + 200
    const observation = {
      ...{ sequence: this.sequence, stream: '1', streamSequence: this.sequence, fromMs, toMs, watched },
      candidate: group(Math.round(200 * share), onNew, share > 0 ? failed : 0, share > 0 ? slow : 0),
      baseline: group(200 - Math.round(200 * share), share < 1 ? due : 0, 0, 0),
      lost,
      securityViolations,
    }
    this.sequence++
    this.give({ type: 'observed', observation })
  }

  /** As many as the phase needs to be left, or to ask for approval. */
  untilLeft(what: RecordedInterval = {}, most = 200): this {
    const before = this.replay.decisions.length
    for (let index = 0; index < most && this.replay.decisions.length === before; index++) this.interval(what)
    return this
  }

  /** What is done about the last decision. */
  step(step: Step['step'], percentage: number, detail: string, ok = true): this {
    this.atMs += 500
    const of = this.replay.decisions.at(-1)?.line ?? 1
    const entry: EntryOf<'step'> = { kind: 'step', ...this.now(), of, step, percentage, ok, detail, figures: {} }
    this.write(entry)
    return this
  }

  account(change: (account: MigrationAccount) => MigrationAccount = (account) => account): this {
    writeFileSync(
      join(this.folder, accountFile),
      `${JSON.stringify(change(wholeAccount(this.replay.begun.id)), null, 2)}\n`,
    )
    return this
  }
}

export function wholeAccount(migration: string): MigrationAccount {
  const none = { refused: 0, timedOut: 0, lost: 0, duplicated: 0, wireDuplicates: 3, phantom: 0, misdelivered: 0 }
  const rest = { reordered: 0, doubleTerminal: 0, corrupt: 0, late: 0, unexpected: 0 }
  const counts = { scheduled: 4000, completed: 4000, ...none, ...rest }
  return {
    schemaVersion: 1,
    migration,
    load: {
      agents: 200,
      ratePerSecond: 20,
      payloadBytes: 300,
      deadlineMs: 5000,
      roundDurationMs: 200_000,
      seed: 'test-data',
    },
    planted: null,
    rounds: [0, 1].map((round) => ({
      round,
      startedAtMs: round * 200_000,
      counts,
      ledger: { state: 'COMPLETE', reasons: [] },
    })),
  }
}

/** Up to the phase that is named, which has just begun. */
export function upTo(
  phase: 'canary-5' | 'half' | 'all',
  parent: string,
  options: ConstructorParameters<typeof RecordedMigration>[1] = {},
): RecordedMigration {
  const recorded = new RecordedMigration(parent, options).start()
  const directed = (): RecordedMigration =>
    recorded.step(
      'directed',
      recorded.replay.migration.percentage,
      `phase ${recorded.replay.migration.phase?.name ?? ''}`,
    )
  directed().untilLeft()
  directed()
  if (phase === 'canary-5') return recorded
  recorded.untilLeft()
  directed()
  if (phase === 'half') return recorded
  recorded.untilLeft().say('approved')
  return directed()
}

/** To its end, with the time in which trips stay armed. */
export function completed(
  parent: string,
  options: ConstructorParameters<typeof RecordedMigration>[1] = {},
): RecordedMigration {
  return upTo('all', parent, options).untilLeft().intervals(7)
}

/** Half of the deliveries of the new path are slow, until a trip acts; then everybody goes back, step by step. */
export function rolledBack(
  parent: string,
  options: ConstructorParameters<typeof RecordedMigration>[1] = {},
): RecordedMigration {
  return upTo('half', parent, options)
    .intervals(3)
    .untilLeft({ slow: 200 })
    .step('capacity', 0, 'the old path has room for 200 of 200 agents')
    .step('shifted', 0, '0 % of agents on the new path from here on')
    .step('drained', 0, 'all 100 that were to leave the new path have left it')
    .intervals(3)
    .step('verified', 0, '1200 deliveries on the old path in 3 intervals, 0 failed')
}
