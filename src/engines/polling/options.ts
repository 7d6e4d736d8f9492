/**
 * Options of the polling engine: names, bounds, defaults. Durations carry a unit (`100ms`, `1s`, `5m`) or are milliseconds;
 * defaults are those of the system being replaced: sleep 1 s, timeout 60 s capped at 300 s, ten events.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineOptions } from '../engine.ts'
import { type Batching, batchings } from '../event-store/group-commit.ts'

export interface PollingOptions {
  /** polling: the sleep between two looks at the database; hybrid: the safety poll. */
  readonly intervalMs: number
  /** First polls of a round start spread over this time. */
  readonly phaseMs: number
  readonly timeoutMs: number
  readonly limit: number
  readonly batching: Batching
  readonly connections: number
  readonly posts: number
  readonly queue: number
}

export type PollingMode = 'polling' | 'hybrid'

export const maxTimeoutMs = 300_000
const minIntervalMs = 1
const hybridPhaseMs = 50

export const optionHelp: Readonly<Record<string, string>> = {
  interval: 'sleep between two looks at the database, 1ms to 60s (default 1s; hybrid: safety poll, default 5s)',
  timeout: 'how long an empty poll is held, 10ms to 300s (default 60s)',
  limit: 'events per answer at most, 1 to 1000 (default 10)',
  batching: 'group commit: turn (once per event-loop turn), thread (a thread of its own) or off (default turn)',
  connections: 'connections the server accepts, 1 to 100000 (default 20000)',
  posts: 'connections a client sends its asks and answers over, 1 to 1024 (default 256)',
  queue: 'asks and answers a client holds that are not acknowledged yet, 1 to 1000000 (default 20000)',
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

function refuse(name: string, value: string, allowed: string): never {
  throw new LighthouseError('USAGE', `Option ${name}=${value} of the polling engine is not allowed.`, {
    suggestions: [`Give ${name} as ${allowed}.`],
  })
}

function duration(options: EngineOptions, name: string, fallbackMs: number, minMs: number, maxMs: number): number {
  const value = options[name]
  if (value === undefined) return fallbackMs
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(value)
  const ms = match === null ? Number.NaN : Number(match[1]) * (unitMs[match[2] ?? 'ms'] ?? Number.NaN)
  if (!(ms >= minMs && ms <= maxMs)) {
    refuse(name, value, `a duration from ${minMs}ms to ${maxMs}ms, such as 100ms or 1s`)
  }
  return ms
}

function integer(options: EngineOptions, name: string, fallback: number, max: number): number {
  const value = options[name]
  if (value === undefined) return fallback
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0
  if (number < 1 || number > max) refuse(name, value, `a whole number from 1 to ${max}`)
  return number
}

function batchingOf(options: EngineOptions): Batching {
  const value = options['batching'] ?? 'turn'
  return batchings.find((batching) => batching === value) ?? refuse('batching', value, batchings.join(', '))
}

/** Throws LighthouseError('USAGE') that names the option, the value and what is allowed. */
export function pollingOptions(options: EngineOptions, mode: PollingMode = 'polling'): PollingOptions {
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(optionHelp, name)) continue
    throw new LighthouseError('USAGE', `The ${mode} engine has no option ${name} (given as ${name}=${value}).`, {
      suggestions: [`Use one of: ${Object.keys(optionHelp).join(', ')}.`],
    })
  }
  const intervalMs = duration(options, 'interval', mode === 'hybrid' ? 5000 : 1000, minIntervalMs, 60_000)
  return {
    intervalMs,
    // The safety poll of the hybrid is no phase to wait for: its loops only must not all start in one instant.
    phaseMs: mode === 'hybrid' ? Math.min(intervalMs, hybridPhaseMs) : intervalMs,
    timeoutMs: duration(options, 'timeout', 60_000, 10, maxTimeoutMs),
    limit: integer(options, 'limit', 10, 1000),
    batching: batchingOf(options),
    connections: integer(options, 'connections', 20_000, 100_000),
    posts: integer(options, 'posts', 256, 1024),
    queue: integer(options, 'queue', 20_000, 1_000_000),
  }
}
