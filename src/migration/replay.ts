/**
 * A journal read back: the state machine where it was left, what was decided and done, and what a kill left undone.
 *
 * Every decision is come to again from what went in before it; a journal whose decisions do not follow is refused. With `recount` the counts of every
 * observation are taken from its histograms again, too, which resuming does not need and explaining does.
 */
import { HistogramFormatError, type DecodeBudget } from '../measurement/histogram-codec.ts'
import { LighthouseError } from '../platform/errors.ts'
import { boundOf } from '../statistics/target-expression.ts'
import {
  decisionEntry,
  isSameDecision,
  type EntryOf,
  type JournalledGroup,
  type JournalledInput,
  type JournalledObservation,
  type JournalLine,
  type Step,
} from './journal.ts'
import type { Observation, ObservedGroup } from './observation.ts'
import { parsePlan } from './plan-file.ts'
import { planSha256, type MigrationPlan, type Phase } from './plan.ts'
import { Migration, type Decision, type Input } from './state-machine.ts'
import { countsAbove } from './system.ts'

export interface PastDecision {
  readonly line: number
  /** Of what went in and led to it. */
  readonly because: { readonly line: number; readonly input: JournalledInput }
  readonly atMs: number
  readonly atWallMs: number
  readonly decision: Decision
  /** For going back: the last observations before it, the oldest first. */
  readonly before: readonly JournalledObservation[]
}

/** An observation that counts for the gates of the phase it is of. */
export interface CountedObservation {
  readonly line: number
  readonly plan: MigrationPlan
  readonly phase: Phase
  readonly attempt: number
  /** When the attempt began, on the migration's clock. */
  readonly enteredMs: number
  readonly observation: JournalledObservation
}
export type TakeObservation = (counted: CountedObservation) => void

/** That an incident report shows. */
const shownBefore = 12

export interface PastStep {
  readonly line: number
  readonly step: Step
}

/** In ms, ascending: all that latency bars of the plan name. */
export function boundsOf(plan: MigrationPlan): number[] {
  const bars = [...plan.trips, ...plan.investigate, ...plan.phases.flatMap(({ gates }) => gates)]
  const bounds = bars.filter(({ target }) => target.measure.kind === 'latency').map(({ target }) => boundOf(target))
  return Array.from(new Set(bounds)).toSorted((a, b) => a - b)
}

function observedGroup(group: JournalledGroup): ObservedGroup {
  const { agents, due, failed } = group
  return { agents, due, failed, above: (boundMs) => group.above[String(boundMs)] ?? 0 }
}

export function observationOf(journalled: JournalledObservation): Observation {
  const { sequence, fromMs, toMs, watched, lost, securityViolations } = journalled
  const [candidate, baseline] = [observedGroup(journalled.candidate), observedGroup(journalled.baseline)]
  return { sequence, fromMs, toMs, watched, candidate, baseline, lost, securityViolations }
}

/** What the state machine is given for what the journal holds. */
export function inputOf(input: JournalledInput): Input {
  switch (input.type) {
    case 'observed':
      return { type: 'observed', observation: observationOf(input.observation) }
    case 'rollbackAsked':
      return { type: 'rollbackAsked', mode: input.mode, reason: `${input.by.actor}: ${input.by.reason}` }
    default:
      return input
  }
}

export class Replay {
  private head: {
    readonly begun: EntryOf<'begun'>
    readonly plan: MigrationPlan
    readonly migration: Migration
  } | null = null
  readonly decisions: PastDecision[] = []
  readonly steps: PastStep[] = []
  /** Requests of people that went in. */
  readonly requests = new Set<string>()
  readonly words: { readonly line: number; readonly atWallMs: number; readonly input: JournalledInput }[] = []
  /** Times at which a process took it up. */
  readonly taken: { readonly line: number; readonly atMs: number; readonly atWallMs: number }[] = []
  lastObservation: JournalledObservation | null = null
  observations = 0
  /** That were counted again. */
  histograms = 0
  /** Null when the system never counted it. */
  lost: number | null = null
  /** Between the last line of a process and the first of the next one. */
  unwatchedMs = 0
  atMs = 0
  atWallMs = 0
  healthy = true
  hash = ''
  lines = 0
  /** Decisions that follow from the last input and that a kill kept from being written. */
  due: Decision[] = []
  private because: PastDecision['because'] | null = null
  private recent: JournalledObservation[] = []
  private readonly file: string
  private readonly recount: boolean
  private readonly budget: DecodeBudget | undefined
  private readonly onObservation: TakeObservation | undefined

  /** Observations are not kept; who wants to see them takes them as they come. `budget` bounds what the histograms of a stranger's journal unfold into. */
  constructor(
    file: string,
    {
      recount = false,
      budget,
      onObservation,
    }: { recount?: boolean; budget?: DecodeBudget; onObservation?: TakeObservation } = {},
  ) {
    this.file = file
    this.recount = recount
    this.budget = budget
    this.onObservation = onObservation
  }

  get begun(): EntryOf<'begun'> {
    return this.opened().begun
  }

  get plan(): MigrationPlan {
    return this.opened().plan
  }

  get migration(): Migration {
    return this.opened().migration
  }

  get isEmpty(): boolean {
    return this.head === null
  }

  private opened(): NonNullable<Replay['head']> {
    if (this.head === null) throw this.altered(0, 'it is empty')
    return this.head
  }

  /** To be called with every line, in order. */
  take({ line, entry, hash }: JournalLine): void {
    this.hash = hash
    this.lines = line
    if (entry.kind !== 'decision' && this.due.length > 0)
      throw this.altered(line, `a decision is missing before it: ${this.due[0]?.kind ?? ''}`)
    if (entry.kind === 'watching' && this.taken.length > 0) this.unwatchedMs += Math.max(0, entry.atMs - this.atMs)
    if (entry.kind !== 'decision' && entry.kind !== 'begun') {
      this.atMs = Math.max(this.atMs, entry.atMs)
      this.atWallMs = entry.atWallMs
    }
    switch (entry.kind) {
      case 'begun':
        return this.begin(entry, line)
      case 'watching':
        return void this.taken.push({ line, atMs: entry.atMs, atWallMs: entry.atWallMs })
      case 'input':
        return this.takeInput(entry, line)
      case 'decision':
        return this.takeDecision(entry, line)
      case 'step':
        return void this.steps.push({ line, step: entry })
    }
  }

  private begin(begun: EntryOf<'begun'>, line: number): void {
    const plan = parsePlan(begun.plan, begun.planSource)
    if (planSha256(plan) !== begun.planSha256) throw this.altered(line, 'the digest is not that of its plan')
    this.head = { begun, plan, migration: new Migration(plan) }
    this.atWallMs = begun.atWallMs
  }

  private takeInput({ input }: EntryOf<'input'>, line: number): void {
    this.because = { line, input }
    if ('by' in input) {
      this.requests.add(input.by.request)
      this.words.push({ line, atWallMs: this.atWallMs, input })
    }
    if (input.type === 'checked') this.healthy = input.healthy
    if (input.type === 'observed') {
      const { observation } = input
      if (this.recount) this.checkCounts(observation, line)
      this.observations++
      if (observation.lost !== null) this.lost = (this.lost ?? 0) + observation.lost
      this.lastObservation = observation
      this.recent = [...this.recent.slice(1 - shownBefore), observation]
    }
    const { phase, progress, observedToMs } = this.migration
    this.due = this.migration.take(inputOf(input))
    if (input.type !== 'observed' || phase === null || !this.migration.countedLast) return
    const { attempt, elapsedMs } = progress
    const enteredMs = observedToMs - elapsedMs
    this.onObservation?.({ line, plan: this.plan, phase, attempt, enteredMs, observation: input.observation })
  }

  private takeDecision({ decision: told }: EntryOf<'decision'>, line: number): void {
    const decision = this.due.shift()
    if (decision === undefined || this.because === null) throw this.altered(line, `nothing leads to a ${told.kind}`)
    if (!isSameDecision(told, decisionEntry(decision).decision))
      throw this.altered(line, `what went in leads to another decision than ${told.kind}`)
    const { because, atMs, atWallMs } = this
    const before = decision.kind === 'rollBack' ? this.recent : []
    this.decisions.push({ line, because, atMs, atWallMs, decision, before })
  }

  private checkCounts({ candidate, baseline }: JournalledObservation, line: number): void {
    const bounds = boundsOf(this.plan)
    for (const group of [candidate, baseline]) {
      if (group.histogram === null) continue
      this.histograms++
      try {
        const counted = countsAbove({ ...group, above: null }, bounds, this.budget)
        if (bounds.some((bound) => counted[String(bound)] !== group.above[String(bound)]))
          throw this.altered(line, 'its counts are not those of its histograms')
      } catch (error) {
        if (error instanceof HistogramFormatError) throw this.altered(line, error.message)
        throw error
      }
    }
  }

  private altered(line: number, what: string): LighthouseError {
    return new LighthouseError('STORE', `The journal ${this.file} does not hold together: line ${line}: ${what}.`, {
      suggestions: ['It was altered, or written by another version of Lighthouse.'],
    })
  }
}
