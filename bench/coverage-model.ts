/**
 * A seeded model of rounds whose truth is known, to measure what the intervals are worth. Arrivals are Poisson; a
 * request takes 1.5 ms plus an exponential of mean 0.5 ms, scaled by what the round's machine is like (log-uniform
 * ±5 %); stalls arrive as a Poisson process, last uniformly 5 to 100 ms, and whoever arrives in one waits for its
 * end: that is what makes exceedances come in clusters. Values are whole microseconds in 3-digit buckets.
 */
import {
  distributionOf,
  maximum,
  mergeDistributions,
  quantile,
  valueAtRank,
  type Distribution,
} from '../src/statistics/distribution.ts'
import {
  exceedancesAllowed,
  lowerRankOf,
  minimumSamples,
  quantileInterval,
  targetBounds,
  type QuantileBounds,
  type RoundSample,
} from '../src/statistics/quantile-interval.ts'
import type { Random } from '../src/platform/random.ts'

export interface Scenario {
  readonly name: string
  readonly ratePerSecond: number
  readonly seconds: number
  readonly rounds: number
  readonly stallsPerSecond: number
  /** Multiplies what a request takes; for the slower engine of a comparison. */
  readonly slowness: number
}

/** One round in 1 s blocks. */
export function simulateRound(scenario: Scenario, random: Random): RoundSample {
  const blocks: number[][] = Array.from({ length: Math.ceil(scenario.seconds) }, () => [])
  const machine = Math.exp((random.uniform() - 0.5) * 0.1) * scenario.slowness
  let stallStart = scenario.stallsPerSecond > 0 ? random.exponential() / scenario.stallsPerSecond : Infinity
  let stallEnd = stallStart + stallSeconds(random)
  let now = random.exponential() / scenario.ratePerSecond
  while (now < scenario.seconds) {
    while (stallEnd <= now) {
      stallStart = stallEnd + random.exponential() / scenario.stallsPerSecond
      stallEnd = stallStart + stallSeconds(random)
    }
    const waitMs = now >= stallStart ? (stallEnd - now) * 1000 : 0
    const tookMs = (1.5 + random.exponential() * 0.5) * machine
    blocks[Math.floor(now)]?.push(upperEdge(Math.round((waitMs + tookMs) * 1000)))
    now += random.exponential() / scenario.ratePerSecond
  }
  const distributions = blocks.map(distributionOf)
  return { whole: mergeDistributions(distributions), blocks: distributions }
}

function stallSeconds(random: Random): number {
  return 0.005 + random.uniform() * 0.095
}

/** The bucket that a 3-digit HdrHistogram would put a microsecond value in. */
function upperEdge(us: number): number {
  if (us < 2048) return us
  const width = 2 ** (Math.floor(Math.log2(us)) - 10)
  return Math.floor(us / width) * width + width - 1
}

export function simulateRun(scenario: Scenario, random: Random): RoundSample[] {
  return Array.from({ length: scenario.rounds }, () => simulateRound(scenario, random))
}

/** Quantiles of `rounds` further rounds together: the truth, to within its own sampling error. */
export function truthOf(scenario: Scenario, random: Random, rounds: number): Distribution {
  return mergeDistributions(Array.from({ length: rounds }, () => simulateRound(scenario, random).whole))
}

export type BoundsRule = (rounds: readonly RoundSample[], q: number, alpha: number) => QuantileBounds

/** What most tools would do: order statistics as if every sample were independent. The planted fault. */
export const naiveBounds: BoundsRule = (rounds, q, alpha) => {
  const pooled = mergeDistributions(rounds.map((round) => round.whole))
  const value = quantile(pooled, q)
  const allowed = exceedancesAllowed(pooled.n, q, 1, alpha)
  const rank = lowerRankOf(pooled.n, q, 1, alpha)
  const enough = pooled.n >= minimumSamples(q, alpha)
  return {
    n: pooled.n,
    value,
    low: enough && rank !== null ? valueAtRank(pooled, rank) : null,
    high: enough && allowed !== null ? valueAtRank(pooled, pooled.n - allowed) : null,
    phi: 1,
  }
}

/** φ = 10 for every upper bound that rests on no exceedance, and no bound where n/10 is too few. */
export const alwaysTen: BoundsRule = (rounds, q, alpha) => quantileInterval(rounds, q, 1 - 2 * alpha)

/** The largest value seen stands for an upper bound that rests on no exceedance. */
export const maximumHolds: BoundsRule = (rounds, q, alpha) => {
  const bounds = targetBounds(rounds, q, alpha)
  const largest = maximum(mergeDistributions(rounds.map((round) => round.whole)))
  return alwaysTen(rounds, q, alpha).high === null && bounds.high !== null ? { ...bounds, high: largest } : bounds
}

export interface Tally {
  readonly runs: number
  /** Share of runs whose interval holds the truth; a missing end holds everything on its side. */
  readonly covered: number
  /** Share of runs whose interval has no upper end. */
  readonly open: number
  /** Share of runs that would say MET, and NOT_MET, of a target at exactly the truth. */
  readonly above: number
  readonly below: number
}

/** Puts one rule to runs of a scenario. */
export function tally(
  runs: readonly (readonly RoundSample[])[],
  rule: BoundsRule,
  q: number,
  alpha: number,
  truth: number,
): Tally {
  let above = 0
  let below = 0
  let open = 0
  for (const run of runs) {
    const { low, high } = rule(run, q, alpha)
    if (high === null) open++
    else if (high < truth) below++
    if (low !== null && low > truth) above++
  }
  const share = (count: number): number => count / runs.length
  return {
    runs: runs.length,
    covered: 1 - share(above) - share(below),
    open: share(open),
    above: share(above),
    below: share(below),
  }
}
