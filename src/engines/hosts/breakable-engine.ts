/**
 * An engine in a process of its own that a suite may kill, stop, freeze and start again on the same port and store: what a
 * supervisor would do to it in life, and what it would suffer. Its address stays the same through all of it.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { LighthouseError } from '../../platform/errors.ts'
import { makeScratchFolder } from '../../platform/scratch.ts'
import type { ServerConfig } from '../engine.ts'
import type { Failpoint } from '../event-store/failpoints.ts'
import type { SettledMemory } from '../../measurement/settled-memory.ts'
import type { EngineAtRest } from './engine-host.ts'
import { startEngine, type RunningEngine, type StartedEngine } from './running-engine.ts'

/** Two collections of a large heap beside a full load. */
const settleTimeoutMs = 30_000

export interface BreakableStart {
  readonly engine: string
  readonly label: string
  /** Its store file and port are chosen here. */
  readonly config: Omit<ServerConfig, 'storeFile' | 'port'>
  /** Flags of Node beside the usual ones, e.g. a heap limit. */
  readonly nodeFlags?: readonly string[]
}

export class BreakableEngine implements RunningEngine {
  readonly url: string
  readonly semantics: RunningEngine['semantics']
  readonly semanticsBasis = 'started-by-this-run'
  private readonly start: BreakableStart
  private readonly folder: string
  private running: StartedEngine | null
  private startsMade = 1

  private constructor(start: BreakableStart, folder: string, running: StartedEngine) {
    this.start = start
    this.folder = folder
    this.running = running
    this.url = running.url
    this.semantics = running.semantics
  }

  /** Throws ENGINE_START when it does not come up; then nothing is left behind. */
  static async open(start: BreakableStart): Promise<BreakableEngine> {
    const folder = makeScratchFolder('breakable')
    try {
      return new BreakableEngine(start, folder, await startProcess(start, folder, 0))
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** null while it is down. */
  get pid(): number | null {
    return this.running?.pid ?? null
  }

  /** How often it was started, the first time included. */
  get starts(): number {
    return this.startsMade
  }

  get storeFile(): string {
    return storeFileIn(this.folder)
  }

  /** SIGKILL; resolves when the process is gone. */
  async crash(): Promise<void> {
    const running = this.taken()
    await running.kill()
  }

  /** Resolves with true when the process died by itself within `withinMs`, as an armed failpoint makes it. */
  async died(withinMs: number): Promise<boolean> {
    const running = this.up()
    const ended = await running.ended(withinMs)
    if (ended) this.running = null
    return ended
  }

  /** Asks it to answer what is in flight and end; killed if it does not within its limit. */
  async stopGracefully(): Promise<void> {
    await this.taken().stop()
  }

  /** SIGSTOP: sockets stay open and the kernel goes on taking bytes, but nothing is read. */
  pause(): void {
    this.signal('SIGSTOP')
  }

  resume(): void {
    this.signal('SIGCONT')
  }

  /** Blocks its event loop for `forMs` without giving up the core. Resolves when it is over. */
  async stall(forMs: number): Promise<void> {
    await this.up().ask('stall', { forMs }, forMs + 10_000)
  }

  /** It dies at the `commits`-th passage of the failpoint from now. */
  async arm(at: Failpoint, commits: number): Promise<void> {
    await this.up().ask('arm', { at, commits }, 10_000)
  }

  /** Two major collections, then a reading. Throws ENVIRONMENT unless it was started with `settlingFlags`. */
  async settle(): Promise<SettledMemory> {
    return (await this.up().ask('settle', null, settleTimeoutMs)) as SettledMemory
  }

  /** The same with handles and the store's log, in any process. */
  async rest(): Promise<EngineAtRest> {
    return (await this.up().ask('rest', null, settleTimeoutMs)) as EngineAtRest
  }

  /** On the same port and store, with other flags of Node if given, and in a cgroup. Throws ENGINE_START when it does not come up. */
  async restart(nodeFlags: readonly string[] | undefined = this.start.nodeFlags, joins?: string): Promise<void> {
    if (this.running !== null) throw new LighthouseError('INTERNAL', `engine ${this.start.label} is still running`)
    const start = nodeFlags === undefined ? this.start : { ...this.start, nodeFlags }
    this.running = await startProcess(start, this.folder, Number(new URL(this.url).port), joins)
    this.startsMade++
  }

  async reset(): Promise<void> {
    await this.up().reset()
  }

  /** null while it is down. */
  read(): ReturnType<RunningEngine['read']> {
    return this.running === null ? Promise.resolve(null) : this.running.read()
  }

  /** Ends it, whatever state it is in, and removes its store. */
  async stop(): Promise<void> {
    const running = this.running
    this.running = null
    try {
      if (running !== null) {
        signalProcess(running.pid, 'SIGCONT')
        await running.stop()
      }
    } finally {
      rmSync(this.folder, { recursive: true, force: true })
    }
  }

  private signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    signalProcess(this.up().pid, name)
  }

  private up(): StartedEngine {
    if (this.running === null) throw new LighthouseError('ENVIRONMENT', `engine ${this.start.label} is down`)
    return this.running
  }

  private taken(): StartedEngine {
    const running = this.up()
    this.running = null
    return running
  }
}

function storeFileIn(folder: string): string {
  return join(folder, 'events.db')
}

function startProcess(start: BreakableStart, folder: string, port: number, joins?: string): Promise<StartedEngine> {
  const { engine, label, nodeFlags } = start
  const storeFile = start.config.durability === 'memory' ? null : storeFileIn(folder)
  const config = { ...start.config, storeFile, port }
  const own = { ...(nodeFlags === undefined ? {} : { nodeFlags }), ...(joins === undefined ? {} : { joins }) }
  return startEngine({ engine, label, host: 'process', config, ...own })
}

/** A process that is gone already needs no signal. */
function signalProcess(pid: number | null, name: 'SIGSTOP' | 'SIGCONT'): void {
  if (pid === null) return
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
