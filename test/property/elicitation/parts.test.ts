/**
 * The machine's small parts against plain models: nonce window, token bucket, expiry wheel, inbox, bounded schema cache.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SchemaCache } from '../../../src/engines/elicitation/bodies.ts'
import { DelayQueue } from '../../../src/engines/elicitation/delay-queue.ts'
import { Exchange, ExchangeTable } from '../../../src/engines/elicitation/exchange-table.ts'
import { ExpiryWheel } from '../../../src/engines/elicitation/expiry-wheel.ts'
import { Inbox } from '../../../src/engines/elicitation/inbox.ts'
import { NonceWindow, nonceWindowSize } from '../../../src/engines/elicitation/nonce-window.ts'
import { TokenBuckets } from '../../../src/engines/elicitation/token-bucket.ts'
import { ViolationLog } from '../../../src/engines/elicitation/violation-log.ts'

describe('the nonce window', () => {
  const nonce = fc.oneof(
    fc.integer({ min: 0, max: 1200 }),
    fc.integer({ min: 0, max: 40 }),
    fc.constantFrom(2 ** 40, 2 ** 40 - 3, 2 ** 53 - 1),
  )

  it('takes a nonce once, and none below the window', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), nonce), { maxLength: 300, size: 'max' }), (uses) => {
        const window = new NonceWindow(3)
        const used = [new Set<number>(), new Set<number>(), new Set<number>()]
        for (const [agent, value] of uses) {
          const seen = used[agent] ?? new Set()
          const top = Math.max(0, ...seen)
          const allowed = value >= 1 && !seen.has(value) && top - value < nonceWindowSize
          expect(window.use(agent, value)).toBe(allowed)
          if (allowed) seen.add(value)
          expect(window.floor(agent)).toBe(Math.max(0, ...seen))
        }
      }),
    )
  })
})

describe('the token bucket', () => {
  it('never lets more through than burst + rate × time, and always after the wait it names', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: -5, max: 200 })),
        (rate, burst, gapsMs) => {
          const buckets = new TokenBuckets(1, rate, burst)
          let nowMs = 1000
          let latestMs = nowMs
          let taken = 0
          // The bucket is full, and its clock starts, when it is first used.
          const startMs = nowMs + (gapsMs[0] ?? 0)
          latestMs = startMs
          for (const gapMs of gapsMs) {
            nowMs += gapMs
            latestMs = Math.max(latestMs, nowMs)
            const waitMs = buckets.take(0, nowMs * 1e6)
            if (waitMs === 0) taken++
            expect(taken).toBeLessThanOrEqual(burst + ((latestMs - startMs) / 1000) * rate + 1e-6)
            if (waitMs > 0) {
              nowMs = Math.max(nowMs, latestMs) + waitMs
              latestMs = nowMs
              expect(buckets.take(0, nowMs * 1e6)).toBe(0)
              taken++
            }
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('the expiry wheel', () => {
  it('hands over every deadline once, never early and at most a slot late', () => {
    const deadline = fc.oneof(
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 102_000, max: 103_000 }),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(deadline, fc.boolean()), { maxLength: 40 }),
        fc.integer({ min: 1, max: 60 }),
        (entries, stepMs) => {
          const startMs = 777
          const wheel = new ExpiryWheel(startMs)
          const exchanges = entries.map(([afterMs, removed], index) => {
            const exchange = new Exchange(`x:a:${index}`, 0, 1, '', startMs + afterMs)
            wheel.add(exchange)
            return { exchange, removed }
          })
          for (const { exchange, removed } of exchanges) if (removed) wheel.remove(exchange)
          expect(wheel.size).toBe(exchanges.filter((entry) => !entry.removed).length)
          const due = new Map<Exchange, number>()
          for (let nowMs = startMs; nowMs < startMs + 3200; nowMs += stepMs) {
            wheel.turn(nowMs, (exchange) => {
              expect(due.has(exchange)).toBe(false)
              due.set(exchange, nowMs)
            })
          }
          // One leap over more than a full turn of the wheel, as after a process was stopped.
          const leapMs = startMs + 200_000
          wheel.turn(leapMs, (exchange) => due.set(exchange, leapMs))
          for (const { exchange, removed } of exchanges) {
            const atMs = due.get(exchange)
            if (removed || exchange.deadlineMs > leapMs) expect(atMs).toBeUndefined()
            else if (exchange.deadlineMs > startMs + 3100) expect(atMs).toBeGreaterThanOrEqual(exchange.deadlineMs)
            else {
              expect(atMs).toBeGreaterThanOrEqual(exchange.deadlineMs)
              expect(atMs).toBeLessThanOrEqual(exchange.deadlineMs + stepMs)
            }
          }
        },
      ),
    )
  })
})

describe('the inbox', () => {
  it('keeps dense sequences and what is above the floor', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 400, size: 'max' }), (pushes) => {
        const inbox = new Inbox()
        const model: Exchange[] = []
        let floor = 0
        for (const push of pushes) {
          if (push) {
            const exchange = new Exchange(`x:a:${model.length}`, 0, 1, '', 0)
            model.push(exchange)
            expect(inbox.push(exchange)).toBe(model.length)
          } else if (floor < model.length) expect(inbox.shift()).toBe(model[floor++])
          else expect(inbox.shift()).toBeUndefined()
          expect(inbox).toMatchObject({ head: model.length, floor })
          expect(inbox.size()).toBe(model.length - floor)
          expect(inbox.at(floor)).toBeUndefined()
          expect(inbox.at(floor + 1)).toBe(model[floor])
          expect(inbox.at(model.length)).toBe(floor === model.length ? undefined : model.at(-1))
        }
      }),
    )
  })
})

describe('bounds', () => {
  it('ended exchanges leave by count and by age', () => {
    const table = new ExchangeTable(3, 1000)
    const exchanges = Array.from({ length: 5 }, (_, index) => new Exchange(`x:a:${index}`, 0, 1, '', 0))
    for (const exchange of exchanges) table.add(exchange)
    expect(table.open()).toBe(5)
    for (const [index, exchange] of exchanges.entries()) table.retire(exchange, index * 100)
    expect(exchanges.map((exchange) => table.get(exchange.id) !== undefined)).toEqual([false, false, true, true, true])
    table.dropOlder(1300)
    expect(exchanges.map((exchange) => table.get(exchange.id) !== undefined)).toEqual([
      false,
      false,
      false,
      false,
      true,
    ])
    expect(table.open()).toBe(0)
  })

  it('the schema cache forgets the least recently used', () => {
    const cache = new SchemaCache(2)
    const schema = (name: string): unknown => ({ type: 'object', properties: { [name]: { type: 'boolean' } } })
    const first = cache.compile(schema('a'))
    cache.compile(schema('b'))
    expect(cache.compile(schema('a'))).toBe(first)
    cache.compile(schema('c'))
    expect(cache.size).toBe(2)
    expect(cache.compile(schema('a'))).toBe(first)
    expect(cache).toMatchObject({ hits: 2, misses: 3 })
    expect(new SchemaCache(0).compile(schema('a'))).not.toBeNull()
  })

  it('violations overwrite their oldest', () => {
    const log = new ViolationLog(2)
    for (let agent = 0; agent < 5; agent++) log.add({ atMs: 0, agent, id: '-', code: 'MALFORMED' })
    expect(log.list().map((violation) => violation.agent)).toEqual([3, 4])
  })

  it('a delay queue holds an agent once and gives agents back in order', () => {
    const queue = new DelayQueue(4, 100)
    for (const [agent, nowMs] of [
      [2, 0],
      [0, 10],
      [2, 50],
      [3, 60],
    ] as const)
      queue.add(agent, nowMs)
    expect(queue.take(99)).toBe(-1)
    expect([queue.take(160), queue.take(160), queue.take(160), queue.take(160)]).toEqual([2, 0, 3, -1])
    queue.add(2, 200)
    expect(queue.take(300)).toBe(2)
  })
})
