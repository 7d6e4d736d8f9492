import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Exchange, ExchangeTable } from '../../../src/engines/elicitation/exchange-table.ts'
import { EndedExchanges, type EndedRecord, type KeptRecord } from '../../../src/engines/elicitation/ended-exchanges.ts'

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

/** What must be read of a record, with its answer or with the answer's digest instead. */
function kept(record: EndedRecord, hasAnswer: boolean): KeptRecord {
  if (hasAnswer) return { ...record, answerSha256: '' }
  const answerSha256 = createHash('sha256').update(record.answerBody).digest('latin1')
  return { ...record, answerBody: '', answerSha256 }
}

const worstBytes = (records: readonly { record: EndedRecord }[]): number =>
  records.reduce((sum, { record: { answerBody } }) => sum + 3 * answerBody.length + 1, 0)

describe('ended exchanges', () => {
  it('are read as they were added until they leave, oldest first, by count or age; only answers make room, oldest first', () => {
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
            expect(left).toBe(before === capacity ? 1 : 0)
            if (age === 0) ended.dropOlder(nowMs - 60)
            if (age === 0) expect(model.held.every(({ endedAtMs }) => endedAtMs > nowMs - 60)).toBe(true)
            expect(ended.count).toBe(model.held.length)
            const reads = model.held.map(({ slot: place }) => ended.read(place))
            const hasAnswer = reads.map(({ answerSha256 }) => answerSha256 === '')
            expect(reads).toEqual(model.held.map(({ record: each }, at) => kept(each, hasAnswer[at] === true)))
            // Every answer younger than the youngest that left is there; with that one they would not fit, at worst twice over.
            const youngestGone = hasAnswer.lastIndexOf(false)
            const older = model.held.slice(0, youngestGone + 1)
            expect(older.every(({ record: each }, at) => each.answerBody === '' || hasAnswer[at] === false)).toBe(true)
            if (youngestGone >= 0)
              expect(worstBytes(model.held.slice(youngestGone)) + 3 * 32_000 * 2).toBeGreaterThan(ended.answerCapacity)
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
      const rest = { requester: 0, recipient: 1, questionSha256: 'q'.repeat(32), outcome: 'accept' as const }
      ended.add(
        { ...rest, id: `x:a:${number}`, answerBody: 'y'.repeat(120), questionSequence: 1, resultSequence: 1 },
        number,
      )
    }
    expect({ count: ended.count, drops }).toEqual({ count: 300, drops: 700 })
  })
})

describe('a table of exchanges', () => {
  it('knows an ended one by id, question and answer, however long the answers are that ended after it', () => {
    const table = new ExchangeTable(200, 1000)
    const end = (id: string, answer: string): void => {
      const exchange = new Exchange(id, 0, 1, `question of ${id}`, 0)
      exchange.state = 'settling'
      exchange.outcome = 'accept'
      exchange.answerBody = answer
      table.add(exchange)
      table.retire(exchange, 0)
    }
    end('x:a:1', 'short')
    expect(table.get('x:a:1')).toMatchObject({ answerBody: 'short', hasAnswer: true })
    for (let number = 2; number <= 199; number++) end(`x:a:${number}`, 'z'.repeat(32_000))
    const first = table.get('x:a:1')
    expect(first).toMatchObject({ state: 'ended', outcome: 'accept', hasAnswer: false })
    expect([first?.isQuestion('question of x:a:1'), first?.isQuestion('another')]).toEqual([true, false])
    expect([first?.isAnswer('short'), first?.isAnswer(''), first?.isAnswer('z')]).toEqual([true, false, false])
    end('x:a:200', '')
    end('x:a:201', '')
    expect(table.get('x:a:1')).toBeUndefined()
    expect(table.get('x:a:2')).toBeDefined()
  })
})
