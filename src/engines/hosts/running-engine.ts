/**
 * Starts an engine on its host (a thread, a child process) or points at one that somebody else runs (`url`),
 * and gives the suite the same few questions to ask of each.
 *
 * `--single-threaded-gc` on the children, engine and load alike: on a machine whose cores carry both, parallel scavenges of one
 * take the core of the other and made most of the tail (p99 at 15,000 agents fell from about 130 to 60 ms).
 */
import { delay } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { entryModule } from '../../platform/modules.ts'
import { startPeer, type Peer } from '../../platform/peer.ts'
import type { EngineSemantics, ServerConfig } from '../engine.ts'
import { loadEngine } from '../registry.ts'
import type { EngineReading, EngineStartAnswer, EngineStartRequest } from './engine-host.ts'

export const peerNodeFlags = ['--single-threaded-gc', '--max-semi-space-size=32'] as const

const startTimeoutMs = 30_000
const questionTimeoutMs = 10_000
const stopTimeoutMs = 8_000

export interface RunningEngine {
  readonly url: string
  readonly semantics: EngineSemantics
  readonly semanticsBasis: 'started-by-this-run' | 'declared'
  /** Of a child process; null otherwise. */
  readonly pid: number | null
  reset(): Promise<void>
  /** null for a remote engine: nothing of it can be observed. */
  read(): Promise<EngineReading | null>
  stop(): Promise<void>
}

export interface EngineStart {
  readonly engine: string
  readonly label: string
  readonly host: 'thread' | 'process'
  readonly config: ServerConfig
  /** Of a child process, beside those that every peer has. */
  readonly nodeFlags?: readonly string[]
  /** See PeerOptions. */
  readonly joins?: string
}

/** An engine that this process started, with what only its owner may do to it. */
export interface StartedEngine extends RunningEngine {
  ask(type: string, payload: unknown, timeoutMs: number): Promise<unknown>
  /** Ends it without asking it. Resolves when it is gone. */
  kill(): Promise<void>
  /** Whether it ended by itself within `withinMs`. */
  ended(withinMs: number): Promise<boolean>
}

export async function startEngine(start: EngineStart): Promise<StartedEngine> {
  const peer = startPeer(entryModule('engines/hosts/engine-host'), {
    kind: start.host,
    name: `engine ${start.label}`,
    nodeFlags: [...peerNodeFlags, ...(start.nodeFlags ?? [])],
    ...(start.joins === undefined ? {} : { joins: start.joins }),
  })
  const request: EngineStartRequest = { engine: start.engine, config: start.config, scope: start.host }
  let answer: EngineStartAnswer
  try {
    answer = (await peer.request('start', request, startTimeoutMs)) as EngineStartAnswer
  } catch (error) {
    await peer.kill()
    if (error instanceof LighthouseError && error.code !== 'INTERNAL') throw error
    throw new LighthouseError('ENGINE_START', `engine ${start.label} did not start: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return observed(peer, answer)
}

function observed(peer: Peer, answer: EngineStartAnswer): StartedEngine {
  const gone = new AbortController()
  peer.onExit(() => gone.abort())
  return {
    url: answer.url,
    semantics: answer.semantics,
    semanticsBasis: 'started-by-this-run',
    pid: peer.pid,
    async reset() {
      await peer.request('reset', null, questionTimeoutMs)
    },
    async read() {
      return (await peer.request('read', null, questionTimeoutMs)) as EngineReading
    },
    ask: (type, payload, timeoutMs) => peer.request(type, payload, timeoutMs),
    kill: () => peer.kill(),
    async ended(withinMs) {
      await delay(withinMs, gone.signal)
      return gone.signal.aborted
    },
    async stop() {
      try {
        await peer.request('stop', null, stopTimeoutMs)
      } finally {
        await peer.kill()
      }
    },
  }
}

export interface RemoteEngine {
  readonly engine: string
  readonly url: string
  readonly options: Readonly<Record<string, string>>
  readonly durability: ServerConfig['durability']
}

/** An engine that runs elsewhere: its semantics are what the options declare, not what was observed. */
export async function remoteEngine(remote: RemoteEngine): Promise<RunningEngine> {
  const definition = await loadEngine(remote.engine)
  definition.validateOptions(remote.options)
  return {
    // The contract speaks of http(s); ws and wss name the same server.
    url: remote.url.replace(/^ws/, 'http'),
    semantics: definition.semantics(remote.options, remote.durability),
    semanticsBasis: 'declared',
    pid: null,
    reset: () => Promise.resolve(),
    read: () => Promise.resolve(null),
    stop: () => Promise.resolve(),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
