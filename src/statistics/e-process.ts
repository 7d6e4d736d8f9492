/**
 * Anytime-valid evidence about a proportion: mixture e-processes, which may be looked at after every trial and stopped at will.
 *
 * Under p = p₀ the likelihood ratio of θ to p₀, (θ/p₀)ˢ((1−θ)/(1−p₀))ⁿ⁻ˢ after s hits in n independent trials, is a martingale of mean 1; so is a mean of such
 * ratios with fixed weights, and by Ville's inequality it ever reaches 1/α with a probability of at most α. With every θ above p₀ that holds for all
 * p ≤ p₀ too (a supermartingale), with every θ below for all p ≥ p₀. Method: Wald (1945) and Robbins (1970) by mixtures; Ramdas, Grünwald, Vovk, Shafer,
 * "Game-theoretic statistics and safe anytime-valid inference" (2023). Weights are equal on a grid of θ that is even in log θ: it costs ln(grid) nats
 * against the best θ of the grid, whichever that is. Trials that come in clusters are worth less; who gives counts divides them by φ first
 * (proportion.ts), which is approximate.
 */

const gridSize = 40
/** The nearest θ to p₀, as a factor; an effect below it is noticed late. */
const nearest = 1.05
/** The farthest θ above p₀, and the farthest below as a share of p₀. */
const highestTheta = 0.98
const lowestShare = 0.01

export type Side = 'above' | 'below'

export class EProcess {
  readonly p0: number
  /** What a large value speaks for: that the proportion lies above p₀, or below. */
  readonly side: Side
  /** ln of θ/p₀ and of (1−θ)/(1−p₀), for each θ. */
  private readonly hitLogs: readonly number[]
  private readonly missLogs: readonly number[]
  private hitCount = 0
  private trialCount = 0

  /** `p0` in (0, 1); above 0.9 no θ above it is left. */
  constructor(p0: number, side: Side) {
    if (!(p0 > 0 && p0 < 0.9)) throw new RangeError(`an e-process needs a proportion between 0 and 0.9, not ${p0}`)
    this.p0 = p0
    this.side = side
    const thetas = grid(p0, side)
    this.hitLogs = thetas.map((theta) => Math.log(theta / p0))
    this.missLogs = thetas.map((theta) => Math.log1p((p0 - theta) / (1 - p0)))
  }

  /** Further trials and how many of them were hits; real numbers are allowed. */
  add(hits: number, trials: number): void {
    if (!(hits >= 0 && trials >= hits)) throw new RangeError(`${hits} hits of ${trials} trials`)
    this.hitCount += hits
    this.trialCount += trials
  }

  get hits(): number {
    return this.hitCount
  }

  get trials(): number {
    return this.trialCount
  }

  /** Natural logarithm of the value; 0 before the first trial. */
  logValue(): number {
    return this.logAt(this.hitCount, this.trialCount)
  }

  /** The value that other counts would have. */
  logAt(hits: number, trials: number): number {
    return logMixture(this.hitLogs, this.missLogs, hits, trials - hits)
  }

  /** Whether the evidence has been that strong now: error at most `alpha` over all looks together. */
  reaches(alpha: number): boolean {
    return this.reachesAt(alpha, this.hitCount, this.trialCount)
  }

  /** Whether other counts would. */
  reachesAt(alpha: number, hits: number, trials: number): boolean {
    // With as many hits as p₀ would have, no θ on the far side is likelier than p₀, so that nothing need be computed.
    const expected = this.p0 * trials
    if (this.side === 'above' ? hits <= expected : hits >= expected) return false
    return this.logAt(hits, trials) >= -Math.log(alpha)
  }

  /**
   * Trials still needed until `alpha` is reached if hits go on at the rate `p`: the least number for which the expected counts reach it. Null when they never
   * will, as with p on the wrong side, or not within `most`.
   */
  trialsNeeded(p: number, alpha: number, most: number): number | null {
    const logAfter = (more: number): number =>
      logMixture(
        this.hitLogs,
        this.missLogs,
        this.hitCount + p * more,
        this.trialCount - this.hitCount + (1 - p) * more,
      )
    const goal = -Math.log(alpha)
    if (logAfter(0) >= goal) return 0
    if (logAfter(most) < goal) return null
    let low = 0
    let high = most
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (logAfter(middle) >= goal) high = middle
      else low = middle
    }
    return high
  }
}

function grid(p0: number, side: Side): number[] {
  const from = side === 'above' ? Math.min(p0 * nearest, highestTheta) : p0 / nearest
  const to = side === 'above' ? highestTheta : p0 * lowestShare
  return Array.from({ length: gridSize }, (_, index) => from * (to / from) ** (index / (gridSize - 1)))
}

const logs = new Float64Array(gridSize)

/** ln of the mean of exp(hits·a + misses·b), without overflow. */
function logMixture(hitLogs: readonly number[], missLogs: readonly number[], hits: number, misses: number): number {
  let largest = -Infinity
  for (let index = 0; index < gridSize; index++) {
    const value = hits * (hitLogs[index] ?? 0) + misses * (missLogs[index] ?? 0)
    logs[index] = value
    if (value > largest) largest = value
  }
  let sum = 0
  for (const value of logs) sum += Math.exp(value - largest)
  return largest + Math.log(sum / gridSize)
}
