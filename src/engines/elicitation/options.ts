/**
 * Options of the elicitation engine: names, bounds, defaults, and the machine limits they make.
 *
 * Whatever is an optimisation can be switched off, so that what it saves can be measured; no check can be.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineOptions } from '../engine.ts'
import { batchings, type Batching } from '../event-store/group-commit.ts'
import { defaultLimits, type MachineLimits } from './machine-ports.ts'

export interface ElicitationOptions {
  readonly batching: Batching
  readonly validation: 'inline' | 'pipelined'
  readonly nonceStore: 'memory' | 'database'
  readonly schemaCache: 'on' | 'off'
  readonly ackDelayAskMs: number
  readonly ackDelayAnswerMs: number
  readonly rateLimit: number
  readonly rateBurst: number
  readonly connections: number
  readonly stageSampling: number
}

export const optionHelp: Readonly<Record<string, string>> = {
  batching: 'group commit: turn (once per event-loop turn), thread (a thread of its own) or off (default turn)',
  validation: 'judge bodies inline or pipelined, together once per event-loop turn (default inline)',
  nonceStore: 'where used nonces are kept: memory or database (default memory)',
  schemaCache: 'keep compiled schemas: on or off (default on)',
  ackDelayAsk: 'an acknowledgement of an ask waits for a frame to carry it, 1ms to 10s (default 1s)',
  ackDelayAnswer: 'the same for an answer, 1ms to 10s (default 3s)',
  rateLimit: 'frames per second and agent, 1 to 1000000 (default 200)',
  rateBurst: 'frames an agent may send at once, 1 to 1000000 (default 400)',
  connections: 'connections the server accepts, 1 to 100000 (default 20000)',
  stageSampling: 'time the short stages of one frame in so many, 1 to 1000000 (default 16)',
}

function refuse(name: string, value: string, allowed: string): never {
  throw new LighthouseError('USAGE', `Option ${name}=${value} of the elicitation engine is not allowed.`, {
    suggestions: [`Give ${name} as ${allowed}.`],
  })
}

function choice<T extends string>(options: EngineOptions, name: string, allowed: readonly T[], fallback: T): T {
  const value = options[name]
  if (value === undefined) return fallback
  return allowed.find((known) => known === value) ?? refuse(name, value, allowed.join(' or '))
}

function integer(options: EngineOptions, name: string, fallback: number, max: number): number {
  const value = options[name]
  if (value === undefined) return fallback
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0
  if (number < 1 || number > max) refuse(name, value, `a whole number from 1 to ${max}`)
  return number
}

function duration(options: EngineOptions, name: string, fallbackMs: number): number {
  const value = options[name]
  if (value === undefined) return fallbackMs
  const match = /^(\d{1,6})(ms|s)?$/.exec(value)
  const ms = match === null ? Number.NaN : Number(match[1]) * (match[2] === 's' ? 1000 : 1)
  if (!(ms >= 1 && ms <= 10_000)) refuse(name, value, 'a duration from 1ms to 10s')
  return ms
}

/** Throws LighthouseError('USAGE') that names the option, the value and what is allowed. */
export function parseOptions(options: EngineOptions): ElicitationOptions {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(optionHelp, name)) continue
    throw new LighthouseError('USAGE', `The elicitation engine has no option ${name}=${options[name] ?? ''}.`, {
      suggestions: [`Options are: ${Object.keys(optionHelp).join(', ')}.`],
    })
  }
  return {
    batching: choice(options, 'batching', batchings, 'turn'),
    validation: choice(options, 'validation', ['inline', 'pipelined'], 'inline'),
    nonceStore: choice(options, 'nonceStore', ['memory', 'database'], 'memory'),
    schemaCache: choice(options, 'schemaCache', ['on', 'off'], 'on'),
    ackDelayAskMs: duration(options, 'ackDelayAsk', defaultLimits.ackDelayAskMs),
    ackDelayAnswerMs: duration(options, 'ackDelayAnswer', defaultLimits.ackDelayAnswerMs),
    rateLimit: integer(options, 'rateLimit', defaultLimits.ratePerSecond, 1_000_000),
    rateBurst: integer(options, 'rateBurst', defaultLimits.burst, 1_000_000),
    connections: integer(options, 'connections', 20_000, 100_000),
    stageSampling: integer(options, 'stageSampling', 16, 1_000_000),
  }
}

export function limitsOf(options: ElicitationOptions): MachineLimits {
  return {
    ...defaultLimits,
    ackDelayAskMs: options.ackDelayAskMs,
    ackDelayAnswerMs: options.ackDelayAnswerMs,
    ratePerSecond: options.rateLimit,
    burst: options.rateBurst,
    schemaCacheSize: options.schemaCache === 'on' ? defaultLimits.schemaCacheSize : 0,
  }
}
