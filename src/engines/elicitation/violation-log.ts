/**
 * The last refusals, for whoever investigates: a ring that overwrites its oldest entry.
 */
import type { RefusalCode } from '../engine.ts'

export interface Violation {
  /** Wall clock. */
  readonly atMs: number
  /** −1 when no agent was known. */
  readonly agent: number
  /** Exchange id, or '-'. */
  readonly id: string
  readonly code: RefusalCode
}

export class ViolationLog {
  private readonly ring: Violation[] = []
  private readonly capacity: number
  private next = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  add(violation: Violation): void {
    this.ring[this.next] = violation
    this.next = (this.next + 1) % this.capacity
  }

  /** Oldest first. */
  list(): readonly Violation[] {
    return [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)]
  }
}
