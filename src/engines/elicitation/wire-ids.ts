/**
 * Between the dense numbers of a load generator and the ids on the wire, `nonce:a<producer>:<exchange>`, and who asked what.
 */

const zero = 48
const colon = 58
const letterA = 97

/** The decimal at `from` … `to`−1 without leading zeros and below 10^`maxDigits`; −1 for anything else. */
function decimal(text: string, from: number, to: number, maxDigits: number): number {
  const length = to - from
  if (length < 1 || length > maxDigits || (length > 1 && text.charCodeAt(from) === zero)) return -1
  let value = 0
  for (let index = from; index < to; index++) {
    const digit = text.charCodeAt(index) - zero
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

export function agentNameOf(agent: number): string {
  return `a${agent}`
}

/** −1 for a name that is not one of ours. */
export function agentOfName(name: string): number {
  return name.charCodeAt(0) === letterA ? decimal(name, 1, name.length, 9) : -1
}

/** Bounds the memory of a round: a stranger's number must not be an index. */
const maxExchanges = 2 ** 26

export type IdOrigin = 'current' | 'earlier' | 'foreign'

/** Names of past rounds that are remembered; older ones count as foreign. */
const rememberedRounds = 4096

export class WireIds {
  private nonce = ''
  private readonly earlier = new Set<string>()
  private producers = new Int32Array(4096).fill(-1)
  /** Counts `begin`, so that a callback of an earlier round can be told from one of this. */
  round = 0
  /** Of the id that was located last. */
  exchange = -1
  producer = -1

  begin(nonce: string): void {
    if (this.nonce !== '') this.earlier.add(this.nonce)
    if (this.earlier.size > rememberedRounds) {
      for (const oldest of this.earlier) {
        this.earlier.delete(oldest)
        break
      }
    }
    this.earlier.delete(nonce)
    this.nonce = nonce
    this.round++
    this.producers.fill(-1)
  }

  setProducer(exchange: number, producer: number): void {
    if (exchange >= this.producers.length) {
      const larger = new Int32Array(Math.max(exchange + 1, this.producers.length * 2)).fill(-1)
      larger.set(this.producers)
      this.producers = larger
    }
    this.producers[exchange] = producer
  }

  /** −1 when this client has neither asked the exchange nor been asked by it in this round. */
  producerOf(exchange: number): number {
    return this.producers[exchange] ?? -1
  }

  idOf(exchange: number, producer: number): string {
    return `${this.nonce}:a${producer}:${exchange}`
  }

  /** Whose the id is; of a current one, `exchange` and `producer` tell the rest until the next call. */
  locate(id: string): IdOrigin {
    const { nonce } = this
    if (id.charCodeAt(nonce.length) !== colon || !id.startsWith(nonce)) {
      return this.earlier.has(id.slice(0, id.indexOf(':'))) ? 'earlier' : 'foreign'
    }
    const producerFrom = nonce.length + 2
    const producerEnd = id.indexOf(':', producerFrom)
    if (id.charCodeAt(producerFrom - 1) !== letterA) return 'foreign'
    const producer = decimal(id, producerFrom, producerEnd, 9)
    const exchange = decimal(id, producerEnd + 1, id.length, 9)
    if (producer < 0 || exchange < 0 || exchange >= maxExchanges) return 'foreign'
    this.producer = producer
    this.exchange = exchange
    return 'current'
  }
}
