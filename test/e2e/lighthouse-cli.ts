/** Runs the command line as a child process, with a home of its own, for end-to-end tests. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder that goes when the test ends: working directory and configuration folder of its commands. */
export class Sandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'lighthouse-e2e-'))
  /** That its commands have besides their own. */
  readonly environment: Record<string, string> = {}
  private readonly children: ChildProcess[] = []

  start(...args: string[]): RunningCommand {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: this.folder,
        XDG_CONFIG_HOME: join(this.folder, 'config'),
        CI: 'true',
        ...this.environment,
      },
    })
    this.children.push(child)
    return new RunningCommand(child)
  }

  run(...args: string[]): Promise<Outcome> {
    return this.start(...args).ended
  }

  runDirectories(): string[] {
    return readdirSync(join(this.folder, 'runs')).map((name) => join(this.folder, 'runs', name))
  }

  readJson(...path: string[]): unknown {
    return JSON.parse(readFileSync(join(this.folder, ...path), 'utf8'))
  }

  cleanUp(): void {
    for (const child of this.children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class RunningCommand {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  private stdout = ''
  private stderr = ''

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')))
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')))
    this.ended = new Promise((resolve) => {
      child.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** Resolves with the text once either stream has shown `pattern`; fails when the command ends before, or after 60 s. */
  async shows(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + 60_000
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (found !== null) return found[0]
      if (this.child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`never showed ${String(pattern)}: ${this.stdout}${this.stderr}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** Processes whose parent is `pid`, by /proc. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return (
          / (?:.) (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\)/, ''))?.[1] === String(pid)
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
