/** Exchanges in the order in which they were sent, so that what has waited too long is found without a timer for each. */
export class SentExchanges {
  /** In ns from the round's zero, by exchange. */
  readonly atNs: Float64Array
  private readonly order: Uint32Array
  private count = 0
  private oldest = 0

  constructor(exchanges: number) {
    this.atNs = new Float64Array(exchanges)
    this.order = new Uint32Array(exchanges)
  }

  /** Each exchange once, in the order of time. */
  add(exchange: number, nowNs: number): void {
    this.atNs[exchange] = nowNs
    this.order[this.count++] = exchange
  }

  /** Hands over every exchange that was sent at `untilNs` or before and was not handed over yet, the oldest first. */
  handOver(untilNs: number, take: (exchange: number) => void): void {
    while (this.oldest < this.count) {
      const exchange = this.order[this.oldest] as number
      if ((this.atNs[exchange] as number) > untilNs) return
      this.oldest++
      take(exchange)
    }
  }
}
