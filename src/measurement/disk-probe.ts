/**
 * What the disk under the output folder gives: free bytes, whether a file can be written there, and how long an append with fsync
 * takes. The folder need not exist yet; then the nearest folder above it stands for it. Everything that is
 * written lies in one temporary folder, which is removed however the probe ends.
 */
import { mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../platform/clock.ts'
import type { Fact } from './results-document.ts'

export interface SyncReading {
  readonly appends: number
  readonly medianMs: number
  readonly maxMs: number
}

export interface DiskReading {
  /** As it was given. */
  readonly folder: string
  readonly freeBytes: Fact<number>
  /** False with the reason where nothing can be written. */
  readonly writable: Fact<boolean>
  readonly sync: Fact<SyncReading>
  /** Number of the file system; folders with the same one share its free bytes. */
  readonly device: number | null
}

export interface SyncProbe {
  readonly clock: Clock
  readonly appends: number
  /** After this no further append is begun. */
  readonly limitMs: number
  readonly signal: AbortSignal
}

const appendBytes = 512

/** `probe` null: the latency of fsync is not measured. Never rejects. */
export async function probeDisk(folder: string, probe: SyncProbe | null): Promise<DiskReading> {
  let place: { readonly path: string; readonly device: number }
  try {
    place = nearestFolder(folder)
  } catch (error) {
    const reason = reasonOf(error)
    const unknown = { value: null, reason }
    return { folder, freeBytes: unknown, writable: { value: false, reason }, sync: unknown, device: null }
  }
  const written = await writeThere(place.path, probe)
  return { folder, freeBytes: await freeBytes(place.path), ...written, device: place.device }
}

/** Bytes that this user may still write. */
async function freeBytes(path: string): Promise<Fact<number>> {
  try {
    const { bavail, bsize } = await statfs(path)
    return { value: bavail * bsize }
  } catch (error) {
    return { value: null, reason: reasonOf(error) }
  }
}

/** The folder itself or the nearest above it. Throws the system's error where a file is in the way. */
function nearestFolder(folder: string): { readonly path: string; readonly device: number } {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory() === true) return { path, device: found.dev }
    if (found !== undefined) throw new Error(`ENOTDIR: ${path === resolve(folder) ? 'it' : 'a part of it'} is a file`)
    if (dirname(path) === path) throw new Error('ENOENT: no folder above it exists')
  }
}

async function writeThere(path: string, probe: SyncProbe | null): Promise<Pick<DiskReading, 'writable' | 'sync'>> {
  let temporary: string
  try {
    temporary = await mkdtemp(join(path, '.lighthouse-doctor-'))
  } catch (error) {
    const reason = reasonOf(error)
    return { writable: { value: false, reason }, sync: { value: null, reason } }
  }
  try {
    const file = await open(join(temporary, 'probe'), 'wx')
    try {
      const sync = await appendAndSync(file, probe)
      return { writable: { value: true }, sync }
    } finally {
      await file.close()
    }
  } catch (error) {
    const reason = reasonOf(error)
    return { writable: { value: false, reason }, sync: { value: null, reason } }
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

type Appendable = Pick<Awaited<ReturnType<typeof open>>, 'write' | 'sync'>

/** Without a probe one append shows that there is room at all. Exported for its test. */
export async function appendAndSync(file: Appendable, probe: SyncProbe | null): Promise<Fact<SyncReading>> {
  const block = Buffer.alloc(appendBytes, 0x2e)
  if (probe === null) {
    await file.write(block)
    return { value: null, reason: 'not measured' }
  }
  const { clock, appends, limitMs, signal } = probe
  const startNs = clock.nowNs()
  const tookMs: number[] = []
  for (let nowNs = startNs; tookMs.length < appends && !signal.aborted;) {
    await file.write(block)
    await file.sync()
    const endNs = clock.nowNs()
    tookMs.push((endNs - nowNs) / 1e6)
    nowNs = endNs
    if (endNs - startNs > limitMs * 1e6) break
  }
  if (tookMs.length === 0) return { value: null, reason: 'interrupted' }
  tookMs.sort((a, b) => a - b)
  return {
    value: {
      appends: tookMs.length,
      medianMs: tookMs[Math.ceil(tookMs.length / 2) - 1] ?? 0,
      maxMs: tookMs.at(-1) ?? 0,
    },
  }
}

/** Without the path: what is shown names the folder as it was given. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/, \w+ '.*$/s, '')
}
