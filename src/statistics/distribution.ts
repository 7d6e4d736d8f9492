/**
 * A latency distribution as a statistician sees it: distinct bucket values and integer counts, without the
 * recorder that made them. Values are the *upper* edges of histogram buckets (HdrHistogram: 3 significant
 * digits, so a bucket is at most 1/1024 of its value wide), in the caller's unit: a quantile read here is never
 * below the true one and at most one bucket above it. Distributions merge by addition; quantiles are never averaged.
 */

export interface Distribution {
  /** Sum of `counts`. */
  readonly n: number
  /** Ascending, distinct upper edges of the buckets that hold a value. */
  readonly values: Float64Array
  /** Positive integers, one per value. */
  readonly counts: Float64Array
}

export const emptyDistribution: Distribution = { n: 0, values: new Float64Array(0), counts: new Float64Array(0) }

/** From any list of single values; for tests, simulations and small series. */
export function distributionOf(samples: Iterable<number>): Distribution {
  const sorted = Float64Array.from(samples).sort()
  const values: number[] = []
  const counts: number[] = []
  for (const value of sorted) {
    const last = values.length - 1
    if (last >= 0 && values[last] === value) counts[last] = (counts[last] ?? 0) + 1
    else {
      values.push(value)
      counts.push(1)
    }
  }
  return { n: sorted.length, values: Float64Array.from(values), counts: Float64Array.from(counts) }
}

/** Adds distributions bucket by bucket; pairwise, so that k blocks cost k·log k merges of their buckets. */
export function mergeDistributions(list: readonly Distribution[]): Distribution {
  let level = list.filter((each) => each.n > 0)
  while (level.length > 1) {
    const next: Distribution[] = []
    for (let index = 0; index < level.length; index += 2) {
      const left = level[index] ?? emptyDistribution
      const right = level[index + 1]
      next.push(right === undefined ? left : mergeTwo(left, right))
    }
    level = next
  }
  return level[0] ?? emptyDistribution
}

function mergeTwo(left: Distribution, right: Distribution): Distribution {
  const values = new Float64Array(left.values.length + right.values.length)
  const counts = new Float64Array(values.length)
  let size = 0
  let i = 0
  let j = 0
  while (i < left.values.length || j < right.values.length) {
    const a = left.values[i] ?? Infinity
    const b = right.values[j] ?? Infinity
    // NaN compares with nothing, and the merge would never end.
    if (!(a <= b || b <= a)) throw new RangeError('a bucket edge is not a number')
    values[size] = Math.min(a, b)
    let count = 0
    if (a <= b) count += left.counts[i++] ?? 0
    if (b <= a) count += right.counts[j++] ?? 0
    counts[size++] = count
  }
  return { n: left.n + right.n, values: values.slice(0, size), counts: counts.slice(0, size) }
}

/** The value at rank ⌈q·n⌉ (at least 1), or null when empty. `q` lies in 0 … 1. */
export function quantile(distribution: Distribution, q: number): number | null {
  return valueAtRank(distribution, rankOf(q, distribution.n))
}

/** The rank of the q-quantile of `n` samples, from 1: ⌈q·n⌉. */
export function rankOf(q: number, n: number): number {
  return Math.max(1, Math.ceil(exactProduct(q, n)))
}

/**
 * q·n without the rounding that would lift an exact rank to the next one: 0.07 × 100 is 7.000000000000001 in
 * binary floating point, and its ceiling must be 7.
 */
function exactProduct(q: number, n: number): number {
  const product = q * n
  const nearest = Math.round(product)
  return Math.abs(product - nearest) <= 1e-9 * Math.max(1, nearest) ? nearest : product
}

/** The value of 1-based rank `rank` in ascending order, or null outside 1 … n. */
export function valueAtRank(distribution: Distribution, rank: number): number | null {
  if (!(rank >= 1) || rank > distribution.n) return null
  let seen = 0
  for (let index = 0; index < distribution.values.length; index++) {
    seen += distribution.counts[index] ?? 0
    if (seen >= rank) return distribution.values[index] ?? null
  }
  return null
}

/**
 * How many samples may exceed `bound`: all buckets whose upper edge does. A bucket that straddles the bound
 * counts as above it, so the count errs towards more exceedances by at most that bucket.
 */
export function countAbove(distribution: Distribution, bound: number): number {
  let count = 0
  for (let index = distribution.values.length - 1; index >= 0; index--) {
    if ((distribution.values[index] ?? 0) <= bound) break
    count += distribution.counts[index] ?? 0
  }
  return count
}

/** The upper edge of the highest bucket, or null when empty. */
export function maximum(distribution: Distribution): number | null {
  return distribution.values.at(-1) ?? null
}

/**
 * The lower edge of the 3-digit HdrHistogram bucket whose upper edge is `upper`, for integer values recorded with
 * a lowest discernible value of 1: buckets are 1 wide up to 2047, then double in width with every doubling.
 * What is not an integer came from no such bucket and is returned as it is.
 */
export function bucketLowerEdge(upper: number): number {
  if (!Number.isInteger(upper) || upper < 2048) return upper
  const width = 2 ** (Math.floor(Math.log2(upper)) - 10)
  return upper - width + 1
}
