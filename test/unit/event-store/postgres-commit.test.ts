/**
 * The committer of the PostgreSQL store over a store that answers when told to: order, bounds and accounting through
 * failures, and what a close leaves. Planted faults show that the checks can fail.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import type { CommitLimits, GroupCommit } from '../../../src/engines/event-store/group-commit.ts'
import {
  gatherBodyUnits,
  gatherLimit,
  type GatheringBatching,
} from '../../../src/engines/event-store/gathering-commit.ts'
import { postgresCommit } from '../../../src/engines/event-store/postgres-commit.ts'
import type { LighthouseError } from '../../../src/platform/errors.ts'

type Fault = 'none' | 'stores-what-fails' | 'two-at-once'

/** Rows are known by their exchange, which is their ticket as text. */
class World {
  readonly stored: string[] = []
  readonly transactions: number[] = []
  readonly committed: { ticket: number; sequence: number }[] = []
  readonly failed: number[] = []
  readonly reasons: LighthouseError[] = []
  readonly commit: GroupCommit
  mostUnderWay = 0
  readonly #underWay: (() => void)[] = []
  #call = 0

  constructor(batching: GatheringBatching, outcomes: readonly boolean[], limits: CommitLimits, fault: Fault = 'none') {
    const append = (batch: RowBatch): Promise<number> => {
      const exchanges = batch.exchanges.slice(0, batch.count)
      const succeeds = outcomes[this.#call++ % outcomes.length] ?? true
      const answer = Promise.withResolvers<number>()
      this.#underWay.push(() => {
        if (succeeds || fault === 'stores-what-fails') this.stored.push(...exchanges)
        if (succeeds) {
          this.transactions.push(exchanges.length)
          answer.resolve(this.stored.length - exchanges.length + 1)
        } else answer.reject(new Error('planted failure'))
      })
      this.mostUnderWay = Math.max(this.mostUnderWay, this.#underWay.length)
      return answer.promise
    }
    this.commit = postgresCommit(
      { append },
      {
        onCommitted: (from, to, first) => {
          for (let ticket = from; ticket <= to; ticket++)
            this.committed.push({ ticket, sequence: first + ticket - from })
        },
        onFailed: (from, to, error) => {
          for (let ticket = from; ticket <= to; ticket++) this.failed.push(ticket)
          this.reasons.push(error)
        },
      },
      batching,
      limits,
    )
    if (fault === 'two-at-once') void append({ exchanges: ['0'], count: 1 } as unknown as RowBatch).catch(() => {})
  }

  /** Lets the oldest transaction end and its handlers run; false when none is under way. */
  async step(): Promise<boolean> {
    const end = this.#underWay.shift()
    end?.()
    await new Promise((resolve) => setImmediate(resolve))
    return end !== undefined
  }

  async finish(): Promise<void> {
    while (await this.step());
  }

  add(ticket: number, body = 'body'): number {
    return this.commit.append('a1', 'a2', 1, String(ticket), body, 0)
  }
}

/** The first rule that does not hold, or null. */
function violation(world: World): string | null {
  const { stored, committed, failed } = world
  for (const { ticket, sequence } of committed) {
    if (stored[sequence - 1] !== String(ticket)) return `ticket ${ticket} acknowledged, not stored at ${sequence}`
  }
  for (const ticket of failed) if (stored.includes(String(ticket))) return `ticket ${ticket} failed, yet stored`
  for (const list of [committed.map((entry) => entry.ticket), failed, stored.map(Number)]) {
    if (list.some((value, index) => index > 0 && value <= (list[index - 1] ?? 0))) return 'order was not kept'
  }
  return world.mostUnderWay > 1 ? 'two transactions were under way at once' : null
}

const wide: CommitLimits = { maxPendingRows: 1e6, maxPendingBodyUnits: 1e9 }
const scripts = fc.array(fc.boolean(), { maxLength: 80 })
const outcomeLists = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })

describe.each(['thread', 'off'] as const)('batching %s', (batching) => {
  test('every ticket comes back once, in order, and the store holds exactly what was acknowledged', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, outcomeLists, async (script, outcomes) => {
        const world = new World(batching, outcomes, wide)
        let tickets = 0
        for (const isRow of script) {
          if (isRow) expect(world.add(tickets + 1)).toBe(++tickets)
          else await world.step()
          expect(violation(world)).toBeNull()
        }
        await world.finish()
        expect(violation(world)).toBeNull()
        const back = [...world.committed.map((entry) => entry.ticket), ...world.failed].sort((a, b) => a - b)
        expect(back).toEqual(Array.from({ length: tickets }, (_, index) => index + 1))
        expect(world.stored.length).toBe(world.committed.length)
        expect(world.commit.pendingRows()).toBe(0)
        expect(world.commit.counts()).toEqual({
          commits: world.transactions.length,
          rows: world.stored.length,
          failures: world.reasons.length,
        })
        expect(world.reasons.every((error) => error.code === 'STORE')).toBe(true)
      }),
    )
  })

  test('is bounded in rows and in bodies, those under way included; what is refused leaves no trace', async () => {
    const rows = new World(batching, [true], { ...wide, maxPendingRows: 3 })
    expect([1, 2, 3, 4].map((ticket) => rows.add(ticket))).toEqual([1, 2, 3, -1])
    await rows.step()
    expect([rows.add(4), rows.commit.pendingRows()]).toEqual([4, 3])
    await rows.finish()
    expect(rows.stored).toEqual(['1', '2', '3', '4'])
    const units = new World(batching, [false, true, true], { ...wide, maxPendingBodyUnits: 10 })
    expect([units.add(1, 'x'.repeat(8)), units.add(2, 'x'.repeat(3)), units.add(2, 'xx')]).toEqual([1, -1, 2])
    await units.step()
    // The first failed and is forgotten all the same.
    expect([units.add(3, 'x'.repeat(8)), units.add(4, 'x')]).toEqual([3, -1])
    await units.finish()
    expect([units.failed, units.stored]).toEqual([[1], ['2', '3']])
  })

  test('a row that could not be stored is refused alone, before it has a ticket', async () => {
    const world = new World(batching, [true], wide)
    world.add(1)
    expect(() => world.commit.append('a\u0000', 'a2', 1, 'x', 'body', 0)).toThrow(/cannot hold its agent/)
    expect(world.add(2)).toBe(2)
    await world.finish()
    expect(world.stored).toEqual(['1', '2'])
  })

  test.each([
    ['stores-what-fails', /failed, yet stored/],
    ['two-at-once', /two transactions/],
  ] as const)('the checks catch a store or a committer that %s', async (fault, message) => {
    const world = new World(batching, [true, false], wide, fault)
    for (const ticket of [1, 2, 3]) world.add(ticket)
    await world.finish()
    expect(violation(world)).toMatch(message)
  })

  test('handlers may append, and a close waits for what they added before it', async () => {
    const added: number[] = []
    const committed: number[] = []
    const commit = postgresCommit(
      { append: (batch) => Promise.resolve(Number(batch.exchanges[0])) },
      {
        onCommitted(from, to) {
          committed.push(...Array.from({ length: to - from + 1 }, (_, index) => from + index))
          if (to < 5) added.push(commit.append('a1', 'a2', 1, String(to + 1), '', 0))
        },
        onFailed(_from, _to, error) {
          throw error
        },
      },
      batching,
    )
    commit.append('a1', 'a2', 1, '1', '', 0)
    while (committed.length < 5) await new Promise((resolve) => setImmediate(resolve))
    await commit.close()
    expect([added, committed]).toEqual([
      [2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ])
  })

  test('a close that has waited long enough fails what was not sent and is silent about what was', async () => {
    const world = new World(batching, [true], wide)
    for (const ticket of [1, 2, 3]) world.add(ticket)
    await world.commit.close()
    expect([world.failed, world.committed, world.add(4)]).toEqual([[2, 3], [], -1])
    expect(world.reasons[0]?.message).toMatch(/closed before these rows/)
    await world.finish()
    expect([world.stored, world.committed, world.failed]).toEqual([['1'], [], [2, 3]])
  })
})

describe('what shares a transaction', () => {
  test('thread: the first at once, then what gathered, up to the cap in rows and in bodies; off: one row each', async () => {
    const sizes = async (batching: GatheringBatching, bodies: readonly string[]): Promise<number[]> => {
      const world = new World(batching, [true], wide)
      for (const [index, body] of bodies.entries()) world.add(index + 1, body)
      await world.finish()
      return world.transactions
    }
    const six = Array.from({ length: 6 }, () => '')
    expect(await sizes('thread', six)).toEqual([1, 5])
    expect(await sizes('off', six)).toEqual([1, 1, 1, 1, 1, 1])
    const many = Array.from({ length: gatherLimit * 2 + 2 }, () => '')
    expect(await sizes('thread', many)).toEqual([1, gatherLimit, gatherLimit, 1])
    const half = 'x'.repeat(gatherBodyUnits / 2)
    expect(await sizes('thread', ['', half, half, '', 'x', `${half}${half}x`, 'x'])).toEqual([1, 3, 1, 1, 1])
  })
})
