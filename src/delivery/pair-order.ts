/**
 * Whether messages of one requester to one recipient kept the order they were sent in, after Jepsen's per-process counters: a
 * watermark per pair and leg, raised by whatever came. The way back is in the order of the answers, which recipients may give in
 * another order than they were asked. Where a requester has one recipient and sends in ascending order, its own
 * number names the pair and an exchange's number its place; otherwise pairs are given and places are taken at the send.
 */
import type { ExpectedExchanges } from './expected-exchanges.ts'

export class PairOrder {
  private readonly pairOf: Uint32Array
  /** Place of each exchange among the sends, and among the answers, from 1; null where the exchange's own number is its place. */
  private readonly sendRank: Uint32Array | null
  private readonly answerRank: Uint32Array | null
  private answers = 0
  /** Highest place of a pair whose question was delivered, and whose answer reached its requester. */
  private readonly questions: Uint32Array
  private readonly results: Uint32Array

  constructor({ pairs, requester, agents, count }: ExpectedExchanges) {
    this.pairOf = pairs === undefined ? requester : pairs.of
    this.sendRank = pairs === undefined ? null : new Uint32Array(count)
    this.answerRank = pairs === undefined ? null : new Uint32Array(count)
    this.questions = new Uint32Array(pairs?.count ?? agents)
    this.results = new Uint32Array(pairs?.count ?? agents)
  }

  /** `rank` counts sends from 1. */
  sent(exchange: number, rank: number): void {
    if (this.sendRank !== null) this.sendRank[exchange] = rank
  }

  /** To be called once for each answer. */
  answered(exchange: number): void {
    if (this.answerRank !== null) this.answerRank[exchange] = ++this.answers
  }

  /** True when no later question of the pair was delivered before. */
  question(exchange: number): boolean {
    return this.advance(this.questions, this.sendRank, exchange)
  }

  result(exchange: number): boolean {
    return this.advance(this.results, this.answerRank, exchange)
  }

  /** What a question or a result came after, for the reader of the anomaly. */
  overtaker(leg: 'questions' | 'results', exchange: number): string {
    const place = this[leg][this.pairOf[exchange] as number] as number
    if (this.sendRank === null) return `that of exchange ${place - 1}`
    return leg === 'questions'
      ? `the question that was sent as number ${place}`
      : `the answer that was given as number ${place}`
  }

  private advance(watermark: Uint32Array, ranks: Uint32Array | null, exchange: number): boolean {
    const pair = this.pairOf[exchange] as number
    const place = ranks === null ? exchange + 1 : (ranks[exchange] as number)
    if (place <= (watermark[pair] as number)) return false
    watermark[pair] = place
    return true
  }
}
