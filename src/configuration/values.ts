/**
 * Reads the values of flags, environment variables and the configuration file. Every reader says what it was
 * given and what it would take; none guesses a unit, rounds, or clamps. Durations come back in milliseconds.
 */
import { LighthouseError } from '../platform/errors.ts'

export interface Bounds {
  readonly min: number
  readonly max: number
}

const millisecondsOf = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const durationForm = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** A timer takes at most 2³¹−1 ms; longer durations are only used as budgets and are still bounded. */
export const longestDurationMs = 365 * millisecondsOf.d

function invalid(message: string, suggestion: string): LighthouseError {
  return new LighthouseError('USAGE', message, { suggestions: [suggestion] })
}

/** `250ms`, `10s`, `1.5m`, `72h`, `7d` in whole milliseconds within `bounds` (milliseconds, inclusive). */
export function parseDuration(text: string, bounds: Bounds = { min: 0, max: longestDurationMs }): number {
  const match = durationForm.exec(text.trim())
  if (match === null) {
    const unitless = /^\d+(\.\d+)?$/.test(text.trim())
    throw invalid(
      unitless ? `'${text}' is a duration without a unit` : `'${text}' is not a duration`,
      unitless
        ? `Write the unit: ${text.trim()}ms, ${text.trim()}s, ${text.trim()}m or ${text.trim()}h.`
        : 'Write it as 250ms, 10s, 5m or 72h.',
    )
  }
  const unit = match[2] as keyof typeof millisecondsOf
  // 0.1 s is not a binary fraction: rounding to the microsecond undoes the error of the product alone.
  const durationMs = Math.round(Number(match[1]) * millisecondsOf[unit] * 1000) / 1000
  if (!Number.isInteger(durationMs))
    throw invalid(`'${text}' is not a whole number of milliseconds`, 'Use at least 1ms, without a fraction of it.')
  return within(durationMs, text, bounds, formatDuration)
}

/** The shortest way to write a duration that `parseDuration` reads back to the same value. */
export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const amount = durationMs / millisecondsOf[unit]
    if (amount >= 1 && Number.isInteger(amount)) return `${amount}${unit}`
  }
  return durationMs >= 1000 ? `${durationMs / 1000}s` : `${durationMs}ms`
}

const numberForm = /^[+-]?\d+(?:\.\d+)?(?:e\+?\d{1,3})?$/i

/** A whole number, also written `1e3`, within inclusive bounds. */
export function parseWhole(text: string, bounds: Bounds): number {
  const value = parseNumber(text, { min: -Infinity, max: Infinity })
  if (!Number.isSafeInteger(value)) {
    throw invalid(`'${text}' is not a whole number`, `Give a whole number from ${bounds.min} to ${bounds.max}.`)
  }
  return within(value, text, bounds, String)
}

/** A number, also written `1e4`, within inclusive bounds. */
export function parseNumber(text: string, bounds: Bounds): number {
  const trimmed = text.trim()
  const value = numberForm.test(trimmed) ? Number(trimmed) : Number.NaN
  if (!Number.isFinite(value)) throw invalid(`'${text}' is not a number`, 'Write digits, for example 200 or 1e4.')
  return within(value, text, bounds, String)
}

function within(value: number, text: string, bounds: Bounds, format: (value: number) => string): number {
  if (value < bounds.min) throw invalid(`'${text}' is too small`, `The least is ${format(bounds.min)}.`)
  if (value > bounds.max) throw invalid(`'${text}' is too large`, `The most is ${format(bounds.max)}.`)
  return value
}

/** An http(s) or ws(s) address without credentials, which would end in process lists and run directories. */
export function parseEngineUrl(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid(`'${text}' is not a URL`, 'Write it as http://127.0.0.1:8080 or https://host:8443.')
  }
  if (!['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol)) {
    throw invalid(`'${text}' has the protocol ${url.protocol}`, 'Use http, https, ws or wss.')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'the URL contains a user name or password',
      'Leave them out and name a file with --enrolment-key-file.',
    )
  }
  return url.href.replace(/\/$/, '')
}

/** Seeds become part of file names and of random stream names. */
export function parseSeed(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) {
    throw invalid(`'${text}' is not a seed`, 'Use 1 to 64 letters, digits, dots, dashes or underscores.')
  }
  return text
}
