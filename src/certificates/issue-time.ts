/**
 * Times of a certificate, to the second and in UTC: `2026-11-22T02:07:37Z` in signed data, `2026-11-22 02:07:37
 * UTC` for people. One spelling only: what does not read back to itself is no time. Days from civil date after
 * Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil).
 */
import { utcTimestamp } from '../measurement/utc-time.ts'

const dayMs = 86_400_000

/** From milliseconds since the epoch, cut to the second. */
export function formatIssueTime(ms: number): string {
  return `${utcTimestamp(ms).slice(0, 19)}Z`
}

/** Milliseconds since the epoch, or null when `text` is not exactly the form that `formatIssueTime` writes. */
export function parseIssueTime(text: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z$/.exec(text)
  if (match === null) return null
  const part = (index: number): number => Number(match[index])
  const ms = daysFromCivil(part(1), part(2), part(3)) * dayMs + ((part(4) * 60 + part(5)) * 60 + part(6)) * 1000
  return ms >= 0 && formatIssueTime(ms) === text ? ms : null
}

function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** For people: `2026-11-22 02:07:37 UTC`. */
export function readableTime(text: string): string {
  return text.replace('T', ' ').replace('Z', ' UTC')
}
