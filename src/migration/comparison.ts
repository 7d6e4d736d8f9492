/**
 * The two groups of a phase compared as an experiment: both were watched at the same time under the same load, so what befell both cancels.
 *
 * What decides is the one-sided bound of the ratio of a quantile against the plan's margin (statistics/non-inferiority.ts). Beside it stand other quantiles, how
 * often deliveries fail, in how many blocks of intervals one group missed a bar of the phase and the other did not, and a control: the baseline against itself,
 * every second interval against those between, which says how far apart two groups come that differ in nothing.
 */
import type { ComparedBound, ComparedQuantile, PhaseComparison } from '../measurement/comparison-document.ts'
import { seededRandom, type Random } from '../platform/random.ts'
import { failureShares } from '../statistics/failure-shares.ts'
import { judgeNonInferiority, type NonInferiority } from '../statistics/non-inferiority.ts'
import { mcNemar } from '../statistics/paired-outcomes.ts'
import {
  quantileRatios,
  type BootstrappedRatios,
  type PairedCell,
  type QuantileRatio,
} from '../statistics/quantile-ratio.ts'
import {
  boundOf,
  quantileNames,
  quantileOf,
  quantileTitle,
  type QuantileName,
} from '../statistics/target-expression.ts'
import { allowedShare } from './evidence.ts'
import { mostCells, type Cell, type GroupCells, type GroupTally } from './group-cells.ts'
import type { Bar, ComparisonRules, MigrationPlan, Phase } from './plan.ts'

/** Of one look. */
export const usualAlpha = 0.05

/** One attempt at a phase, with what was observed of it. */
export interface PhaseGroups {
  readonly plan: MigrationPlan
  readonly phase: Phase
  readonly attempt: number
  readonly enteredMs: number
  readonly groups: GroupCells
}

/** A look while the phase goes on: with its own error, at what was observed until then. */
export interface Look {
  readonly alpha: number
  readonly toMs: number
}

/** What decides, and nothing beside it: whoever carries a migration on has no time for more. */
export function judgePhase(
  of: PhaseGroups,
  { quantile, margin }: ComparisonRules,
  { alpha, toMs }: Look,
): NonInferiority & { readonly ratio: QuantileRatio | undefined } {
  const cells = of.groups.cells(toMs)
  const drawn = quantileRatios(cells, [quantileOf[quantile]], { random: drawsOf('comparison', of), alpha })
  return { ...judge(cells, drawn, 0, margin), ratio: drawn.ratios[0] }
}

function drawsOf(what: 'comparison' | 'control', { plan, phase, attempt }: PhaseGroups): Random {
  return seededRandom(`${what}/${plan.name}/${phase.name}/${attempt}`)
}

export function comparePhase(of: PhaseGroups, rules: ComparisonRules): PhaseComparison {
  const { plan, phase, attempt, groups } = of
  const cells = groups.cells()
  const alpha = usualAlpha
  const names = quantileNames.filter((name) => name !== 'p999' || rules.quantile === 'p999')
  const quantiles = names.map((name) => quantileOf[name])
  const drawn = quantileRatios(cells, quantiles, { random: drawsOf('comparison', of), alpha })
  const judged = judge(cells, drawn, names.indexOf(rules.quantile), rules.margin)
  const control = controlOf(cells, rules, drawsOf('control', of))
  const { intervalsPerCell } = groups
  const moreIntervals = judged.moreIntervals === null ? null : judged.moreIntervals * intervalsPerCell
  return {
    phase: phase.name,
    attempt,
    percentage: phase.percentage,
    ...rules,
    alpha,
    verdict: judged.verdict,
    reason: judged.reason,
    moreIntervals,
    moreMs: moreIntervals === null ? null : moreIntervals * plan.evidence.intervalMs,
    intervals: cells.reduce((sum, cell) => sum + cell.intervals, 0),
    intervalsPerCell,
    cells: cells.length,
    block: drawn.block,
    resamples: drawn.resamples,
    candidate: totals(cells.map((cell) => cell.candidate)),
    baseline: totals(cells.map((cell) => cell.baseline)),
    quantiles: drawn.ratios.map((ratio, index) => quantileRecord(names[index] ?? 'p50', ratio)),
    failures: failureShares(
      cells.map((cell) => shareOf(cell.candidate)),
      cells.map((cell) => shareOf(cell.baseline)),
    ),
    bounds: latencyBars(phase).map((bar) => boundRecord(bar, cells, drawn.block)),
    control,
    notes: notesOf(groups, drawn, names, control, rules),
  }
}

function judge(cells: readonly PairedCell[], drawn: BootstrappedRatios, index: number, margin: number): NonInferiority {
  const ratio = drawn.ratios[index]
  if (ratio === undefined) throw new RangeError('the quantile that decides is not among those that are compared')
  const due = ({ distribution, beyond }: PairedCell['candidate']): number => distribution.n + beyond
  const total = (list: readonly PairedCell['candidate'][]): number => list.reduce((sum, each) => sum + due(each), 0)
  const smaller = Math.min(total(cells.map((each) => each.candidate)), total(cells.map((each) => each.baseline)))
  const paired = cells.filter(({ candidate, baseline }) => due(candidate) > 0 && due(baseline) > 0)
  return judgeNonInferiority({ ratio, intervals: paired.length, due: smaller, block: drawn.block }, margin)
}

/** Neighbours: what changes slowly is in both. Noise is that of half as many intervals, so it is scaled to all of them by √½. */
function controlOf(
  cells: readonly Cell[],
  { quantile, margin }: ComparisonRules,
  random: Random,
): PhaseComparison['control'] {
  const pairs = Array.from({ length: Math.floor(cells.length / 2) }, (_, index): PairedCell => {
    const [one, other] = [cells[2 * index] as Cell, cells[2 * index + 1] as Cell]
    return { candidate: one.baseline, baseline: other.baseline }
  })
  const drawn = quantileRatios(pairs, [quantileOf[quantile]], { random, alpha: usualAlpha })
  const { verdict } = judge(pairs, drawn, 0, margin)
  const [read] = drawn.ratios
  const spread = finite(read?.spread)
  const noise = spread === null ? null : spread ** Math.SQRT1_2
  return { pairs: pairs.length, ratio: finite(read?.ratio), noise, verdict }
}

function totals(groups: readonly GroupTally[]): { due: number; failed: number } {
  return groups.reduce((sum, { due, failed }) => ({ due: sum.due + due, failed: sum.failed + failed }), {
    due: 0,
    failed: 0,
  })
}

function shareOf({ due, failed }: GroupTally): { hits: number; n: number } {
  return { hits: failed, n: due }
}

function finite(value: number | null | undefined): number | null {
  return value === null || value === undefined || !Number.isFinite(value) ? null : value
}

function quantileRecord(quantile: QuantileName, ratio: BootstrappedRatios['ratios'][number]): ComparedQuantile {
  const inMs = (micros: number | null): number | null => (finite(micros) === null ? null : Number(micros) / 1000)
  const [candidateMs, baselineMs] = [inMs(ratio.candidate), inMs(ratio.baseline)]
  return {
    quantile,
    candidateMs,
    baselineMs,
    ratio: finite(ratio.ratio),
    low: finite(ratio.low),
    high: finite(ratio.high),
  }
}

function latencyBars({ gates }: Phase): Bar[] {
  return gates.filter(({ target }) => target.measure.kind === 'latency' && target.subject === 'candidate')
}

/** By blocks, since neighbours that miss together are not as many cases. */
function boundRecord(bar: Bar, cells: readonly Cell[], block: number): ComparedBound {
  const bound = String(boundOf(bar.target))
  const outcomes = { both: 0, onlyCandidate: 0, onlyBaseline: 0, neither: 0 }
  for (let from = 0; from < cells.length; from += block) {
    const part = cells.slice(from, from + block)
    const misses = (groups: readonly GroupTally[]): boolean | null => {
      const { due, failed } = totals(groups)
      const slow = groups.reduce((sum, each) => sum + (each.above[bound] ?? 0), 0)
      return due === 0 ? null : failed + slow > allowedShare(bar) * due
    }
    const [candidate, baseline] = [
      misses(part.map((each) => each.candidate)),
      misses(part.map((each) => each.baseline)),
    ]
    if (candidate === null || baseline === null) continue
    outcomes[candidate ? (baseline ? 'both' : 'onlyCandidate') : baseline ? 'onlyBaseline' : 'neither']++
  }
  const { title, expression } = bar
  return { title, expression, ...mcNemar(outcomes) }
}

function notesOf(
  { unread, intervalsPerCell }: GroupCells,
  { ratios }: BootstrappedRatios,
  names: readonly QuantileName[],
  { noise }: PhaseComparison['control'],
  { margin }: ComparisonRules,
): string[] {
  const never = (which: 'candidate' | 'baseline'): string =>
    ratios.flatMap((each, index) => (each[which] === Infinity ? [quantileTitle(names[index] ?? 'p50')] : [])).join(', ')
  const [slow, usual] = [never('candidate'), never('baseline')]
  return [
    ...(slow === '' ? [] : [`on the new path ${slow} is among deliveries that never arrived`]),
    ...(usual === '' ? [] : [`on the old path ${usual} is among deliveries that never arrived`]),
    ...(unread === 0 ? [] : [`${unread} intervals came without histograms, and are not compared`]),
    ...(intervalsPerCell === 1
      ? []
      : [`${intervalsPerCell} neighbouring intervals are one cell: more than ${mostCells} are not kept apart`]),
    ...(noise === null || noise < margin
      ? []
      : [
          `the old path differs from itself by up to ${noise.toPrecision(3)} times: a margin of ${margin} is within its noise`,
        ]),
  ]
}
