/**
 * Rows that were appended and are neither committed nor failed, with what must happen when they are.
 *
 * Tickets are consecutive, so a row's place is its ticket modulo the capacity: parallel columns, no object per row.
 */
import type { Exchange } from './exchange-table.ts'

export class OpenRows {
  private readonly mask: number
  private readonly exchanges: (Exchange | undefined)[]
  readonly kinds: Uint8Array
  /** Of the frame that caused the row; 0 when the server itself did. */
  readonly nonces: Float64Array
  readonly receivedAtNs: Float64Array
  readonly appendedAtNs: Float64Array

  /** `capacity` is a power of two and at least the number of rows that can be open at once. */
  constructor(capacity: number) {
    this.mask = capacity - 1
    this.exchanges = new Array<Exchange | undefined>(capacity)
    this.kinds = new Uint8Array(capacity)
    this.nonces = new Float64Array(capacity)
    this.receivedAtNs = new Float64Array(capacity)
    this.appendedAtNs = new Float64Array(capacity)
  }

  set(
    ticket: number,
    exchange: Exchange,
    kind: number,
    nonce: number,
    receivedAtNs: number,
    appendedAtNs: number,
  ): void {
    const place = ticket & this.mask
    this.exchanges[place] = exchange
    this.kinds[place] = kind
    this.nonces[place] = nonce
    this.receivedAtNs[place] = receivedAtNs
    this.appendedAtNs[place] = appendedAtNs
  }

  /** Place in the columns. */
  placeOf(ticket: number): number {
    return ticket & this.mask
  }

  takeExchange(place: number): Exchange {
    const exchange = this.exchanges[place]
    if (exchange === undefined) throw new Error(`no open row at place ${place}`)
    this.exchanges[place] = undefined
    return exchange
  }
}
