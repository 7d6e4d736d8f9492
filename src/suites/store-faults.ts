/** Faults of the event store under the engine: a full disk, a lock that somebody else holds. */
import { DatabaseSync } from 'node:sqlite'
import { execa } from 'execa'
import type { Bite, FaultTools } from './fault.ts'
import type { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import { delay } from '../platform/clock.ts'

const fullDiskBytes = 4096

/**
 * Files may not grow beyond one page: every write of the store fails as on a full disk (EFBIG instead of ENOSPC). The limit is the
 * process's own, so nobody else on the machine is harmed.
 */
export async function diskFull(tools: FaultTools, forMs: number): Promise<Bite> {
  const { engine, injected, healed, signal } = tools
  const before = await refusalsOf(engine)
  await limitFileSize(engine, fullDiskBytes)
  injected()
  let refused: number
  try {
    await delay(forMs, signal)
    refused = (await refusalsOf(engine)) - before
  } finally {
    await limitFileSize(engine, 'unlimited')
    healed()
  }
  return { bit: refused > 0, shownBy: `files limited to ${fullDiskBytes} bytes; ${refused} refusals meanwhile` }
}

async function limitFileSize(engine: BreakableEngine, soft: number | 'unlimited'): Promise<void> {
  await execa('prlimit', ['--pid', String(engine.pid), `--fsize=${soft}:unlimited`], { timeout: 5000 })
}

async function refusalsOf(engine: BreakableEngine): Promise<number> {
  const refusals = (await engine.read())?.stats.refusals ?? {}
  return Object.values(refusals).reduce((sum, count) => sum + count, 0)
}

/** A second process takes the write lock of the store, as a backup or a careless script does. */
export async function storeLocked(tools: FaultTools, forMs: number): Promise<Bite> {
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
