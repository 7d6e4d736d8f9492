/**
 * When to leave push alone: a circuit breaker after Nygard ("Release It!"), without timers.
 *
 * `closed`: push is used. So many failures in a row, or within the window, open it; `open`: push is not tried until the pause is over; then it is
 * `halfOpen`, and one attempt decides. A pause doubles each time the attempt fails, or push breaks again soon after it.
 */
export interface BreakerSettings {
  readonly failures: number
  readonly windowMs: number
  readonly pauseMs: number
  readonly longestPauseMs: number
}

export const breakerSettings: BreakerSettings = {
  failures: 3,
  windowMs: 10_000,
  pauseMs: 10_000,
  longestPauseMs: 300_000,
}

export type BreakerState = 'closed' | 'open' | 'halfOpen'

export class CircuitBreaker {
  private readonly settings: BreakerSettings
  /** When the last failures happened, the oldest first. */
  private failedAtMs: number[] = []
  /** Without one that worked in between: each may take as long as a handshake is waited for. */
  private inARow = 0
  private opened = false
  private untilMs = 0
  private closedAtMs = -Infinity
  private pauseMs: number

  constructor(settings: BreakerSettings = breakerSettings) {
    this.settings = settings
    this.pauseMs = settings.pauseMs
  }

  state(nowMs: number): BreakerState {
    if (!this.opened) return 'closed'
    return nowMs < this.untilMs ? 'open' : 'halfOpen'
  }

  /** Push could not be opened, or broke. */
  failed(nowMs: number): void {
    const { failures, windowMs, longestPauseMs } = this.settings
    const state = this.state(nowMs)
    if (state === 'open') return
    if (state === 'halfOpen') {
      this.pauseMs = Math.min(longestPauseMs, this.pauseMs * 2)
      return this.open(nowMs)
    }
    this.failedAtMs = this.failedAtMs.filter((atMs) => nowMs - atMs < windowMs)
    this.failedAtMs.push(nowMs)
    this.inARow++
    if (this.inARow < failures && this.failedAtMs.length < failures) return
    if (nowMs - this.closedAtMs > longestPauseMs) this.pauseMs = this.settings.pauseMs
    this.open(nowMs)
  }

  /** Push will not be let through: no further attempt is needed to know. */
  trip(nowMs: number): void {
    if (this.state(nowMs) === 'closed') this.open(nowMs)
    else this.failed(nowMs)
  }

  /** Push works. Should it break again soon, the next pause is longer. */
  succeeded(nowMs: number): void {
    this.inARow = 0
    if (!this.opened) return
    this.opened = false
    this.closedAtMs = nowMs
    this.pauseMs = Math.min(this.settings.longestPauseMs, this.pauseMs * 2)
  }

  /** The other path does not work either, so that leaving push alone serves nobody. */
  reset(): void {
    this.opened = false
    this.failedAtMs = []
    this.inARow = 0
  }

  private open(nowMs: number): void {
    this.opened = true
    this.untilMs = nowMs + this.pauseMs
    this.failedAtMs = []
    this.inARow = 0
  }
}
