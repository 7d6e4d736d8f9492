import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EndedExchanges, type EndedRecord } from '../../../src/engines/elicitation/ended-exchanges.ts'

const record: fc.Arbitrary<EndedRecord> = fc.record({
  id: fc.nat(20).map((number) => `x:a:${number}`),
  requester: fc.nat(9),
  recipient: fc.nat(9),
  questionSha256: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  outcome: fc.constantFrom(
    'accept' as const,
    'decline' as const,
    'cancel' as const,
    'expired' as const,
    'withdrawn' as const,
  ),
  answerBody: fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.nat(32_000).map((length) => 'é€x'.repeat(Math.ceil(length / 3)).slice(0, length)),
    fc.constant(''),
  ),
  questionSequence: fc.nat(),
  resultSequence: fc.nat({ max: 2 ** 40 }),
})

/** Everything held, oldest first, as a plain list that learns what left from the drops alone. */
class Model {
  readonly held: { slot: number; record: EndedRecord; endedAtMs: number }[] = []

  readonly drop = (id: string, slot: number): void => {
    const oldest = this.held.shift()
    expect({ id: oldest?.record.id, slot: oldest?.slot }).toEqual({ id, slot })
  }
}

describe('ended exchanges', () => {
  it('are read as they were added until they are dropped, oldest first, and only for want of room or by age', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.tuple(record, fc.nat(50), fc.nat(9)), { maxLength: 60, size: 'max' }),
        (capacity, steps) => {
          const model = new Model()
          const ended = new EndedExchanges(capacity, model.drop)
          let nowMs = 0
          for (const [added, gapMs, age] of steps) {
            nowMs += gapMs
            const before = model.held.length
            const slot = ended.add(added, nowMs)
            const left = before - model.held.length
            model.held.push({ slot, record: added, endedAtMs: nowMs })
            // What is held and what was just asked for, each with the worst case of its encoding, exceed the ring.
            const bytes = model.held.reduce((sum, { record: { answerBody } }) => sum + 3 * answerBody.length + 1, 0)
            if (left > (before === capacity ? 1 : 0))
              expect(bytes + 3 * 32_000 * 2).toBeGreaterThan(ended.answerCapacity)
            if (age === 0) ended.dropOlder(nowMs - 60)
            if (age === 0) expect(model.held.every(({ endedAtMs }) => endedAtMs > nowMs - 60)).toBe(true)
            expect(ended.count).toBe(model.held.length)
            for (const { slot: place, record: kept } of model.held) expect(ended.read(place)).toEqual(kept)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('keeps its full count of short answers', () => {
    let drops = 0
    const ended = new EndedExchanges(300, () => drops++)
    for (let number = 0; number < 1000; number++) {
      const kept = { requester: 0, recipient: 1, questionSha256: 'q'.repeat(32), outcome: 'accept' as const }
      ended.add(
        { ...kept, id: `x:a:${number}`, answerBody: 'y'.repeat(120), questionSequence: 1, resultSequence: 1 },
        number,
      )
    }
    expect({ count: ended.count, drops }).toEqual({ count: 300, drops: 700 })
  })
})
