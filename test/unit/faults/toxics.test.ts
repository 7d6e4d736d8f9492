/** What a toxic may be: defaults, bounds, and messages that say what is allowed. */
import { describe, expect, test } from 'vitest'
import { appliesTo, isLossless, parseToxic, toxicTypes } from '../../../src/faults/toxics.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

/** The least that each type needs. */
const least: Record<(typeof toxicTypes)[number], object> = {
  latency: { latencyMs: 100 },
  bandwidth: { bytesPerSecond: 1000 },
  slow_close: { delayMs: 50 },
  timeout: { timeoutMs: 0 },
  reset_peer: { timeoutMs: 10 },
  slicer: { averageBytes: 10 },
  limit_data: { bytes: 0 },
  black_hole: {},
  one_way: {},
  freeze: {},
  corrupt: { chunkShare: 0.5 },
}

describe.each(toxicTypes)('%s', (type) => {
  test('is read from its type and the attributes it needs', () => {
    const stream = type === 'black_hole' || type === 'freeze' ? 'both' : 'downstream'
    expect(parseToxic({ type, ...least[type] })).toMatchObject({
      type,
      name: `${type}_${stream}`,
      stream,
      toxicity: 1,
      ...least[type],
    })
  })

  test('is read again from what was read', () => {
    const toxic = parseToxic({ type, ...least[type], toxicity: 0.25, name: 'mine' })
    expect(parseToxic(toxic)).toEqual(toxic)
  })

  test('needs every attribute that has no default, by name', () => {
    for (const attribute of Object.keys(least[type])) {
      const without = Object.fromEntries(Object.entries(least[type]).filter(([key]) => key !== attribute))
      expect(() => parseToxic({ type, ...without })).toThrow(`toxic ${type} needs ${attribute}`)
    }
  })
})

test('defaults of attributes', () => {
  expect(parseToxic({ type: 'latency', latencyMs: 5 })).toMatchObject({ jitterMs: 0 })
  expect(parseToxic({ type: 'slicer', averageBytes: 5 })).toMatchObject({ variationBytes: 0, delayMs: 0 })
})

test.each([
  [null, 'a toxic is an object, not null'],
  ['latency', "a toxic is an object, not 'latency'"],
  [[], 'a toxic is an object, not a list'],
  [{}, 'a toxic has no type'],
  [{ type: 7 }, 'there is no toxic 7'],
  [{ type: 'toString' }, "there is no toxic 'toString'"],
  [{ type: 'latency', latencyMs: -1 }, 'latencyMs -1'],
  [{ type: 'latency', latencyMs: 1.5 }, 'latencyMs 1.5'],
  [{ type: 'latency', latencyMs: NaN }, 'latencyMs NaN'],
  [{ type: 'latency', latencyMs: '100' }, "latencyMs '100'"],
  [{ type: 'latency', latencyMs: null }, 'needs latencyMs'],
  [{ type: 'latency', latencyMs: 3_600_001 }, 'latencyMs 3600001'],
  [{ type: 'latency', latencyMs: 10, jitterMs: 11 }, 'jitterMs 11 above latencyMs 10'],
  [{ type: 'latency', latencyMs: 10, delayMs: 11 }, "has no attribute 'delayMs'"],
  [{ type: 'latency', latencyMs: 10, constructor: 1 }, "has no attribute 'constructor'"],
  [{ type: 'bandwidth', bytesPerSecond: 0 }, 'bytesPerSecond 0'],
  [{ type: 'slicer', averageBytes: 10, variationBytes: 10 }, 'variationBytes 10 with averageBytes 10'],
  [{ type: 'corrupt', chunkShare: 1.01 }, 'chunkShare 1.01'],
  [{ type: 'freeze', toxicity: 2 }, 'toxicity 2'],
  [{ type: 'freeze', stream: 'sideways' }, "stream 'sideways'"],
  [{ type: 'freeze', name: '' }, "the name ''"],
  [{ type: 'freeze', name: 'a/b' }, "the name 'a/b'"],
  [{ type: 'black_hole', stream: 'upstream' }, "stream 'upstream'"],
  [{ type: 'one_way', stream: 'both' }, "stream 'both'"],
])('%j is refused', (input, message) => {
  const parse = (): unknown => parseToxic(input)
  expect(parse).toThrow(LighthouseError)
  expect(parse).toThrow(message)
  expect(parse).toThrow(expect.objectContaining({ code: 'USAGE', suggestions: [expect.any(String)] }))
})

test('a misspelt type or attribute is told the nearest', () => {
  const suggestions = (input: unknown): readonly string[] => {
    try {
      parseToxic(input)
    } catch (error) {
      if (error instanceof LighthouseError) return error.suggestions
    }
    return []
  }
  expect(suggestions({ type: 'latancy' })).toEqual(["Did you mean 'latency'?"])
  expect(suggestions({ type: 'latency', latencyMS: 4 })).toEqual(["Did you mean 'latencyMs'?"])
  expect(suggestions({ type: 'black_hole', stream: 'upstream' })).toEqual([
    'Give stream as both. One direction alone is one_way.',
  ])
})

test('a toxic applies to the directions of its stream', () => {
  const both = parseToxic({ type: 'freeze' })
  const up = parseToxic({ type: 'freeze', stream: 'upstream' })
  expect([appliesTo(both, 'upstream'), appliesTo(both, 'downstream')]).toEqual([true, true])
  expect([appliesTo(up, 'upstream'), appliesTo(up, 'downstream')]).toEqual([true, false])
})

test('the toxics that lose nothing are known', () => {
  expect(toxicTypes.filter(isLossless)).toEqual(['latency', 'bandwidth', 'slow_close', 'slicer', 'freeze'])
})
