/** The environment of this machine: complete, explained where it is not, and silent about who owns it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../src/measurement/canonical-json.ts'
import { collectEnvironment, completeEnvironment, parseDescriptorLimit } from '../../../src/measurement/environment.ts'
import { environmentSchema } from '../../../src/measurement/evidence-schemas.ts'
import { findSecrets, machineIdentity } from '../../../src/measurement/redaction.ts'
import type { Fact } from '../../../src/measurement/results-document.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-environment-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
  execFileSync('git', [...identity, ...args], { cwd: folder, stdio: 'ignore', timeout: 10_000 })
}

function isFact(value: unknown): value is Fact<unknown> {
  return typeof value === 'object' && value !== null && 'value' in value
}

describe('collectEnvironment', () => {
  it('is valid, explains every null and does not say whose machine it is', async () => {
    const environment = await collectEnvironment(folder)
    expect(environmentSchema.parse(environment)).toEqual(environment)
    for (const fact of Object.values(environment).filter(isFact)) {
      expect(fact.value === null).toBe(fact.reason !== undefined)
    }
    expect(findSecrets(JSON.stringify(environment), machineIdentity())).toEqual([])
    expect(environment.lighthouseVersion).toMatch(/^\d+\.\d+\.\d+/)
    expect(environment.libraries['hdr-histogram-js']).toMatch(/^\d+\.\d+\.\d+/)
    expect(Object.values(environment.libraries)).not.toContain('unknown')
  })

  it('outside git says so', async () => {
    const { commit, dirty, lockfileSha256 } = await collectEnvironment(folder)
    expect([commit, dirty]).toEqual([0, 1].map(() => ({ value: null, reason: 'not in a git work tree' })))
    expect(lockfileSha256.reason).toMatch(/^no lock file/)
  })

  it('names commit, dirty flag and lock file of the project, also from a folder within it', async () => {
    git('init', '-q')
    expect((await collectEnvironment(folder)).commit.reason).toBe('the work tree has no commit yet')
    writeFileSync(join(folder, 'package-lock.json'), '{}\n')
    writeFileSync(join(folder, 'a.txt'), 'one')
    mkdirSync(join(folder, 'inner'))
    git('add', '.')
    git('commit', '-q', '-m', 'one')
    writeFileSync(join(folder, 'untracked.txt'), 'x')
    const clean = await collectEnvironment(join(folder, 'inner'))
    expect(clean.commit.value).toMatch(/^[0-9a-f]{40}$/)
    expect(clean.dirty).toEqual({ value: false })
    expect(clean.lockfileSha256).toEqual({ value: sha256Hex('{}\n') })
    writeFileSync(join(folder, 'a.txt'), 'two')
    expect((await collectEnvironment(folder)).dirty).toEqual({ value: true })
  })

  it('starts no program that the repository names', async () => {
    git('init', '-q')
    git('commit', '-q', '--allow-empty', '-m', 'one')
    const trap = join(folder, 'trap.sh')
    writeFileSync(trap, `#!/bin/sh\ntouch ${join(folder, 'sprung')}\n`, { mode: 0o755 })
    git('config', 'core.fsmonitor', trap)
    await collectEnvironment(folder)
    expect(() => execFileSync('test', ['-e', join(folder, 'sprung')])).toThrow()
  })
})

describe('completeEnvironment', () => {
  it('adds what is known only at the end', async () => {
    const before = await collectEnvironment(folder)
    const known = completeEnvironment(before, { stealPercent: 0, foreignCpuPercent: 3.5 })
    expect([known.stealPercent, known.foreignCpuPercent]).toEqual([{ value: 0 }, { value: 3.5 }])
    const unknown = completeEnvironment(before, { stealPercent: null, foreignCpuPercent: null, reason: 'no counters' })
    expect(unknown.stealPercent).toEqual({ value: null, reason: 'no counters' })
    expect(environmentSchema.parse(unknown)).toEqual(unknown)
  })
})

describe('parseDescriptorLimit', () => {
  it('reads the soft limit', () => {
    const text = (soft: string): string =>
      `Limit    Soft Limit  Hard Limit  Units\nMax open files            ${soft}     20000    files\n`
    expect(parseDescriptorLimit(text('1024'))).toEqual({ value: 1024 })
    expect(parseDescriptorLimit(text('unlimited'))).toEqual({ value: null, reason: 'unlimited' })
    expect(parseDescriptorLimit('').value).toBeNull()
  })
})
