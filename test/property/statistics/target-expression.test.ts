import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { figureNames, figureSections, suiteFigure } from '../../../src/statistics/suite-figures.ts'
import {
  latencySeries,
  parseTarget,
  printTarget,
  quantileNames,
  type Measure,
  type TargetExpression,
} from '../../../src/statistics/target-expression.ts'

const amount = fc
  .tuple(fc.integer({ min: 1, max: 999_999_999 }), fc.integer({ min: 0, max: 6 }))
  .map(([digits, decimals]) => Number((digits / 10 ** decimals).toFixed(decimals)))
const quantile = fc.constantFrom(...quantileNames)
const over = fc.option(fc.record({ amount, unit: fc.constantFrom('ms', 's', 'm', 'h', 'd') }), { nil: null })
const timeUnit = fc.constantFrom('ns', 'us', 'ms', 's')
const subject = fc.constantFrom('candidate', 'baseline', 'polling', 'elicitation', 'engine-7')

function target(
  measure: fc.Arbitrary<Measure>,
  comparator: fc.Arbitrary<TargetExpression['comparator']>,
  unit: fc.Arbitrary<TargetExpression['unit']>,
  of: fc.Arbitrary<string> = subject,
  size: fc.Arbitrary<number> = amount,
): fc.Arbitrary<TargetExpression> {
  return fc.record({ subject: of, measure, comparator, amount: size, unit, over })
}

const less = fc.constantFrom('<', '<=')
const more = fc.constantFrom('>', '>=')
const byteUnit = fc.constantFrom('B', 'KiB', 'MiB', 'GiB')
const figures = figureSections.flatMap((section) =>
  figureNames(section).flatMap((name) => {
    const figure = suiteFigure(section, name)
    if (figure === undefined) throw new Error(`no figure ${section}.${name}`)
    return [`${section}.${name}`, `${section}.some-case.${name}`].map((path) => ({ path, figure }))
  }),
)
const anyTarget = fc.oneof(
  target(
    fc.record({ kind: fc.constant('latency'), series: fc.constantFrom(...latencySeries), quantile }),
    less,
    timeUnit,
  ),
  target(fc.record({ kind: fc.constant('overhead'), quantile }), less, timeUnit),
  target(
    fc.record({ kind: fc.constant('speedup'), quantile: fc.constantFrom('p50', 'p95', 'p99') }),
    more,
    fc.constantFrom('', 'x'),
    fc.constant('candidate'),
  ),
  target(fc.constant({ kind: 'errorRate' }), less, fc.constant('%'), subject, fc.constantFrom(0, 0.1, 5, 99.999)),
  ...figures.map(({ path, figure }) =>
    target(
      fc.constant({ kind: 'figure', path, figure }),
      figure.better === 'less' ? less : more,
      { time: timeUnit, bytes: byteUnit, ratio: fc.constantFrom('', 'x'), count: fc.constant('') }[figure.dimension],
    ),
  ),
  target(fc.constantFrom({ kind: 'throughputPerSecond' }, { kind: 'agents' }), more, fc.constant('')),
)

describe('the target grammar', () => {
  it('parses what it prints, to the same target', () => {
    fc.assert(
      fc.property(anyTarget, (each) => {
        expect(parseTarget(printTarget(each))).toEqual(each)
      }),
      { numRuns: 500 },
    )
  })

  it('answers every text with a target or a USAGE error', () => {
    const words = fc.constantFrom(
      ...[
        'candidate',
        'speedup',
        '.',
        'roundTrip',
        'p99',
        'overhead',
        '<',
        '>=',
        '<=',
        ' ',
        '0.1',
        '%',
        'ms',
        'over',
        '48h',
      ],
      ...['errorRate', 'agents', '1e9', '-', '\u0000', '\n', 'µ', '99999999999999999999', '..', 'p', '🙂', '__proto__'],
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 250 }),
      fc.array(words, { maxLength: 14 }).map((w) => w.join('')),
    )
    fc.assert(
      fc.property(text, (each) => {
        try {
          const parsed = parseTarget(each)
          expect(parseTarget(printTarget(parsed))).toEqual(parsed)
        } catch (error) {
          if (!(error instanceof LighthouseError)) throw error
          expect(error.code).toBe('USAGE')
        }
      }),
      { numRuns: 2000 },
    )
  })
})
