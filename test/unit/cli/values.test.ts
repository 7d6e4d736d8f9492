/** Readers of flag values: what they take, what they refuse, and that a refusal says what to write. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEngineSpecs } from '../../../src/configuration/engine-specs.ts'
import { resolveProfile } from '../../../src/configuration/profiles.ts'
import {
  formatDuration,
  parseDuration,
  parseEngineUrl,
  parseNumber,
  parseSeed,
  parseWhole,
} from '../../../src/configuration/values.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

const names = ['polling', 'hybrid', 'elicitation']

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    expect(error.exitCode).toBe(2)
    expect(error.suggestions.length).toBeGreaterThan(0)
    return `${error.message} ${error.suggestions.join(' ')}`
  }
  throw new Error('nothing was refused')
}

describe('durations', () => {
  it.each([
    ['10s', 10_000],
    ['5m', 300_000],
    ['72h', 259_200_000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['0.1s', 100],
    ['7d', 604_800_000],
    ['0ms', 0],
  ])('reads %s as %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each([
    '72',
    '5x',
    '',
    ' ',
    '-5s',
    '+5s',
    '1e3s',
    '10 s',
    '10S',
    's',
    '1.s',
    '.5s',
    '1h30m',
    '99999999999999999999h',
    '0.5ms',
    'NaNs',
  ])('refuses %j', (text) => expect(refusal(() => parseDuration(text))).not.toBe(''))

  it('names the missing unit and the bound', () => {
    expect(refusal(() => parseDuration('72'))).toContain('72h')
    expect(refusal(() => parseDuration('1ms', { min: 100, max: 1000 }))).toContain('100ms')
    expect(refusal(() => parseDuration('2s', { min: 100, max: 1000 }))).toContain('1s')
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })
})

describe('numbers', () => {
  const bounds = { min: 2, max: 1_000_000_000 }
  it.each([
    ['1e3', 1000],
    ['1.5e3', 1500],
    ['2', 2],
    ['1E9', 1_000_000_000],
  ])('reads %s', (text, value) => expect(parseWhole(text, bounds)).toBe(value))
  it.each(['0', '-1', '1.5', '1e10', '1e400', 'ten', '0x10', '', '1,000', 'Infinity', '9007199254740993'])(
    'refuses %j',
    (text) => expect(refusal(() => parseWhole(text, bounds))).not.toBe(''),
  )
  it('reads fractions where they make sense', () => expect(parseNumber('0.5', { min: 0.1, max: 10 })).toBe(0.5))
})

describe('engine lists', () => {
  it('keeps the order, so that the last is the candidate', () => {
    const specs = parseEngineSpecs('polling:interval=100:timeout=30,elicitation:batching=off,elicitation', names)
    expect(specs).toEqual([
      { label: 'polling:interval=100:timeout=30', name: 'polling', options: { interval: '100', timeout: '30' } },
      { label: 'elicitation:batching=off', name: 'elicitation', options: { batching: 'off' } },
      { label: 'elicitation', name: 'elicitation', options: {} },
    ])
  })

  it('numbers repeated engines', () => {
    expect(parseEngineSpecs('elicitation,elicitation', names).map(({ label }) => label)).toEqual([
      'elicitation',
      'elicitation#2',
    ])
  })

  it.each([
    '',
    'polling,',
    ',polling',
    'poling',
    'polling:',
    'polling:interval',
    'polling:=1',
    'polling:interval=',
    'polling:a=1:a=2',
    'polling:a=b c',
    'polling:__proto__=1',
    Array.from({ length: 9 }, () => 'polling').join(','),
  ])('refuses %j', (text) => expect(refusal(() => parseEngineSpecs(text, names))).not.toBe(''))

  it('suggests the engine that was meant', () => {
    expect(refusal(() => parseEngineSpecs('poling,elicitation', names))).toContain("'polling'")
  })
})

describe('other values', () => {
  it('keeps credentials out of URLs without repeating them', () => {
    expect(refusal(() => parseEngineUrl('http://user:hunter2@host/'))).not.toContain('hunter2')
    expect(parseEngineUrl('http://127.0.0.1:8081/')).toBe('http://127.0.0.1:8081')
    expect(refusal(() => parseEngineUrl('ftp://host'))).toContain('https')
  })
  it('refuses seeds that would not be file names', () => {
    expect(refusal(() => parseSeed('../x'))).toContain('letters')
    expect(parseSeed('7f3a')).toBe('7f3a')
  })
  it('fills in from the profile only what was not given', () => {
    expect(resolveProfile('smoke', { agents: 7 })).toMatchObject({
      agents: 7,
      rounds: 3,
      roundDurationMs: 1500,
      minimumRounds: 3,
    })
    expect(resolveProfile('standard', { rounds: 20 })).toMatchObject({ agents: 100, rounds: 20, minimumRounds: 16 })
    expect(resolveProfile('full', {})).toMatchObject({ agents: 15_000, ratePerSecond: 10_000, host: 'process' })
  })
})
