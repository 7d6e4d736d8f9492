/**
 * How a failure is told: the exit code, one message with what to do about it, and a stack only for defects of
 * this program or when LIGHTHOUSE_DEBUG is set. With `--json` the same goes to standard output as
 * `{ error: { code, message, suggestions }, exitCode }`, so that a script never has to read prose.
 */
import { CLIError, ExitError } from '@oclif/core/errors'
import { stripVTControlCharacters } from 'node:util'
import { exitCodes, LighthouseError } from './platform/errors.ts'
import { environmentVariable } from './platform/process.ts'

export interface Failure {
  readonly code: string
  readonly message: string
  readonly suggestions: readonly string[]
  readonly exitCode: number
  readonly stack: string | null
}

/** Wrong use of the command line that the framework found. */
export class CommandLineError extends LighthouseError {
  constructor(message: string, suggestions: readonly string[]) {
    super('USAGE', message, { suggestions })
  }
}

/** Failures of the operating system that a user can do something about, by errno. */
const systemErrors: Readonly<Record<string, string>> = {
  EACCES: 'Check the permissions of that path.',
  EPERM: 'Check the permissions of that path.',
  EROFS: 'Choose a folder on a writable file system.',
  ENOSPC: 'Free some disk space, or choose another folder.',
  EDQUOT: 'Free some disk space, or choose another folder.',
  EMFILE: 'Raise the limit of open files (`ulimit -n`), or use fewer agents.',
  ENFILE: 'The machine has no file descriptors left; end other programs.',
  ENOENT: 'Check that the path exists.',
  ENOTDIR: 'A part of that path is a file; choose another folder.',
  EISDIR: 'That path is a folder; name a file.',
  EADDRINUSE: 'Choose another port, or let the system pick a free one.',
}

/** Null when nothing went wrong: an orderly exit with code 0 is not a failure. */
export function describeFailure(error: unknown): Failure | null {
  if (error instanceof ExitError) {
    const exitCode = error.oclif.exit ?? exitCodes.CRASH
    return exitCode === 0 ? null : plain('EXIT', error.message, [], exitCode)
  }
  if (error instanceof LighthouseError) {
    const stack = error.code === 'INTERNAL' || debugging() ? stackOf(error) : null
    return { code: error.code, message: error.message, suggestions: error.suggestions, exitCode: error.exitCode, stack }
  }
  if (error instanceof CLIError) return plain('USAGE', firstParagraph(error.message), [], exitCodes.USAGE)
  const errno = systemErrorCode(error)
  if (errno !== null && error instanceof Error) {
    const failure = plain('ENVIRONMENT', error.message, [systemErrors[errno] ?? ''], exitCodes.ENVIRONMENT)
    return debugging() ? { ...failure, stack: stackOf(error) } : failure
  }
  const message = error instanceof Error ? error.message : String(error)
  const suggestions = ['This is a defect of Lighthouse. Report it with the lines above.']
  return {
    code: 'INTERNAL',
    message,
    suggestions,
    exitCode: exitCodes.CRASH,
    stack: error instanceof Error ? stackOf(error) : null,
  }
}

export function writeFailure(failure: Failure | null, json: boolean): void {
  if (failure === null) return
  if (json) {
    const { code, message, suggestions, exitCode } = failure
    process.stdout.write(`${JSON.stringify({ error: { code, message, suggestions }, exitCode }, null, 2)}\n`)
    if (failure.stack !== null) process.stderr.write(`${failure.stack}\n`)
    return
  }
  process.stderr.write(renderFailure(failure))
}

export function renderFailure(failure: Failure): string {
  const lines = [`Error: ${failure.message}`]
  if (failure.stack !== null) lines.push(failure.stack)
  for (const suggestion of failure.suggestions) lines.push(`  → ${suggestion}`)
  return `${lines.join('\n')}\n`
}

function plain(code: string, message: string, suggestions: readonly string[], exitCode: number): Failure {
  return { code, message, suggestions, exitCode, stack: null }
}

function debugging(): boolean {
  return environmentVariable('LIGHTHOUSE_DEBUG') !== undefined
}

function stackOf(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const cause = error.cause instanceof Error ? `\n  caused by: ${error.cause.stack ?? error.cause.message}` : ''
  return frames.join('\n') + cause
}

function systemErrorCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return null
  const { code } = error
  return typeof code === 'string' && code in systemErrors ? code : null
}

function firstParagraph(message: string): string {
  const text = stripVTControlCharacters(message).replace(/\nSee more help with --help$/, '')
  return text.trim()
}
