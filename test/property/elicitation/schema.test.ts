/**
 * The schema interpreter against ajv on random schemas and contents, and against rubbish.
 *
 * ajv is given the same schema, closed with `additionalProperties: false` as the protocol says. The interpreter is stricter on purpose
 * in what it admits as a schema; where it admits one, both must judge every content alike.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileSchema, matchesSchema } from '../../../src/engines/elicitation/schema.ts'
import { formatNames, matchesFormat } from '../../../src/engines/elicitation/schema-formats.ts'

const ajv = new Ajv2020({ strict: false, allErrors: false, unicodeRegExp: true, ownProperties: true })
addFormats.default(ajv)

const names = ['a', 'b', 'name', 'größe', 'to String', 'toString', 'valueOf', '0']
const texts = fc.oneof(
  fc.string({ maxLength: 12, unit: 'grapheme' }),
  fc.constantFrom(
    '',
    'low',
    'high',
    '\ud83d',
    '🔦🔦',
    'a@b.de',
    'a@b',
    'x.y+z@sub.example.org',
    '.a@b.de',
    'a..b@c.de',
  ),
  fc.constantFrom(
    'http://example.org/a?b#c',
    'urn:isbn:1',
    'mailto:a@b.de',
    '//no-scheme',
    'http://[::1]/',
    'a b',
    'http://a/%zz',
  ),
  fc.constantFrom(
    '2024-02-29',
    '2023-02-29',
    '2026-11-31',
    '1900-02-29',
    '2000-02-29',
    '2026-1-1',
    '2026-00-10',
    '2026-13-01',
  ),
  fc.constantFrom(
    '2026-11-22T10:00:00Z',
    '2026-11-22t10:00:00.5+01:00',
    '2016-12-31T23:59:60Z',
    '2016-12-31T22:59:60Z',
    '2016-12-31T15:59:60-08:00',
    '2026-11-22T24:00:00Z',
    '2026-11-22T10:00:00',
    '2026-11-22 10:00:00Z',
    '2026-11-22T10:60:00Z',
  ),
)
const numbers = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1.5, 2 ** 53),
)

const choices = fc.uniqueArray(fc.constantFrom('low', 'high', '', 'a@b.de', '🔦🔦', 'x'), {
  minLength: 1,
  maxLength: 4,
})
const titled = choices.map((values) => values.map((value) => ({ const: value, title: `T ${value}` })))
const bounds = fc.tuple(fc.nat(6), fc.nat(6)).map(([low, more]) => [low, low + more] as const)

const property = fc.oneof(
  fc.tuple(fc.option(bounds), fc.option(fc.constantFrom(...formatNames))).map(([limits, format]) => ({
    type: 'string',
    ...(limits === null ? {} : { minLength: limits[0], maxLength: limits[1] + (format === null ? 0 : 40) }),
    ...(format === null ? {} : { format }),
  })),
  fc.tuple(fc.constantFrom('number', 'integer'), fc.option(bounds)).map(([type, limits]) => ({
    type,
    ...(limits === null ? {} : { minimum: limits[0] - 4, maximum: limits[1] }),
  })),
  fc.constant({ type: 'boolean', title: 'yes or no', description: 'd' }),
  choices.map((values) => ({ type: 'string', enum: values })),
  titled.map((oneOf) => ({ type: 'string', oneOf })),
  fc.tuple(choices, fc.option(bounds)).map(([values, limits]) => ({
    type: 'array',
    items: { type: 'string', enum: values },
    ...(limits === null ? {} : { minItems: limits[0], maxItems: limits[1] }),
  })),
  titled.map((anyOf) => ({ type: 'array', items: { anyOf } })),
)

const schema = fc
  .tuple(fc.dictionary(fc.constantFrom(...names), property, { maxKeys: 5 }), fc.array(fc.nat(9), { maxLength: 4 }))
  .map(([properties, picks]) => {
    const declared = Object.keys(properties)
    const required = [...new Set(picks.map((pick) => declared[pick]).filter((name) => name !== undefined))]
    return { type: 'object', properties: { ...properties }, ...(required.length === 0 ? {} : { required }) }
  })

const value = fc.oneof(
  texts,
  numbers,
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(texts, fc.constantFrom('low', 'high', 'x'), fc.integer()), { maxLength: 5 }),
  fc.constant({}),
)
/** Mostly declared names with values that may fit, sometimes anything. */
const content = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 5 }).map((pairs) => ({ ...pairs })),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
)

describe('the interpreter and ajv', () => {
  const verdicts = { accepted: 0, refused: 0 }

  it('judge every content alike', () => {
    fc.assert(
      fc.property(schema, fc.array(content, { minLength: 3, maxLength: 12 }), (given, contents) => {
        const compiled = compileSchema(given)
        if (compiled === null) throw new Error(`refused as a schema: ${JSON.stringify(given)}`)
        const closed = { ...given, additionalProperties: false }
        const validate = ajv.compile(closed)
        try {
          for (const candidate of contents) {
            // Both see what JSON would carry.
            const carried: unknown = JSON.parse(JSON.stringify(candidate))
            const expected = validate(carried)
            verdicts[expected ? 'accepted' : 'refused']++
            expect(matchesSchema(compiled, carried), JSON.stringify({ given, carried })).toBe(expected)
          }
        } finally {
          ajv.removeSchema(closed)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('met both verdicts often enough to mean something', () => {
    expect(verdicts.accepted).toBeGreaterThan(100)
    expect(verdicts.refused).toBeGreaterThan(100)
  })

  it.each(formatNames)('judge the format %s alike', (format) => {
    const validate = ajv.compile({ type: 'string', format })
    fc.assert(
      fc.property(texts, (text) => {
        expect(matchesFormat(format, text), text).toBe(validate(text))
      }),
      { numRuns: 500 },
    )
  })
})

describe('rubbish', () => {
  it('never throws and never admits a keyword outside the subset', () => {
    const keyword = fc.constantFrom(
      'pattern',
      '$ref',
      'not',
      'allOf',
      'if',
      'patternProperties',
      'additionalProperties',
      'const',
      'x',
    )
    fc.assert(
      fc.property(schema, property, keyword, fc.jsonValue(), (given, one, word, what) => {
        expect(compileSchema({ ...given, [word]: what })).toBeNull()
        expect(compileSchema({ type: 'object', properties: { p: { ...one, [word]: what } } })).toBeNull()
      }),
      { numRuns: 200 },
    )
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (given, what) => {
        const compiled = compileSchema(given)
        if (compiled !== null) matchesSchema(compiled, what)
        compileSchema({ type: 'object', properties: { p: given } })
      }),
    )
  })

  it.each(['__proto__', 'constructor', 'prototype'])('refuses the property name %s', (name) => {
    const given: unknown = JSON.parse(`{"type":"object","properties":{"${name}":{"type":"string"}}}`)
    expect(compileSchema(given)).toBeNull()
  })

  it('differs from ajv where RFC 3986 and RFC 3339 do', () => {
    expect(matchesFormat('uri', 'x:')).toBe(true)
    expect(matchesFormat('uri', 'http://example.org/"')).toBe(false)
    expect(matchesFormat('date-time', '2026-11-22T10:00:00+0100')).toBe(false)
  })

  it('judges formats of long strings, which are refused before they are compared', () => {
    for (const format of formatNames) {
      expect(matchesFormat(format, `${'a.'.repeat(40_000)}@`)).toBe(false)
      expect(matchesFormat(format, `${'a'.repeat(2040)}!`)).toBe(false)
    }
  })
})
