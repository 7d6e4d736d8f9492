/**
 * "How many times as long does it take?": the ratio of a quantile of two groups that were watched in the same intervals, candidate over baseline, with a bound
 * on each side by the circular block bootstrap. An interval is drawn with both groups in it, so what slowed both down cancels; within a resample histograms
 * are merged before the quantile is read, since quantiles are never averaged. What never arrived took longer than everything that did.
 *
 * B = 2,000 resamples are enough for percentiles near 5 % (Efron & Tibshirani 1993, §19.3); smaller errors take more. Percentile intervals of few blocks are too
 * narrow: the percentile is widened from the normal to Student's t over the blocks (Hesterberg 2015, "What teachers should know about the bootstrap", §3.3).
 */
import type { Random } from '../platform/random.ts'
import { blockLength, drawBlocks } from './block-bootstrap.ts'
import { countAbove, rankOf, type Distribution } from './distribution.ts'
import { studentTCdf, studentTQuantile } from './special-functions.ts'

/** One group in one interval. */
export interface GroupCell {
  readonly distribution: Distribution
  /** Deliveries beyond any measured time. */
  readonly beyond: number
}

export interface PairedCell {
  readonly candidate: GroupCell
  readonly baseline: GroupCell
}

/** Values are in the unit of the histograms; `Infinity` where the quantile never arrived, null without a delivery. */
export interface QuantileRatio {
  readonly q: number
  readonly candidate: number | null
  readonly baseline: number | null
  /** Null where one of the two has no value, or neither is finite. */
  readonly ratio: number | null
  /** Each wrong with probability `alpha`; null where the resamples give none. */
  readonly low: number | null
  readonly high: number | null
  /** Of |ln ratio| in the resamples, the 95th percentile as a factor: how far chance alone takes it. */
  readonly spread: number | null
}

export interface BootstrapRules {
  readonly random: Random
  readonly alpha?: number
  readonly resamples?: number
  /** In intervals; chosen by the data when it is left out. */
  readonly block?: number
}

export interface BootstrappedRatios {
  readonly ratios: readonly QuantileRatio[]
  /** Length of a block, in intervals. */
  readonly block: number
  readonly resamples: number
}

export const usualResamples = 2000
const mostResamples = 20_000

/** In the order of `quantiles`. */
export function quantileRatios(
  cells: readonly PairedCell[],
  quantiles: readonly number[],
  { random, alpha = 0.05, resamples, block }: BootstrapRules,
): BootstrappedRatios {
  const groups = [
    new Table(cells.map((each) => each.candidate)),
    new Table(cells.map((each) => each.baseline)),
  ] as const
  const weights = new Uint32Array(cells.length).fill(1)
  const points = groups.map((group) => group.quantiles(weights, quantiles))
  const length = Math.max(1, Math.min(cells.length, block ?? chooseBlock(cells, groups)))
  const tail = widenedAlpha(alpha, cells.length / length)
  // Ten resamples have to lie beyond a percentile for it to be one.
  const count = resamples ?? Math.min(mostResamples, Math.max(usualResamples, Math.ceil(10 / tail)))
  const drawn = quantiles.map(() => new Float64Array(cells.length === 0 ? 0 : count))
  for (let index = 0; index < count && cells.length > 0; index++) {
    drawBlocks(weights, length, random)
    const [candidate, baseline] = groups.map((group) => group.quantiles(weights, quantiles))
    for (const [each, ratios] of drawn.entries()) ratios[index] = ratioOf(candidate?.[each], baseline?.[each])
  }
  const ratios = quantiles.map((q, each): QuantileRatio => {
    const [candidate = null, baseline = null] = points.map((point) => point[each] ?? null)
    const ratio = ratioOf(candidate, baseline)
    const known = !Number.isNaN(ratio)
    const bounds = known
      ? percentiles(drawn[each] ?? new Float64Array(0), tail)
      : { low: null, high: null, spread: null }
    return { q, candidate, baseline, ratio: known ? ratio : null, ...bounds }
  })
  return { ratios, block: length, resamples: count }
}

/** NaN when it says nothing: no delivery, or both beyond every time. */
function ratioOf(candidate: number | null | undefined, baseline: number | null | undefined): number {
  if (candidate === null || candidate === undefined || baseline === null || baseline === undefined) return NaN
  return candidate / baseline
}

/**
 * As long as what makes intervals alike: that of deliveries above the median, which moves with the level of a group. Those above a high quantile are too few
 * in each interval for their likeness to be seen.
 */
function chooseBlock(cells: readonly PairedCell[], [candidate, baseline]: readonly [Table, Table]): number {
  const excess = (group: GroupCell, value: number): number => {
    const { distribution, beyond } = group
    return countAbove(distribution, value) + beyond - (distribution.n + beyond) / 2
  }
  const weights = new Uint32Array(cells.length).fill(1)
  const median = (group: Table): number => group.quantiles(weights, [0.5])[0] ?? Infinity
  const [slow, usual] = [median(candidate), median(baseline)]
  return blockLength(cells.length, [
    cells.map((cell) => excess(cell.candidate, slow)),
    cells.map((cell) => excess(cell.baseline, usual)),
  ])
}

/** Φ of t at `alpha` over so many blocks, each worth k/(k−1) of what its spread says. */
function widenedAlpha(alpha: number, blocks: number): number {
  const k = Math.max(2, Math.floor(blocks))
  return studentTCdf(-studentTQuantile(1 - alpha, k - 1) * Math.sqrt(k / (k - 1)), 1e9)
}

/** A resample that says nothing speaks against each bound. */
function percentiles(ratios: Float64Array, tail: number): Pick<QuantileRatio, 'low' | 'high' | 'spread'> {
  const count = ratios.length
  const worst = (nothing: number): Float64Array => ratios.map((each) => (Number.isNaN(each) ? nothing : each)).sort()
  const low = worst(0)[Math.floor(tail * (count + 1)) - 1] ?? null
  const high = worst(Infinity)[Math.ceil((1 - tail) * (count + 1)) - 1] ?? null
  const factors = ratios.map((each) => (Number.isNaN(each) ? Infinity : Math.max(each, 1 / each))).sort()
  return { low, high, spread: factors[Math.ceil(0.95 * count) - 1] ?? null }
}

/** Sums are kept at so many places, so that a quantile of a resample is found without walking over all buckets above it. */
const marks = 256

/** All buckets of a group over all intervals, the largest values first. */
class Table {
  private readonly values: Float64Array
  private readonly counts: Float64Array
  private readonly cells: Uint32Array
  private readonly due: Float64Array
  private readonly beyond: Float64Array
  /** Buckets between two marks. */
  private readonly stride: number
  /** By mark: what each interval has above it. */
  private readonly above: Float64Array[]

  constructor(groups: readonly GroupCell[]) {
    const size = groups.reduce((sum, { distribution }) => sum + distribution.values.length, 0)
    const [values, counts, cells] = [new Float64Array(size), new Float64Array(size), new Uint32Array(size)]
    let next = 0
    for (const [cell, { distribution }] of groups.entries()) {
      values.set(distribution.values, next)
      counts.set(distribution.counts, next)
      cells.fill(cell, next, next + distribution.values.length)
      next += distribution.values.length
    }
    const order = new Uint32Array(size).map((_, index) => index).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))
    this.values = Float64Array.from(order, (index) => values[index] ?? 0)
    this.counts = Float64Array.from(order, (index) => counts[index] ?? 0)
    this.cells = Uint32Array.from(order, (index) => cells[index] ?? 0)
    this.due = Float64Array.from(groups, ({ distribution, beyond }) => distribution.n + beyond)
    this.beyond = Float64Array.from(groups, ({ beyond }) => beyond)
    this.stride = Math.max(1, Math.ceil(size / marks))
    this.above = this.sumsAtMarks()
  }

  private sumsAtMarks(): Float64Array[] {
    const sums = Float64Array.from(this.beyond)
    const kept: Float64Array[] = [sums.slice()]
    for (let index = 0; index < this.values.length; index++) {
      const cell = this.cells[index] ?? 0
      sums[cell] = (sums[cell] ?? 0) + (this.counts[index] ?? 0)
      if ((index + 1) % this.stride === 0) kept.push(sums.slice())
    }
    return kept
  }

  /** Of all intervals, each counted as often as it weighs. */
  quantiles(weights: Uint32Array, quantiles: readonly number[]): (number | null)[] {
    const n = weighted(this.due, weights)
    return quantiles.map((q) => (n === 0 ? null : this.valueBelow(weights, n - rankOf(q, n))))
  }

  /** The largest value that more than `most` deliveries reach or exceed. */
  private valueBelow(weights: Uint32Array, most: number): number {
    if (weighted(this.beyond, weights) > most) return Infinity
    let low = 0
    let high = this.above.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.aboveMark(middle, weights) <= most) low = middle
      else high = middle - 1
    }
    let above = this.aboveMark(low, weights)
    let index = low * this.stride
    let value = Infinity
    while (above <= most && index < this.values.length) {
      above += (this.counts[index] ?? 0) * (weights[this.cells[index] ?? 0] ?? 0)
      value = this.values[index++] ?? 0
    }
    return value
  }

  private aboveMark(mark: number, weights: Uint32Array): number {
    const sums = this.above[mark]
    return sums === undefined ? 0 : weighted(sums, weights)
  }
}

function weighted(counts: Float64Array, weights: Uint32Array): number {
  let sum = 0
  for (let index = 0; index < counts.length; index++) sum += (counts[index] ?? 0) * (weights[index] ?? 0)
  return sum
}
