/** What was planned for a round, as far as its account must know it. */
export interface ExpectedExchanges {
  readonly count: number
  readonly agents: number
  readonly requester: Uint32Array
  readonly recipient: Uint32Array
  /**
   * Dense number of the (requester, recipient) pair of each exchange, and how many there are. Without it a requester has
   * one recipient and sends its exchanges in ascending order; with it order is that of the sends, and of the answers on the way back.
   */
  readonly pairs?: { readonly count: number; readonly of: Uint32Array }
  /** Bodies as sent; compared by ===. */
  question(exchange: number): string
  answer(exchange: number): string
  /** Code of the planned answer, as in `outcomeCodes`: 1 accept, 2 decline, 3 cancel. */
  outcome(exchange: number): number
}
