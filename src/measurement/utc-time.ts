/**
 * Wall-clock milliseconds as UTC text and as the name of a run. Pure arithmetic on the number that the
 * clock gave, so that nothing here reads the time. Days to civil date after Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms" (civil_from_days).
 */
import type { Random } from '../platform/random.ts'

interface CivilTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly millisecond: number
}

/** Proleptic Gregorian UTC of milliseconds since 1970. */
function civilTime(wallMs: number): CivilTime {
  const days = Math.floor(wallMs / 86_400_000)
  const rest = Math.floor(wallMs - days * 86_400_000)
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    hour: Math.floor(rest / 3_600_000),
    minute: Math.floor(rest / 60_000) % 60,
    second: Math.floor(rest / 1000) % 60,
    millisecond: rest % 1000,
  }
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

/** ISO 8601 with milliseconds, e.g. `2026-11-22T02:07:36.000Z`. */
export function utcTimestamp(wallMs: number): string {
  const { year, month, day, hour, minute, second, millisecond } = civilTime(wallMs)
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
  return `${date}T${digits(hour, 2)}:${digits(minute, 2)}:${digits(second, 2)}.${digits(millisecond, 3)}Z`
}

/** `run-YYYYMMDD-HHMMSS-xxxx`, UTC and four hexadecimal digits drawn from `random`. */
export function newRunId(wallMs: number, random: Random): string {
  return `run-${stampedName(wallMs, random)}`
}

/** `campaign-YYYYMMDD-HHMMSS-xxxx`: several runs under one decision. */
export function newCampaignId(wallMs: number, random: Random): string {
  return `campaign-${stampedName(wallMs, random)}`
}

/** `migration-YYYYMMDD-HHMMSS-xxxx`. */
export function newMigrationId(wallMs: number, random: Random): string {
  return `migration-${stampedName(wallMs, random)}`
}

function stampedName(wallMs: number, random: Random): string {
  const { year, month, day, hour, minute, second } = civilTime(wallMs)
  const date = `${digits(year, 4)}${digits(month, 2)}${digits(day, 2)}`
  const time = `${digits(hour, 2)}${digits(minute, 2)}${digits(second, 2)}`
  return `${date}-${time}-${random.below(0x1_0000).toString(16).padStart(4, '0')}`
}

export const runIdPattern = /^run-\d{8}-\d{6}-[0-9a-f]{4}$/
export const campaignIdPattern = /^campaign-\d{8}-\d{6}-[0-9a-f]{4}$/
export const migrationIdPattern = /^migration-\d{8}-\d{6}-[0-9a-f]{4}$/
