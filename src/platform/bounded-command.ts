/**
 * Runs a program that somebody else wrote: without a shell, with no more of the environment than it is granted, and bounded in time and in what it
 * may say.
 *
 * It leads a process group of its own. When its time is over the whole group is killed, so that nothing it started goes on changing
 * things; and an interruption from the terminal does not reach it, so that it is not stopped in the middle of a change.
 */
import { execa } from 'execa'
import { delay } from './clock.ts'
import { childEnvironment, environmentVariable } from './process.ts'

export interface BoundedCommand {
  /** Program and arguments. */
  readonly command: readonly string[]
  /** Variables that it is given besides what every child is given; one that is not set is left out. */
  readonly variables: readonly string[]
  readonly input: string
  readonly timeoutMs: number
  /** Of standard output, and of standard error. */
  readonly mostBytes: number
  /** Kills it. */
  readonly signal: AbortSignal
}

export type CommandEnd =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly stdout: Uint8Array; readonly stderr: string }
  /** It never began. */
  | { readonly kind: 'notStarted'; readonly reason: string }
  | { readonly kind: 'killed'; readonly reason: 'timeout' | 'output' | 'stopped' }
  /** By a signal that was not ours. */
  | { readonly kind: 'signalled'; readonly signal: string }

/** What a process that left its group and holds on to our pipe gets after the time is over. */
const graceMs = 1000

/** Never rejects. */
export async function runBounded(parts: BoundedCommand): Promise<CommandEnd> {
  const { command, variables, input, timeoutMs, mostBytes, signal } = parts
  const [file = '', ...words] = command
  const granted = variables.flatMap((name) => {
    const value = environmentVariable(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  const child = execa(file, words, {
    extendEnv: false,
    env: { ...childEnvironment(), ...Object.fromEntries(granted) },
    input,
    encoding: 'buffer',
    maxBuffer: mostBytes,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    killDescendants: true,
    cancelSignal: signal,
    reject: false,
    stripFinalNewline: false,
  })
  const done = new AbortController()
  try {
    const ended = await Promise.race([child, delay(timeoutMs + graceMs, done.signal).then(() => null)])
    if (ended === null || ended.timedOut) return { kind: 'killed', reason: 'timeout' }
    if (ended.isCanceled) return { kind: 'killed', reason: 'stopped' }
    if (ended.isMaxBuffer) return { kind: 'killed', reason: 'output' }
    const { exitCode, signal: by, stdout, stderr } = ended
    if (exitCode !== undefined) return { kind: 'exited', exitCode, stdout, stderr: new TextDecoder().decode(stderr) }
    if (by !== undefined) return { kind: 'signalled', signal: by }
    return { kind: 'notStarted', reason: ended.code ?? ended.originalMessage ?? 'it cannot be started' }
  } finally {
    done.abort()
    // One that ended by itself may leave something behind on purpose.
    if (child.nodeChildProcess.exitCode === null) child.kill('SIGKILL')
    child.nodeChildProcess.stdout?.destroy()
    child.nodeChildProcess.stderr?.destroy()
  }
}
