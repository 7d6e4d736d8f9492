/**
 * Rate limit per agent: a token bucket in typed arrays, refilled by the time that passed when it is used.
 *
 * A clock that goes backwards refills nothing. Buckets start full. 16 bytes an agent.
 */

/** Rounding of the refill must not make a wait that was named come out a billionth of a token short. */
const wholeToken = 1 - 1e-9

export class TokenBuckets {
  private readonly tokens: Float64Array
  private readonly refilledAtNs: Float64Array
  private readonly perNs: number
  private readonly burst: number

  constructor(agents: number, ratePerSecond: number, burst: number) {
    this.tokens = new Float64Array(agents).fill(burst)
    this.refilledAtNs = new Float64Array(agents)
    this.perNs = ratePerSecond / 1e9
    this.burst = burst
  }

  /** Takes one token. 0 when there was one, else the milliseconds (at least 1) until there will be. */
  take(agent: number, nowNs: number): number {
    const passedNs = nowNs - (this.refilledAtNs[agent] ?? 0)
    let tokens = this.tokens[agent] ?? 0
    if (passedNs > 0) {
      tokens = Math.min(this.burst, tokens + passedNs * this.perNs)
      this.refilledAtNs[agent] = nowNs
    }
    if (tokens >= wholeToken) {
      this.tokens[agent] = Math.max(0, tokens - 1)
      return 0
    }
    this.tokens[agent] = tokens
    return Math.max(1, Math.ceil((1 - tokens) / this.perNs / 1e6))
  }
}
