/**
 * The faults that the recovery suite can do to an engine: how each is injected, how it is healed, and what shows that it bit. A fault
 * runs on its own from injection to healing and says when each was; everything that it opens it closes again, also when it is told
 * to stop early.
 */
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Failpoint } from '../engines/event-store/failpoints.ts'
import type { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import type { FaultProxy } from '../faults/fault-proxy.ts'
import type { ToxicInput } from '../faults/toxics.ts'
import { delay, type Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

export interface FaultTools {
  readonly engine: BreakableEngine
  /** Between the clients and the engine, for faults that are of the network. */
  readonly proxy: FaultProxy | null
  readonly random: Random
  readonly clock: Clock
  readonly signal: AbortSignal
  /** To be called at the moment from which the engine is broken, and at that from which nothing stands in its way. */
  readonly injected: () => void
  readonly healed: () => void
  readonly figure: (name: string, value: number) => void
}

export interface Bite {
  readonly bit: boolean
  readonly shownBy: string
}

export interface FaultKind {
  readonly summary: string
  /** Needs the proxy between clients and engine. */
  readonly network: boolean
  /** Over as soon as it is done; nothing is held. */
  readonly instant?: true
  /** Injects, holds for `forMs`, heals. */
  readonly run: (tools: FaultTools, forMs: number) => Promise<Bite>
}

const failpointWithinMs = 10_000
const mostCommitsAhead = 50

/** The process is gone; a supervisor starts it again `forMs` later, on the same port and store. */
async function crash(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, injected } = tools
  const pid = engine.pid
  injected()
  await engine.crash()
  return startAgain(tools, forMs, `process ${pid === null ? '' : 'killed (SIGKILL)'}`)
}

function crashAt(at: Failpoint): FaultKind['run'] {
  return async (tools, forMs) => {
    const { engine, random, injected, healed } = tools
    await engine.arm(at, 1 + random.below(mostCommitsAhead))
    const died = await engine.died(failpointWithinMs)
    injected()
    if (!died) {
      healed()
      return { bit: false, shownBy: `the engine passed no failpoint ${at} within ${failpointWithinMs / 1000} s` }
    }
    return startAgain(
      tools,
      forMs,
      `process died ${at === 'beforeCommit' ? 'with rows written and not committed' : 'with rows committed and nobody told'}`,
    )
  }
}

async function gracefulStop(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, clock, figure, injected } = tools
  injected()
  const fromNs = clock.nowNs()
  await engine.stopGracefully()
  figure('stopMs', (clock.nowNs() - fromNs) / 1e6)
  return startAgain(tools, forMs, 'process asked to stop, and gone')
}

async function startAgain(tools: FaultTools, forMs: number, what: string): Promise<Bite> {
  const { engine, clock, figure, healed, signal } = tools
  await delay(forMs, signal)
  healed()
  const fromNs = clock.nowNs()
  await engine.restart()
  figure('restartMs', (clock.nowNs() - fromNs) / 1e6)
  return { bit: true, shownBy: `${what}; started again as its ${ordinal(engine.starts)} process` }
}

async function pause(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, injected, healed, signal } = tools
  engine.pause()
  injected()
  try {
    await delay(Math.min(50, forMs), signal)
    const state = processState(engine.pid)
    await delay(Math.max(0, forMs - 50), signal)
    return {
      bit: state === null || state.startsWith('T'),
      shownBy: `process state ${state ?? 'not known here'} while stopped`,
    }
  } finally {
    engine.resume()
    healed()
  }
}

/** `T (stopped)` and the like; null where the system does not tell. */
function processState(pid: number | null): string | null {
  try {
    return /^State:\s+(\S.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? null
  } catch {
    return null
  }
}

async function stall(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, clock, injected, healed } = tools
  injected()
  const fromNs = clock.nowNs()
  await engine.stall(forMs)
  healed()
  const tookMs = (clock.nowNs() - fromNs) / 1e6
  return { bit: tookMs >= forMs, shownBy: `its event loop was held for ${Math.round(tookMs)} ms` }
}

/** Cut connections heal themselves: there is nothing to wait for. */
function reset(share: number): FaultKind['run'] {
  return (tools) => {
    const { figure, injected, healed } = tools
    const proxy = proxyOf(tools)
    const open = proxy.connections()
    injected()
    const count = proxy.resetConnections(share)
    healed()
    figure('connectionsReset', count)
    return Promise.resolve({ bit: count > 0, shownBy: `${count} of ${open} connections reset` })
  }
}

/** Nobody listens and every connection is cut: what clients see of a machine that is gone and comes back. */
async function unreachable(tools: FaultTools, forMs: number): Promise<Bite> {
  const { figure, injected, healed, signal } = tools
  const proxy = proxyOf(tools)
  injected()
  proxy.disable()
  const count = proxy.resetConnections(1)
  figure('connectionsReset', count)
  try {
    await delay(forMs, signal)
  } finally {
    await proxy.enable()
    healed()
  }
  return { bit: count > 0, shownBy: `${count} connections reset and new ones refused` }
}

function toxic(input: (random: Random) => ToxicInput): FaultKind['run'] {
  return async (tools, forMs) => {
    const { random, injected, healed, signal } = tools
    const proxy = proxyOf(tools)
    const added = proxy.addToxic(input(random))
    injected()
    await delay(forMs, signal)
    const { counts } = proxy.removeToxic(added.name)
    healed()
    const { connectionsAffected, connectionsChosen, firstAffectedAtNs: _at, ...done } = counts
    const what = Object.entries(done).flatMap(([name, count]) =>
      count > 0 ? [`${count} ${toxicWords[name] ?? name}`] : [],
    )
    return {
      bit: connectionsAffected > 0,
      shownBy: `${added.type} reached ${connectionsAffected} of ${connectionsChosen} connections${what.length === 0 ? '' : `: ${what.join(', ')}`}`,
    }
  }
}

const toxicWords: Readonly<Record<string, string>> = {
  bytesDelayed: 'bytes delayed',
  bytesDropped: 'bytes dropped',
  bytesCorrupted: 'bytes corrupted',
  endsDelayed: 'ends of stream delayed',
  endsDropped: 'ends of stream dropped',
}

/** A second process takes the write lock of the store, as a backup or a careless script does. */
async function storeLocked(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, injected, healed, signal } = tools
  const database = new DatabaseSync(engine.storeFile, { timeout: 200 })
  try {
    try {
      database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      injected()
      healed()
      return {
        bit: false,
        shownBy: `the store gives its lock to nobody else: ${error instanceof Error ? error.message : String(error)}`,
      }
    }
    injected()
    await delay(forMs, signal)
    database.exec('ROLLBACK')
    healed()
    return { bit: true, shownBy: `write lock of the store held by another connection for ${forMs} ms` }
  } finally {
    database.close()
  }
}

export const faultKinds = {
  crash: { summary: 'SIGKILL, started again after the outage', network: false, run: crash },
  'crash-before-commit': {
    summary: 'dies with rows written and not committed',
    network: false,
    run: crashAt('beforeCommit'),
  },
  'crash-after-commit': {
    summary: 'dies with rows committed and not acknowledged',
    network: false,
    run: crashAt('afterCommit'),
  },
  'graceful-stop': { summary: 'asked to stop under load, started again', network: false, run: gracefulStop },
  pause: { summary: 'SIGSTOP, then SIGCONT', network: false, run: pause },
  stall: { summary: 'its event loop is held', network: false, run: stall },
  'reset-1': { summary: '1 % of the connections reset', network: true, instant: true, run: reset(0.01) },
  'reset-10': { summary: '10 % of the connections reset', network: true, instant: true, run: reset(0.1) },
  'reset-all': { summary: 'every connection reset: a reconnect storm', network: true, instant: true, run: reset(1) },
  unreachable: { summary: 'every connection reset, new ones refused', network: true, run: unreachable },
  'black-hole': {
    summary: 'bytes of both directions vanish, connections stay',
    network: true,
    run: toxic(() => ({ type: 'black_hole' })),
  },
  'one-way-loss': {
    summary: 'what the engine says vanishes, what it hears arrives',
    network: true,
    run: toxic(() => ({ type: 'one_way', stream: 'downstream' })),
  },
  freeze: {
    summary: 'bytes of both directions wait until the end',
    network: true,
    run: toxic(() => ({ type: 'freeze' })),
  },
  latency: {
    summary: '100 ± 50 ms added in both directions',
    network: true,
    run: toxic(() => ({ type: 'latency', stream: 'both', latencyMs: 100, jitterMs: 50 })),
  },
  bandwidth: {
    summary: '2 kB/s for each connection and direction',
    network: true,
    run: toxic(() => ({ type: 'bandwidth', stream: 'both', bytesPerSecond: 2000 })),
  },
  corrupt: {
    summary: 'one bit of one chunk in twenty is flipped',
    network: true,
    run: toxic(() => ({ type: 'corrupt', chunkShare: 0.05 })),
  },
  'store-locked': { summary: 'another process holds the write lock of the store', network: false, run: storeLocked },
} as const satisfies Readonly<Record<string, FaultKind>>

export type FaultName = keyof typeof faultKinds
export const faultNames = Object.keys(faultKinds) as readonly FaultName[]

export function faultKind(name: string): FaultKind | undefined {
  const kinds: Readonly<Record<string, FaultKind>> = faultKinds
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined
}

function proxyOf({ proxy }: FaultTools): FaultProxy {
  if (proxy === null) throw new Error('a fault of the network needs the proxy')
  return proxy
}

function ordinal(number: number): string {
  const endings: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' }
  const ending = number % 100 >= 11 && number % 100 <= 13 ? 'th' : (endings[number % 10] ?? 'th')
  return `${number}${ending}`
}
