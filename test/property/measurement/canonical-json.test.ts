/** Canonical JSON: reads back as the same value, does not depend on member order, and has one text per value. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../src/measurement/canonical-json.ts'

/** JSON values whose strings are well formed; −0 is written as 0, so it is left out of the round trip. */
const json = fc
  .jsonValue({ stringUnit: 'grapheme', maxDepth: 5 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  )
}

describe('canonicalJson', () => {
  it('reads back as the same value and is a fixed point', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value)
        const back: unknown = JSON.parse(text)
        expect(back).toEqual(value)
        expect(canonicalJson(back)).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(json, (value) => canonicalJson(reversed(value)) === canonicalJson(value)),
      { numRuns: 500 },
    )
  })
})
