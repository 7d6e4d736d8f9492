/**
 * The four string formats of the closed subset: e-mail, uri (RFC 3986), date and date-time (RFC 3339).
 *
 * Every expression is linear or nearly so on the lengths admitted, which the caller caps; leap seconds and month lengths are
 * computed. Stricter than the common JSON Schema validators in three places: a time offset needs its colon and its
 * minutes, quotes are no part of a URI, and a URI's square brackets only enclose an address.
 */

export const formatNames = ['email', 'uri', 'date', 'date-time'] as const
export type FormatName = (typeof formatNames)[number]

/** Longest string that is compared with a format, in UTF-16 units. */
export const maxFormatLength = 2048
const maxEmailLength = 320

const atom = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const email = new RegExp(`^${atom}(?:\\.${atom})*@(?:${label}\\.)+${label}$`, 'i')

const plain = "[a-z0-9\\-._~!$&'()*+,;=]"
const escape = '%[0-9a-f]{2}'
const pathCharacter = `(?:${plain}|[:@]|${escape})`
const authority = `(?:(?:${plain}|:|${escape})*@)?(?:\\[[0-9a-f:.]+\\]|(?:${plain}|${escape})*)(?::\\d*)?`
const hierarchy = `(?://${authority}(?:/${pathCharacter}*)*|/(?:${pathCharacter}+(?:/${pathCharacter}*)*)?|${pathCharacter}+(?:/${pathCharacter}*)*)?`
const tail = `(?:\\?(?:${pathCharacter}|[/?])*)?(?:#(?:${pathCharacter}|[/?])*)?`
const uri = new RegExp(`^[a-z][a-z0-9+\\-.]*:${hierarchy}${tail}$`, 'i')

const fullDate = /^(\d{4})-(\d{2})-(\d{2})$/
const fullTime = /^(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:z|([+-])(\d{2}):(\d{2}))$/i
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isDate(text: string): boolean {
  const match = fullDate.exec(text)
  if (match === null) return false
  const year = Number(match[1])
  const month = Number(match[2])
  const day = Number(match[3])
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0)
  return day >= 1 && day <= days
}

function isTime(text: string): boolean {
  const match = fullTime.exec(text)
  if (match === null) return false
  const hour = Number(match[1])
  const minute = Number(match[2])
  const second = Number(match[3])
  const offsetHours = Number(match[5] ?? 0)
  const offsetMinutes = Number(match[6] ?? 0)
  if (hour > 23 || minute > 59 || offsetHours > 23 || offsetMinutes > 59) return false
  if (second < 60) return true
  // A leap second is the last one of a UTC day.
  const sign = match[4] === '-' ? 1 : -1
  const utc = hour * 60 + minute + sign * (offsetHours * 60 + offsetMinutes)
  return second === 60 && (utc + 1440) % 1440 === 1439
}

export function matchesFormat(format: FormatName, text: string): boolean {
  if (text.length > maxFormatLength) return false
  switch (format) {
    case 'email':
      return text.length <= maxEmailLength && email.test(text)
    case 'uri':
      return uri.test(text)
    case 'date':
      return isDate(text)
    case 'date-time':
      return /^[^Tt ]{10}[Tt ]/.test(text) && isDate(text.slice(0, 10)) && isTime(text.slice(11))
  }
}
