/**
 * Going back, step by step: is there room on the old path, shift, wait until agents have moved, and look whether the old path carries them.
 *
 * The order is that of a lesson others paid for: traffic that is sent back before the old path can take it fails twice. Each step is a line of the
 * journal before the next one begins, so that a killed process goes on where it was. Nothing here waits; it is asked again with every tick.
 */
import type { Step } from './journal.ts'
import type { Observation } from './observation.ts'
import type { PastDecision } from './replay.ts'
import type { Decision } from './state-machine.ts'
import type { MigratedSystem, Whereabouts } from './system.ts'

export type RollBack = Extract<Decision, { kind: 'rollBack' }>

/** Agents that have not moved by then are told of and not waited for: five minutes, as the strategy that is replaced allows. */
const drainLimitMs = 300_000
/** Intervals with deliveries on the old path that show that it carries. */
const intervalsToVerify = 2
const verifyIntervals = 20
/** Share of deliveries on the old path that may fail, as in the plans that are shipped. */
const highestFailed = 0.05

export interface RollbackParts {
  readonly system: MigratedSystem
  readonly decision: PastDecision & { readonly decision: RollBack }
  readonly intervalMs: number
  /** Steps taken so far, in order. */
  readonly steps: () => readonly Step[]
  /** Writes the step down. */
  readonly note: (step: Omit<Step, 'kind' | 'atMs' | 'atWallMs' | 'of'>) => void
  readonly nowMs: () => number
}

interface Wanted {
  readonly percentage: number
  readonly isLast: boolean
}

export class Rollback {
  private readonly parts: RollbackParts
  private since: { intervals: number; due: number; failed: number; lost: number } | null = null
  private seen = 0

  constructor(parts: RollbackParts) {
    this.parts = parts
  }

  get isDone(): boolean {
    return this.parts.steps().some(({ step }) => step === 'verified')
  }

  /** The share that is to be reached next; null when all are. */
  private wanted(): Wanted | null {
    const { through } = this.parts.decision.decision
    const drained = (percentage: number): boolean =>
      this.parts.steps().some((each) => each.step === 'drained' && each.percentage === percentage)
    const percentage = through.find((share) => !drained(share))
    return percentage === undefined ? null : { percentage, isLast: percentage === through.at(-1) }
  }

  /** Does what can be done now. Throws LighthouseError when the system cannot be reached. */
  async advance(): Promise<void> {
    const wanted = this.wanted()
    if (wanted === null) return this.verify()
    const shifted = this.parts
      .steps()
      .find(({ step, percentage, ok }) => step === 'shifted' && ok && percentage === wanted.percentage)
    if (shifted === undefined) return this.shift(wanted)
    return this.drain(wanted.percentage, shifted.atMs)
  }

  private async shift(wanted: Wanted): Promise<void> {
    const where = await this.parts.system.whereabouts()
    const fitting = where === null ? wanted.percentage : Math.max(wanted.percentage, leastShare(where))
    const fits = fitting === wanted.percentage
    this.noteCapacity(wanted.percentage, where, fits)
    const before = this.parts.steps().filter(({ step }) => step === 'shifted')
    // As many as there is room for, and the rest as soon as there is.
    if (!fits && (fitting >= 100 || before.some(({ percentage }) => percentage <= fitting))) return
    await this.direct(fitting)
    const detail = `${fitting} % of agents on the new path from here on`
    this.parts.note({
      step: 'shifted',
      percentage: fitting,
      ok: true,
      detail,
      figures: { known: where?.known ?? null },
    })
  }

  private async direct(percentage: number): Promise<void> {
    const { reasons } = this.parts.decision.decision
    await this.parts.system.direct({
      percentage,
      // The old path is open again, to everybody, before anybody is sent to it; what phases had set is taken back.
      switches: { legacyOff: false, dualMode: true, deprecation: false },
      actor: 'lighthouse migrate',
      reason: `rollback: ${reasons.join('; ')}`,
    })
  }

  private noteCapacity(percentage: number, where: Whereabouts | null, fits: boolean): void {
    const last = this.parts.steps().findLast((each) => each.step === 'capacity' && each.percentage === percentage)
    if (last?.ok === fits) return
    const detail =
      where === null
        ? 'the system does not tell what the old path has room for'
        : `the old path has room for ${where.baselineRoom} agents, and ${where.known} are known`
    const figures = { known: where?.known ?? null, room: where?.baselineRoom ?? null }
    this.parts.note({ step: 'capacity', percentage, ok: fits, detail, figures })
  }

  private async drain(percentage: number, shiftedMs: number): Promise<void> {
    // Said again: agents leave whatever anybody else has changed meanwhile.
    await this.direct(percentage)
    const where = await this.parts.system.whereabouts()
    const waitedMs = this.parts.nowMs() - shiftedMs
    if (where === null && waitedMs < this.parts.intervalMs) return
    const left = where === null ? 0 : Math.max(0, where.onCandidate - where.assignedCandidate)
    const isOver = where === null || (!where.draining && left === 0)
    if (!isOver && waitedMs < drainLimitMs) return
    const detail =
      where === null
        ? 'the system does not tell where agents are'
        : left === 0
          ? `nobody is left on the new path who is not meant to be, of ${where.known} agents`
          : `${left} agents have not left the new path in ${drainLimitMs / 60_000} min`
    const figures = {
      known: where?.known ?? null,
      onCandidate: where?.onCandidate ?? null,
      left: where === null ? null : left,
    }
    this.parts.note({ step: 'drained', percentage, ok: isOver && where !== null, detail, figures })
  }

  /** Every observation of after the decision. */
  observed({ fromMs, baseline, candidate, lost }: Observation): void {
    const drained = this.parts.steps().findLast(({ step }) => step === 'drained')
    if (drained === undefined || this.wanted() !== null || fromMs < drained.atMs) return
    this.seen++
    this.since ??= { intervals: 0, due: 0, failed: 0, lost: 0 }
    if (baseline.due > 0) this.since.intervals++
    this.since.due += baseline.due
    this.since.failed += baseline.failed + candidate.failed
    this.since.lost += lost ?? 0
  }

  private verify(): void {
    const drained = this.parts.steps().findLast(({ step }) => step === 'drained')
    const { intervals, due, failed, lost } = this.since ?? { intervals: 0, due: 0, failed: 0, lost: 0 }
    const shown = intervals >= intervalsToVerify
    const waitedMs = this.parts.nowMs() - (drained?.atMs ?? 0)
    if (!shown && this.seen < verifyIntervals && waitedMs < 2 * verifyIntervals * this.parts.intervalMs) return
    const carries = shown && failed <= highestFailed * due && lost === 0
    const detail = shown
      ? `${due} deliveries on the old path in ${intervals} intervals, ${failed} failed`
      : `not verified: the old path delivered in ${intervals} intervals of ${this.seen} that were observed`
    const percentage = this.parts.decision.decision.through.at(-1) ?? 0
    this.parts.note({ step: 'verified', percentage, ok: carries, detail, figures: { intervals, due, failed, lost } })
  }
}

/** The smallest share, in steps of 0.01, that leaves no more agents to the old path than it has room for. */
export function leastShare({ known, baselineRoom }: Pick<Whereabouts, 'known' | 'baselineRoom'>): number {
  if (known <= baselineRoom) return 0
  return Math.min(100, Math.ceil(((known - baselineRoom) / known) * 10_000) / 100)
}
