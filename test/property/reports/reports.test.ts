/**
 * Whatever a results document holds, a report prints no NaN, undefined or null, keeps to its width, and lets no
 * label smuggle in a line, an escape sequence or markup.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ResultsDocument, SeriesResult } from '../../../src/measurement/results-document.ts'
import { renderMarkdown } from '../../../src/reports/markdown.ts'
import { renderTerminal } from '../../../src/reports/terminal.ts'
import { elicitationEngine, pollingEngine, results } from '../../golden/reports/results-fixture.ts'

const figure = fc.option(fc.oneof(fc.double({ min: 0, max: 1e12 }), fc.constant(Number.NaN), fc.constant(0)), {
  nil: null,
})
const bound = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: null })
const interval = fc.tuple(bound, bound)
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\u001b[31mred', 'a\nb', '| x |', '<script>', '\u202eabc', '`', '', '# title', '\u0000'),
)

const series: fc.Arbitrary<SeriesResult> = fc.record({
  n: fc.nat(),
  p50Ms: figure,
  p95Ms: figure,
  p99Ms: figure,
  p999Ms: figure,
  maxMs: figure,
  intervals: fc.record({ p50Ms: interval, p95Ms: interval, p99Ms: interval, p999Ms: interval }),
})

const engine = fc
  .record({
    label: hostileText,
    delivery: series,
    roundTrip: series,
    serviceTime: series,
    errorRate: figure,
    throughputPerSecond: figure,
  })
  .chain((changes) => fc.constantFrom({ ...pollingEngine, ...changes }, { ...elicitationEngine, ...changes }))

const document: fc.Arbitrary<ResultsDocument> = fc
  .record({
    engines: fc.array(engine, { minLength: 1, maxLength: 5 }),
    scope: hostileText,
    decisionReasons: fc.array(hostileText, { maxLength: 3 }),
    notAssessed: fc.array(fc.record({ what: hostileText, command: hostileText }), { maxLength: 2 }),
    targets: fc.array(
      fc.record({ title: hostileText, reason: hostileText, value: figure, low: bound, high: bound }).map((changes) => {
        const [target] = results.targets
        if (target === undefined) throw new Error('the fixture has no target')
        return { ...target, ...changes }
      }),
      { maxLength: 3 },
    ),
  })
  .map((changes) => ({ ...results, ...changes }))

/** What the fixture itself says, e.g. a reason, holds none of these words. */
const unprintable = /\bNaN\b|\bundefined\b|\bnull\b|\bInfinity\b|\[object/

function withoutHostileText(text: string, results: ResultsDocument): boolean {
  const given = JSON.stringify(results)
  return (
    unprintable.test(text) && !/NaN|undefined|Infinity|object/.test(given.replaceAll(/:null|null,|,null|\[null/g, ''))
  )
}

describe('any results document', () => {
  it('renders on a terminal without unprintable figures, inside the width', () => {
    fc.assert(
      fc.property(document, fc.integer({ min: 60, max: 200 }), (results, width) => {
        const text = renderTerminal(results, { width, color: false })
        expect(withoutHostileText(text, results)).toBe(false)
        expect(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u200b-\u200f]/.test(text)).toBe(false)
        const commands = results.notAssessed.length
        const tooWide = text.split('\n').filter((line) => line.length > width && !line.startsWith('      $ '))
        expect(tooWide, `width ${width}, ${commands} commands`).toEqual([])
      }),
      { numRuns: 150, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false, endOnFailure: true },
    )
  })

  it('renders the same lines with and without colour', () => {
    fc.assert(
      fc.property(document, fc.integer({ min: 60, max: 200 }), (results, width) => {
        const coloured = renderTerminal(results, { width, color: true })
        // eslint-disable-next-line no-control-regex
        expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(renderTerminal(results, { width, color: false }))
      }),
      { numRuns: 50, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false, endOnFailure: true },
    )
  })

  it('renders as Markdown whose tables keep their columns', () => {
    fc.assert(
      fc.property(document, (results) => {
        const text = renderMarkdown(results)
        expect(withoutHostileText(text, results)).toBe(false)
        expect(text.split('\n').some((line) => /(?<!\\)<[a-z/!]/i.test(line.replaceAll(/`[^`]*`/g, '')))).toBe(false)
        const tables = text.split(/\n{2,}/).filter((block) => block.startsWith('|'))
        for (const table of tables) {
          const columns = table.split('\n').map((line) => line.replaceAll(/\\\\|\\\|/g, '').split('|').length)
          expect(new Set(columns).size).toBe(1)
        }
        expect(tables.length).toBeGreaterThanOrEqual(2)
      }),
      { numRuns: 100, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false, endOnFailure: true },
    )
  })
})
