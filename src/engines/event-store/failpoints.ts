/**
 * Points of a commit at which a process may be told to die, so that a crash hits the moment that matters and not only a moment that
 * chance picks. Nothing is armed unless a suite arms it, once, in the process of an engine that it started itself.
 */
import { writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

/**
 * `beforeCommit`: rows are written, their transaction is not committed. `afterCommit`: it is, and nobody was told. `checkpoint`: it is,
 * nobody was told, and the log is being copied into the database.
 */
export const failpoints = ['beforeCommit', 'afterCommit', 'checkpoint'] as const
export type Failpoint = (typeof failpoints)[number]

let armed: { readonly at: Failpoint; left: number; readonly die: () => void } | null = null

/** The process dies at the `commits`-th passage from now, at once and without a word. */
export function armFailpoint(
  at: Failpoint,
  commits: number,
  die: () => void = () => void process.kill(process.pid, 'SIGKILL'),
): void {
  armed = { at, left: Math.max(1, commits), die }
}

/** True where the caller is to copy its log into its database now, for the process to die in it. */
export function passFailpoint(at: Exclude<Failpoint, 'checkpoint'>): boolean {
  if (armed === null) return false
  if (armed.at === 'checkpoint') return at === 'afterCommit' && passed()
  if (armed.at === at && passed()) {
    const { die } = armed
    armed = null
    die()
  }
  return false
}

function passed(): boolean {
  if (armed === null) return false
  armed.left--
  return armed.left <= 0
}

const begun = 1
const go = 2
/** Long enough for the copying to be under way, short enough for it not to be over. */
const killAfterMs = 1

/** A small log would be copied before anybody could kill the process: it is made large enough to be met in the middle. */
const fillerBytes = 64 * 2 ** 20

/**
 * Copies the log into the database while another thread kills the process, so that it dies within it. `execute` runs SQL on the
 * store's connection. A file beside the store tells how far it came: `begun`, or `ended` where the copying was too quick.
 */
export function dieInCheckpoint(execute: (sql: string) => void, markerFile: string): void {
  armed = null
  execute('PRAGMA wal_autocheckpoint = 0')
  execute('CREATE TABLE IF NOT EXISTS checkpoint_filler (bytes BLOB NOT NULL) STRICT')
  execute(`INSERT INTO checkpoint_filler VALUES (zeroblob(${fillerBytes}))`)
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const killer = `
    const { workerData } = require('node:worker_threads')
    const flag = new Int32Array(workerData)
    Atomics.store(flag, 0, ${begun})
    Atomics.notify(flag, 0)
    Atomics.wait(flag, 0, ${begun})
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${killAfterMs})
    process.kill(process.pid, 'SIGKILL')
  `
  // oxlint-disable-next-line no-new -- it lives until it has killed this process
  new Worker(killer, { eval: true, workerData: flag.buffer })
  Atomics.wait(flag, 0, 0, 5000)
  writeFileSync(markerFile, 'begun')
  Atomics.store(flag, 0, go)
  Atomics.notify(flag, 0)
  execute('PRAGMA wal_checkpoint(TRUNCATE)')
  writeFileSync(markerFile, 'ended')
  // The kill is on its way; nothing may be acknowledged any more.
  Atomics.wait(flag, 0, go, 5000)
}
