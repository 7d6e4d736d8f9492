/**
 * Group commit against a store that fails and crashes at random: nothing is acknowledged that is not in the
 * store, nothing that failed is in it, order is kept, and a crash loses only what was not acknowledged. The
 * same checks run on every form, and a planted fault shows that they can fail.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import { inlineCommit } from '../../../src/engines/event-store/group-commit.ts'
import type { CommitHandlers, CommitLimits, GroupCommit } from '../../../src/engines/event-store/group-commit.ts'
import { gatherLimit, gatheringCommit, type BatchOutcome } from '../../../src/engines/event-store/gathering-commit.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

/** Rows are known by their exchange, which is their ticket's ordinal as text. */
interface World {
  readonly stored: string[]
  readonly transactions: number[]
  readonly committed: { ticket: number; sequence: number }[]
  readonly failed: number[]
  readonly commit: GroupCommit
  /** Lets whatever is scheduled happen once; false when nothing is. */
  step(): boolean
}

type Fault = 'none' | 'acknowledges-failures'
type Form = 'turn' | 'off' | 'thread'

function makeWorld(form: Form, outcomes: readonly boolean[], limits: CommitLimits, fault: Fault = 'none'): World {
  const stored: string[] = []
  const transactions: number[] = []
  const committed: { ticket: number; sequence: number }[] = []
  const failed: number[] = []
  const tasks: (() => void)[] = []
  let call = 0
  const append = (exchanges: readonly string[]): number => {
    const succeeds = outcomes[call++ % outcomes.length] ?? true
    if (!succeeds && fault === 'none') throw new Error('planted failure')
    if (succeeds) {
      stored.push(...exchanges)
      transactions.push(exchanges.length)
    }
    return stored.length - exchanges.length + 1
  }
  const handlers: CommitHandlers = {
    onCommitted(from, to, firstSequence) {
      for (let ticket = from; ticket <= to; ticket++)
        committed.push({ ticket, sequence: firstSequence + ticket - from })
    },
    onFailed(from, to) {
      for (let ticket = from; ticket <= to; ticket++) failed.push(ticket)
    },
  }
  const store = {
    append: (batch: RowBatch, from = 0, to = batch.count) => append(batch.exchanges.slice(from, to)),
  }
  const commit =
    form === 'thread'
      ? gatheringCommit(
          {
            send(message, settle) {
              const exchanges = message.exchanges.slice(0, message.count)
              tasks.push(() => settle(attempt(() => append(exchanges))))
            },
            close: () => Promise.resolve(),
          },
          handlers,
          'thread',
          limits,
        )
      : inlineCommit(store, handlers, form, limits, (run) => tasks.push(run))
  const step = (): boolean => {
    const task = tasks.shift()
    task?.()
    return task !== undefined
  }
  return { stored, transactions, committed, failed, commit, step }
}

function attempt(run: () => number): BatchOutcome {
  try {
    return { firstSequence: run() }
  } catch (error) {
    return { error: new LighthouseError('STORE', String(error)) }
  }
}

/** Appends as told (true: a row, false: let the loop turn), and returns the tickets that were given out. */
function drive(world: World, script: readonly boolean[]): { tickets: number[]; overloaded: number } {
  const tickets: number[] = []
  let overloaded = 0
  for (const isRow of script) {
    if (!isRow) {
      world.step()
      continue
    }
    const ticket = world.commit.append('a1', 'a2', 1, String(tickets.length + 1), 'body', 0)
    if (ticket === -1) overloaded++
    else tickets.push(ticket)
  }
  return { tickets, overloaded }
}

/** The first rule that does not hold, or null. */
function violation(world: World, tickets: readonly number[]): string | null {
  const { stored, committed, failed } = world
  for (const { ticket, sequence } of committed) {
    if (stored[sequence - 1] !== String(ticket)) return `ticket ${ticket} acknowledged, not stored at ${sequence}`
  }
  for (const ticket of failed) if (stored.includes(String(ticket))) return `ticket ${ticket} failed, yet stored`
  for (const list of [committed.map((entry) => entry.ticket), failed, stored.map(Number)]) {
    if (list.some((value, index) => index > 0 && value <= (list[index - 1] ?? 0))) return 'order was not kept'
  }
  if (new Set([...committed.map((entry) => entry.ticket), ...failed]).size !== committed.length + failed.length) {
    return 'a ticket came back twice'
  }
  return tickets.every((ticket, index) => ticket === index + 1) ? null : 'tickets are not consecutive'
}

const wide: CommitLimits = { maxPendingRows: 1e6, maxPendingBodyUnits: 1e9 }
const scripts = fc.array(fc.boolean(), { maxLength: 300 })
const outcomeLists = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })

describe.each(['turn', 'off', 'thread'] as const)('group commit: %s', (form) => {
  test('acknowledges exactly what the store holds, in order, through failures', () => {
    fc.assert(
      fc.property(scripts, outcomeLists, (script, outcomes) => {
        const world = makeWorld(form, outcomes, wide)
        const { tickets } = drive(world, script)
        expect(violation(world, tickets)).toBeNull()
        while (world.step());
        expect(violation(world, tickets)).toBeNull()
        expect(world.committed.length + world.failed.length).toBe(tickets.length)
        expect(world.stored.length).toBe(world.committed.length)
        expect(world.commit.pendingRows()).toBe(0)
        expect(world.commit.counts().rows).toBe(world.stored.length)
        expect(world.commit.counts().commits).toBe(world.transactions.length)
      }),
    )
  })

  test('a crash at any point loses only rows that were not acknowledged', () => {
    fc.assert(
      fc.property(scripts, outcomeLists, fc.nat(), (script, outcomes, at) => {
        const world = makeWorld(form, outcomes, wide)
        const { tickets } = drive(world, script.slice(0, script.length === 0 ? 0 : at % script.length))
        // The process ends here: whatever was scheduled never happens, only `stored` is left.
        const lost = tickets.filter((ticket) => !world.stored.includes(String(ticket)))
        const acknowledged = new Set(world.committed.map((entry) => entry.ticket))
        expect(lost.filter((ticket) => acknowledged.has(ticket))).toEqual([])
      }),
    )
  })

  test('is bounded: beyond the limit a row gets −1 and leaves no trace', () => {
    fc.assert(
      fc.property(scripts, fc.integer({ min: 1, max: 20 }), (script, maxPendingRows) => {
        const world = makeWorld(form, [true], { ...wide, maxPendingRows })
        let highest = 0
        for (const isRow of script) {
          if (isRow)
            world.commit.append('a1', 'a2', 1, String(world.stored.length + world.commit.pendingRows() + 1), '', 0)
          else world.step()
          highest = Math.max(highest, world.commit.pendingRows())
        }
        expect(highest).toBeLessThanOrEqual(maxPendingRows)
        while (world.step());
        expect(world.stored).toEqual(world.stored.map((_, index) => String(index + 1)))
      }),
    )
  })

  test('the checks catch a committer that acknowledges failed batches', () => {
    const world = makeWorld(form, [true, false, true], wide, 'acknowledges-failures')
    const { tickets } = drive(world, [true, false, true, false, true, false])
    while (world.step());
    expect(violation(world, tickets)).toMatch(/acknowledged, not stored/)
  })
})

describe('what shares a transaction', () => {
  test('turn: all rows of a turn; off: one row each; thread: the first at once, then what gathered', () => {
    const rows = Array.from({ length: 6 }, () => true)
    const transactionsOf = (form: Form): readonly number[] => {
      const world = makeWorld(form, [true], wide)
      drive(world, rows)
      while (world.step());
      return world.transactions
    }
    expect(transactionsOf('turn')).toEqual([6])
    expect(transactionsOf('off')).toEqual([1, 1, 1, 1, 1, 1])
    expect(transactionsOf('thread')).toEqual([1, 5])
  })

  test('thread: a gathered batch is capped', () => {
    const world = makeWorld('thread', [true], wide)
    drive(
      world,
      Array.from({ length: gatherLimit * 2 + 10 }, () => true),
    )
    while (world.step());
    expect(Math.max(...world.transactions)).toBe(gatherLimit)
    expect(world.stored.length).toBe(gatherLimit * 2 + 10)
  })

  test('large bodies count against the bound and are forgotten after the commit', () => {
    for (const form of ['turn', 'off', 'thread'] as const) {
      const world = makeWorld(form, [true], { maxPendingRows: 100, maxPendingBodyUnits: 10 })
      if (form === 'thread') world.commit.append('a', 'b', 1, '1', '', 0)
      expect(world.commit.append('a', 'b', 1, '1', 'x'.repeat(8), 0)).toBeGreaterThan(0)
      expect(world.commit.append('a', 'b', 1, '2', 'x'.repeat(8), 0)).toBe(-1)
      while (world.step());
      expect(world.commit.append('a', 'b', 1, '2', 'x'.repeat(8), 0)).toBeGreaterThan(0)
    }
  })
})
