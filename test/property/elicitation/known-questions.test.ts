import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readQuestion, SchemaCache } from '../../../src/engines/elicitation/bodies.ts'

const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }
const schemaText = JSON.stringify(schema)

/** A cache that has seen the schema, so that bodies of the usual form take the short way. */
function warm(): SchemaCache {
  const cache = new SchemaCache(8)
  readQuestion(`{"message":"first","requestedSchema":${schemaText}}`, cache)
  return cache
}

/** The long way, taken by a cache that holds nothing. */
function verdict(result: ReturnType<typeof readQuestion>): string {
  return typeof result === 'string' ? result : 'schema'
}

describe('a question whose schema is known', () => {
  it('is judged as it would be if the schema were new, whatever is done to the text', () => {
    const damage = fc.record({
      message: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('"', '\\', '\\"', '","requestedSchema":{}', '\n'),
      ),
      raw: fc.boolean(),
      before: fc.constantFrom('', ' ', '{', '[', '"'),
      between: fc.constantFrom('', ' ', ',', ',"mode":"url"', ',"message":1', '"'),
      after: fc.constantFrom(
        '',
        ' ',
        '}',
        ',"mode":"url"',
        ',"message":2',
        ',"requestedSchema":1',
        ',"requestedSchema":{}',
      ),
    })
    fc.assert(
      fc.property(damage, ({ message, raw, before, between, after }) => {
        const literal = raw ? `"${message}"` : JSON.stringify(message)
        const body = `${before}{"message":${literal}${between},"requestedSchema":${schemaText}${after}}`
        expect(verdict(readQuestion(body, warm()))).toBe(verdict(readQuestion(body, new SchemaCache(8))))
      }),
      { numRuns: 5000 },
    )
  })

  it('is found without being compiled again', () => {
    const cache = warm()
    readQuestion(`{"message":"a \\" quote and a \\\\","requestedSchema":${schemaText}}`, cache)
    expect([cache.hits, cache.misses]).toEqual([1, 1])
  })

  it.each([
    [`{"message":"a\\","requestedSchema":${schemaText}}`, 'MALFORMED'],
    [`{"message":"a\u0001","requestedSchema":${schemaText}}`, 'MALFORMED'],
    [`{"message":"\\q","requestedSchema":${schemaText}}`, 'MALFORMED'],
    [`{"message":"a","requestedSchema":${schemaText},"message":1}`, 'MALFORMED'],
    [`{"message":"a","requestedSchema":${schemaText}`, 'MALFORMED'],
  ])('does not make %s pass', (body, expected) => {
    expect(readQuestion(body, warm())).toBe(expected)
  })
})
