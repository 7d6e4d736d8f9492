/** Faults of the engine's process: crashes at chosen moments, stops, pauses, a held event loop. */
import { readFileSync } from 'node:fs'
import type { Bite, FaultKind, FaultTools } from './fault.ts'
import type { Failpoint } from '../engines/event-store/failpoints.ts'
import { delay } from '../platform/clock.ts'

const failpointWithinMs = 10_000
const mostCommitsAhead = 50

/** The process is gone; a supervisor starts it again `forMs` later, on the same port and store. */
export async function crash(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, injected } = tools
  const pid = engine.pid
  injected()
  await engine.crash()
  return startAgain(tools, forMs, `process ${pid === null ? '' : 'killed (SIGKILL)'}`)
}

const deathWords: Readonly<Record<Failpoint, string>> = {
  beforeCommit: 'process died with rows written and not committed',
  afterCommit: 'process died with rows committed and nobody told',
  checkpoint: 'process died while its log was copied into its database',
}

export function crashAt(at: Failpoint): FaultKind['run'] {
  return async (tools, forMs) => {
    const { engine, random, injected, healed } = tools
    await engine.arm(at, 1 + random.below(mostCommitsAhead))
    const died = await engine.died(failpointWithinMs)
    injected()
    if (!died) {
      healed()
      return { bit: false, shownBy: `the engine passed no failpoint ${at} within ${failpointWithinMs / 1000} s` }
    }
    const missed = at === 'checkpoint' && readFileSync(`${engine.storeFile}-checkpoint`, 'latin1') !== 'begun'
    const bite = await startAgain(tools, forMs, deathWords[at])
    return missed ? { bit: false, shownBy: 'the log was copied before the process died' } : bite
  }
}

export async function gracefulStop(tools: FaultTools, forMs: number): Promise<Bite> {
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

export async function pause(tools: FaultTools, forMs: number): Promise<Bite> {
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

export async function stall(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, clock, injected, healed } = tools
  injected()
  const fromNs = clock.nowNs()
  await engine.stall(forMs)
  healed()
  const tookMs = (clock.nowNs() - fromNs) / 1e6
  return { bit: tookMs >= forMs, shownBy: `its event loop was held for ${Math.round(tookMs)} ms` }
}

function ordinal(number: number): string {
  const endings: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' }
  const ending = number % 100 >= 11 && number % 100 <= 13 ? 'th' : (endings[number % 10] ?? 'th')
  return `${number}${ending}`
}
