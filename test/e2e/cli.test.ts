/** The command line through real processes: exit codes, what goes to which stream, signals, closed pipes. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const program = join(root, 'test/e2e/cli-program/run.js')
const own = join(root, 'bin/run.js')
const environment = { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), NO_COLOR: '1' }
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lighthouse-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => rmSync(join(folder, 'lighthouse.config.yaml'), { force: true }))

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(file: string, parameters: readonly string[], variables: Record<string, string> = {}): Ended {
  const options = { cwd: folder, encoding: 'utf8', timeout: 30_000, env: { ...environment, ...variables } } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...parameters], options)
  return { status, stdout, stderr }
}

const waits = (...parameters: string[]): Ended => run(program, ['wait', ...parameters])

function settings(text: string): { agents: number; rounds: number; certificate: boolean } {
  const { settings, certificate } = JSON.parse(text) as {
    settings: { agents: number; rounds: number }
    certificate: boolean
  }
  return { agents: settings.agents, rounds: settings.rounds, certificate }
}

describe('exit codes and streams', () => {
  it('passes the verdict of a command through, progress on standard error', () => {
    expect(waits('--code', '21')).toEqual({ status: 21, stdout: 'done\n', stderr: 'waiting\n' })
    expect(waits('--quiet')).toEqual({ status: 0, stdout: 'done\n', stderr: '' })
  })

  it('prints data alone under --json', () => {
    const ended = waits('--json', '--code', '20')
    expect(ended.status).toBe(20)
    expect(settings(ended.stdout)).toEqual({ agents: 100, rounds: 10, certificate: true })
  })

  it.each([
    [['wait', '--agnets', '3'], 2, "'--agents'"],
    [['wiat'], 2, 'lighthouse wait'],
    [['wait', '--agents'], 2, '--agents'],
    [['wait', '--agents', '0'], 2, 'too small'],
    [['wait', '--agents', '1e9'], 2, 'too large'],
    [['wait', '--agents', '3', '--agents', '4'], 2, 'once'],
    [['wait', '--deadline', '72'], 2, '72h'],
    [['wait', '--pattern', 'rign'], 2, "'ring'"],
    [['wait', 'end', 'more'], 2, 'more'],
    [['wait', 'fail'], 24, 'Plant none.'],
    [['wait', 'system'], 24, 'permission'],
    [['wait', 'defect'], 1, 'planted defect'],
  ])('%j ends with %i and says why, also as JSON', (parameters, status, words) => {
    const plain = run(program, parameters)
    expect(plain.status).toBe(status)
    expect(plain.stdout).toBe('')
    expect(plain.stderr).toContain(words)
    expect(/\n\s+at /.test(plain.stderr)).toBe(status === 1)
    const json = run(program, [...parameters, '--json'])
    const { error, exitCode } = JSON.parse(json.stdout) as {
      error: { code: string; message: string; suggestions: string[] }
      exitCode: number
    }
    expect([json.status, exitCode]).toEqual([status, status])
    expect(`${error.message} ${error.suggestions.join(' ')}`).toContain(words)
  })

  it('shows stacks when asked', () => {
    expect(run(program, ['wait', 'fail'], { LIGHTHOUSE_DEBUG: '1' }).stderr).toMatch(/\n\s+at /)
  })
})

describe('configuration', () => {
  const configure = (text: string): void => writeFileSync(join(folder, 'lighthouse.config.yaml'), text)
  const variables = { LIGHTHOUSE_AGENTS: '9' }

  it('takes flag over environment over file over profile', () => {
    configure('\uFEFFagents: 7\r\nrounds: 12\r\ncertificate: false\r\n')
    expect(settings(waits('--json').stdout)).toEqual({ agents: 7, rounds: 12, certificate: false })
    expect(settings(run(program, ['wait', '--json'], variables).stdout).agents).toBe(9)
    expect(settings(run(program, ['wait', '--json', '--agents', '11'], variables).stdout).agents).toBe(11)
    expect(settings(waits('--json', '--certificate', '--rounds', '6').stdout)).toEqual({
      agents: 7,
      rounds: 6,
      certificate: true,
    })
  })

  it('names the variable or the line that is wrong', () => {
    expect(run(program, ['wait'], { LIGHTHOUSE_AGENTS: '1.5' }).stderr).toContain('LIGHTHOUSE_AGENTS')
    configure('rounds: 8\nagents: 0\n')
    expect(waits()).toMatchObject({ status: 2, stdout: '' })
    expect(waits().stderr).toContain('lighthouse.config.yaml:2')
    configure('agnets: 3\n')
    expect(waits().stderr).toContain("'agents'")
  })

  it('does not read a gigabyte', () => {
    configure('')
    truncateSync(join(folder, 'lighthouse.config.yaml'), 2 ** 30)
    const ended = waits()
    expect(ended.status).toBe(2)
    expect(ended.stderr).toContain('1073741824 bytes')
  })
})

async function started(mode: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, 'wait', ...mode], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await once(child.stderr, 'data', { signal: AbortSignal.timeout(20_000) })
  return child
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000)
  try {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  } finally {
    clearTimeout(kill)
  }
}

describe('interruption', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('%s lets the command write what it has, then ends with %i', async (signal, code) => {
    const child = await started(['--for', '60s', '--json'])
    let stdout = ''
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.kill(signal)
    expect(await exitOf(child)).toBe(code)
    expect(JSON.parse(stdout)).toMatchObject({ partial: true })
  })

  it('ends at once at the second signal', async () => {
    const child = await started(['stubborn'])
    child.kill('SIGINT')
    await once(child.stderr ?? child, 'data', { signal: AbortSignal.timeout(20_000) })
    child.kill('SIGINT')
    expect(await exitOf(child)).toBe(130)
  })

  it('follows a parent that is killed', async () => {
    const script = `const { spawn } = require('node:child_process')
      const child = spawn(process.execPath, ${JSON.stringify([program, 'wait', '--for', '60s'])}, { stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr.once('data', () => console.log(child.pid))`
    const parent = spawn(process.execPath, ['-e', script], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [chunk] = (await once(parent.stdout, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer]
    const pid = Number(chunk.toString())
    expect(alive(pid)).toBe(true)
    parent.kill('SIGKILL')
    const deadline = AbortSignal.timeout(15_000)
    while (alive(pid) && !deadline.aborted) await wait(50)
    expect(alive(pid)).toBe(false)
  })
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('streams that close', () => {
  it('is not disturbed by a reader that leaves', () => {
    const command = `"${process.execPath}" "${program}" wait --json --code 21 | head -c 1; exit "\${PIPESTATUS[0]}"`
    const ended = spawnSync('bash', ['-c', command], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
      env: environment,
    })
    expect(ended.status).toBe(21)
    expect(ended.stderr).not.toMatch(/EPIPE/)
  })

  it.skipIf(!existsSync('/dev/full'))('says so when standard output is full', () => {
    const command = `"${process.execPath}" "${program}" wait --quiet --json > /dev/full`
    const ended = spawnSync('bash', ['-c', command], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
      env: environment,
    })
    expect(ended.status).toBe(24)
    expect(ended.stderr).toContain('standard output')
  })
})

describe('the entry point of a clone', () => {
  it('answers --version and --help', () => {
    expect(run(own, ['--version'])).toMatchObject({ status: 0, stderr: '' })
    expect(run(own, ['--version']).stdout).toMatch(/^lighthouse-harness\/\d+\.\d+\.\d+ \S+ node-v\d+/)
    const help = run(own, ['--help'])
    expect(help).toMatchObject({ status: 0, stderr: '' })
    for (const topic of ['bench', 'certify', 'report']) expect(help.stdout).toContain(topic)
    expect(run(own, ['bench', 'compare', '--help']).stdout).toContain('LIGHTHOUSE_AGENTS')
  })

  it('is what npx runs here', () => {
    const options = { cwd: root, encoding: 'utf8', timeout: 60_000 } as const
    const ended = spawnSync('npx', ['--no-install', 'lighthouse', 'bench', 'compaer'], options)
    expect(ended.stderr).toContain('lighthouse bench compare')
    expect(ended.status).toBe(2)
  })

  const old = environment.PATH.split(delimiter)
    .concat('/usr/bin', '/usr/local/bin')
    .map((path) => join(path, 'node'))
    .filter((path) => existsSync(path))
    .find((path) => Number(/^v(\d+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 99) < 26)

  it.skipIf(old === undefined)('tells an old Node in one line what is missing', () => {
    const ended = spawnSync(old ?? '', [own, 'bench', 'compare'], { encoding: 'utf8', timeout: 30_000 })
    expect(ended.status).toBe(24)
    expect(ended.stdout).toBe('')
    expect(ended.stderr.trim().split('\n')).toHaveLength(1)
    expect(ended.stderr).toContain('Node 26')
  })
})
