/** What hooks answer: taken when it is as documented, and refused by name when anything of it cannot be true. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import { HookAnswerError, readObserved, readWhereabouts } from '../../../src/migration/hook-answers.ts'
import { countsAbove } from '../../../src/migration/system.ts'
import { group, interval, observed, saying, systemOf } from './hook-harness.ts'

const bounds = [300, 1000]

function histogramOf(...valuesUs: number[]): string {
  const recorder = createLatencyRecorder({ unit: 'us', highest: 600_000_000 })
  for (const value of valuesUs) recorder.record(value)
  const text = recorder.encode()
  recorder.destroy()
  return text
}

describe('intervals', () => {
  it('are taken with counts, of which those of the plan are kept', () => {
    const above = { '100': 50, '300': 5, '1000': 2, '0.5': 99 }
    const { intervals, wrong } = readObserved(observed(interval(3, { candidate: { ...group, above } })), null, bounds)
    expect(wrong).toBeNull()
    expect(intervals).toHaveLength(1)
    expect(intervals[0]).toMatchObject({ stream: 'a', sequence: 3, durationMs: 10_000, endedAgoMs: 5, lost: null })
    expect(intervals[0]?.candidate).toEqual({
      agents: 10,
      due: 100,
      failed: 1,
      unmeasured: 0,
      histogram: null,
      above: { '300': 5, '1000': 2 },
    })
  })

  it('are taken with histograms, beside which what they cannot hold is counted', () => {
    const candidate = { agents: 1, due: 5, failed: 1, unmeasured: 1, histogram: histogramOf(10, 400_000, 2_000_000) }
    const { intervals } = readObserved(observed(interval(0, { candidate })), null, bounds)
    const [taken] = intervals
    expect(countsAbove(taken?.candidate ?? expect.fail('it was taken'), bounds)).toEqual({ '300': 3, '1000': 2 })
  })

  it('that are known already are passed over, and those of another stream are not', () => {
    const text = observed(interval(3), interval(4), interval(9))
    const after = (stream: string) => readObserved(text, { stream, sequence: 4 }, bounds).intervals
    expect(after('a').map(({ sequence }) => sequence)).toEqual([9])
    expect(after('b').map(({ sequence }) => sequence)).toEqual([3, 4, 9])
    expect(readObserved(observed(), null, bounds)).toEqual({ intervals: [], wrong: null })
  })

  it('before a wrong one are taken', () => {
    const { intervals, wrong } = readObserved(
      observed(interval(1), interval(2, { lost: -1 }), interval(3)),
      null,
      bounds,
    )
    expect(intervals.map(({ sequence }) => sequence)).toEqual([1])
    expect(wrong).toMatchObject({
      place: { stream: 'a', sequence: 2 },
      what: expect.stringMatching(/interval 2: lost/),
    })
  })
})

describe('an answer of observe is refused', () => {
  const withGroup = (more: object) => observed(interval(0, { candidate: { ...group, ...more } }))
  const withHistogram = (due: number, histogram: unknown) =>
    observed(interval(0, { candidate: { agents: 1, due, failed: 0, histogram } }))
  it.each([
    ['that is empty', '', /not JSON/],
    ['that is no JSON', '<html>', /not JSON/],
    ['with a number that JSON does not have', observed(interval(0)).replace('"due":100', '"due":NaN'), /not JSON/],
    ['that is a list', '[]', /its answer: Invalid input/],
    ['that is null', 'null', /its answer: Invalid input/],
    ['of another version', observed().replace('"schemaVersion":1', '"schemaVersion":2'), /schemaVersion: must be 1/],
    ['without a stream', '{"schemaVersion":1,"intervals":[]}', /stream/],
    ['with a stream of two lines', observed().replace('"a"', '"a\\nb"'), /stream: must be one line/],
    ['with more than it should have', observed().replace('{', '{"more":1,'), /Unrecognized key/],
    ['with intervals that are none', observed().replace('[]', '{}'), /intervals/],
    ['with too many', observed(...Array.from({ length: 1001 }, (_, index) => interval(index))), /intervals: Too big/],
    ['in the wrong order', observed(interval(2), interval(1)), /do not ascend: 1/],
    ['with one twice', observed(interval(2), interval(2)), /do not ascend: 2/],
    ['with a sequence that is a text', observed(interval(0, { sequence: '1' })), /intervals\.0\.sequence/],
    ['with a negative sequence', observed(interval(-1)), /intervals\.0\.sequence/],
    ['with a fraction of a sequence', observed(interval(0.5)), /intervals\.0\.sequence/],
  ])(
    '%s',
    async (_what, text, message) => {
      expect(() => readObserved(text, null, bounds)).toThrow(message)
      await expect(systemOf({ observe: saying(text) }).measure(null)).rejects.toMatchObject({
        code: 'ENGINE_UNREACHABLE',
        message: expect.stringMatching(/^The hook observe \(/),
      })
    },
    20_000,
  )

  it.each([
    ['no length', observed(interval(0, { durationMs: 0 })), /durationMs/],
    ['a length without end', observed(interval(0)).replace('"durationMs":10000', '"durationMs":1e999'), /durationMs/],
    ['an end in the future', observed(interval(0, { endedAgoMs: -1 })), /endedAgoMs/],
    ['half of what is lost', observed(interval(0, { lost: 0.5 })), /lost/],
    ['nothing about loss', observed(interval(0, { lost: undefined })), /lost/],
    ['a key that nobody knows', observed(interval(0, { more: 1 })), /Unrecognized key/],
    ['violations that are negative', observed(interval(0, { securityViolations: -1 })), /securityViolations/],
    ['only one group', observed(interval(0, { baseline: null })), /baseline/],
    ['agents that are a text', withGroup({ agents: '10' }), /candidate\.agents/],
    ['a negative count', withGroup({ failed: -1 }), /candidate\.failed/],
    ['a count beyond counting', withGroup({ due: 1e13 }), /candidate\.due/],
    ['more failed than due', withGroup({ failed: 101 }), /candidate: 101 failed.*of 100/],
    ['neither histogram nor counts', withGroup({ above: undefined }), /either a histogram or above/],
    ['both', withGroup({ histogram: histogramOf() }), /either a histogram or above/],
    [
      'no count for a bound of the plan',
      withGroup({ above: { '300': 5 } }),
      /longer than 1000 ms, a bound of the plan/,
    ],
    ['more late than arrived', withGroup({ above: { '300': 100, '1000': 0 } }), /100 took longer than 300 ms, of 99/],
    ['more later than late', withGroup({ above: { '300': 5, '1000': 6 } }), /6 took longer than 1000 ms, of 5/],
    ['a bound that is none', withGroup({ above: { '300': 5, '1000': 2, soon: 1 } }), /no number of ms/],
    ['a bound in another way', withGroup({ above: { '300.0': 5, '1000': 2 } }), /no number of ms/],
    [
      'many bounds',
      withGroup({ above: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, 0])) }),
      /at most 64/,
    ],
    ['counts beside what was not measured', withGroup({ unmeasured: 1 }), /unmeasured belongs to a histogram/],
    ['fewer in its histogram than due', withHistogram(3, histogramOf(1, 2)), /3 were due, and its histogram holds 2/],
    ['more in its histogram than due', withHistogram(1, histogramOf(1, 2)), /1 were due, and its histogram holds 2/],
    ['a histogram that is none', withHistogram(1, 'AAAA'), /candidate: the histogram is cut short/],
    ['a histogram that is no text', withHistogram(1, 7), /candidate\.histogram/],
  ])('for an interval with %s', (_what, text, message) => {
    expect(readObserved(text, null, bounds)).toMatchObject({
      intervals: [],
      wrong: { place: { stream: 'a', sequence: 0 }, what: expect.stringMatching(message) },
    })
  })
})

describe('whereabouts', () => {
  const where = { known: 10, onCandidate: 3, assignedCandidate: 5, draining: true, baselineRoom: 100 }
  const text = (more: object = {}) => JSON.stringify({ schemaVersion: 1, ...where, ...more })

  it('are taken as they are, and are not known without the hook', async () => {
    expect(readWhereabouts(text())).toEqual(where)
    expect(await systemOf({ whereabouts: saying(text()) }).whereabouts()).toEqual(where)
    expect(await systemOf({}).whereabouts()).toBeNull()
  })

  it.each([
    ['more agents than are known', text({ onCandidate: 11 }), /than the 10 that are known/],
    ['more assigned than are known', text({ assignedCandidate: 11 }), /than the 10 that are known/],
    ['a negative room', text({ baselineRoom: -1 }), /baselineRoom/],
    ['half an agent', text({ known: 10.5 }), /known/],
    ['a word for no', text({ draining: 'no' }), /draining/],
    ['nothing about it', text({ draining: undefined }), /draining/],
    ['something else', text({ extra: 1 }), /Unrecognized key/],
    ['another version', text({ schemaVersion: '1' }), /schemaVersion/],
  ])('with %s are refused', (_what, answer, message) => {
    expect(() => readWhereabouts(answer)).toThrow(message)
  })
})

it('whatever is answered is read or refused, and what is read are counts that fit', () => {
  const value = fc.oneof(
    fc.constantFrom(0, 1, 100, -1, 0.5, 1e300, null, 'x', '', true),
    fc.jsonValue({ maxDepth: 2 }),
    fc.constant(histogramOf(1, 2)),
  )
  const record = <T extends Record<string, fc.Arbitrary<unknown>>>(shape: T) => fc.record(shape, { requiredKeys: [] })
  const count = fc.oneof({ weight: 9, arbitrary: fc.nat(120) }, { weight: 1, arbitrary: value })
  const above = fc.oneof(
    record({ '300': count, '1000': count }),
    fc.dictionary(fc.constantFrom('300', '1000', '__proto__', 'NaN', '-1'), count),
  )
  const anyGroup = record({ agents: count, due: count, failed: count, above, histogram: value, unmeasured: count })
  const anyInterval = fc
    .tuple(fc.oneof({ weight: 5, arbitrary: fc.constant(group) }, { weight: 5, arbitrary: anyGroup }), count, value)
    .map(([candidate, sequence, other]) => interval(Number(sequence), { candidate, lost: other }))
  let taken = 0
  fc.assert(
    fc.property(fc.array(anyInterval, { maxLength: 4 }), value, (intervals, stream) => {
      const text = JSON.stringify({ schemaVersion: 1, stream: stream === null ? 'a' : stream, intervals })
      try {
        for (const { candidate } of readObserved(text, null, bounds).intervals) {
          const { due, failed } = candidate
          taken++
          const counts = countsAbove(candidate, bounds)
          expect(failed).toBeLessThanOrEqual(due)
          expect(counts['300']).toBeLessThanOrEqual(due - failed)
          expect(counts['1000']).toBeLessThanOrEqual(counts['300'] ?? -1)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(HookAnswerError)
      }
    }),
    { numRuns: 500 },
  )
  expect(taken).toBeGreaterThan(0)
})
