/** A system on virtual time that is moved: its intervals follow from the share it was told, and from what is planted. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beginMigration, openMigration } from '../../../src/migration/folders.ts'
import { planSha256 } from '../../../src/migration/plan.ts'
import { parsePlan } from '../../../src/migration/plan-file.ts'
import { MigrationRunner, type RunEnd, type RunnerParts } from '../../../src/migration/runner.ts'
import type {
  Directive,
  MeasuredGroup,
  MeasuredInterval,
  MigratedSystem,
  StreamPlace,
  Whereabouts,
} from '../../../src/migration/system.ts'
import { createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

export const planText = `name: moved
evidence: { interval: 1s, window: 30s, settle: 2s }
watchAfter: 5s
trips:
  - candidate.errorRate <= 5%
  - candidate.delivery.p99 <= 1000ms
phases:
  - { name: baseline, percentage: 0, soak: 5s, gates: [baseline.errorRate < 5%] }
  - { name: canary, percentage: 5, soak: 10s, gates: [candidate.delivery.p99 < 300ms] }
  - { name: half, percentage: 50, soak: 10s, gates: [candidate.delivery.p99 < 300ms] }
  - { name: all, percentage: 100, soak: 10s, gates: [candidate.delivery.p99 < 300ms] }
`

/** Of virtual time in one go: what does not end ends here. */
const longestMs = 400_000
const agents = 1000
const perSecond = 4000
const drainMs = 1500

export interface Plants {
  /** From this share on, one delivery in ten takes two seconds. */
  slowFrom?: number
  room?: number
  /** It does not answer in these stretches of virtual time. */
  away?: readonly (readonly [fromMs: number, toMs: number])[]
  /** Agents that never leave the new path. */
  stubborn?: number
  lostAtMs?: number
  /** The old path fails so many of its deliveries once everybody is back. */
  brokenBaseline?: number
}

/** One clock for the system and whoever moves it; it goes on only when somebody waits. */
export class VirtualTime {
  ms = 1000
  readonly clock = { nowNs: () => this.ms * 1e6, wallMs: () => 1_795_000_000_000 + this.ms }
  readonly wait = (ms: number): Promise<void> => {
    this.ms += ms
    return Promise.resolve()
  }
}

const histograms = new Map<string, string>()

function histogramOf(due: number, slow: number): string {
  const known = histograms.get(`${due}/${slow}`)
  if (known !== undefined) return known
  const recorder = createLatencyRecorder({ unit: 'us', highest: 600e6 })
  for (let each = 0; each < due; each++) recorder.record(each < slow ? 2e6 : 1000)
  const histogram = recorder.encode()
  recorder.destroy()
  histograms.set(`${due}/${slow}`, histogram)
  return histogram
}

export class MovedSystem implements MigratedSystem {
  readonly kind = 'bridge'
  readonly address = 'virtual'
  readonly directives: (Directive & { readonly atMs: number })[] = []
  readonly plants: Plants
  private readonly time: VirtualTime
  private readonly intervals: { readonly endMs: number; readonly interval: Omit<MeasuredInterval, 'endedAgoMs'> }[] = []
  /** From then on its share is another than was decided. */
  meddledAtMs = Infinity
  private share = 0
  private movedAtMs = -Infinity
  private closedMs: number

  constructor(time: VirtualTime, plants: Plants = {}) {
    this.time = time
    this.plants = plants
    this.closedMs = time.ms
  }

  private reach(): void {
    const { ms } = this.time
    this.closeIntervals()
    if (this.plants.away?.some(([fromMs, toMs]) => ms >= fromMs && ms < toMs) === true)
      throw new LighthouseError('ENGINE_UNREACHABLE', 'it is away')
  }

  private closeIntervals(): void {
    while (this.closedMs + 1000 <= this.time.ms) {
      this.closedMs += 1000
      const sequence = this.intervals.length
      const lost =
        this.plants.lostAtMs !== undefined &&
        this.closedMs - 1000 < this.plants.lostAtMs &&
        this.plants.lostAtMs <= this.closedMs
          ? 1
          : 0
      const interval = { stream: 's', sequence, durationMs: 1000, securityViolations: 0, lost }
      const [candidate, baseline] = [this.group(this.share), this.group(100 - this.share)]
      const broken = this.share === 0 && sequence > 20 ? (this.plants.brokenBaseline ?? 0) : 0
      this.intervals.push({
        endMs: this.closedMs,
        interval: { ...interval, candidate, baseline: { ...baseline, failed: broken, due: baseline.due + broken } },
      })
    }
  }

  private group(share: number): MeasuredGroup {
    const due = Math.round((perSecond * share) / 100)
    const slow = this.plants.slowFrom !== undefined && this.share >= this.plants.slowFrom ? Math.round(due / 10) : 0
    const histogram = histogramOf(due, slow)
    return { agents: Math.round((agents * share) / 100), due, failed: 0, unmeasured: 0, histogram, above: null }
  }

  intervalMs(): Promise<number> {
    return Promise.resolve(1000)
  }

  async measure(place: StreamPlace | null): Promise<readonly MeasuredInterval[]> {
    await Promise.resolve()
    this.reach()
    return this.intervals
      .filter(({ interval }) => place === null || interval.sequence > place.sequence)
      .map(({ endMs, interval }) => ({ ...interval, endedAgoMs: this.time.ms - endMs }))
  }

  async health(expected: number | null = null): Promise<{ healthy: boolean; reason: string }> {
    await Promise.resolve()
    try {
      this.reach()
      if (expected !== null && this.time.ms >= this.meddledAtMs)
        return { healthy: false, reason: 'it has another share' }
      return { healthy: true, reason: 'it answers' }
    } catch {
      return { healthy: false, reason: 'it is away' }
    }
  }

  async direct(directive: Directive): Promise<void> {
    await Promise.resolve()
    this.reach()
    if (directive.percentage === this.share && this.directives.length > 0) return
    this.directives.push({ ...directive, atMs: this.time.ms })
    this.share = directive.percentage
    this.movedAtMs = this.time.ms
  }

  async whereabouts(): Promise<Whereabouts> {
    await Promise.resolve()
    this.reach()
    const assignedCandidate = Math.round((agents * this.share) / 100)
    const draining = this.time.ms - this.movedAtMs < drainMs
    const onCandidate = assignedCandidate + (draining ? 1 : 0) + (this.plants.stubborn ?? 0)
    return { known: agents, onCandidate, assignedCandidate, draining, baselineRoom: this.plants.room ?? 20_000 }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

export function begun(text = planText): string {
  const output = mkdtempSync(join(tmpdir(), 'migrations-'))
  const plan = parsePlan(text, 'moved.yaml')
  return beginMigration(output, {
    id: 'migration-20260102-030405-0a1b',
    plan: text,
    planSource: 'moved.yaml',
    planSha256: planSha256(plan),
    system: { kind: 'bridge', address: 'virtual' },
    lighthouse: '0.1.0',
    commit: null,
    atWallMs: 1_795_000_000_000,
  })
}

/** A process that is killed: what it would write next is never written. */
export class Killed extends Error {}

export interface Played {
  readonly end: RunEnd | 'killed'
  readonly notes: readonly string[]
}

/** Carries it on in one go, until it ends, `untilMs` of virtual time, or until the process is killed before its `killAfter`-th write. */
export async function play(
  folder: string,
  system: MovedSystem,
  time: VirtualTime,
  {
    untilMs = time.ms + longestMs,
    killAfter = Infinity,
    look,
  }: { untilMs?: number; killAfter?: number; look?: RunnerParts['look'] } = {},
): Promise<Played> {
  const open = openMigration(folder)
  const notes: string[] = []
  const controller = new AbortController()
  const journal = open.journal
  let writes = 0
  const append = journal.append.bind(journal)
  journal.append = (...entries) => {
    if (++writes > killAfter) throw new Killed('killed')
    return append(...entries)
  }
  const runner = new MigrationRunner({
    folder,
    journal,
    replay: open.replay,
    system,
    clock: time.clock,
    wait: (ms) => {
      if (time.ms >= untilMs) controller.abort()
      return time.wait(ms)
    },
    look: look ?? (() => Promise.resolve([])),
    by: { request: 'start', actor: 'ada', reason: 'a test' },
    onLine: () => undefined,
    onNote: (text) => notes.push(text),
  })
  try {
    return { end: await runner.run(controller.signal), notes }
  } catch (error) {
    if (error instanceof Killed) return { end: 'killed', notes }
    throw error
  } finally {
    open.lock.release()
  }
}
