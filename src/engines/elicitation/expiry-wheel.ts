/**
 * Deadlines of open exchanges: a hashed timer wheel (Varghese & Lauck 1987, scheme 6) that somebody else turns.
 *
 * Slots are 25 ms wide; a slot also holds deadlines of later turns, which a visit leaves in place. An exchange
 * that ends is removed at once, since with deadlines of up to 24 days waiting for the visit would be a leak.
 * Turned every 25 ms, a deadline is noticed at most one turn late.
 */
import type { Exchange } from './exchange-table.ts'

export const slotMs = 25
const slots = 4096

export class ExpiryWheel {
  private readonly wheel: Exchange[][] = Array.from({ length: slots }, () => [])
  private turnedTo: number
  /** Open deadlines. */
  size = 0

  constructor(nowMs: number) {
    this.turnedTo = Math.floor(nowMs / slotMs)
  }

  /** Adds an exchange by its `deadlineMs`; one in the past is due at the next turn. */
  add(exchange: Exchange): void {
    const turn = Math.max(Math.floor(exchange.deadlineMs / slotMs), this.turnedTo)
    exchange.wheelSlot = turn % slots
    const slot = this.wheel[exchange.wheelSlot]
    if (slot === undefined) return
    exchange.wheelIndex = slot.length
    slot.push(exchange)
    this.size++
  }

  remove(exchange: Exchange): void {
    const slot = this.wheel[exchange.wheelSlot]
    if (exchange.wheelSlot < 0 || slot === undefined) return
    const last = slot.pop()
    if (last !== undefined && last !== exchange) {
      slot[exchange.wheelIndex] = last
      last.wheelIndex = exchange.wheelIndex
    }
    exchange.wheelSlot = -1
    this.size--
  }

  /** Removes what is due at `nowMs` and hands it over; `due` may add it again. */
  turn(nowMs: number, due: (exchange: Exchange) => void): void {
    const target = Math.floor(nowMs / slotMs)
    const first = Math.max(this.turnedTo, target - slots + 1)
    this.turnedTo = Math.max(target, this.turnedTo)
    for (let turn = first; turn <= target; turn++) {
      const slot = this.wheel[turn % slots]
      if (slot === undefined) continue
      // Backwards, because removal moves the last one into the gap, and what `due` adds must wait for the next turn.
      for (let index = slot.length - 1; index >= 0; index--) {
        const exchange = slot[index]
        if (exchange === undefined || exchange.deadlineMs > nowMs) continue
        this.remove(exchange)
        due(exchange)
      }
    }
  }
}
