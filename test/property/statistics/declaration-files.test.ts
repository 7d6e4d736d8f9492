/** Whatever bytes a targets or claims file holds, reading it gives declarations or one USAGE error. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseClaims } from '../../../src/measurement/claims-file.ts'
import { parseTargets, targetsFromJson, targetsSha256, targetsText } from '../../../src/measurement/targets-file.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

function orUsage(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    expect(error.code).toBe('USAGE')
    expect(error.message.length).toBeLessThan(2000)
  }
}

const tokens = fc.constantFrom(
  ...[
    'targets:',
    'claims:',
    '\n',
    '  ',
    '- ',
    'expression: ',
    'title: ',
    'mandatoryIn: ',
    '[smoke]',
    'candidate.agents >= 5',
  ],
  ...[
    '&a ',
    '*a',
    '!!',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '>',
    '#',
    '---',
    '...',
    '\t',
    '\r\n',
    '\uFEFF',
    '? ',
    ': ',
    '<<: ',
  ],
  ...[
    'id: x',
    'suite: scaling',
    'test: ',
    'kind: quantile',
    '__proto__: ',
    'constructor: ',
    '\u0000',
    '%YAML 1.1',
    'null',
    '.nan',
  ],
)

describe('declaration files', () => {
  it('never fail but by USAGE, on YAML-like text and on any text', () => {
    const text = fc.oneof(
      fc.array(tokens, { maxLength: 40 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary', maxLength: 300 }),
    )
    fc.assert(
      fc.property(text, (each) => {
        orUsage(() => parseTargets(each, 't.yaml'))
        orUsage(() => parseClaims(each, 'c.yaml'))
      }),
      { numRuns: 1500 },
    )
  })

  it('never fail but by USAGE, on any value in their shape or out of it', () => {
    const value = fc.oneof(
      fc.anything(),
      fc.record({ targets: fc.anything() }),
      fc.record({ claims: fc.array(fc.object()) }),
    )
    fc.assert(
      fc.property(value, (each) => {
        let text: string
        try {
          text = stringify(each) ?? ''
        } catch {
          return
        }
        orUsage(() => parseTargets(text, 't.yaml'))
        orUsage(() => parseClaims(text, 'c.yaml'))
      }),
      { numRuns: 500 },
    )
  })

  it('give back the targets that were written, with the same digest', () => {
    const target = fc.record(
      {
        expression: fc.integer({ min: 1, max: 1e9 }).map((n) => `candidate.agents >= ${n}`),
        title: fc.string({ minLength: 1, maxLength: 40 }).filter((each) => !/[\p{Cc}\p{Cs}]/u.test(each)),
        mandatoryIn: fc.subarray(['smoke', 'standard', 'full']),
        source: fc.constantFrom('a document', '"quoted": yes', '- x'),
      },
      { requiredKeys: ['expression', 'title'] },
    )
    const list = fc.uniqueArray(target, { minLength: 1, maxLength: 10, selector: ({ title }) => title })
    fc.assert(
      fc.property(list, (each) => {
        fc.pre(new Set(each.map(({ expression }) => expression)).size === each.length)
        const targets = parseTargets(stringify({ targets: each }), 't.yaml')
        expect(targets).toEqual(each)
        const again = targetsFromJson(JSON.parse(targetsText(targets)))
        expect(targetsSha256(again)).toBe(targetsSha256(targets))
      }),
    )
  })
})
