/**
 * The two groups of one phase, interval by interval, in bounded memory: when there are more than 2,000 intervals, or their histograms hold more than 4 million
 * buckets, neighbours are merged two by two, and from then on each cell holds twice as many. Merging loses nothing but the order within a cell, and makes
 * a bound of dependent intervals no narrower, since the bootstrap draws longer runs than a cell in any case.
 */
import { decodeHistogram, HistogramFormatError } from '../measurement/histogram-codec.ts'
import { emptyDistribution, mergeDistributions } from '../statistics/distribution.ts'
import type { GroupCell } from '../statistics/quantile-ratio.ts'
import type { JournalledGroup, JournalledObservation } from './journal.ts'

export interface GroupTally extends GroupCell {
  readonly due: number
  readonly failed: number
  readonly above: Readonly<Record<string, number>>
}

export interface Cell {
  readonly candidate: GroupTally
  readonly baseline: GroupTally
  readonly intervals: number
  readonly toMs: number
}

export const mostCells = 2000
/** 16 bytes each. */
const mostBuckets = 4 * 2 ** 20
/** Below it cells are not merged for their buckets: there would be nothing left to draw from. */
const fewestCells = 256

export class GroupCells {
  private list: Cell[] = []
  private perCell = 1
  private buckets = 0
  intervals = 0
  /** Intervals of a system that counts by itself and keeps no histogram. */
  unread = 0

  /** Throws HistogramFormatError. */
  add({ candidate, baseline, toMs }: JournalledObservation): void {
    if (candidate.due === 0 && baseline.due === 0) return
    const groups = [candidate, baseline] as const
    if (groups.some(({ due, histogram }) => due > 0 && histogram === null)) {
      this.unread++
      return
    }
    this.intervals++
    const cell = { candidate: tallyOf(candidate), baseline: tallyOf(baseline), intervals: 1, toMs }
    const last = this.list.at(-1)
    if (last !== undefined && last.intervals < this.perCell) this.list[this.list.length - 1] = merged(last, cell)
    else this.list.push(cell)
    this.buckets += bucketsOf(cell)
    while (this.isFull()) this.merge()
  }

  private isFull(): boolean {
    return this.list.length > mostCells || (this.buckets > mostBuckets && this.list.length > fewestCells)
  }

  private merge(): void {
    this.perCell *= 2
    this.list = Array.from({ length: Math.ceil(this.list.length / 2) }, (_, index) => {
      const [one, other] = [this.list[2 * index], this.list[2 * index + 1]]
      return other === undefined ? (one as Cell) : merged(one as Cell, other)
    })
    this.buckets = this.list.reduce((sum, cell) => sum + bucketsOf(cell), 0)
  }

  /** Of intervals that ended by `toMs`. */
  cells(toMs = Infinity): readonly Cell[] {
    return toMs === Infinity ? this.list : this.list.filter((cell) => cell.toMs <= toMs)
  }

  get intervalsPerCell(): number {
    return this.perCell
  }
}

function tallyOf({ due, failed, unmeasured, above, histogram }: JournalledGroup): GroupTally {
  const distribution = histogram === null ? emptyDistribution : decodeHistogram(histogram)
  const beyond = failed + unmeasured
  if (distribution.n + beyond !== due)
    throw new HistogramFormatError(`${due} deliveries were due, and ${distribution.n + beyond} are accounted for`)
  return { due, failed, beyond, above, distribution }
}

function bucketsOf({ candidate, baseline }: Cell): number {
  return candidate.distribution.values.length + baseline.distribution.values.length
}

function merged(one: Cell, other: Cell): Cell {
  return {
    candidate: mergedTally(one.candidate, other.candidate),
    baseline: mergedTally(one.baseline, other.baseline),
    intervals: one.intervals + other.intervals,
    toMs: other.toMs,
  }
}

function mergedTally(one: GroupTally, other: GroupTally): GroupTally {
  const bounds = Object.keys({ ...one.above, ...other.above })
  return {
    distribution: mergeDistributions([one.distribution, other.distribution]),
    due: one.due + other.due,
    failed: one.failed + other.failed,
    beyond: one.beyond + other.beyond,
    above: Object.fromEntries(bounds.map((bound) => [bound, (one.above[bound] ?? 0) + (other.above[bound] ?? 0)])),
  }
}
