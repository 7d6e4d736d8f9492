/**
 * A TCP proxy on loopback that breaks connections on purpose: it stands between engine clients and an engine server,
 * knows neither's protocol, and does to their bytes what its toxics say. Without toxics it changes nothing.
 *
 * Every choice is drawn from the seed: which connections a toxic applies to, its jitter, sizes and bits, and whom
 * `resetConnections` hits. Draws go by the number of the connection, in order of acceptance, and by the number of the
 * toxic, in order of addition. Everything is bounded: connections, toxics, bytes held, dialling, closing.
 */
import { connect, type Socket } from 'node:net'
import type { Clock, Scheduler } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom, shuffled } from '../platform/random.ts'
import { FaultConnection, type ConnectionHost } from './fault-connection.ts'
import { LoopbackListener, loopback } from './loopback-listener.ts'
import { ToxicTally, type ConnectionTally, type ToxicCounts } from './toxic-tally.ts'
import type { PipeBytes } from './toxic-pipe.ts'
import { appliesTo, parseToxic, type Direction, type Toxic, type ToxicInput } from './toxics.ts'

export interface FaultProxySettings {
  /** Where the server listens. */
  readonly upstream: { readonly host: string; readonly port: number }
  readonly seed: string
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Of the listener, on 127.0.0.1; default 0, a free one, which is kept while the proxy is disabled. */
  readonly port?: number
  /** More are closed on arrival and counted; default 10,000. Each takes two descriptors. */
  readonly maxConnections?: number
  /** Per connection and direction; a sender is held back beyond it, to one chunk more at most; default 262,144. */
  readonly maxHeldBytes?: number
  /** Default 5,000. */
  readonly dialTimeoutMs?: number
}

export interface ToxicReport {
  readonly toxic: Toxic
  readonly counts: Readonly<ToxicCounts>
}

export interface ProxyStats {
  /** Connections taken since the start. */
  readonly accepted: number
  /** Closed on arrival because `maxConnections` were open. */
  readonly refused: number
  /** Accepted, but the server did not take them: such clients are reset. */
  readonly dialsFailed: number
  /** Arrivals that the operating system did not hand over, for want of descriptors for example. */
  readonly acceptErrors: number
  /** Reset by `resetConnections`; a toxic counts its own. */
  readonly resets: number
  readonly open: number
  /** Open connections of which one side has ended or is gone while the other has not. */
  readonly halfOpen: number
  /** Over all connections, those that are over included. */
  readonly bytes: Readonly<Record<Direction, Readonly<PipeBytes>>>
}

const maxToxics = 16
const maxHeldChunks = 4096
const closeLimitMs = 2000
const directions = ['upstream', 'downstream'] as const

interface ActiveToxic {
  readonly number: number
  readonly toxic: Toxic
  readonly tally: ToxicTally
}

/** Resolves when the proxy listens. Throws LighthouseError('ENVIRONMENT') when it cannot. */
export async function startFaultProxy(settings: FaultProxySettings): Promise<FaultProxy> {
  const proxy = new FaultProxy(settings)
  await proxy.enable()
  return proxy
}

export class FaultProxy {
  readonly host = loopback
  private readonly settings: FaultProxySettings
  private readonly connectionHost: ConnectionHost
  private readonly maxConnections: number
  private readonly open = new Map<number, FaultConnection>()
  private readonly active = new Map<string, ActiveToxic>()
  private readonly past: Record<Direction, PipeBytes> = { upstream: noBytes(), downstream: noBytes() }
  private readonly counts = { accepted: 0, refused: 0, dialsFailed: 0, resets: 0 }
  private readonly listener: LoopbackListener
  private toxicsAdded = 0
  private resetCalls = 0
  private closing: Promise<void> | null = null
  private onEmpty: (() => void) | null = null

  /** Use `startFaultProxy`. */
  constructor(settings: FaultProxySettings) {
    this.settings = settings
    this.listener = new LoopbackListener(settings.port ?? 0, settings.scheduler, (socket) => this.accept(socket))
    this.maxConnections = settings.maxConnections ?? 10_000
    this.connectionHost = {
      clock: settings.clock,
      scheduler: settings.scheduler,
      bounds: { maxHeldBytes: settings.maxHeldBytes ?? 262_144, maxHeldChunks },
      dialTimeoutMs: settings.dialTimeoutMs ?? 5000,
      onDialFailed: () => void this.counts.dialsFailed++,
      onOver: (connection) => this.over(connection),
    }
  }

  get port(): number {
    return this.listener.port
  }

  /**
   * Applies to open connections at once and to new ones from their first byte, behind the toxics that are there. Returns
   * the toxic as it was understood. Throws LighthouseError('USAGE') for what is no toxic, or a name that is taken.
   */
  addToxic(input: ToxicInput): Toxic {
    this.refuseWhenClosed()
    const toxic = parseToxic(input)
    if (this.active.has(toxic.name)) {
      throw new LighthouseError('USAGE', `the fault proxy has a toxic '${toxic.name}' already`, {
        suggestions: ['Give this one another name, or remove the other first.'],
      })
    }
    if (this.active.size >= maxToxics) {
      throw new LighthouseError('USAGE', `the fault proxy has ${maxToxics} toxics, which is all it may have`, {
        suggestions: ['Remove one first.'],
      })
    }
    const added = { number: this.toxicsAdded++, toxic, tally: new ToxicTally(this.settings.clock) }
    this.active.set(toxic.name, added)
    for (const connection of this.open.values()) this.apply(added, connection)
    return toxic
  }

  /**
   * Ends a toxic and returns what it has done, to the last. Bytes that it delayed leave at once, in order. A connection
   * that it deprived of bytes or of an end is reset, since its stream has a gap; `timeout` closes it, as in toxiproxy.
   */
  removeToxic(name: string): ToxicReport {
    const active = this.active.get(name)
    if (active === undefined) {
      const names = [...this.active.keys()].join(', ')
      throw new LighthouseError('USAGE', `the fault proxy has no toxic '${name.slice(0, 64)}'`, {
        suggestions: [names === '' ? 'It has none at all.' : `It has: ${names}.`],
      })
    }
    // New connections do not get it any more; what its removal does still counts.
    this.active.delete(name)
    for (const connection of [...this.open.values()]) {
      for (const direction of directions) connection.pipes[direction].remove(active.number)
    }
    return reportOf(active)
  }

  /** In the order of their addition. */
  removeAllToxics(): ToxicReport[] {
    return [...this.active.keys()].map((name) => this.removeToxic(name))
  }

  /** The toxics that are active, and what each has done so far. */
  toxics(): ToxicReport[] {
    return [...this.active.values()].map(reportOf)
  }

  /** Connections of which the proxy still holds a socket. */
  connections(): number {
    return this.open.size
  }

  /**
   * Sends an RST to both ends of a share (0 … 1) of the open connections, at least one of them if the share is not 0.
   * Returns how many that were.
   */
  resetConnections(share: number): number {
    if (!(share >= 0 && share <= 1)) {
      throw new LighthouseError('USAGE', `a share of ${share} of the connections cannot be reset`, {
        suggestions: ['Give a share from 0 to 1.'],
      })
    }
    const random = seededRandom(`${this.settings.seed}/faults/reset-${this.resetCalls++}`)
    const chosen = share === 0 ? 0 : Math.max(1, Math.round(share * this.open.size))
    let resets = 0
    for (const connection of shuffled([...this.open.values()], random).slice(0, chosen)) {
      if (connection.reset()) resets++
    }
    this.counts.resets += resets
    return resets
  }

  /** New connections are refused by the operating system; those that are open go on. */
  disable(): void {
    this.listener.close()
  }

  /** Listens again, on the same port. Throws LighthouseError('ENVIRONMENT') when that is taken. */
  async enable(): Promise<void> {
    this.refuseWhenClosed()
    await this.listener.open()
  }

  stats(): ProxyStats {
    const bytes = { upstream: { ...this.past.upstream }, downstream: { ...this.past.downstream } }
    let halfOpen = 0
    for (const connection of this.open.values()) {
      if (connection.halfOpen) halfOpen++
      for (const direction of directions) addBytes(bytes[direction], connection.bytes(direction))
    }
    return { ...this.counts, acceptErrors: this.listener.acceptErrors, open: this.open.size, halfOpen, bytes }
  }

  /** Ends listening and every connection, whatever the toxics hold; resolves within 2 s, without a timer or socket left. */
  close(): Promise<void> {
    this.closing ??= this.endAll()
    return this.closing
  }

  private async endAll(): Promise<void> {
    this.disable()
    await this.listener.settled()
    if (this.open.size === 0) return
    await new Promise<void>((resolve) => {
      const stop = this.settings.scheduler.after(closeLimitMs, resolve)
      this.onEmpty = () => {
        stop()
        resolve()
      }
      for (const connection of [...this.open.values()]) connection.destroy()
    })
  }

  private refuseWhenClosed(): void {
    if (this.closing === null) return
    throw new LighthouseError('USAGE', 'the fault proxy is closed', { suggestions: ['Start another one.'] })
  }

  private accept(client: Socket): void {
    if (this.open.size >= this.maxConnections) {
      this.counts.refused++
      client.destroy()
      return
    }
    const { host, port } = this.settings.upstream
    const server = connect({ host, port, allowHalfOpen: true })
    const connection = new FaultConnection(this.counts.accepted++, client, server, this.connectionHost)
    this.open.set(connection.number, connection)
    for (const toxic of this.active.values()) this.apply(toxic, connection)
  }

  private apply({ number, toxic, tally }: ActiveToxic, connection: FaultConnection): void {
    const path = `${this.settings.seed}/faults/toxic-${number}/connection-${connection.number}`
    if (toxic.toxicity < 1 && seededRandom(path).uniform() >= toxic.toxicity) return
    const share: ConnectionTally = tally.choose()
    for (const direction of directions) {
      if (!appliesTo(toxic, direction)) continue
      connection.pipes[direction].addToxic(number, toxic, share, seededRandom(`${path}/${direction}`))
    }
  }

  private over(connection: FaultConnection): void {
    this.open.delete(connection.number)
    for (const direction of directions) addBytes(this.past[direction], connection.bytes(direction))
    if (this.open.size === 0) this.onEmpty?.()
  }
}

function reportOf({ toxic, tally }: ActiveToxic): ToxicReport {
  return { toxic, counts: { ...tally.counts } }
}

function noBytes(): PipeBytes {
  return { received: 0, forwarded: 0, dropped: 0, discarded: 0, held: 0 }
}

function addBytes(sum: PipeBytes, more: Readonly<PipeBytes>): void {
  sum.received += more.received
  sum.forwarded += more.forwarded
  sum.dropped += more.dropped
  sum.discarded += more.discarded
  sum.held += more.held
}
