/**
 * Where a run was made: what a reader needs to judge its figures, and nothing that identifies the machine or
 * its user. What cannot be found out is null with the reason. The commit, dirty flag and lock file are those of
 * the project the run was started in, since its code is what a certificate speaks of; `dirty` means that
 * tracked files differ from the commit.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sha256Hex } from './canonical-json.ts'
import { readBoundedFile } from './bounded-file.ts'
import type { MachineNoise } from './machine-noise.ts'
import { machineIdentity, redact } from './redaction.ts'
import type { Environment, Fact } from './results-document.ts'

const gitTimeoutMs = 5000
const lockFiles = ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'] as const
const maximumLockBytes = 64 * 2 ** 20
const packageName = 'lighthouse-harness'
/** Libraries that a figure passes through. */
const measuredLibraries = ['hdr-histogram-js', 'undici', 'ws'] as const

/** Reads everything that is known before the first round; `projectFolder` is where the run was started. */
export async function collectEnvironment(projectFolder: string): Promise<Environment> {
  const identity = machineIdentity()
  const clean = (text: string): string => redact(text, identity)
  const git = await gitFacts(projectFolder)
  const unfinished = { value: null, reason: 'the run has not ended' }
  return {
    lighthouseVersion: versionOf(packageName) ?? 'unknown',
    commit: git.commit,
    dirty: git.dirty,
    lockfileSha256: lockfileDigest(git.root === null ? [projectFolder] : [projectFolder, git.root]),
    nodeVersion: process.version,
    libraries: libraryVersions(),
    platform: `${platform()} ${arch()}`,
    kernel: clean(release()),
    cpuModel: clean(cpus()[0]?.model.trim() || 'unknown'),
    logicalCpus: cpus().length,
    memoryBytes: totalmem(),
    descriptorLimit: descriptorLimit(),
    loadAverageBefore: loadAverage(),
    loadAverageAfter: [],
    stealPercent: unfinished,
    foreignCpuPercent: unfinished,
  }
}

/** The environment at the end of a run; `noise` covers the measured rounds. */
export function completeEnvironment(environment: Environment, noise: MachineNoise): Environment {
  const fact = (value: number | null): Fact<number> =>
    value === null ? { value, reason: noise.reason ?? 'not measured' } : { value }
  return {
    ...environment,
    loadAverageAfter: loadAverage(),
    stealPercent: fact(noise.stealPercent),
    foreignCpuPercent: fact(noise.foreignCpuPercent),
  }
}

/** One, five and fifteen minutes; none where the system keeps no load average (Windows says 0 for unknown). */
function loadAverage(): number[] {
  return platform() === 'win32' ? [] : loadavg()
}

interface GitFacts {
  readonly commit: Fact<string>
  readonly dirty: Fact<boolean>
  readonly root: string | null
}

async function gitFacts(folder: string): Promise<GitFacts> {
  const unknown = (reason: string): GitFacts => ({
    commit: { value: null, reason },
    dirty: { value: null, reason },
    root: null,
  })
  const root = await git(folder, ['rev-parse', '--show-toplevel'])
  if (root === 'absent') return unknown('git is not installed')
  if (root === null) return unknown('not in a git work tree')
  const head = await git(folder, ['rev-parse', '--verify', 'HEAD'])
  if (head === null || head === 'absent' || !/^[0-9a-f]{40,64}$/.test(head))
    return unknown('the work tree has no commit yet')
  const status = await git(folder, ['status', '--porcelain', '--untracked-files=no'])
  return {
    commit: { value: head },
    dirty: status === null ? { value: null, reason: 'git status failed or took too long' } : { value: status !== '' },
    root,
  }
}

/** Trimmed output, null when git refuses or takes too long, `absent` without git. */
async function git(folder: string, args: readonly string[]): Promise<string | null> {
  // A repository's own configuration may name programs to run; reading a commit must not start them.
  const quiet = ['--no-optional-locks', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']
  try {
    const options = { cwd: folder, timeout: gitTimeoutMs, maxBuffer: 16 * 2 ** 20, windowsHide: true }
    const { stdout } = await promisify(execFile)('git', [...quiet, ...args], options)
    return stdout.trim()
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'absent' : null
  }
}

function lockfileDigest(folders: readonly string[]): Fact<string> {
  for (const folder of folders) {
    for (const name of lockFiles) {
      const data = readBoundedFile(join(folder, name), maximumLockBytes)
      if (data !== null) return { value: sha256Hex(data) }
    }
  }
  return { value: null, reason: `no lock file (${lockFiles.join(', ')}) in the project` }
}

function libraryVersions(): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const name of measuredLibraries) versions[name] = versionOf(name) ?? 'unknown'
  versions['sqlite'] = process.versions['sqlite'] ?? 'unknown'
  versions['uv'] = process.versions.uv
  versions['v8'] = process.versions.v8
  return versions
}

/** The version in the package.json of this package, or of one that it can see from here. */
function versionOf(name: string): string | null {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidates = name === packageName ? [folder] : [join(folder, 'node_modules', name)]
    for (const candidate of candidates) {
      const version = packageVersion(join(candidate, 'package.json'), name)
      if (version !== null) return version
    }
    if (dirname(folder) === folder) return null
  }
}

function packageVersion(file: string, name: string): string | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null || !('name' in value) || !('version' in value)) return null
    return value.name === name && typeof value.version === 'string' ? value.version : null
  } catch {
    return null
  }
}

/** The soft limit of this process, which Node has raised to what it may. */
function descriptorLimit(): Fact<number> {
  if (platform() !== 'linux') return { value: null, reason: `not known on ${platform()}` }
  try {
    return parseDescriptorLimit(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return { value: null, reason: '/proc/self/limits is not readable' }
  }
}

/** From the text of Linux's /proc/self/limits. */
export function parseDescriptorLimit(text: string, which: 'soft' | 'hard' = 'soft'): Fact<number> {
  const [, soft, hard] = /^Max open files +(\S+) +(\S+)/m.exec(text) ?? []
  const limit = which === 'soft' ? soft : hard
  if (limit !== undefined && /^\d+$/.test(limit)) return { value: Number(limit) }
  return { value: null, reason: limit === 'unlimited' ? 'unlimited' : '/proc/self/limits does not name it' }
}
