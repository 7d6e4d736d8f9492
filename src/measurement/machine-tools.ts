/**
 * Which programs and rights of this machine are there that some cases need: none is needed to compare engines. What cannot be
 * tried (another system) is unknown, which is not the same as missing. Programs run with a timeout, with nothing on their
 * input, and change nothing that outlives them: the network rule is set on the loopback of a namespace that ends with it, and the cgroup is removed.
 */
import { accessSync, constants, readdirSync } from 'node:fs'
import { platform } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { whyMemoryCannotBeLimited } from '../platform/memory-cgroup.ts'
import { childEnvironment, environmentVariable } from '../platform/process.ts'

export const toolNames = ['git', 'postgresql', 'prlimit', 'cgroupMemory', 'networkNamespace', 'netem'] as const
export type ToolName = (typeof toolNames)[number]

export interface ToolReading {
  readonly name: ToolName
  readonly state: 'present' | 'missing' | 'unknown'
  /** What was found, or why it was not. */
  readonly detail: string
}

export interface ToolRun {
  readonly exitCode: number | null
  /** First line of what it said, or why it did not run. */
  readonly said: string
}

export interface ToolAccess {
  readonly platform: string
  /** Folder of the first place where all of `programs` can be executed. */
  readonly find: (programs: readonly string[], besides?: readonly string[]) => string | null
  readonly run: (file: string, words: readonly string[]) => Promise<ToolRun>
  /** Why the memory of a process cannot be limited; null when it can. */
  readonly whyNoMemoryLimit: () => Promise<string | null>
}

const toolTimeoutMs = 5000
const mostOutputBytes = 65_536
/** Where administrators' programs are that are not on every user's path. */
const systemFolders = ['/usr/sbin', '/sbin']

export async function readTools(access: ToolAccess): Promise<ToolReading[]> {
  const namespace = await networkNamespace(access)
  return [
    await gitTool(access),
    postgresTool(access),
    onLinux(access, 'prlimit', () => {
      const folder = access.find(['prlimit'])
      return folder === null
        ? missing('prlimit', 'prlimit is not on PATH')
        : present('prlimit', join(folder, 'prlimit'))
    }),
    await memoryLimit(access),
    namespace,
    await netemTool(access, namespace),
  ]
}

async function gitTool({ find, run }: ToolAccess): Promise<ToolReading> {
  const folder = find(['git'])
  if (folder === null) return missing('git', 'git is not on PATH')
  const { exitCode, said } = await run(join(folder, 'git'), ['--version'])
  return exitCode === 0 ? present('git', said) : missing('git', `git --version failed: ${said}`)
}

/** The server is looked for on PATH and where Debian puts it, newest version first. */
function postgresTool({ find }: ToolAccess): ToolReading {
  const folder = find(['initdb', 'postgres'], debianServerFolders())
  return folder === null
    ? missing('postgresql', 'initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin')
    : present('postgresql', folder)
}

function debianServerFolders(): string[] {
  const folder = '/usr/lib/postgresql'
  try {
    return readdirSync(folder)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(folder, version, 'bin'))
  } catch {
    return []
  }
}

/** Tried as the memory suite does it: a group is made, limited and removed. */
async function memoryLimit({ platform: system, whyNoMemoryLimit }: ToolAccess): Promise<ToolReading> {
  const name = 'cgroupMemory'
  if (system !== 'linux') return unknown(name, system)
  const reason = await whyNoMemoryLimit()
  return reason === null ? present(name, 'a memory cgroup can be made') : missing(name, reason)
}

async function networkNamespace({ platform: system, find, run }: ToolAccess): Promise<ToolReading> {
  const name = 'networkNamespace'
  if (system !== 'linux') return unknown(name, system)
  const folder = find(['unshare'])
  if (folder === null) return missing(name, 'unshare is not on PATH')
  const { exitCode, said } = await run(join(folder, 'unshare'), ['-Urn', 'true'])
  return exitCode === 0 ? present(name, 'unshare -Urn') : missing(name, `unshare -Urn failed: ${said}`)
}

async function netemTool({ platform: system, find, run }: ToolAccess, namespace: ToolReading): Promise<ToolReading> {
  const name = 'netem'
  if (system !== 'linux') return unknown(name, system)
  if (namespace.state !== 'present') return missing(name, 'it needs a network namespace')
  const [unshare, tc] = [find(['unshare']), find(['tc'], systemFolders)]
  if (unshare === null || tc === null) return missing(name, 'tc is neither on PATH nor in /usr/sbin')
  const rule = ['qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms']
  const { exitCode, said } = await run(join(unshare, 'unshare'), ['-Urn', join(tc, 'tc'), ...rule])
  return exitCode === 0 ? present(name, 'tc netem') : missing(name, `tc refuses netem: ${said.replace(/\.$/, '')}`)
}

function onLinux({ platform: system }: ToolAccess, name: ToolName, look: () => ToolReading): ToolReading {
  return system === 'linux' ? look() : unknown(name, system)
}

function present(name: ToolName, detail: string): ToolReading {
  return { name, state: 'present', detail }
}

function missing(name: ToolName, detail: string): ToolReading {
  return { name, state: 'missing', detail }
}

function unknown(name: ToolName, system: string): ToolReading {
  return { name, state: 'unknown', detail: `not known on ${system}` }
}

/** This machine. */
export function systemTools(): ToolAccess {
  const path = (environmentVariable('PATH') ?? '').split(delimiter).filter((folder) => folder !== '')
  const find = (programs: readonly string[], besides: readonly string[] = []): string | null =>
    [...path, ...besides].find((folder) => programs.every((program) => isExecutable(join(folder, program)))) ?? null
  return { platform: platform(), find, run: runTool, whyNoMemoryLimit: () => whyMemoryCannotBeLimited() }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Never rejects: what cannot be run, or not within its time, says so. */
async function runTool(file: string, words: readonly string[]): Promise<ToolRun> {
  const ended = await execa(file, words, {
    extendEnv: false,
    env: { ...childEnvironment(), LC_ALL: 'C' },
    stdin: 'ignore',
    timeout: toolTimeoutMs,
    forceKillAfterDelay: 500,
    maxBuffer: mostOutputBytes,
    reject: false,
    all: true,
  })
  if (ended.timedOut) return { exitCode: null, said: `no answer within ${toolTimeoutMs} ms` }
  const first = ended.all.trim().split('\n')[0] ?? ''
  return {
    exitCode: ended.exitCode ?? null,
    said: first === '' ? ((ended.shortMessage ?? '').split('\n')[0] ?? '') : first,
  }
}
