import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeScratchFolder, sweepScratchFolders } from '../../../src/platform/scratch.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'scratch-test-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

/** Of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

/** The name that a process of this number would have given. */
function nameOf(pid: number, kind = 'store'): string {
  const [, , namespace] = basename(makeScratchFolder('probe', parent)).split('-')
  return `lighthouse-${kind}-${namespace}-${pid}-AbC123`
}

it('removes what a dead process left, and nothing else', () => {
  const own = makeScratchFolder('store', parent)
  const dead = join(parent, nameOf(deadPid()))
  const alive = join(parent, nameOf(process.ppid))
  const elsewhere = join(parent, `lighthouse-store-1-${deadPid()}-AbC123`)
  const other = join(parent, 'lighthouse-store-XgfaDg')
  for (const folder of [dead, alive, elsewhere, other]) {
    mkdirSync(folder)
    writeFileSync(join(folder, 'events.db'), 'rows')
  }
  expect(sweepScratchFolders(parent)).toBe(1)
  expect([own, dead, alive, elsewhere, other].map((folder) => existsSync(folder))).toEqual([
    true,
    false,
    true,
    true,
    true,
  ])
})

it('follows no link and takes no file for a folder', () => {
  const outside = join(parent, 'precious')
  mkdirSync(outside)
  writeFileSync(join(outside, 'kept'), '')
  symlinkSync(outside, join(parent, nameOf(deadPid(), 'link')))
  writeFileSync(join(parent, nameOf(deadPid(), 'file')), '')
  expect(sweepScratchFolders(parent)).toBe(0)
  expect(existsSync(join(outside, 'kept'))).toBe(true)
})

it('is not troubled by a folder that is not there', () => {
  expect(sweepScratchFolders(join(parent, 'missing'))).toBe(0)
})
