/**
 * The rounds of one engine of an endurance run as a sequence of lives: what was measured between two starts of its process. Memory is
 * compared within a life only, since a new process begins anew, and so is the drift of service, which a restart may cure.
 * Also: how much of what was due was measured. Every interval of time that passed while the run was down counts as
 * one that was due, begun ones included.
 */
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { CoverageResult } from './endurance-result.ts'
import type { EnduranceCasePlan, RestReading } from './rest-evidence.ts'
import type { CasePlan, RoundEvidence } from './round-evidence.ts'

export interface Interval {
  readonly evidence: RoundEvidence
  /** At rest after it; null where the drain did not finish, so that it was none, or where it was not read. */
  readonly rest: RestReading | null
  /** Wall clock of the reading. */
  readonly atMs: number
  /** Null where the round does not count: memory may be compared all the same, service may not. */
  readonly valid: ValidRound | null
  /** Completed in this life up to and with this interval. */
  readonly exchangesSoFar: number
}

export interface Life {
  /** Counted from 0. */
  readonly index: number
  /** Wall clock. */
  readonly startMs: number
  readonly endMs: number
  readonly intervals: readonly Interval[]
  readonly exchanges: number
}

/** In the order of time; rounds of which nothing tells the process belong to the life before them. */
export function livesOf({ all, valid }: ArmRounds): Life[] {
  const counted = new Map(valid.map((each) => [each.evidence, each]))
  const lives: { process: number | null; intervals: Interval[]; startMs: number; endMs: number; exchanges: number }[] =
    []
  for (const evidence of inTime(all)) {
    const { rest, startedAtMs, durationMs, drainMs, counts } = evidence
    const process = rest?.engine.startedAtMs ?? null
    let life = lives.at(-1)
    if (life === undefined || (process !== null && life.process !== null && life.process !== process)) {
      life = { process, intervals: [], startMs: startedAtMs, endMs: startedAtMs, exchanges: 0 }
      lives.push(life)
    }
    life.process ??= process
    life.exchanges += counts.completed
    life.endMs = startedAtMs + (rest === undefined ? durationMs + drainMs : rest.atMs + rest.tookMs)
    life.intervals.push({
      evidence,
      rest: rest === undefined || evidence.ledger.state !== 'COMPLETE' ? null : rest,
      atMs: startedAtMs + (rest?.atMs ?? durationMs + drainMs),
      valid: counted.get(evidence) ?? null,
      exchangesSoFar: life.exchanges,
    })
  }
  return lives.map(({ startMs, endMs, intervals, exchanges }, index) => ({
    index,
    startMs,
    endMs,
    intervals,
    exchanges,
  }))
}

export function coverageOf(
  { valid, all }: ArmRounds,
  lives: readonly Life[],
  plan: CasePlan,
  { everyMs }: EnduranceCasePlan,
): CoverageResult {
  const repeats = all.length - new Set(all.map(({ round }) => round)).size
  let missedIntervals = 0
  for (const [index, life] of lives.entries()) {
    const before = lives[index - 1]
    if (before !== undefined) missedIntervals += Math.max(1, Math.ceil((life.startMs - before.endMs) / everyMs))
  }
  const dueIntervals = plan.rounds + repeats + missedIntervals
  return {
    dueIntervals,
    measuredIntervals: valid.length,
    missedIntervals,
    share: dueIntervals === 0 ? null : valid.length / dueIntervals,
  }
}

function inTime(all: readonly RoundEvidence[]): RoundEvidence[] {
  return all.toSorted((a, b) => a.startedAtMs - b.startedAtMs || a.round - b.round || a.attempt - b.attempt)
}
