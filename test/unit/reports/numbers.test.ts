/** Digits and units of figures. */
import { describe, expect, it } from 'vitest'
import {
  bytes,
  count,
  duration,
  durationInterval,
  factor,
  percent,
  perSecond,
  share,
} from '../../../src/reports/numbers.ts'
import { markdownCode, markdownLine, oneLine } from '../../../src/reports/text.ts'

describe('figures', () => {
  it('show the digits that the interval supports, three at most', () => {
    expect(duration(1.23456, [1.2, 1.3])).toBe('1.23 ms')
    expect(duration(1.23456, [0.2, 9])).toBe('1.2 ms')
    expect(duration(503.25, [300, 900])).toBe('503 ms')
    expect(durationInterval(503.25, [300, 900])).toBe('[300, 900]')
    expect(factor(816.12)).toBe('816×')
  })
  it('choose a unit and keep the interval in it', () => {
    expect(duration(0.5124)).toBe('512 µs')
    expect(durationInterval(0.999, [0.9, 1.1])).toBe('[900, 1,100]')
    expect(duration(12_345)).toBe('12.3 s')
    expect(bytes(48_234_496)).toBe('46.0 MiB')
  })
  it('never show what is missing as a number, nor a part as the whole', () => {
    expect([
      duration(null),
      count(undefined),
      percent(Number.NaN),
      bytes(null),
      durationInterval(1, [null, null]),
    ]).toEqual(['–', '–', '–', '–', ''])
    expect(share(0.9997)).toBe('99.97 %')
    expect(share(0.999999)).toBe('99.9999 %')
    expect(perSecond(199.556)).toBe('199.6/s')
    expect(share(1)).toBe('100 %')
    expect(percent(0.0003)).toBe('<0.01 %')
  })
})

describe('text of others', () => {
  it('stays on one line without escape sequences or direction marks', () => {
    expect(oneLine('a\u001b[31mb\n\u202ec')).toBe('a\\u{1B}[31mb\\u{A}\\u{202E}c')
    expect(oneLine('x'.repeat(500))).toHaveLength(401)
  })
  it('has no effect as Markdown', () => {
    expect(markdownLine('*a* | <b> [c](d) # `e`')).toBe('\\*a\\* \\| \\<b\\> \\[c\\](d) \\# \\`e\\`')
    expect(markdownCode('a `b` | c')).toBe('``a `b` \\| c``')
  })
})
