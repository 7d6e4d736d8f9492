/**
 * Whatever is stored while an agent polls, its chain of cursors reads every event of its inbox exactly once and in
 * order, across the limit, through timeouts, cancelled polls and answers that never arrived. A wait loop that
 * reads beyond its limit's boundary is planted to show that the check can fail.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'
import { type InboxReader, waitLoop } from '../../../src/engines/polling/wait-loop.ts'
import type { Cancel } from '../../../src/platform/clock.ts'
import { virtualTime } from '../../unit/polling/virtual-time.ts'

type Step =
  | { readonly do: 'store'; readonly agents: readonly number[] }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'cancel' }
  | { readonly do: 'loseNextAnswer' }

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('store' as const), agents: fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }) }),
    fc.record({ do: fc.constant('sleep' as const), ms: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ do: fc.constant('cancel' as const) }),
    fc.record({ do: fc.constant('loseNextAnswer' as const) }),
  ),
  { maxLength: 40 },
)

interface Outcome {
  readonly stored: readonly number[]
  readonly read: readonly number[]
}

/** One agent polls through the script; the client behind it keeps its cursor as the polling client does. */
function run(script: readonly Step[], wakeable: boolean, limit: number, faulty = false): Outcome {
  const store = openEventStore({ durability: 'memory', file: null, indexedByAgent: true })
  const time = virtualTime()
  const reader: InboxReader = faulty
    ? { readAfter: (agent, sequence, most) => store.readAfter(agent, sequence, most + 1).slice(-most) }
    : store
  const loop = waitLoop(reader, time, time, { intervalMs: 1000, limit, wakeable })
  const stored: number[] = []
  const read: number[] = []
  let cursor = 0
  let loseNext = false
  const held: { cancel: Cancel | null } = { cancel: null }
  const again = (): void => {
    time.after(1, poll)
  }
  const poll = (): void => {
    held.cancel = loop.wait('a0', cursor, 5000, {
      onEvents(events) {
        expect(events.length).toBeLessThanOrEqual(limit)
        if (loseNext) loseNext = false
        else {
          for (const event of events) read.push(event.sequence)
          cursor = events.at(-1)?.sequence ?? cursor
        }
        again()
      },
      onTimeout: again,
      onFailure(error) {
        throw error
      },
    })
  }
  const put = (agents: readonly number[]): void => {
    const batch = new RowBatch()
    for (const agent of agents) batch.add(`a${agent}`, 'a9', 1, '', '{}', 0)
    const first = store.append(batch)
    for (const [index, agent] of agents.entries()) {
      if (agent === 0) stored.push(first + index)
      loop.wake(`a${agent}`)
    }
  }
  poll()
  for (const step of script) {
    if (step.do === 'store') put(step.agents)
    else if (step.do === 'sleep') time.advance(step.ms)
    else if (step.do === 'loseNextAnswer') loseNext = true
    else if (loop.held() > 0) {
      held.cancel?.()
      poll()
    }
  }
  loseNext = false
  time.advance(10_000)
  store.close()
  return { stored, read }
}

describe.each([false, true])('wakeable: %s', (wakeable) => {
  test('every stored event is read exactly once, in order', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 12 }), (script, limit) => {
        const { stored, read } = run(script, wakeable, limit)
        expect(read).toEqual(stored)
      }),
      { numRuns: 60 },
    )
  })
})

test('the check catches a loop that loses an event at the limit', () => {
  const script: Step[] = [
    { do: 'store', agents: [0, 0, 0, 0] },
    { do: 'sleep', ms: 2000 },
  ]
  const { stored, read } = run(script, false, 3, true)
  expect(read).not.toEqual(stored)
})
