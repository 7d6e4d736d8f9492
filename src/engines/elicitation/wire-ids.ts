/**
 * Between the dense numbers of a load generator and the ids on the wire, `nonce:a<producer>:<exchange>`, and who asked what.
 */

const agentNumber = /^a(0|[1-9][0-9]{0,8})$/

export function agentNameOf(agent: number): string {
  return `a${agent}`
}

/** −1 for a name that is not one of ours. */
export function agentOfName(name: string): number {
  const match = agentNumber.exec(name)
  return match === null ? -1 : Number(match[1])
}

export type IdOrigin = 'current' | 'earlier' | 'foreign'

/** Names of past rounds that are remembered; older ones count as foreign. */
const rememberedRounds = 4096

export class WireIds {
  private nonce = ''
  private readonly earlier = new Set<string>()
  private producers = new Int32Array(4096).fill(-1)
  /** Counts `begin`, so that a callback of an earlier round can be told from one of this. */
  round = 0

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

  originOf(id: string): IdOrigin {
    const scope = id.slice(0, id.indexOf(':'))
    if (scope !== this.nonce) return this.earlier.has(scope) ? 'earlier' : 'foreign'
    return this.exchangeOf(id) < 0 || this.producerIn(id) < 0 ? 'foreign' : 'current'
  }

  /** −1 when the id does not end in an exchange number. */
  exchangeOf(id: string): number {
    const digits = id.slice(id.lastIndexOf(':') + 1)
    const exchange = Number(digits)
    return Number.isInteger(exchange) && exchange >= 0 && exchange < 2 ** 31 && String(exchange) === digits
      ? exchange
      : -1
  }

  producerIn(id: string): number {
    return agentOfName(id.slice(id.indexOf(':') + 1, id.lastIndexOf(':')))
  }
}
