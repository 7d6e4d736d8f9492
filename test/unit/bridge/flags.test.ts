/** Flags: what a change may say, who is assigned what, and that the log of changes cannot be altered unseen. */
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Assignment, bucketCount, bucketOf } from '../../../src/engines/bridge/assignment.ts'
import { FlagLog } from '../../../src/engines/bridge/flag-log.ts'
import { changedFlags, defaultFlags, readFlags } from '../../../src/engines/bridge/flags.ts'
import type { Flags } from '../../../src/measurement/flags-document.ts'
import { uniformityOf } from '../../../src/statistics/uniformity.ts'

const names = Array.from({ length: 20_000 }, (_, agent) => `a${agent}`)
const at = (percentage: number, rest: Partial<Flags> = {}): Flags => ({
  ...defaultFlags,
  enabled: true,
  percentage,
  ...rest,
})
const pushed = (salt: string, flags: Flags): string[] => {
  const assignment = new Assignment(salt, flags)
  return names.filter((name) => assignment.pathOf(name) === 'push')
}

describe('a change of flags', () => {
  it('keeps what it does not name', () => {
    expect(changedFlags(defaultFlags, { enabled: true, percentage: 16.35 })).toEqual(at(16.35))
    expect(changedFlags(at(5), { optIn: ['a1', 'b.2'] })).toEqual(at(5, { optIn: ['a1', 'b.2'] }))
  })

  it.each([
    [{}, /names no flag/],
    [null, /is an object/],
    [[], /is an object/],
    [{ percent: 5 }, /no flag 'percent'/],
    [JSON.parse('{"__proto__":{"enabled":true}}'), /no flag '__proto__'/],
    [{ constructor: 1 }, /no flag 'constructor'/],
    [{ percentage: '5' }, /percentage is a number/],
    [{ percentage: 100.01 }, /percentage is a number/],
    [{ percentage: -0.01 }, /percentage is a number/],
    [{ percentage: 0.005 }, /percentage is a number/],
    [{ percentage: NaN }, /percentage is a number/],
    [{ enabled: 1 }, /enabled is true or false/],
    [{ legacyOff: true }, /would leave agents no path/],
    [{ optIn: 'a1' }, /optIn is a list/],
    [{ optIn: ['a1', 'a1'] }, /'a1' twice/],
    [{ optOut: ['a b'] }, /no agent's name/],
    [{ optOut: ['__proto__'] }, /no agent's name/],
    [{ optOut: Array.from({ length: 10_001 }, (_, agent) => `a${agent}`) }, /at most 10000/],
  ])('is refused when it is %j', (change: unknown, problem) => {
    expect(changedFlags(defaultFlags, change)).toMatch(problem)
  })

  it('never gives flags that could not be read back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(defaultFlags), 'x'), fc.jsonValue()), (change) => {
        const flags = changedFlags(defaultFlags, change)
        if (typeof flags !== 'string') expect(readFlags(JSON.parse(JSON.stringify(flags)))).toEqual(flags)
      }),
    )
    expect(readFlags({ enabled: true })).toBeNull()
    expect(readFlags({ ...defaultFlags, percentage: 101 })).toBeNull()
  })
})

describe('assignment', () => {
  it('is nested: whoever is in at a percentage is in at every higher one', () => {
    let before = new Set<string>()
    for (const percentage of [0, 0.01, 1, 5, 25, 50, 75, 99.99, 100]) {
      const now = new Set(pushed('salt', at(percentage)))
      expect([...before].filter((name) => !now.has(name))).toEqual([])
      before = now
    }
    expect(before.size).toBe(names.length)
  })

  it('gives the share that was asked for, with buckets that χ² finds even, and finds uneven when they are not', () => {
    for (const salt of ['s1', 's2', 's3']) {
      const counts = new Array<number>(20).fill(0)
      for (const name of names) {
        const group = Math.floor((bucketOf(salt, name) * 20) / bucketCount)
        counts[group] = (counts[group] ?? 0) + 1
      }
      expect(uniformityOf(counts)?.p).toBeGreaterThan(1e-4)
      for (const percentage of [5, 25, 50]) {
        const expected = (names.length * percentage) / 100
        const sigma = Math.sqrt(expected * (1 - percentage / 100))
        expect(Math.abs(pushed(salt, at(percentage)).length - expected)).toBeLessThan(5 * sigma)
      }
      // One group in twenty that takes two fifths more than its share is found.
      const skewed = counts.map((count, group) => (group === 3 ? Math.round(count * 1.4) : count))
      expect(uniformityOf(skewed)?.p).toBeLessThan(1e-4)
    }
  })

  it('depends on salt and name alone', () => {
    expect([bucketOf('salt', 'a0'), bucketOf('salt', 'a1'), bucketOf('other', 'a0')]).toEqual([
      bucketOf('salt', 'a0'),
      bucketOf('salt', 'a1'),
      bucketOf('other', 'a0'),
    ])
    // Of 5 % and an independent 5 %, a quarter of a percent are in both: 50 of 20,000, give or take 7.
    const other = new Set(pushed('two', at(5)))
    expect(pushed('one', at(5)).filter((name) => other.has(name)).length).toBeLessThan(100)
  })

  it('heeds the lists, opt-out above opt-in, and nothing when push is not enabled', () => {
    const flags = at(0, { optIn: ['a1', 'a2'], optOut: ['a2'] })
    expect(pushed('salt', flags)).toEqual(['a1'])
    expect(pushed('salt', { ...flags, enabled: false })).toEqual([])
    expect(pushed('salt', at(100, { optOut: ['a7'] })).length).toBe(names.length - 1)
    expect(pushed('salt', at(0, { legacyOff: true, optOut: ['a7'] })).length).toBe(names.length)
  })
})

describe('the log of flags', () => {
  const file = (): string => join(mkdtempSync(join(tmpdir(), 'flag-log-')), 'events.db.flags.jsonl')
  const filled = (path: string): FlagLog => {
    const log = FlagLog.open(path, 1000)
    log.write(at(5), 'ada', 'canary', 2000)
    log.write(at(25), 'ada', 'it went well', 3000)
    return log
  }

  it('is the same after a restart', () => {
    const path = file()
    const before = filled(path)
    const after = FlagLog.open(path, 9000, { percentage: 99 })
    expect(after.records).toEqual(before.records)
    expect(after.salt).toBe(before.salt)
    expect(after.last).toMatchObject({ revision: 2, actor: 'ada', flags: { percentage: 25 } })
    after.write(at(0), 'bob', 'roll back', 4000)
    expect(FlagLog.open(path, 9000).last).toMatchObject({ revision: 3, previous: before.last.hash })
  })

  it('is not started on when any byte of it was changed', () => {
    const path = file()
    filled(path)
    const text = readFileSync(path, 'utf8')
    fc.assert(
      fc.property(fc.nat(text.length - 2), fc.constantFrom('0', '9', 'a', '"', ' ', '\n'), (position, other) => {
        fc.pre(text[position] !== other)
        writeFileSync(path, text.slice(0, position) + other + text.slice(position + 1))
        expect(() => FlagLog.open(path, 9000)).toThrow(/was altered: line \d+/)
      }),
    )
  })

  it.each([
    ['dropped', (lines: string[]) => [lines[0], lines[2]]],
    ['swapped', (lines: string[]) => [lines[0], lines[2], lines[1]]],
    ['repeated', (lines: string[]) => [lines[0], lines[1], lines[1], lines[2]]],
    ['cut off at the beginning', (lines: string[]) => lines.slice(1)],
  ])('is not started on when a line was %s', (_what, change) => {
    const path = file()
    filled(path)
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    writeFileSync(path, `${change(lines).join('\n')}\n`)
    expect(() => FlagLog.open(path, 9000)).toThrow(/was altered/)
  })

  it('drops a last line that was not written to its end, for nobody was told that it counts', () => {
    const path = file()
    const log = filled(path)
    appendFileSync(path, '{"revision":3,"atWa')
    const after = FlagLog.open(path, 9000)
    expect(after.last).toEqual(log.last)
    after.write(at(50), 'ada', 'on', 4000)
    expect(FlagLog.open(path, 9000).last).toMatchObject({ revision: 3, flags: { percentage: 50 } })
  })

  it('takes no change that would make it longer than it can be read', () => {
    const list = Array.from({ length: 10_000 }, (_, agent) => `${'long-name-of-an-agent'.repeat(2)}-${agent}`)
    const log = FlagLog.open(null, 1000)
    const full = (): void => {
      for (let change = 0; change < 200; change++) log.write(at(5, { optIn: list, optOut: list }), 'ada', 'all', 2000)
    }
    expect(full).toThrow(/is full; nothing was written/)
    const { revision } = log.last
    expect(revision).toBeGreaterThan(20)
    expect(() => log.write(at(5, { optIn: list }), 'ada', 'one more', 3000)).toThrow(/is full/)
    expect(log.last.revision).toBe(revision)
  })

  it('in memory begins anew each time', () => {
    const one = FlagLog.open(null, 1000, { enabled: true, percentage: 50 })
    expect(one.last).toMatchObject({ revision: 0, flags: { enabled: true, percentage: 50 } })
    expect(FlagLog.open(null, 1000).salt).not.toBe(one.salt)
  })
})
