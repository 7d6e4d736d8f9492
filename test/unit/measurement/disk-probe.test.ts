/** The disk's probe on real folders, and on a file whose every fsync takes a planted time. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendAndSync, probeDisk, type SyncProbe } from '../../../src/measurement/disk-probe.ts'
import { systemClock } from '../../../src/platform/clock.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-disk-'))
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true, force: true })
})

const never = new AbortController().signal
const probe: SyncProbe = { clock: systemClock(), appends: 5, limitMs: 10_000, signal: never }

describe('probing a folder', () => {
  it('knows its free bytes and its fsync, and leaves nothing behind', async () => {
    const reading = await probeDisk(folder, probe)
    expect(reading.writable).toEqual({ value: true })
    expect(reading.freeBytes.value).toBeGreaterThan(0)
    expect(reading.sync.value?.appends).toBe(5)
    expect(reading.sync.value?.maxMs).toBeGreaterThanOrEqual(reading.sync.value?.medianMs ?? Infinity)
    expect(readdirSync(folder)).toEqual([])
  })

  it('takes the nearest folder for one that is not there yet, and does not make it', async () => {
    const reading = await probeDisk(join(folder, 'a/b/runs'), null)
    expect(reading.writable).toEqual({ value: true })
    expect(reading.sync).toEqual({ value: null, reason: 'not measured' })
    expect(reading.device).toBe((await probeDisk(folder, null)).device)
    expect(readdirSync(folder)).toEqual([])
  })

  it('says what is wrong with a file in the way, without its path', async () => {
    writeFileSync(join(folder, 'file'), 'x')
    for (const path of ['file', 'file/runs']) {
      const { writable, freeBytes } = await probeDisk(join(folder, path), probe)
      expect(writable.value).toBe(false)
      expect(writable.reason).toMatch(/^ENOTDIR/)
      expect(writable.reason).not.toContain(folder)
      expect(freeBytes.value).toBeNull()
    }
  })

  it.runIf(process.platform === 'linux')('says so where nobody can write', async () => {
    const { writable, sync } = await probeDisk('/proc/nothing/runs', probe)
    expect(writable).toMatchObject({ value: false, reason: expect.stringMatching(/^E[A-Z]+: /) as string })
    expect(sync.value).toBeNull()
  })

  it.skipIf(process.getuid?.() === 0)('says so where this user cannot write', async () => {
    mkdirSync(join(folder, 'closed'))
    chmodSync(folder, 0o500)
    expect((await probeDisk(join(folder, 'runs'), probe)).writable.reason).toMatch(/^EACCES/)
  })
})

describe('timing fsync', () => {
  /** Each sync takes the next of `tookMs` on its own clock. */
  const planted = (tookMs: readonly number[]) => {
    let nowNs = 0
    let syncs = 0
    const file = {
      write: () => Promise.resolve({ bytesWritten: 512 }),
      sync: () => {
        nowNs += (tookMs[syncs++ % tookMs.length] ?? 0) * 1e6
        return Promise.resolve()
      },
    }
    return {
      file: file as unknown as Parameters<typeof appendAndSync>[0],
      clock: { nowNs: () => nowNs, wallMs: () => 0 },
    }
  }

  it('gives the median and the longest', async () => {
    const { file, clock } = planted([1, 2, 3, 4, 100])
    const reading = await appendAndSync(file, { clock, appends: 5, limitMs: 1e6, signal: never })
    expect(reading).toEqual({ value: { appends: 5, medianMs: 3, maxMs: 100 } })
  })

  it('begins none after its limit', async () => {
    const { file, clock } = planted([400])
    const reading = await appendAndSync(file, { clock, appends: 50, limitMs: 1000, signal: never })
    expect(reading.value).toEqual({ appends: 3, medianMs: 400, maxMs: 400 })
  })

  it('measures nothing once it is told to stop', async () => {
    const { file, clock } = planted([1])
    const reading = await appendAndSync(file, { clock, appends: 50, limitMs: 1000, signal: AbortSignal.abort() })
    expect(reading).toEqual({ value: null, reason: 'interrupted' })
  })
})
