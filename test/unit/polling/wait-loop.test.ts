/** The wait loop on virtual time: when it looks, when it sleeps, when it answers, and what it counts. */
import { describe, expect, test } from 'vitest'
import type { StoredEvent } from '../../../src/engines/event-store/event-store.ts'
import { type WaitAnswer, waitLoop } from '../../../src/engines/polling/wait-loop.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { virtualTime, type VirtualTime } from './virtual-time.ts'

function inbox(): { events: StoredEvent[]; put(agent: string, sequence: number): void } {
  const events: StoredEvent[] = []
  return {
    events,
    put: (agent, sequence) =>
      events.push({ sequence, agent, source: 'a9', kind: 1, exchange: '', body: '{}', producedAtMs: 0 }),
  }
}

function make(wakeable = false, intervalMs = 1000, limit = 10) {
  const time = virtualTime()
  const box = inbox()
  const looks: number[] = []
  const reader = {
    readAfter(agent: string, sequence: number, most: number) {
      looks.push(time.nowNs() / 1e6)
      return box.events.filter((event) => event.agent === agent && event.sequence > sequence).slice(0, most)
    },
  }
  return { time, box, looks, loop: waitLoop(reader, time, time, { intervalMs, limit, wakeable }) }
}

/** What an answer was and when, in order. */
function recorder(time: VirtualTime): { log: string[]; answer: WaitAnswer } {
  const log: string[] = []
  const at = (): string => `@${time.nowNs() / 1e6}`
  return {
    log,
    answer: {
      onEvents: (events) => log.push(`${events.map((event) => event.sequence).join(',')}${at()}`),
      onTimeout: (waitedMs) => log.push(`timeout after ${waitedMs}${at()}`),
      onFailure: (error) => log.push(`${error.code}${at()}`),
    },
  }
}

describe('polling', () => {
  test('answers at once what is there, without sleeping', () => {
    const { time, box, loop } = make()
    const { log, answer } = recorder(time)
    box.put('a1', 5)
    loop.wait('a1', 0, 60_000, answer)
    expect(log).toEqual(['5@0'])
    expect([loop.held(), time.timers()]).toEqual([0, 0])
    expect(loop.counts()).toEqual({ queries: 1, emptyPolls: 0, timeouts: 0 })
  })

  test('an event waits for the end of the sleep: nothing wakes a held poll', () => {
    const { time, box, looks, loop } = make()
    const { log, answer } = recorder(time)
    loop.wait('a1', 0, 60_000, answer)
    time.advance(2300)
    box.put('a1', 1)
    loop.wake('a1')
    expect(log).toEqual([])
    time.advance(699)
    expect(log).toEqual([])
    time.advance(1)
    expect(log).toEqual(['1@3000'])
    expect(looks).toEqual([0, 1000, 2000, 3000])
    expect(loop.counts()).toEqual({ queries: 4, emptyPolls: 3, timeouts: 0 })
  })

  test('time up: one last look, an empty answer, and no timer left', () => {
    const { time, looks, loop } = make()
    const { log, answer } = recorder(time)
    loop.wait('a1', 0, 2500, answer)
    time.advance(10_000)
    expect(log).toEqual(['timeout after 2500@2500'])
    expect(looks).toEqual([0, 1000, 2000, 2500])
    expect([loop.held(), time.timers(), loop.counts().timeouts]).toEqual([0, 0, 1])
  })

  test('a timeout of 0 is one look', () => {
    const { time, looks, loop } = make()
    const { log, answer } = recorder(time)
    loop.wait('a1', 0, 0, answer)
    expect([log, looks, time.timers()]).toEqual([['timeout after 0@0'], [0], 0])
  })

  test('a cancelled poll neither looks nor answers again', () => {
    const { time, box, looks, loop } = make()
    const { log, answer } = recorder(time)
    const cancel = loop.wait('a1', 0, 60_000, answer)
    expect(loop.held()).toBe(1)
    cancel()
    cancel()
    box.put('a1', 1)
    time.advance(100_000)
    expect([log, looks, loop.held(), time.timers()]).toEqual([[], [0], 0, 0])
  })

  test('a store that cannot be read is a failure, answered once', () => {
    const time = virtualTime()
    const { log, answer } = recorder(time)
    let broken = false
    const readAfter = (): StoredEvent[] => {
      if (broken) throw new LighthouseError('STORE', 'planted')
      return []
    }
    const loop = waitLoop({ readAfter }, time, time, { intervalMs: 1000, limit: 10, wakeable: false })
    loop.wait('a1', 0, 60_000, answer)
    broken = true
    time.advance(60_000)
    expect([log, loop.held(), time.timers()]).toEqual([['STORE@1000'], 0, 0])
  })

  test('release answers every held poll; counts start anew when reset', () => {
    const { time, loop } = make()
    const { log, answer } = recorder(time)
    for (const agent of ['a1', 'a2', 'a3']) loop.wait(agent, 0, 60_000, answer)
    time.advance(400)
    loop.release()
    expect(log).toEqual(['timeout after 400@400', 'timeout after 400@400', 'timeout after 400@400'])
    expect([loop.held(), time.timers()]).toEqual([0, 0])
    loop.resetCounts()
    expect(loop.counts()).toEqual({ queries: 0, emptyPolls: 0, timeouts: 0 })
  })
})

describe('hybrid', () => {
  test('a commit wakes the polls of its agent, and no others', () => {
    const { time, box, loop } = make(true, 5000)
    const one = recorder(time)
    const two = recorder(time)
    loop.wait('a1', 0, 60_000, one.answer)
    loop.wait('a2', 0, 60_000, two.answer)
    time.advance(123)
    box.put('a1', 1)
    loop.wake('a1')
    expect([one.log, two.log]).toEqual([['1@123'], []])
    expect([loop.held(), time.timers()]).toEqual([1, 1])
  })

  test('a wake-up without news goes back to sleep with one timer, and the safety poll still finds what was missed', () => {
    const { time, box, loop } = make(true, 5000)
    const { log, answer } = recorder(time)
    loop.wait('a1', 0, 60_000, answer)
    time.advance(1000)
    loop.wake('a1')
    expect([log, time.timers()]).toEqual([[], 1])
    box.put('a1', 1)
    time.advance(5000)
    expect(log).toEqual(['1@6000'])
  })
})
