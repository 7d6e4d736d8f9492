/** Journals for tests: a migration that was carried on with latencies that are drawn from a seed, written as whoever carries one on writes it. */
import { planSha256 } from '../../../src/migration/plan.ts'
import { parsePlan } from '../../../src/migration/plan-file.ts'
import { boundsOf } from '../../../src/migration/replay.ts'
import { beginMigration, openMigration } from '../../../src/migration/folders.ts'
import { decisionEntry, type JournalledGroup, type JournalledInput } from '../../../src/migration/journal.ts'
import { countsAbove } from '../../../src/migration/system.ts'
import { createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { seededRandom } from '../../../src/platform/random.ts'

export const comparedPlan = `name: compared
evidence: { interval: 10s, window: 10m }
phases:
  - name: quarter
    percentage: 25
    soak: 10s
    gates: [candidate.delivery.p50 < 300ms]
  - name: half
    percentage: 50
    soak: 15m
    requires:
      - comparison: { margin: 1.2 }
    gates: [candidate.delivery.p99 < 300ms]
`

export interface PlantedGroup {
  readonly due?: number
  readonly failed?: number
  /** All latencies times this. */
  readonly slowness?: number
  readonly histogram?: null
}
export interface PlantedPair {
  readonly candidate?: PlantedGroup
  readonly baseline?: PlantedGroup
  readonly watched?: boolean
}

/** Holds each interval's level for a while, so that neighbours are alike. */
export class PlantedJournal {
  readonly open: ReturnType<typeof openMigration>
  readonly folder: string
  private readonly random = seededRandom('planted journal')
  private readonly boundsMs: readonly number[]
  private sequence = 0
  private level = 0
  private closed = false

  constructor(output: string, plan = comparedPlan) {
    const parsed = parsePlan(plan, 'compared.yaml')
    this.boundsMs = boundsOf(parsed)
    this.folder = beginMigration(output, {
      id: 'migration-20260101-000000-c0de',
      plan,
      planSource: 'compared.yaml',
      planSha256: planSha256(parsed),
      system: { kind: 'bridge', address: 'http://127.0.0.1:8765' },
      lighthouse: '0.0.0',
      commit: null,
      atWallMs: 1_800_000_000_000,
    })
    this.open = openMigration(this.folder)
    const { journal, replay } = this.open
    for (const line of journal.append({ kind: 'watching', atMs: 0, atWallMs: 1_800_000_000_000 })) replay.take(line)
    this.give({ type: 'started', atMs: 0, by: { request: 'start', actor: 'ada', reason: 'test' } })
  }

  give(input: JournalledInput): void {
    const { journal, replay } = this.open
    const atMs = this.sequence * 10_000
    const entry = { kind: 'input' as const, atMs, atWallMs: 1_800_000_000_000 + atMs, input }
    replay.take({ line: journal.lines + 1, entry, hash: '' })
    const [, ...decisions] = journal.append(entry, ...replay.due.map((decision) => decisionEntry(decision)))
    for (const line of decisions) replay.take(line)
  }

  observe(count: number, planted: (index: number) => PlantedPair = () => ({})): void {
    for (let index = 0; index < count; index++) {
      const { candidate = {}, baseline = {}, watched = true } = planted(index)
      const fromMs = this.sequence * 10_000
      this.level = 0.7 * this.level + 0.1 * (this.random.uniform() - 0.5)
      const observation = {
        sequence: this.sequence,
        stream: 's',
        streamSequence: this.sequence,
        fromMs,
        toMs: fromMs + 10_000,
        watched,
        candidate: this.group(candidate),
        baseline: this.group(baseline),
        lost: 0,
        securityViolations: 0,
      }
      this.sequence++
      this.give({ type: 'observed', observation })
    }
  }

  private group({ due = 100, failed = 0, slowness = 1, histogram }: PlantedGroup): JournalledGroup {
    const recorder = createLatencyRecorder({ unit: 'us', highest: 600_000_000 })
    for (let index = failed; index < due; index++)
      recorder.record(slowness * 20_000 * Math.exp(this.level + 0.3 * this.random.exponential()))
    const encoded = recorder.encode()
    recorder.destroy()
    const group = { agents: 50, due, failed, unmeasured: 0 }
    if (histogram === null)
      return { ...group, histogram, above: Object.fromEntries(this.boundsMs.map((bound) => [String(bound), 0])) }
    return {
      ...group,
      histogram: encoded,
      above: countsAbove({ ...group, histogram: encoded, above: null }, this.boundsMs),
    }
  }

  close(): void {
    if (!this.closed) this.open.lock.release()
    this.closed = true
  }
}
