/**
 * The hooks of a plan's file: which programs are started and which addresses are called to move a system that is no bridge.
 *
 * A plan is handed from person to person and kept in journals, so no secret may stand in it: what a hook needs is named as a variable of
 * the environment. What could never work, such as a GET that is to change something, is refused here by line and not when agents have moved.
 */
import { z } from 'zod'
import { oneLine } from '../measurement/targets-file.ts'
import type { Hook, Hooks } from './plan.ts'
import { planDuration } from './plan-shapes.ts'

export const hookNames = ['setPercentage', 'health', 'observe', 'whereabouts'] as const
export type HookName = (typeof hookNames)[number]
export const hookKeys = ['hooks', ...hookNames, 'command', 'url', 'method', 'timeout', 'environment', 'headers']

const usualTimeoutMs = 10_000
const shortestTimeoutMs = 100
/** While a hook is waited for, nothing else of the migration is looked at. */
const longestTimeoutMs = 300_000

const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable')
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/
const mostHeaders = 16
/** These belong to the connection or to the body, which are not the plan's. */
const ownHeaders = new Set([
  ...['connection', 'content-length', 'content-type', 'expect', 'host', 'keep-alive', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'proxy-connection', 'accept-encoding'],
])

const hookShape = z
  .strictObject({
    command: z.array(oneLine(1000)).min(1).max(64).optional(),
    url: z
      .string()
      .max(2000)
      .superRefine((text, { addIssue }) => {
        const problem = urlProblem(text)
        if (problem !== null) addIssue({ code: 'custom', message: problem })
      })
      .optional(),
    method: z.enum(['GET', 'POST']).optional(),
    timeout: planDuration
      .refine((ms) => ms >= shortestTimeoutMs && ms <= longestTimeoutMs, 'must be from 100ms to 5m')
      .optional(),
    environment: z.array(variableName).max(32).optional(),
    headers: z
      .record(
        z.string(),
        z
          .string()
          .regex(/^env:[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be env:VARIABLE, so that no secret stands in a plan'),
      )
      .superRefine((headers, { addIssue }) => {
        const problem = headersProblem(Object.keys(headers))
        if (problem !== null) addIssue({ code: 'custom', message: problem })
      })
      .optional(),
  })
  .superRefine(({ command, url, method, environment, headers }, { addIssue }) => {
    const wrong = (message: string, ...path: string[]): void => addIssue({ code: 'custom', message, path })
    if ((command === undefined) === (url === undefined)) wrong('must have either a command or a url')
    else if (url === undefined && method !== undefined) wrong('is for a url', 'method')
    else if (url === undefined && headers !== undefined) wrong('are for a url', 'headers')
    else if (command === undefined && environment !== undefined) wrong('is for a command', 'environment')
  })

export const hooksShape = z.strictObject({
  setPercentage: hookShape.refine(({ method }) => method !== 'GET', {
    message: 'must be POST, since a GET changes nothing',
    path: ['method'],
  }),
  health: hookShape,
  observe: hookShape,
  whereabouts: hookShape.optional(),
})

/** Never repeats the address, which may hold what has no business in a message. */
function urlProblem(text: string): string | null {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text) || !URL.canParse(text)) return 'must be an http or https address'
  const { username, password, hash } = new URL(text)
  if (username !== '' || password !== '')
    return 'must hold no user name or password; give them in a header by env:VARIABLE'
  return hash === '' ? null : 'must have no fragment'
}

function headersProblem(names: readonly string[]): string | null {
  if (names.length > mostHeaders) return `must be at most ${mostHeaders} headers`
  if (!names.every((name) => headerName.test(name))) return 'must have names that headers can have'
  const small = names.map((name) => name.toLowerCase())
  if (new Set(small).size < small.length) return 'must name each header once'
  const own = small.find((name) => ownHeaders.has(name))
  return own === undefined ? null : `must leave ${own} to Lighthouse`
}

const methods = { setPercentage: 'POST', health: 'GET', observe: 'POST', whereabouts: 'GET' } as const

export function readHooks(given: z.infer<typeof hooksShape>): Hooks {
  const { whereabouts } = given
  return {
    setPercentage: readHook('setPercentage', given.setPercentage),
    health: readHook('health', given.health),
    observe: readHook('observe', given.observe),
    whereabouts: whereabouts === undefined ? null : readHook('whereabouts', whereabouts),
  }
}

function readHook(
  name: HookName,
  { command, url, method, timeout, environment, headers }: z.infer<typeof hookShape>,
): Hook {
  const timeoutMs = Math.ceil(timeout ?? usualTimeoutMs)
  if (url === undefined) return { kind: 'command', command: command ?? [], timeoutMs, environment: environment ?? [] }
  const variables = Object.entries(headers ?? {}).map(([header, from]) => [header, from.slice('env:'.length)] as const)
  return { kind: 'http', url, method: method ?? methods[name], timeoutMs, headers: Object.fromEntries(variables) }
}

const longestTitle = 200

/** For people: what is called, without what an address may be asked with. */
export function hookTitle(hook: Hook): string {
  if (hook.kind === 'http') {
    const { origin, pathname } = new URL(hook.url)
    return shortened(`${hook.method} ${origin}${pathname}`)
  }
  return shortened(hook.command.map((word) => (/[\s"]|^$/.test(word) ? JSON.stringify(word) : word)).join(' '))
}

function shortened(text: string): string {
  return text.length <= longestTitle ? text : `${text.slice(0, longestTitle - 1)}…`
}

/** Names of the variables that a hook reads from the environment. */
export function hookVariables(hook: Hook): readonly string[] {
  return hook.kind === 'http' ? Object.values(hook.headers) : hook.environment
}

/** Those that a plan has, in a fixed order. */
export function listHooks(hooks: Hooks): { readonly name: HookName; readonly hook: Hook }[] {
  return hookNames.flatMap((name) => {
    const hook = hooks[name]
    return hook === null ? [] : [{ name, hook }]
  })
}
