/**
 * Agents that are owed something after a constant delay, each at most once, in the order they will be due.
 *
 * Since the delay is constant, a ring in arrival order is sorted by due time. Holds every agent once, so it cannot overflow.
 */

export class DelayQueue {
  private readonly delayMs: number
  private readonly agents: Int32Array
  private readonly dueAtMs: Float64Array
  private readonly queued: Uint8Array
  private from = 0
  private count = 0

  constructor(capacity: number, delayMs: number) {
    this.delayMs = delayMs
    this.agents = new Int32Array(capacity)
    this.dueAtMs = new Float64Array(capacity)
    this.queued = new Uint8Array(capacity)
  }

  add(agent: number, nowMs: number): void {
    if (this.queued[agent] === 1) return
    this.queued[agent] = 1
    const place = (this.from + this.count) % this.agents.length
    this.agents[place] = agent
    this.dueAtMs[place] = nowMs + this.delayMs
    this.count++
  }

  /** The next agent that is due, removed; −1 when none is. */
  take(nowMs: number): number {
    if (this.count === 0 || (this.dueAtMs[this.from] ?? 0) > nowMs) return -1
    const agent = this.agents[this.from] ?? 0
    this.queued[agent] = 0
    this.from = (this.from + 1) % this.agents.length
    this.count--
    return agent
  }
}
