/**
 * The bridge: the elicitation server with the old path, the flags and the admin endpoint in front of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { seededRandom } from '../../platform/random.ts'
import { uniformityOf, type Uniformity } from '../../statistics/uniformity.ts'
import type { EngineServer, EngineStats, RefusalCode, ServerConfig } from '../engine.ts'
import type { Path, PathAdvice } from '../elicitation/machine-ports.ts'
import { startElicitationServer } from '../elicitation/server.ts'
import type { ServerFace, ServerParts } from '../elicitation/server-face.ts'
import { Admin } from './admin.ts'
import { bucketCount, bucketOf } from './assignment.ts'
import { FlagBoard } from './flag-board.ts'
import { FlagLog } from './flag-log.ts'
import { Observations } from './observations.ts'
import { OldPath } from './old-path.ts'
import { bridgeOptions, innerOptions, type BridgeOptions } from './options.ts'
import { PathAdvisor } from './path-advice.ts'
import { Shadow } from './shadow.ts'
import { noShadow } from './shadow-comparer.ts'
import type { OpenShadowLink } from './shadow-link.ts'

/** Groups of buckets that the χ² test of the share looks at. */
const shareGroups = 20

/** Beside the store, so that both are kept or lost together; null with a store that is not kept. */
export function flagLogFile(config: Pick<ServerConfig, 'storeFile' | 'durability'>): string | null {
  return config.storeFile === null || config.durability === 'memory' ? null : `${config.storeFile}.flags.jsonl`
}

/** `openShadow`: another new path for copies than its own, to see that what it does wrong is found. */
export function startBridgeServer(config: ServerConfig, openShadow?: OpenShadowLink): Promise<EngineServer> {
  const options = bridgeOptions(config.options)
  const inner = { ...config, options: innerOptions(config.options) }
  return startElicitationServer(inner, (parts) => new BridgeFace(parts, options, openShadow))
}

class BridgeFace implements ServerFace {
  private readonly parts: ServerParts
  private readonly board: FlagBoard
  private readonly advisor: PathAdvisor
  private readonly oldPath: OldPath
  private readonly admin: Admin | null
  private readonly shadow: Shadow | null
  readonly deliveries: Observations

  constructor(parts: ServerParts, options: BridgeOptions, openShadow: OpenShadowLink | undefined) {
    this.parts = parts
    const { config, machine, clock, authority } = parts
    this.board = new FlagBoard(FlagLog.open(flagLogFile(config), clock.wallMs(), options.flags))
    this.advisor = new PathAdvisor({
      board: this.board,
      clock,
      random: seededRandom(`${this.board.log.salt}/${authority.epoch}`),
      drainPerSecond: options.drainPerSecond,
      agents: () => machine.agents.names,
      tell: (agent, advice) => this.tell(agent, advice),
    })
    this.deliveries = new Observations({
      clock,
      intervalMs: options.observeMs,
      pathOf: (agent) => this.pathOf(agent),
      agents: () => this.assigned(),
      refusals: () => machine.refusals(),
    })
    this.shadow =
      options.shadow === null
        ? null
        : new Shadow({
            ...options.shadow,
            clock,
            random: seededRandom(`${this.board.log.salt}/${authority.epoch}/shadow`),
            isPushed: (name) => machine.agents.connected[machine.agents.indexOf(name)] === 1,
            ...(openShadow === undefined ? {} : { open: openShadow }),
          })
    this.oldPath = new OldPath(parts, this.board, options, this.advisor, this.deliveries, this.shadow)
    this.admin =
      config.adminKey === undefined
        ? null
        : new Admin({
            key: config.adminKey,
            board: this.board,
            wallMs: () => clock.wallMs(),
            status: () => this.status(),
            observations: (since) => ({
              epoch: authority.epoch,
              intervalMs: options.observeMs,
              openMs: this.deliveries.openMs(),
              observations: this.deliveries.since(since),
            }),
            shadow: () => this.shadow?.report() ?? noShadow(),
            denied: () => machine.count('INVALID_SESSION', -1, '-'),
          })
  }

  take(request: IncomingMessage, response: ServerResponse, path: string, query: string): boolean {
    if (this.admin !== null && path.startsWith('/admin/')) {
      this.admin.take(request, response, path, query)
      return true
    }
    return this.oldPath.take(request, response, path, query)
  }

  private pathOf(agent: number): Path {
    return this.board.pathOf(this.parts.machine.agents.nameOf(agent))
  }

  private assigned(): Record<Path, number> {
    const counts = { push: 0, poll: 0 }
    for (let agent = 0; agent < this.parts.machine.agents.count; agent++) counts[this.pathOf(agent)]++
    return counts
  }

  private tell(agent: string, advice: PathAdvice): void {
    this.parts.machine.advise(this.parts.machine.agents.indexOf(agent), advice)
    this.oldPath.endPolls(agent)
  }

  settled(ticket: number): void {
    this.oldPath.settled(ticket)
  }

  refused(ticket: number, code: RefusalCode, retryAfterMs: number): void {
    this.oldPath.refused(ticket, code, retryAfterMs)
  }

  admits(agent: string): boolean {
    return this.board.flags.dualMode || this.advisor.isDraining() || this.board.pathOf(agent) === 'push'
  }

  enrolled(agent: string): Readonly<Record<string, unknown>> {
    const { path, fallback } = this.advisor.adviceFor(agent)
    return { path, fallback }
  }

  /** It has left the old path, and hears where it belongs: it may have been away when others did. */
  attached(agent: number): void {
    const name = this.parts.machine.agents.nameOf(agent)
    this.oldPath.endPolls(name)
    this.parts.machine.advise(agent, this.advisor.adviceFor(name))
  }

  tick(): void {
    this.advisor.tick()
    this.deliveries.tick()
    this.shadow?.tick()
  }

  private status(): Record<string, unknown> {
    const { agents } = this.parts.machine
    let connected = 0
    const counts = new Array<number>(shareGroups).fill(0)
    for (const [agent, name] of agents.names.entries()) {
      if (agents.connected[agent] === 1) connected++
      const group = Math.floor((bucketOf(this.board.log.salt, name) * shareGroups) / bucketCount)
      counts[group] = (counts[group] ?? 0) + 1
    }
    const buckets: Uniformity | null = uniformityOf(counts)
    const polling = this.oldPath.pollingAgents()
    return {
      agents: { known: agents.count, assignedPush: this.assigned().push, connectedPush: connected, polling },
      draining: this.advisor.isDraining(),
      oldPath: this.oldPath.room(),
      buckets,
    }
  }

  stats(): Partial<EngineStats> {
    return this.oldPath.stats()
  }

  resetStats(): void {
    this.oldPath.resetStats()
  }

  release(): void {
    this.oldPath.release()
  }

  async destroy(): Promise<void> {
    this.deliveries.destroy()
    await this.shadow?.close()
  }
}
