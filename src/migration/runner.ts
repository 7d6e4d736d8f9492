/**
 * Carries a migration on: reads what the system measured, takes what people ask, writes both down with what follows from them, and only then acts.
 *
 * All that decides is in the state machine; all that is remembered is in the journal, so that a process that is killed anywhere is as good as one
 * that has not begun its next tick.
 */
import { LighthouseError } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { IntervalTimes } from './interval-times.ts'
import {
  decisionEntry,
  type EntryOf,
  type Journal,
  type JournalEntry,
  type JournalledGroup,
  type JournalledInput,
  type JournalLine,
  type Step,
  type Word,
} from './journal.ts'
import type { Requirement } from './plan.ts'
import { boundsOf, observationOf, type PastDecision, type Replay } from './replay.ts'
import { readRequests, removeRequest } from './requests.ts'
import { Rollback, type RollBack } from './rollback.ts'
import type { Finding } from './state-machine.ts'
import { countsAbove, type MeasuredGroup, type MeasuredInterval, type MigratedSystem } from './system.ts'

export interface RunnerParts {
  /** Of the migration. */
  readonly folder: string
  readonly journal: Journal
  /** What the journal held, to which this adds. */
  readonly replay: Replay
  readonly system: MigratedSystem
  readonly clock: Clock
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** Looks for what phases require. */
  readonly look: (requirements: readonly Requirement[]) => Promise<readonly Finding[]>
  /** Who starts it; only the first time. */
  readonly by: Word
  /** Every line that is written. */
  readonly onLine: (line: JournalLine) => void
  /** What is no line: an unreachable system, an odd request. */
  readonly onNote: (text: string) => void
}

export type RunEnd = 'completed' | 'rolledBack' | 'interrupted'

const shortestTickMs = 100
const longestTickMs = 1000
/** Certificates are verified down to their histograms, which takes a moment. */
const lookEveryMs = 10_000

export class MigrationRunner {
  private readonly parts: RunnerParts
  private readonly times: IntervalTimes
  private readonly boundsMs: readonly number[]
  private readonly intervalMs: number
  private readonly offsetMs: number
  private readonly startNs: number
  private watchingSinceMs: number
  private nextCheckMs = 0
  private nextLookMs = 0
  private lastNote = ''
  private rollback: { readonly line: number; readonly procedure: Rollback } | null = null

  constructor(parts: RunnerParts) {
    this.parts = parts
    const { replay, clock } = parts
    this.startNs = clock.nowNs()
    // Time that passed while nobody watched is the wall clock's, and never less than none.
    const away = replay.taken.length === 0 ? 0 : clock.wallMs() - replay.atWallMs
    this.offsetMs = replay.atMs + Math.max(0, away)
    this.intervalMs = replay.plan.evidence.intervalMs
    this.boundsMs = boundsOf(replay.plan)
    this.times = new IntervalTimes(this.offsetMs, replay.lastObservation)
    this.watchingSinceMs = this.offsetMs
  }

  /** On the migration's own clock. */
  nowMs(): number {
    return this.offsetMs + (this.parts.clock.nowNs() - this.startNs) / 1e6
  }

  /** Ends when the migration does, or when `signal` aborts; throws LighthouseError('STORE') when the journal cannot be written. */
  async run(signal: AbortSignal): Promise<RunEnd> {
    const { replay, by } = this.parts
    const isNew = replay.taken.length === 0
    const missed = replay.due.map((decision) => decisionEntry(decision))
    this.write(...missed, this.stamped({ kind: 'watching' }))
    if (isNew || !replay.words.some(({ input }) => input.type === 'started'))
      this.give({ type: 'started', atMs: this.nowMs(), by })
    const tickMs = Math.min(longestTickMs, Math.max(shortestTickMs, this.intervalMs / 4))
    while (!signal.aborted) {
      const end = await this.tick()
      if (end !== null) return end
      await this.parts.wait(tickMs, signal)
    }
    return 'interrupted'
  }

  /** One look at everything. */
  async tick(): Promise<RunEnd | null> {
    this.takeRequests()
    await this.observe()
    await this.check()
    await this.look()
    await this.act()
    const { migration } = this.parts.replay
    if (migration.status === 'rolledBack') return this.rollback?.procedure.isDone === true ? 'rolledBack' : null
    return migration.isOver ? 'completed' : null
  }

  private stamped<E extends Omit<JournalEntry, 'atMs' | 'atWallMs'>>(entry: E): E & { atMs: number; atWallMs: number } {
    return { ...entry, atMs: Math.round(this.nowMs() * 1000) / 1000, atWallMs: this.parts.clock.wallMs() }
  }

  private write(...entries: readonly JournalEntry[]): void {
    for (const line of this.parts.journal.append(...entries)) {
      this.parts.replay.take(line)
      this.parts.onLine(line)
    }
  }

  /** Writes down what goes in and what follows from it, with one sync. */
  private give(input: JournalledInput): void {
    const { journal, replay, onLine } = this.parts
    const entry: EntryOf<'input'> = { ...this.stamped({ kind: 'input' }), input }
    replay.take({ line: journal.lines + 1, entry, hash: '' })
    const [first, ...decisions] = journal.append(entry, ...replay.due.map((decision) => decisionEntry(decision)))
    if (first !== undefined) onLine(first)
    for (const line of decisions) {
      replay.take(line)
      onLine(line)
    }
  }

  private takeRequests(): void {
    const { folder, replay, onNote } = this.parts
    for (const { id, request } of readRequests(folder)) {
      if (request === null) onNote(`the request ${id} is none, and was dropped`)
      else if (!replay.requests.has(id)) {
        const { type, actor, reason, mode } = request
        const by = { request: id, actor, reason }
        this.give(type === 'rollbackAsked' ? { type, mode, by } : { type, by })
      }
      removeRequest(folder, id)
    }
  }

  private async observe(): Promise<void> {
    const { system } = this.parts
    let measured: readonly MeasuredInterval[]
    try {
      measured = await system.measure(this.times.lastPlace)
    } catch (error) {
      this.unreachable(error)
      return
    }
    const readMs = this.nowMs()
    for (const interval of measured) {
      const watched = readMs - interval.endedAgoMs >= this.watchingSinceMs
      this.takeInterval(interval, readMs, watched)
    }
    this.lastNote = ''
  }

  private takeInterval(interval: MeasuredInterval, readMs: number, watched: boolean): void {
    const { replay, onNote } = this.parts
    const time = this.times.place(interval, readMs)
    if (time === null) return
    const { stream, sequence: streamSequence, lost, securityViolations } = interval
    let groups: { readonly candidate: JournalledGroup; readonly baseline: JournalledGroup }
    try {
      groups = { candidate: this.counted(interval.candidate), baseline: this.counted(interval.baseline) }
    } catch (error) {
      onNote(`an interval was not taken: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
    const [fromMs, toMs] = [Math.round(time.fromMs * 1000) / 1000, Math.round(time.toMs * 1000) / 1000]
    const observation = { sequence: replay.observations, stream, streamSequence, fromMs, toMs, watched }
    this.give({ type: 'observed', observation: { ...observation, ...groups, lost, securityViolations } })
    this.rollback?.procedure.observed(observationOf({ ...observation, ...groups, lost, securityViolations }))
  }

  private counted({ agents, due, failed, unmeasured, histogram, above }: MeasuredGroup): JournalledGroup {
    const group = { agents, due, failed, unmeasured, histogram, above }
    return { agents, due, failed, unmeasured, histogram, above: countsAbove(group, this.boundsMs) }
  }

  /** What it measures from its next answer on was watched; what it measured until then was not. */
  private unreachable(error: unknown): void {
    if (!(error instanceof LighthouseError)) throw error
    this.watchingSinceMs = this.nowMs()
    this.noteOnce(error.message)
  }

  private noteOnce(text: string): void {
    if (text !== this.lastNote) this.parts.onNote(text)
    this.lastNote = text
  }

  /** Only what changes, and every failure, is written down: a check that follows a good one and is good changes nothing. */
  private async check(): Promise<void> {
    if (this.nowMs() < this.nextCheckMs) return
    this.nextCheckMs = this.nowMs() + this.intervalMs
    const { system, replay } = this.parts
    const { healthy, reason } = await system.health(this.sharePut())
    if (!healthy || !replay.healthy) this.give({ type: 'checked', healthy, reason: reason.slice(0, 2000) })
  }

  private async look(): Promise<void> {
    const { migration } = this.parts.replay
    const { phase } = migration
    if (phase === null || phase.requires.length === 0 || migration.status !== 'soaking') return
    if (migration.progress.elapsedMs < phase.soakMs || this.nowMs() < this.nextLookMs) return
    this.nextLookMs = this.nowMs() + lookEveryMs
    const findings = await this.parts.look(phase.requires)
    const known = migration.lastFindings
    if (JSON.stringify(findings) !== JSON.stringify(known)) this.give({ type: 'looked', findings: [...findings] })
  }

  /** The last decision that asks for something to be done. */
  private pending(): PastDecision | null {
    return (
      this.parts.replay.decisions.findLast(({ decision: { kind } }) => kind === 'enter' || kind === 'rollBack') ?? null
    )
  }

  /** The share that the last decision brought about; null while that is being done. */
  private sharePut(): number | null {
    const past = this.pending()
    const done =
      past === null
        ? undefined
        : this.stepsOf(past.line).findLast(({ step, ok }) => ok && (step === 'directed' || step === 'shifted'))
    return done?.percentage ?? null
  }

  private stepsOf(line: number): Step[] {
    return this.parts.replay.steps.flatMap(({ step }) => (step.of === line ? [step] : []))
  }

  private async act(): Promise<void> {
    const past = this.pending()
    if (past === null) return
    const { decision, line } = past
    try {
      if (decision.kind === 'rollBack') await this.goBack({ ...past, decision })
      else if (decision.kind === 'enter' && !this.stepsOf(line).some(({ step }) => step === 'directed')) {
        const { percentage, switches, phase } = decision
        const { id } = this.parts.replay.begun
        await this.parts.system.direct({
          percentage,
          switches,
          actor: 'lighthouse migrate',
          reason: `${id}: phase ${phase}`,
        })
        this.note(line, { step: 'directed', percentage, ok: true, detail: `phase ${phase}`, figures: {} })
      }
    } catch (error) {
      if (!(error instanceof LighthouseError) || error.code === 'STORE') throw error
      const last = this.stepsOf(line).at(-1)
      if (last?.step === 'failed' && last.detail === error.message.slice(0, 2000)) return
      const percentage = decision.kind === 'enter' ? decision.percentage : 0
      this.note(line, { step: 'failed', percentage, ok: false, detail: error.message.slice(0, 2000), figures: {} })
    }
  }

  private note(of: number, step: Omit<Step, 'kind' | 'atMs' | 'atWallMs' | 'of'>): void {
    this.write({ ...this.stamped({ kind: 'step' as const }), of, ...step })
  }

  private async goBack(decision: PastDecision & { readonly decision: RollBack }): Promise<void> {
    const { line } = decision
    if (this.rollback?.line !== line) {
      const procedure = new Rollback({
        system: this.parts.system,
        decision,
        intervalMs: this.intervalMs,
        steps: () => this.stepsOf(line),
        note: (step) => this.note(line, step),
        nowMs: () => this.nowMs(),
      })
      this.rollback = { line, procedure }
    }
    if (!this.rollback.procedure.isDone) await this.rollback.procedure.advance()
  }
}
