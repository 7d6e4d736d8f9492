/**
 * What an agent has been sent and has not acknowledged: entries with dense sequences from 1, counted by commit.
 *
 * An entry is the exchange itself; whether it is the question or the result follows from which of its two
 * sequences this is. Acknowledged entries are dropped; how many may be unacknowledged is bounded where exchanges are
 * admitted, since a committed entry may not be refused. A deque in one array: dropping moves a head index,
 * and the array is compacted when more than half of it is dead.
 */
import type { Exchange } from './exchange-table.ts'

export class Inbox {
  private entries: (Exchange | undefined)[] = []
  private dead = 0
  /** Sequence of the newest entry; 0 before the first. */
  head = 0
  /** Everything up to this sequence is acknowledged and dropped. */
  floor = 0

  /** Returns the sequence of the new entry. */
  push(exchange: Exchange): number {
    this.entries.push(exchange)
    return ++this.head
  }

  at(sequence: number): Exchange | undefined {
    return sequence <= this.floor ? undefined : this.entries[this.dead + sequence - this.floor - 1]
  }

  size(): number {
    return this.entries.length - this.dead
  }

  /** Drops the oldest entry and returns it. */
  shift(): Exchange | undefined {
    const entry = this.entries[this.dead]
    if (entry === undefined) return undefined
    this.entries[this.dead++] = undefined
    this.floor++
    if (this.dead === this.entries.length) {
      this.entries.length = 0
      this.dead = 0
    } else if (this.dead > 64 && this.dead * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.dead)
      this.dead = 0
    }
    return entry
  }
}
