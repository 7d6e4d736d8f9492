/**
 * What a verdict compared, and what makes its bounds as wide as they are. Comparison and φ come from the functions that
 * the judge calls; that Student's t made a bound wider than its order statistics is seen by setting the two side by
 * side. Drivers are explanation: no verdict is taken from them.
 */
import { completedShare, oneSided, satisfies } from '../statistics/judgement.ts'
import {
  bucketLowerEdge,
  countAbove,
  maximum,
  mergeDistributions,
  quantile,
  valueAtRank,
  type Distribution,
} from '../statistics/distribution.ts'
import { dispersion, proportionBounds, type Cell } from '../statistics/proportion.ts'
import {
  clearOfMaximum,
  dispersionAt,
  exceedancesAllowed,
  lowerRankOf,
  minimumSamples,
  targetBounds,
  unseenDispersion,
  type RoundSample,
} from '../statistics/quantile-interval.ts'
import { boundOf, quantileOf, type QuantileName, type TargetExpression } from '../statistics/target-expression.ts'
import { highMs, lowMs } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { failureCells, overheadSamples, throughputData, type JudgedRun } from './derive-targets.ts'
import type { BoundComparison, BoundDriver, ComparedBound } from './explanation-document.ts'
import type { TargetResult } from './results-document.ts'

/** Null where the judge compared no bounds. */
export function comparisonOf(
  expression: TargetExpression,
  judged: TargetResult,
  arm: ArmRounds | undefined,
  { manifest }: JudgedRun,
): BoundComparison | null {
  const { measure, comparator } = expression
  if (judged.verdict === 'NOT_DEMONSTRATED' || arm === undefined || measure.kind === 'agents') return null
  if (measure.kind === 'throughputPerSecond') {
    const { rounds, backlogGrows } = throughputData(arm, manifest)
    const { low, high } = proportionBounds(rounds, oneSided)
    const compared = (side: ComparedBound['side'], value: number | null): ComparedBound => {
      return { side, value, inside: value === null ? null : value >= completedShare }
    }
    return {
      quantity: 'completedShare',
      bar: completedShare,
      badSide: compared('lower', low),
      goodSide: compared('upper', high),
      ...(backlogGrows === null ? {} : { backlogGrows }),
    }
  }
  const bar = boundOf(expression)
  const compared = (side: ComparedBound['side']): ComparedBound => {
    const value = side === 'upper' ? judged.high : judged.low
    return { side, value, inside: value === null ? null : satisfies(value, comparator, bar) }
  }
  const [bad, good] = comparator.startsWith('<') ? (['upper', 'lower'] as const) : (['lower', 'upper'] as const)
  return { quantity: 'measure', bar, badSide: compared(bad), goodSide: compared(good) }
}

/** The bound of the bad side first; empty without bounds. */
export function driversOf(
  expression: TargetExpression,
  judged: TargetResult,
  arm: ArmRounds | undefined,
): BoundDriver[] {
  const { measure, comparator } = expression
  if (arm === undefined || arm.valid.length === 0) return []
  const order = (drivers: BoundDriver[]): BoundDriver[] => (comparator.startsWith('<') ? drivers : drivers.toReversed())
  switch (measure.kind) {
    case 'latency': {
      const { series } = measure
      return order(
        quantileDrivers(
          arm.valid.map((round) => round.series[series]),
          measure.quantile,
          1,
        ),
      )
    }
    case 'overhead':
      return order(quantileDrivers(overheadSamples(arm) ?? [], measure.quantile, 1000))
    case 'errorRate':
      return order(proportionDrivers(failureCells(arm)))
    case 'throughputPerSecond':
      return order(
        proportionDrivers(
          arm.valid.map(({ evidence: { counts } }) => ({ hits: counts.completed, n: counts.scheduled })),
        ),
      )
    case 'speedup': {
      if (judged.low === null) return []
      const ranks: Omit<BoundDriver, 'side' | 'rounds'> = {
        ...plain,
        by: 'ratioRanks',
        n: judged.n,
        effectiveN: judged.n,
      }
      return order([
        { ...ranks, side: 'upper', rounds: judged.n },
        { ...ranks, side: 'lower', rounds: judged.n },
      ])
    }
    default:
      return []
  }
}

const plain = {
  phi: 1,
  phiFrom: 'independent',
  phiBetweenRounds: null,
  phiBetweenBlocks: null,
  orderStatistic: null,
  maximumFactor: null,
} as const

/** The upper bound first. `perUnit` is how many histogram units make a microsecond. */
function quantileDrivers(rounds: readonly RoundSample[], name: QuantileName, perUnit: number): BoundDriver[] {
  const q = quantileOf[name]
  const pooled = mergeDistributions(rounds.map(({ whole }) => whole))
  const value = quantile(pooled, q)
  const bounds = targetBounds(rounds, q, oneSided)
  if (value === null) return []
  const { n } = pooled
  const phi = dispersionAt(rounds, value)
  const common = {
    n,
    effectiveN: n / phi,
    phi,
    ...dispersionSources(rounds, value),
    rounds: rounds.length,
    orderStatistic: null,
    maximumFactor: null,
  }
  const drivers: BoundDriver[] = []
  if (bounds.high !== null)
    drivers.push({ ...common, side: 'upper', ...upperDriver(pooled, q, phi, bounds.high, perUnit) })
  const lowerRank = lowerRankOf(n, q, phi, oneSided)
  const atRank = lowerRank === null ? null : valueAtRank(pooled, lowerRank)
  if (bounds.low !== null && atRank !== null) {
    const edge = bucketLowerEdge(atRank)
    const isT = bounds.low < edge
    const orderStatistic = isT ? lowMs(edge / perUnit) : null
    drivers.push({ ...common, side: 'lower', by: isT ? 'studentT' : 'orderStatistics', orderStatistic })
  }
  return drivers
}

function upperDriver(
  pooled: Distribution,
  q: number,
  phi: number,
  high: number,
  perUnit: number,
): Pick<BoundDriver, 'by' | 'orderStatistic' | 'maximumFactor'> {
  const allowed = exceedancesAllowed(pooled.n, q, phi, oneSided)
  if (allowed === null || allowed === 0) {
    const factor = pooled.n / unseenDispersion >= minimumSamples(q, oneSided) ? 1 : clearOfMaximum
    const top = (maximum(pooled) ?? 0) * factor
    if (high <= top) return { by: 'nothingAbove', orderStatistic: null, maximumFactor: factor }
    return { by: 'studentT', orderStatistic: highMs(top / perUnit), maximumFactor: null }
  }
  const orderHigh = valueAtRank(pooled, pooled.n - allowed)
  const isT = orderHigh !== null && high > orderHigh
  return {
    by: isT ? 'studentT' : 'orderStatistics',
    orderStatistic: isT ? highMs(orderHigh / perUnit) : null,
    maximumFactor: null,
  }
}

function dispersionSources(
  rounds: readonly RoundSample[],
  value: number,
): Pick<BoundDriver, 'phiFrom' | 'phiBetweenRounds' | 'phiBetweenBlocks'> {
  const cell = (distribution: Distribution): Cell => ({ hits: countAbove(distribution, value), n: distribution.n })
  const wholes = rounds.map(({ whole }) => cell(whole))
  if (wholes.every(({ hits }) => hits === 0)) {
    return { phiFrom: 'assumed', phiBetweenRounds: null, phiBetweenBlocks: null }
  }
  const phiBetweenRounds = dispersion(wholes)
  const phiBetweenBlocks = dispersion(rounds.flatMap(({ blocks }) => blocks.map(cell)))
  const largest = Math.max(phiBetweenRounds ?? 1, phiBetweenBlocks ?? 1)
  const phiFrom = largest <= 1 ? 'independent' : largest === phiBetweenBlocks ? 'blocks' : 'rounds'
  return { phiFrom, phiBetweenRounds, phiBetweenBlocks }
}

function proportionDrivers(cells: readonly Cell[]): BoundDriver[] {
  const { n, phi } = proportionBounds(cells, oneSided)
  const common: Omit<BoundDriver, 'side'> = {
    ...plain,
    by: 'clopperPearson',
    n,
    effectiveN: n / phi,
    phi,
    phiFrom: phi > 1 ? 'rounds' : 'independent',
    phiBetweenRounds: dispersion(cells),
    rounds: cells.length,
  }
  return [
    { ...common, side: 'upper' },
    { ...common, side: 'lower' },
  ]
}
