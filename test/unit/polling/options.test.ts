/** Options: defaults, bounds, and messages that say what is allowed. */
import { describe, expect, test } from 'vitest'
import { hybridEngine, pollingEngine } from '../../../src/engines/polling/definition.ts'
import { pollingOptions } from '../../../src/engines/polling/options.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

test('defaults are those of the system being replaced', () => {
  expect(pollingOptions({})).toMatchObject({
    intervalMs: 1000,
    phaseMs: 1000,
    timeoutMs: 60_000,
    limit: 10,
    batching: 'turn',
  })
  expect(pollingOptions({}, 'hybrid')).toMatchObject({ intervalMs: 5000, phaseMs: 50 })
})

test.each([
  ['100ms', 100],
  ['100', 100],
  ['0.5s', 500],
  ['1m', 60_000],
])('interval %s', (interval, expected) => {
  expect(pollingOptions({ interval }).intervalMs).toBe(expected)
})

describe.each([pollingEngine, hybridEngine])('$name', (engine) => {
  test('has one line of help for each option, and takes each', () => {
    const options = {
      interval: '1s',
      timeout: '1s',
      limit: '1',
      batching: 'off',
      connections: '1',
      posts: '1',
      queue: '1',
    }
    expect(Object.keys(engine.optionHelp)).toEqual(Object.keys(options))
    engine.validateOptions(options)
  })

  test.each([
    ['interval', '0'],
    ['interval', '-1s'],
    ['interval', '61s'],
    ['interval', '5x'],
    ['interval', ''],
    ['interval', 'NaN'],
    ['timeout', '301s'],
    ['timeout', '1ms'],
    ['limit', '0'],
    ['limit', '1.5'],
    ['limit', '1e9'],
    ['batching', 'sometimes'],
    ['connections', '100001'],
    ['posts', '0'],
    ['queue', '1000001'],
    ['toString', '1'],
    ['intervall', '1s'],
  ])('refuses %s=%s by name', (name, value) => {
    const check = (): void => engine.validateOptions({ [name]: value })
    expect(check).toThrow(LighthouseError)
    expect(check).toThrow(`${name}=${value}`)
    expect(check).toThrow(expect.objectContaining({ code: 'USAGE', suggestions: [expect.any(String)] }))
  })
})

test('semantics are declared, with the durability as configured', () => {
  expect(pollingEngine.semantics({}, 'fsync')).toEqual({
    delivery: 'at-least-once',
    durability: 'fsync',
    ordering: 'per-pair',
    replay: 'cursor',
    expiry: 'client',
  })
})
