/** UTC text and run ids against the platform's own calendar. */
import { describe, expect, it } from 'vitest'
import { newRunId, runIdPattern, utcTimestamp } from '../../../src/measurement/utc-time.ts'
import { seededRandom } from '../../../src/platform/random.ts'

describe('utcTimestamp', () => {
  it('agrees with the platform on leap days, century ends and every part of a day', () => {
    const random = seededRandom('utc-time')
    const days = [
      '1970-01-01',
      '1999-12-31',
      '2000-02-29',
      '2000-03-01',
      '2026-11-22',
      '2100-02-28',
      '2100-03-01',
      '2400-02-29',
    ]
    const times = days.flatMap((day) => [Date.parse(`${day}T00:00:00.000Z`), Date.parse(`${day}T23:59:59.999Z`)])
    for (let index = 0; index < 2000; index++) times.push(Math.floor(random.uniform() * 8e12))
    for (const time of times) expect(utcTimestamp(time)).toBe(new Date(time).toISOString())
  })
})

describe('newRunId', () => {
  it('is the time in UTC and four hexadecimal digits of the given randomness', () => {
    const time = Date.parse('2026-11-22T02:07:36.999Z')
    const id = newRunId(time, seededRandom('a'))
    expect(id).toMatch(/^run-20261122-020736-[0-9a-f]{4}$/)
    expect(id).toMatch(runIdPattern)
    expect(newRunId(time, seededRandom('a'))).toBe(id)
    expect(newRunId(time, seededRandom('b'))).not.toBe(id)
  })
})
