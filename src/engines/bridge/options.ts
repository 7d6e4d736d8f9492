/**
 * Options of the bridge: its own, and those of the elicitation engine behind it.
 */
import type { Flags } from '../../measurement/flags-document.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { EngineOptions } from '../engine.ts'
import { optionHelp as elicitationHelp, parseOptions as elicitationOptions } from '../elicitation/options.ts'
import { pollingOptions } from '../polling/options.ts'
import { changedFlags, defaultFlags } from './flags.ts'
import type { ShadowOptions } from './shadow.ts'

export interface BridgeOptions {
  /** Sleep between two looks of a held poll. */
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Events per answer. */
  readonly limit: number
  /** Polls held, and posts not yet answered. */
  readonly connections: number
  readonly drainPerSecond: number
  /** Length of the intervals that are observed. */
  readonly observeMs: number
  /** What the log of flags begins with. */
  readonly flags: Partial<Flags>
  /** Null: no exchange has a copy. */
  readonly shadow: ShadowOptions | null
}

const ownHelp: Readonly<Record<string, string>> = {
  percentage: 'agents that a new log of flags assigns push, 0 to 100 (default: none, and push is not enabled)',
  interval: 'on the old path, sleep between two looks, 1ms to 60s (default 1s)',
  timeout: 'on the old path, how long an empty poll is held, 10ms to 300s (default 60s)',
  limit: 'on the old path, events per answer at most, 1 to 1000 (default 10)',
  observe: 'length of the intervals in which deliveries are measured, 100ms to 10m (default 10s)',
  shadow: 'send a copy of exchanges on the old path over push as well, and compare: on or off (default off)',
  shadowShare: 'share of exchanges that have a copy, above 0 and at most 1 (default 1)',
  shadowSla: 'bound by which copies and exchanges are compared, 1ms to 10m (default 300ms)',
  drain: 'agents that change their path per second at most, 1 to 100000 (default 1000)',
}

export const optionHelp: Readonly<Record<string, string>> = { ...ownHelp, ...elicitationHelp }

function usage(name: string, value: string, allowed: string): LighthouseError {
  return new LighthouseError('USAGE', `Option ${name}=${value} of the bridge is not allowed.`, {
    suggestions: [`Give ${name} as ${allowed}.`],
  })
}

/** What is the elicitation server's own. */
export function innerOptions(options: EngineOptions): EngineOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(ownHelp, name)))
}

/** Throws LighthouseError('USAGE') that names the option, the value and what is allowed. */
export function bridgeOptions(options: EngineOptions): BridgeOptions {
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(optionHelp, name)) continue
    throw new LighthouseError('USAGE', `The bridge has no option ${name} (given as ${name}=${value}).`, {
      suggestions: [`Use one of: ${Object.keys(optionHelp).join(', ')}.`],
    })
  }
  const { connections } = elicitationOptions(innerOptions(options))
  const old = Object.entries(options).filter(([name]) => name === 'interval' || name === 'timeout' || name === 'limit')
  const { intervalMs, timeoutMs, limit } = pollingOptions(Object.fromEntries(old))
  const drain = options['drain'] ?? '1000'
  if (!/^[1-9]\d{0,5}$/.test(drain) || Number(drain) > 100_000)
    throw usage('drain', drain, 'a whole number from 1 to 100000')
  const observeMs = durationOf('observe', options['observe'] ?? '10s', 100)
  const drainPerSecond = Number(drain)
  const [flags, shadow] = [initialFlags(options), shadowOf(options)]
  return { intervalMs, timeoutMs, limit, connections, drainPerSecond, observeMs, flags, shadow }
}

function shadowOf(options: EngineOptions): ShadowOptions | null {
  const { shadow = 'off', shadowShare = '1', shadowSla = '300ms' } = options
  const share = /^(0\.\d{1,6}|1(\.0{1,6})?)$/.test(shadowShare) ? Number(shadowShare) : 0
  if (!(share > 0)) throw usage('shadowShare', shadowShare, 'a number above 0 and at most 1, such as 0.1')
  const slaMs = durationOf('shadowSla', shadowSla, 1)
  if (shadow !== 'on' && shadow !== 'off') throw usage('shadow', shadow, 'on or off')
  return shadow === 'on' ? { share, slaMs } : null
}

function initialFlags(options: EngineOptions): Partial<Flags> {
  const text = options['percentage']
  if (text === undefined) return {}
  const flags = changedFlags(defaultFlags, { enabled: true, percentage: /^[\d.]+$/.test(text) ? Number(text) : NaN })
  if (typeof flags === 'string') throw usage('percentage', text, 'a number from 0 to 100 in steps of 0.01')
  return { enabled: flags.enabled, percentage: flags.percentage }
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

function durationOf(name: string, text: string, leastMs: number): number {
  const match = /^(\d{1,6})(ms|s|m)$/.exec(text)
  const ms = match === null ? NaN : Number(match[1]) * (unitMs[match[2] ?? ''] ?? NaN)
  if (!(ms >= leastMs && ms <= 600_000)) throw usage(name, text, `a duration from ${leastMs}ms to 10m, such as 10s`)
  return ms
}
