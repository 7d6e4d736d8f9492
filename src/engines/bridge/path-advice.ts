/**
 * Tells agents which path they are assigned when flags have changed: all within a second, in random order, never all at once.
 *
 * Being told and moving are two things. An agent moves at a random time within the drain, which is long enough that no more than
 * `drainPerSecond` agents move in a second; the server tells, the client waits.
 */
import type { Clock } from '../../platform/clock.ts'
import { type Random, shuffled } from '../../platform/random.ts'
import { tickMs, type PathAdvice } from '../elicitation/machine-ports.ts'
import type { Assignment } from './assignment.ts'
import type { FlagBoard } from './flag-board.ts'

/** Agents are told over so many ticks: 0.8 s, so that with the tick under way all have heard within a second. */
const tellingTicks = Math.floor(800 / tickMs)
const shortestDrainMs = 1000
const tellingMs = 1000
/** For a client that looks at its path twice a second, and for the way. */
const lateMs = 1500

export class PathAdvisor {
  private readonly board: FlagBoard
  private readonly random: Random
  private readonly drainPerSecond: number
  private readonly agents: () => readonly string[]
  private readonly tell: (agent: string, advice: PathAdvice) => void
  private waiting: string[] = []
  private perTick = 0
  private drainMs = shortestDrainMs
  private drainedAtMs = -Infinity
  private readonly clock: Clock

  constructor(parts: {
    board: FlagBoard
    clock: Clock
    random: Random
    drainPerSecond: number
    /** All that the server knows. */
    agents: () => readonly string[]
    tell: (agent: string, advice: PathAdvice) => void
  }) {
    this.board = parts.board
    this.clock = parts.clock
    this.random = parts.random
    this.drainPerSecond = parts.drainPerSecond
    this.agents = parts.agents
    this.tell = parts.tell
    let { fallback } = this.board.flags
    this.board.listen((before, after) => {
      const others = fallback !== this.board.flags.fallback
      fallback = this.board.flags.fallback
      this.changed(before, after, others)
    })
  }

  adviceFor(agent: string): PathAdvice {
    return { path: this.board.pathOf(agent), withinMs: this.drainMs, fallback: this.board.flags.fallback }
  }

  /** Whether agents that were told may still be on the path that they are leaving. */
  isDraining(): boolean {
    return this.clock.nowNs() / 1e6 < this.drainedAtMs
  }

  private changed(before: Assignment, after: Assignment, everybody: boolean): void {
    const agents = this.agents()
    const moving = agents.filter((agent) => before.pathOf(agent) !== after.pathOf(agent))
    this.drainMs = Math.max(shortestDrainMs, (moving.length / this.drainPerSecond) * 1000)
    if (moving.length > 0) this.drainedAtMs = this.clock.nowNs() / 1e6 + tellingMs + this.drainMs + lateMs
    // Whoever was still to hear of the change before hears of this one instead.
    const concerned = everybody ? agents : new Set([...moving, ...this.waiting])
    this.waiting = shuffled(Array.from(concerned), this.random)
    this.perTick = Math.ceil(this.waiting.length / tellingTicks)
  }

  /** Every `tickMs`. */
  tick(): void {
    if (this.waiting.length === 0) return
    for (const agent of this.waiting.splice(-this.perTick)) this.tell(agent, this.adviceFor(agent))
  }
}
