/**
 * The endurance suite: does an engine that serves for days still hold what it held, and still answer as fast, as in its first hours?
 *
 * Workload design. Engines are started once and stay up with all agents connected. The time is cut into intervals: open loop with
 * Poisson arrivals drawn from the seed, at a rate that is carried with ease, since the question is what time and the number of
 * exchanges do, not what load does. Each interval is a round of its own on disk, written and synced when it ends, so that a crash
 * costs the interval under way and no more. After each interval the load drains, every process (engine, load, command) collects
 * its garbage twice and says what it holds: the readings at rest from which growth is judged. No latency is measured meanwhile.
 * With several engines the intervals take turns, the agents of the others paused, and share the time; alone, an engine has all of it.
 *
 * Why it answers the question. Leaks are slopes of what is held at rest, beyond noise and allowance (leak-verdict.ts), not rises of peaks.
 * Drift is the same test on the latency of intervals. A run that was resumed is judged life by life of the engine's process: memory
 * of a new process says nothing about that of the old one.
 *
 * What would fool it, and what is done. A cache that fills (the warm-up cut off before any trend is at least twice the longest time
 * for which the engine keeps anything that is over, and lasts until what it keeps by number is full: a ring whose pages are touched one
 * after the other looks like a leak until it has gone round). A run too short to tell (fewer than 30 readings are inconclusive, and the leak
 * that would have been seen is printed). The time while the run was down (it counts as due and not measured; below 95 % nothing
 * is demonstrated). A harness that grows itself (it is read and judged like the engine). A log that grows by design (told apart from
 * memory, with the hours that the disk lasts). Leaks per exchange at a low rate (the screen over exchanges, labelled as one).
 */
import type { CasePlan } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { drawOrder } from './comparison-plan.ts'

export interface EnduranceSizes {
  readonly agents: number
  readonly ratePerSecond: number
  /** Of load, of all engines together. */
  readonly durationMs: number
  readonly intervalMs: number
}

export interface EndurancePlan {
  readonly cases: readonly [CasePlan]
  readonly order: readonly (readonly string[])[]
  /** Length of the blocks by which histograms are kept. */
  readonly blockMs: number
}

export interface EndurancePlace {
  readonly label: string
  readonly drainGraceMs: number
  readonly longestTtlMs: number
  readonly exchangesKept: number
}

/** What collecting and reading takes after an interval, generously. */
const restMs = 600
/** Of a run shorter than 100 min the least warm-up is a tenth of it; of all others this. */
const usualWarmUpMs = 600_000
/**
 * What a run may hold in memory when it is read back: the reader stops at 16 million buckets. A histogram has at most as many as it
 * has samples, and of millions of samples spread over a second or with a heavy tail up to some 8,000 (measured); lateness has 2,000.
 */
const mostBuckets = 15_000_000
const mostBucketsOfBlock = 8000
const mostBucketsOfLateness = 2000
const blockedSeries = 3
const mostIntervals = 5000
const leastIntervals = 2

/** Throws USAGE when the time holds fewer than two intervals per engine, or more than can be read back. */
export function planEndurance(sizes: EnduranceSizes, places: readonly EndurancePlace[], seed: string): EndurancePlan {
  const { agents, ratePerSecond, durationMs, intervalMs } = sizes
  const engines = places.length
  const rounds = Math.floor(durationMs / (intervalMs * engines))
  if (rounds < leastIntervals) {
    throw new LighthouseError(
      'USAGE',
      `a duration of ${durationMs / 1000} s holds ${rounds} intervals of ${intervalMs / 1000} s for each of ${engines} engines`,
      { suggestions: ['Give a longer --duration or a shorter --interval.'] },
    )
  }
  const intervals = rounds * engines
  const exchanges = (ratePerSecond * intervalMs) / 1000
  const mostHere = Math.min(mostIntervals, Math.floor(mostBuckets / bucketsOf(1, exchanges)))
  if (intervals > mostHere) {
    const leastMs = Math.ceil(durationMs / mostHere / 1000) * 1000
    throw new LighthouseError(
      'USAGE',
      `${intervals} intervals of about ${Math.round(exchanges)} exchanges cannot be read back in bounded memory; ${mostHere} can`,
      { suggestions: [`Give longer intervals: --interval ${leastMs / 1000}s.`] },
    )
  }
  let blocks = Math.ceil(intervalMs / 1000)
  while (blocks > 1 && intervals * bucketsOf(blocks, exchanges) > mostBuckets) blocks--
  const everyMs = engines * (intervalMs + restMs)
  const exchangesToFill = Math.max(...places.map(({ exchangesKept }) => exchangesKept))
  const fillMs = Math.round((exchangesToFill / exchanges) * everyMs)
  return {
    cases: [
      {
        name: 'intervals',
        agents,
        ratePerSecond,
        loadModel: 'open',
        roundDurationMs: intervalMs,
        firstRound: 0,
        rounds,
        endurance: {
          everyMs,
          leastWarmUpMs: Math.max(Math.min(usualWarmUpMs, Math.round(durationMs / 10)), fillMs),
          longestTtlMs: Object.fromEntries(places.map(({ label, longestTtlMs }) => [label, longestTtlMs])),
        },
      },
    ],
    order: drawOrder(
      places.map(({ label }) => label),
      rounds,
      seed,
    ),
    blockMs: Math.ceil(intervalMs / blocks),
  }
}

/** The most buckets of one interval. */
function bucketsOf(blocks: number, exchanges: number): number {
  const ofBlock = Math.min(mostBucketsOfBlock, Math.ceil(exchanges / blocks))
  return blockedSeries * blocks * ofBlock + Math.min(mostBucketsOfLateness, Math.ceil(exchanges))
}

const connectsPerSecond = 3000
const startUpMs = 1500
/** An encoded histogram of a long block takes up to about 7 kB in the log; three series by block, lateness once. */
const diskBytesPerBlock = 21_000
const diskBytesPerRound = 20_000

/** Milliseconds the plan takes when no interval is repeated, and the bytes of the run directory. */
export function estimateEndurance(
  { cases: [plan], blockMs }: EndurancePlan,
  places: readonly EndurancePlace[],
  warmupMs: number,
): { readonly durationMs: number; readonly diskBytes: number } {
  const { rounds, roundDurationMs, agents } = plan
  const perEngine = startUpMs + (agents / connectsPerSecond) * 1000 + warmupMs
  const perRound = places.reduce((sum, { drainGraceMs }) => sum + roundDurationMs + drainGraceMs / 2 + restMs, 0)
  const blocks = Math.ceil(roundDurationMs / blockMs)
  return {
    durationMs: Math.round(places.length * perEngine + rounds * perRound),
    diskBytes: places.length * rounds * (blocks * diskBytesPerBlock + diskBytesPerRound),
  }
}
