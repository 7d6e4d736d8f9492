/**
 * Calls one hook: starts its program or sends its request, and gives what it answered as text, or says what was wrong with it.
 *
 * What answers is somebody else's and may be broken. It has a bounded time, may say a bounded amount, and sends nobody elsewhere:
 * a redirect is an error, since the headers of a plan are meant for the address that stands in it. No message ever holds the
 * value of a variable.
 */
import { Client } from 'undici'
import { LighthouseError } from '../platform/errors.ts'
import { runBounded, type CommandEnd } from '../platform/bounded-command.ts'
import { environmentVariable } from '../platform/process.ts'
import type { CommandHook, Hook, HttpHook } from './plan.ts'
import { hookTitle, type HookName } from './plan-hooks.ts'

export const largestAnswer = 2 ** 20
/** Of what a failing program wrote on standard error. */
const longestSaid = 300

export interface HookCaller {
  /** Aborted when nobody needs answers any more. */
  readonly closing: AbortSignal
  /** PEM text of extra certificate authorities. */
  readonly ca: string | null
}

/** Gives the answer's text. Throws LighthouseError('ENGINE_UNREACHABLE') for whatever is no success. */
export function callHook(name: HookName, hook: Hook, question: object, caller: HookCaller): Promise<string> {
  const text = JSON.stringify(question)
  return hook.kind === 'command' ? runCommand(name, hook, text, caller) : request(name, hook, text, caller)
}

export function hookProblem(
  name: HookName,
  hook: Hook,
  what: string,
  suggestion: string,
  cause?: unknown,
): LighthouseError {
  return new LighthouseError('ENGINE_UNREACHABLE', `The hook ${name} (${hookTitle(hook)}) failed: ${what}.`, {
    cause,
    suggestions: [suggestion],
  })
}

async function runCommand(name: HookName, hook: CommandHook, input: string, { closing }: HookCaller): Promise<string> {
  const { command, environment, timeoutMs } = hook
  const variables = environment
  const ended = await runBounded({ command, variables, input, timeoutMs, mostBytes: largestAnswer, signal: closing })
  if (ended.kind === 'exited' && ended.exitCode === 0) return decoded(name, hook, ended.stdout)
  throw hookProblem(name, hook, ...commandProblem(ended, hook))
}

function commandProblem(ended: CommandEnd, { environment, timeoutMs }: CommandHook): [string, string] {
  switch (ended.kind) {
    case 'notStarted':
      return [
        `it cannot be started: ${visible(ended.reason, longestSaid)}`,
        'Name a program that is on the PATH, or its path from the folder in which Lighthouse runs.',
      ]
    case 'signalled':
      return [`it was ended by ${ended.signal}`, 'Look at what ended it.']
    case 'killed':
      if (ended.reason === 'timeout') return tooLate(timeoutMs, 'and was killed')
      return ended.reason === 'output' ? tooLarge : ['it was stopped, since nobody waits for it any more', 'Try again.']
    case 'exited': {
      const said = visible(withoutValues(ended.stderr, environment).trim().slice(-longestSaid), longestSaid)
      const what = `exit code ${ended.exitCode}${said === '' ? '' : `, and said: ${said}`}`
      return [what, 'Make it end with 0 when it has done what it was asked, and only then.']
    }
  }
}

async function request(name: HookName, hook: HttpHook, body: string, { closing, ca }: HookCaller): Promise<string> {
  const { url, method, timeoutMs } = hook
  const { origin, pathname, search } = new URL(url)
  const headers = { ...valuesOf(name, hook), accept: 'application/json' }
  const post = method === 'POST' ? { body, headers: { ...headers, 'content-type': 'application/json' } } : { headers }
  // A connection for each call: one that was kept may be closed by the other end just as it is used again.
  const client = new Client(origin, {
    connect: { timeout: timeoutMs, ...(ca === null ? {} : { ca }) },
    allowH2: false,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: largestAnswer,
  })
  const late = AbortSignal.timeout(timeoutMs)
  try {
    const signal = AbortSignal.any([late, closing])
    const answer = await client.request({ method, path: `${pathname}${search}`, ...post, reset: true, signal })
    const bytes = new Uint8Array(await answer.body.arrayBuffer())
    const status = answer.statusCode
    if (status >= 200 && status < 300) return decoded(name, hook, bytes)
    throw hookProblem(name, hook, ...statusProblem(status))
  } catch (cause) {
    if (cause instanceof LighthouseError) throw cause
    const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
    if (late.aborted || /TIMEOUT/.test(code)) throw hookProblem(name, hook, ...tooLate(timeoutMs, ''), cause)
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') throw hookProblem(name, hook, ...tooLarge, cause)
    // Only the kind of failure: a message of the library might quote what was sent.
    const what = `no answer came${code === '' ? '' : ` (${visible(code, 80)})`}`
    throw hookProblem(name, hook, what, 'Check that its address is right and that it is served.', cause)
  } finally {
    await client.destroy()
  }
}

function statusProblem(status: number): [string, string] {
  const what = `it answered ${status}`
  if (status >= 300 && status < 400)
    return [`${what}, and no redirect is followed`, 'Write the address that it leads to into the plan.']
  if (status === 401 || status === 403)
    return [what, 'Check the variables that its headers are read from; Lighthouse never shows their values.']
  return [what, 'Make it answer 2xx when it has done what it was asked, and only then.']
}

function tooLate(timeoutMs: number, suffix: string): [string, string] {
  const what = `it did not end within ${timeoutMs / 1000} s${suffix === '' ? '' : ` ${suffix}`}`
  return [what, 'Make it faster, or give it a longer timeout in the plan.']
}

const tooLarge: [string, string] = [
  `it says more than ${largestAnswer} bytes`,
  'Give fewer intervals at once, the oldest first.',
]

function decoded(name: HookName, hook: Hook, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw hookProblem(name, hook, 'its answer is not UTF-8 text', 'Make it write JSON in UTF-8.', cause)
  }
}

/** Headers with their values. Throws LighthouseError('USAGE') when a variable is not set or cannot be a header's value. */
export function valuesOf(name: HookName, { headers }: HttpHook): Record<string, string> {
  const given: Record<string, string> = {}
  for (const [header, variable] of Object.entries(headers)) {
    const value = environmentVariable(variable)
    const problem =
      value === undefined
        ? 'is not set'
        : value.length <= 8192 && /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/.test(value)
          ? null
          : 'holds what no header may hold'
    if (value === undefined || problem !== null)
      throw new LighthouseError('USAGE', `the environment variable ${variable} ${problem ?? ''}`, {
        suggestions: [`The hook ${name} of the plan reads its header ${header} from it; set it to one line of ASCII.`],
      })
    given[header.toLowerCase()] = value
  }
  return given
}

/** What a program says may quote a variable that it was given. */
function withoutValues(text: string, variables: readonly string[]): string {
  return variables.reduce((rest, name) => {
    const value = environmentVariable(name)
    return value === undefined || value.length < 4 ? rest : rest.replaceAll(value, `$${name}`)
  }, text)
}

/** One line that a terminal shows as it is. */
export function visible(text: string, longest: number): string {
  const line = text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\s]+/gu, ' ').trim()
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`
}
