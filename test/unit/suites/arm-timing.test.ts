/** What is granted to what is still in flight follows from the sleeps of the engine. */
import { expect, it } from 'vitest'
import { sleepIntervalMs } from '../../../src/engines/sleep-interval.ts'
import { drainGraceMs } from '../../../src/suites/arm-timing.ts'

it.each([
  ['polling', {}, 1000, 2000],
  ['polling', { interval: '100ms' }, 100, 1000],
  ['polling', { interval: '5s' }, 5000, 10_000],
  ['hybrid', {}, 0, 1000],
  ['elicitation', {}, 0, 1000],
  ['bridge', {}, 1000, 2000],
  ['bridge', { percentage: '50', interval: '2s' }, 2000, 4000],
  ['bridge', { percentage: '100', interval: '2s' }, 0, 1000],
] as const)('%s with %j sleeps %d ms and is granted %d', (name, options: Record<string, string>, sleepMs, graceMs) => {
  expect([sleepIntervalMs({ name, options }), drainGraceMs({ name, options })]).toEqual([sleepMs, graceMs])
})
