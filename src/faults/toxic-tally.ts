/**
 * What a toxic has done, so that a caller can prove that a fault has bitten. A toxic that was added but
 * met no connection, or nothing on them to act on, counts nothing.
 */
import type { Clock } from '../platform/clock.ts'

export interface ToxicCounts {
  /** Connections that the draw gave to the toxic, whether or not it found anything to do there. */
  connectionsChosen: number
  /** Connections on which it did something at least once; each counts once. */
  connectionsAffected: number
  /** When it first did something, on the proxy's clock; null while it has not. */
  firstAffectedAtNs: number | null
  /** Bytes that waited on account of the toxic, each counted once. */
  bytesDelayed: number
  bytesDropped: number
  /** Bytes of which one bit was flipped: one per corrupted chunk. */
  bytesCorrupted: number
  /** Places where a chunk was cut in two. */
  cuts: number
  /** Ends of stream (FIN or RST of one side) that waited. */
  endsDelayed: number
  /** Ends of stream that the other side was not told of. */
  endsDropped: number
  /** Connections reset at both ends (RST). */
  resets: number
  /** Connections closed in order at both ends (FIN). */
  closes: number
}

/** The counts of one toxic over all its connections. */
export class ToxicTally {
  private readonly clock: Clock
  readonly counts: ToxicCounts = {
    connectionsChosen: 0,
    connectionsAffected: 0,
    firstAffectedAtNs: null,
    bytesDelayed: 0,
    bytesDropped: 0,
    bytesCorrupted: 0,
    cuts: 0,
    endsDelayed: 0,
    endsDropped: 0,
    resets: 0,
    closes: 0,
  }

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** For one connection that the draw gave to the toxic; both of its directions share it. */
  choose(): ConnectionTally {
    this.counts.connectionsChosen++
    return new ConnectionTally(this)
  }

  affected(): void {
    this.counts.connectionsAffected++
    this.counts.firstAffectedAtNs ??= this.clock.nowNs()
  }
}

type Countable = Exclude<keyof ToxicCounts, 'connectionsChosen' | 'connectionsAffected' | 'firstAffectedAtNs'>

export class ConnectionTally {
  private readonly toxic: ToxicTally
  private bitten = false

  constructor(toxic: ToxicTally) {
    this.toxic = toxic
  }

  add(what: Countable, amount = 1): void {
    if (amount === 0) return
    this.toxic.counts[what] += amount
    if (this.bitten) return
    this.bitten = true
    this.toxic.affected()
  }
}
