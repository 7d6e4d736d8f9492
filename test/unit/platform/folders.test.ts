import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { makeFolders } from '../../../src/platform/folders.ts'

const root = mkdtempSync(join(tmpdir(), 'folders-'))
afterAll(() => rmSync(root, { recursive: true }))

it('makes what is missing, with the mode that was asked for, and leaves what is there', () => {
  makeFolders(join(root, 'a', 'b', 'c'), 0o700)
  makeFolders(join(root, 'a', 'b', 'c'))
  expect(statSync(join(root, 'a', 'b')).mode & 0o777).toBe(0o700)
})

it('refuses a file in the way', () => {
  writeFileSync(join(root, 'file'), '')
  expect(() => makeFolders(join(root, 'file', 'below'))).toThrow(/ENOTDIR|EEXIST/)
})

it.runIf(process.platform === 'linux')('gives up at once where no folder can be made', () => {
  expect(() => makeFolders('/proc/lighthouse/run')).toThrow(/ENOENT/)
})
