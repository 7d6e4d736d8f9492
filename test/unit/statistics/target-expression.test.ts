import { describe, expect, it } from 'vitest'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { nearestWord } from '../../../src/statistics/nearest-word.ts'
import { boundOf, durationOf, parseTarget, printTarget } from '../../../src/statistics/target-expression.ts'

function errorOf(text: string, engines?: readonly string[]): LighthouseError {
  try {
    parseTarget(text, engines)
  } catch (error) {
    expect(error).toBeInstanceOf(LighthouseError)
    return error as LighthouseError
  }
  throw new Error(`parsed: ${text}`)
}

describe('parseTarget', () => {
  it.each([
    ['candidate.roundTrip.p99 < 300ms', 300, null],
    ['elicitation.roundTrip.p50 < 50ms', 50, null],
    ['candidate.delivery.p95 <= 100ms', 100, null],
    ['candidate.errorRate < 0.1%', 0.001, null],
    ['candidate.throughputPerSecond >= 10000', 10_000, null],
    ['candidate.agents >= 10000', 10_000, null],
    ['candidate.overhead.p99 < 20ms', 20, null],
    ['speedup.p50 >= 30', 30, null],
    ['speedup.p50 >= 30x', 30, null],
    ['candidate.roundTrip.p99 < 300ms over 48h', 300, 48 * 3_600_000],
    ['baseline.serviceTime.p999 < 1.5s over 10s', 1500, 10_000],
    ['candidate.roundTrip.p50 < 300us', 0.3, null],
    ['candidate.overhead.p50 < 2500ns', 0.0025, null],
    ['candidate.recovery.timeToFull <= 5s', 5000, null],
    ['baseline.recovery.reset-all.timeToDetect < 250ms', 250, null],
    ['candidate.recovery.metastable <= 0', 0, null],
  ])('reads %s', (text, bound, duration) => {
    const target = parseTarget(text)
    expect(boundOf(target)).toBe(bound)
    expect(durationOf(target)).toBe(duration)
    expect(printTarget(target)).toBe(text)
  })

  it('takes any spacing and prints the canonical one', () => {
    expect(printTarget(parseTarget('  candidate.errorRate<0.1 %   over   48h '))).toBe(
      'candidate.errorRate < 0.1% over 48h',
    )
  })

  it.each([
    ['', 1, 'expected candidate, baseline, speedup', null],
    ['candiate.roundTrip.p99 < 1s', 1, 'unknown subject "candiate"', 'candidate'],
    ['elicitaton.roundTrip.p99 < 1s', 1, 'unknown subject', 'elicitation'],
    ['candidate roundTrip', 10, 'expected "."', null],
    ['candidate.roundtrip.p99 < 300ms', 11, 'unknown measure "roundtrip"', 'roundTrip'],
    ['candidate.troughputPerSecond >= 1', 11, 'unknown measure', 'throughputPerSecond'],
    ['candidate.roundTrip.p99.9 < 1s', 21, 'unknown quantile "p99.9"', 'p999'],
    ['candidate.roundTrip.p90 < 1s', 21, 'unknown quantile "p90"', null],
    ['candidate.roundTrip.p99 300ms', 25, 'expected < or <=', null],
    ['candidate.roundTrip.p99 > 300ms', 25, 'would reward the worse', null],
    ['candidate.agents < 5', 18, 'would reward the worse', null],
    ['candidate.roundTrip.p99 < -3ms', 27, 'expected a number', null],
    ['candidate.agents >= 10,000', 23, 'write 10000, not 10,000', null],
    ['candidate.roundTrip.p99 < 300', 30, 'expected a unit of time', null],
    ['candidate.roundTrip.p99 < 300µs', 30, 'expected a unit of time', 'us'],
    ['candidate.agents >= 5ms', 22, 'unexpected "ms"', null],
    ['candidate.errorRate < 100%', 23, 'below 100%', null],
    ['candidate.agents >= 0', 21, 'above zero', null],
    ['speedup.p999 >= 30', 9, 'per round', 'p99'],
    ['candidate.recvery.timeToFull < 5s', 11, 'unknown measure "recvery"', 'recovery'],
    ['candidate.recovery.timeTofull < 5s', 20, 'unknown figure "timeTofull"', 'timeToFull'],
    ['candidate.recovery.crash < 5s', 20, 'or the name of a case before it', null],
    ['candidate.recovery.crash.timetofull < 5s', 26, 'unknown figure "timetofull"', 'timeToFull'],
    ['candidate.recovery.toString < 5s', 20, 'unknown figure "toString"', null],
    ['candidate.recovery.timeToFull >= 5s', 31, 'would reward the worse recovery.timeToFull', null],
    ['candidate.recovery.timeToFull < 5', 34, 'unexpected ""; expected ns, us, ms or s', null],
    ['candidate.recovery.metastable <= 0ms', 35, 'expected no unit', null],
    ['candidate.agents >= 5 for 3h', 23, 'unexpected "for"', null],
    ['candidate.roundTrip.P99 < 1s', 21, 'unknown quantile "P99"', 'p99'],
    ['candidate.roundTrip.p99 < 1s for 3h', 30, 'expected the end of the target or "over"', null],
    ['candidate.agents >= 5 over 3', 29, 'expected a unit of duration', null],
    ['candidate.agents >= 5 over 3h now', 31, 'expected the end', null],
  ])('says of %s: column %d, %s', (text, column, what, near) => {
    const error = errorOf(text)
    expect(error.code).toBe('USAGE')
    expect(error.message).toContain(`column ${column}:`)
    expect(error.message).toContain(what)
    expect(error.suggestions.some((line) => line.startsWith('Did you mean'))).toBe(near !== null)
    if (near !== null) expect(error.suggestions[0]).toBe(`Did you mean "${near}"?`)
  })

  it('takes other engines by name, and only the given ones when they are known', () => {
    expect(parseTarget('nats.roundTrip.p50 < 1ms').subject).toBe('nats')
    expect(parseTarget('polling2.roundTrip.p50 < 1ms').subject).toBe('polling2')
    expect(errorOf('nats.roundTrip.p50 < 1ms', ['polling', 'nets']).suggestions[0]).toBe('Did you mean "nets"?')
  })

  it('reads at most 200 characters', () => {
    expect(errorOf(`candidate.agents >= 5${' '.repeat(200)}`).message).toContain('at most 200')
  })
})

describe('nearestWord', () => {
  it('forgives two edits, swaps and case, and guesses nothing further away', () => {
    expect(nearestWord('dleivery', ['delivery', 'roundTrip'])).toBe('delivery')
    expect(nearestWord('DELIVRY', ['delivery'])).toBe('delivery')
    expect(nearestWord('latency', ['delivery', 'agents'])).toBeNull()
    expect(nearestWord('p9', ['p99', 'p50'])).toBe('p99')
    expect(nearestWord('x', [])).toBeNull()
  })
})
