/** The circuit breaker on virtual time. */
import { expect, it } from 'vitest'
import { CircuitBreaker } from '../../../src/engines/bridge/circuit-breaker.ts'

const settings = { failures: 3, windowMs: 10_000, pauseMs: 10_000, longestPauseMs: 60_000 }

it('opens after so many failures within the window, not after as many over a longer time with push working in between', () => {
  const breaker = new CircuitBreaker(settings)
  for (const atMs of [0, 6000, 12_000, 18_000]) {
    breaker.failed(atMs)
    breaker.succeeded(atMs + 1)
  }
  expect(breaker.state(18_000)).toBe('closed')
  breaker.failed(19_000)
  expect(breaker.state(19_000)).toBe('open')
})

function opened(): CircuitBreaker {
  const breaker = new CircuitBreaker(settings)
  for (const atMs of [0, 1, 2]) breaker.failed(atMs)
  return breaker
}

it('lets one attempt decide after its pause, and doubles the pause each time it fails, up to the longest', () => {
  const breaker = opened()
  expect([breaker.state(3), breaker.state(10_001), breaker.state(10_002)]).toEqual(['open', 'open', 'halfOpen'])
  let nowMs = 10_002
  for (const pauseMs of [20_000, 40_000, 60_000, 60_000]) {
    breaker.failed(nowMs)
    expect([breaker.state(nowMs + pauseMs - 1), breaker.state(nowMs + pauseMs)]).toEqual(['open', 'halfOpen'])
    nowMs += pauseMs
  }
  breaker.succeeded(nowMs)
  expect(breaker.state(nowMs)).toBe('closed')
})

it('pauses longer when push breaks again soon after it worked, and as at first when it worked for long', () => {
  const breaker = opened()
  breaker.succeeded(10_002)
  for (const atMs of [11_000, 11_001, 11_002]) breaker.failed(atMs)
  expect([breaker.state(31_001), breaker.state(31_002)]).toEqual(['open', 'halfOpen'])
  breaker.succeeded(31_002)
  for (const atMs of [100_000, 100_001, 100_002]) breaker.failed(atMs)
  expect([breaker.state(110_001), breaker.state(110_002)]).toEqual(['open', 'halfOpen'])
})

it('does not count failures while it is open, and forgets when told that nothing else works either', () => {
  const breaker = opened()
  for (let count = 0; count < 10; count++) breaker.failed(100 + count)
  expect(breaker.state(10_002)).toBe('halfOpen')
  breaker.reset()
  expect(breaker.state(200)).toBe('closed')
  breaker.failed(201)
  expect(breaker.state(201)).toBe('closed')
})

it('opens at once when it is told that push will not be let through, and later each time', () => {
  const breaker = new CircuitBreaker(settings)
  breaker.trip(0)
  expect([breaker.state(9999), breaker.state(10_000)]).toEqual(['open', 'halfOpen'])
  breaker.trip(10_000)
  expect([breaker.state(29_999), breaker.state(30_000)]).toEqual(['open', 'halfOpen'])
})

it('opens after so many attempts in a row, however long each of them took to fail', () => {
  const breaker = new CircuitBreaker(settings)
  for (const atMs of [10_050, 20_100]) breaker.failed(atMs)
  expect(breaker.state(20_100)).toBe('closed')
  breaker.failed(30_150)
  expect(breaker.state(30_150)).toBe('open')
})
