/**
 * Percentile distribution text (`.hgrm`), as HdrHistogram's `outputPercentileDistribution` prints it and its
 * plotter opens: Value, Percentile, TotalCount, 1/(1-Percentile). Values are in milliseconds. The steps halve
 * the distance to 100 % every five lines, so the tail gets as much room as the body (method: Gil Tene,
 * PercentileIterator).
 */
import { bucketLowerEdge, maximum, type Distribution } from '../statistics/distribution.ts'

const ticksPerHalfDistance = 5

/** `unitsPerMs`: 1000 for a distribution in microseconds, 1,000,000 for one in nanoseconds. */
export function hgrmText(distribution: Distribution, unitsPerMs: number): string {
  const { n, values, counts } = distribution
  const lines = ['       Value     Percentile TotalCount 1/(1-Percentile)', '']
  const number = fixed(unitsPerMs > 1000 ? 6 : 3)
  let level = 0
  let seen = 0
  for (const [index, value] of values.entries()) {
    seen += counts[index] ?? 0
    // One bucket may answer several levels, and each gets its line; the last bucket answers one and then 100 %.
    while ((100 * seen) / n >= level) {
      lines.push(line(number(value / unitsPerMs), level, seen))
      level = nextLevel(level)
      if (seen === n) break
    }
  }
  const max = number((maximum(distribution) ?? 0) / unitsPerMs)
  if (n > 0) lines.push(line(max, 100, n))
  const { mean, deviation } = moments(distribution)
  const float = (units: number): string => number(units / unitsPerMs).padStart(12)
  lines.push(
    `#[Mean    = ${float(mean)}, StdDeviation   = ${float(deviation)}]`,
    `#[Max     = ${max.padStart(12)}, Total count    = ${String(n).padStart(12)}]`,
    `#[Buckets = ${String(values.length).padStart(12)}, SubBuckets     = ${String(2048).padStart(12)}]`,
    '',
  )
  return lines.join('\n')
}

/** Rounds decimal text rather than binary fractions, as the original does: a level such as 0.9997802734375 is a tie. */
function fixed(decimals: number): (value: number) => string {
  const format = new Intl.NumberFormat('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
    useGrouping: false,
  })
  return (value) => format.format(value)
}

const percentile = fixed(12)
const distance = fixed(2)

function line(value: string, level: number, seen: number): string {
  const head = `${value.padStart(12)} ${percentile(level / 100)} ${String(seen).padStart(10)}`
  return level < 100 ? `${head} ${distance(1 / (1 - level / 100)).padStart(14)}` : head
}

function nextLevel(level: number): number {
  const ticks = ticksPerHalfDistance * 2 ** (Math.floor(Math.log2(100 / (100 - level))) + 1)
  return level + 100 / ticks
}

/** Of the middles of the buckets, as HdrHistogram takes them. */
function moments({ n, values, counts }: Distribution): { mean: number; deviation: number } {
  if (n === 0) return { mean: 0, deviation: 0 }
  let sum = 0
  let squares = 0
  for (const [index, upper] of values.entries()) sum += middle(upper) * (counts[index] ?? 0)
  const mean = sum / n
  for (const [index, upper] of values.entries()) squares += (middle(upper) - mean) ** 2 * (counts[index] ?? 0)
  return { mean, deviation: Math.sqrt(squares / n) }
}

function middle(upper: number): number {
  const lower = bucketLowerEdge(upper)
  return lower + Math.floor((upper - lower + 1) / 2)
}
