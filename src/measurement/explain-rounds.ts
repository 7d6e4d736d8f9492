/**
 * Which rounds a verdict comes from: those with the most exchanges on the wrong side of the bar, so that one bad round is
 * seen as one bad round. Ties go to the earlier round.
 */
import { countAbove, quantile, type Distribution } from '../statistics/distribution.ts'
import { satisfies } from '../statistics/judgement.ts'
import { ratiosOf } from '../statistics/paired-ratio.ts'
import { boundOf, quantileOf, type TargetExpression } from '../statistics/target-expression.ts'
import { msOf, significant } from './derive-figures.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import { armOf, overheadSamples, type JudgedRun } from './derive-targets.ts'
import type { RoundContributions } from './explanation-document.ts'

const mostNamed = 5

interface Contribution {
  readonly round: ValidRound
  readonly count: number | null
  readonly n: number
  readonly value: number | null
}

type Counted = Omit<Contribution, 'round' | 'count'> & { readonly count: number }

/** Null without a valid round, and for figures that do not come from rounds. */
export function contributionsOf(
  expression: TargetExpression,
  arm: ArmRounds | undefined,
  run: JudgedRun,
): RoundContributions | null {
  const { measure } = expression
  if (arm === undefined || arm.valid.length === 0) return null
  const barMs = boundOf(expression)
  switch (measure.kind) {
    case 'latency': {
      const { series } = measure
      return counted('aboveBar', arm.valid, (round) =>
        aboveBar(round.series[series].whole, barMs * 1000, quantileOf[measure.quantile], 1),
      )
    }
    case 'overhead': {
      const stage = overheadSamples(arm)
      if (stage === null) return null
      const samples = new Map(arm.valid.map((round, index) => [round, stage[index]?.whole]))
      return counted('aboveBar', arm.valid, (round) => {
        const whole = samples.get(round)
        return whole === undefined
          ? { count: 0, n: 0, value: null }
          : aboveBar(whole, barMs * 1e6, quantileOf[measure.quantile], 1000)
      })
    }
    case 'errorRate':
      return counted('failed', arm.valid, ({ evidence: { counts } }) => ({
        count: counts.refused + counts.timedOut + counts.lost,
        n: counts.scheduled,
        value: significant((counts.refused + counts.timedOut + counts.lost) / counts.scheduled),
      }))
    case 'throughputPerSecond':
      return counted('notCompleted', arm.valid, ({ evidence: { counts } }) => ({
        count: counts.scheduled - counts.completed,
        n: counts.scheduled,
        value: significant(counts.completed / counts.scheduled),
      }))
    case 'speedup':
      return ratios(expression, quantileOf[measure.quantile], run)
    case 'agents':
      return agents(expression, arm, run.manifest.plan.agents)
    default:
      return null
  }
}

function aboveBar(whole: Distribution, bar: number, q: number, perUnit: number): Counted {
  const value = quantile(whole, q)
  return { count: countAbove(whole, bar), n: whole.n, value: value === null ? null : msOf(value / perUnit) }
}

function counted(
  measure: RoundContributions['measure'],
  rounds: readonly ValidRound[],
  look: (round: ValidRound) => Counted,
): RoundContributions {
  const all = rounds.map((round) => ({ round, ...look(round) }))
  const some = all.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count)
  return {
    measure,
    total: all.reduce((sum, { count }) => sum + count, 0),
    roundsWithAny: some.length,
    rounds: all.length,
    worst: some.slice(0, mostNamed).map(named),
  }
}

/** Rounds whose own value does not satisfy the bar, the smallest value first. */
function ordered(
  measure: RoundContributions['measure'],
  all: readonly Contribution[],
  expression: TargetExpression,
): RoundContributions {
  const bar = boundOf(expression)
  const missing = all
    .filter(({ value }) => value !== null && !satisfies(value, expression.comparator, bar))
    .toSorted((a, b) => (a.value ?? 0) - (b.value ?? 0))
  return {
    measure,
    total: missing.length,
    roundsWithAny: missing.length,
    rounds: all.length,
    worst: missing.slice(0, mostNamed).map(named),
  }
}

/** Null where every round had the agents that were planned: then no round stands out. */
function agents(expression: TargetExpression, { valid }: ArmRounds, planned: number): RoundContributions | null {
  const sockets = valid.map((round) => {
    return { round, count: null, n: 1, value: Math.min(planned, round.evidence.client['openSockets'] ?? planned) }
  })
  return sockets.every(({ value }) => value === planned) ? null : ordered('openSockets', sockets, expression)
}

function ratios(expression: TargetExpression, q: number, { arms }: JudgedRun): RoundContributions | null {
  const baseline = armOf('baseline', arms)
  if (baseline === undefined) return null
  const before = new Map(baseline.valid.map((round) => [round.evidence.round, round.series.roundTrip.whole]))
  const pairs = (armOf('candidate', arms)?.valid ?? []).flatMap((round): Contribution[] => {
    const other = before.get(round.evidence.round)
    const { whole } = round.series.roundTrip
    const [ratio] = other === undefined ? [] : ratiosOf([[other, whole]], q)
    return ratio === undefined ? [] : [{ round, count: null, n: whole.n, value: significant(ratio) }]
  })
  return ordered('ratio', pairs, expression)
}

function named({ round: { evidence }, count, n, value }: Contribution): RoundContributions['worst'][number] {
  return { round: evidence.round, attempt: evidence.attempt, count, n, value }
}
