/**
 * Any order of asking, answering, withdrawing, changing paths, losing answers and connections, failing and crashing keeps the promises of the wire protocol,
 * whichever path a message takes and whichever its recipient is on when it comes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agentCount } from '../elicitation/machine-world.ts'
import { DualWorld } from './dual-world.ts'

type Step = readonly [kind: number, first: number, second: number]
const kinds = 14

function act(world: DualWorld, [kind, first, second]: Step): void {
  const agent = first % agentCount
  switch (kind) {
    case 0:
    case 1:
      return world.ask(agent, second % agentCount, 1 + ((first * 37 + second) % 4000))
    case 2:
    case 3:
      return world.answer(first, second)
    case 4:
      return world.cancel(first)
    case 5:
    case 6:
      for (let step = 0; step <= second % 6; step++) world.toServer(agent, first)
      return
    case 7:
    case 8:
      for (let step = 0; step <= second % 6; step++) world.toClient(agent)
      return
    case 9:
      return second % 5 === 0 ? world.fail(1 + (first % 8)) : world.commit(1 + (first % 8))
    case 10:
      if (second % 6 === 0) return world.crash()
      return second % 3 === 0 ? world.break(agent) : world.reconnect(agent)
    case 11:
      return world.move(agent)
    case 12:
      return second % 2 === 0 ? world.poll(agent, true) : world.loseFrame(agent, second)
    default:
      return world.pass(25 * (1 + (second % 12)))
  }
}

const steps = fc.array(fc.tuple(fc.nat(kinds - 1), fc.nat(1000), fc.nat(1000)), {
  minLength: 20,
  maxLength: 400,
  size: 'max',
})
const seen = {
  crashes: 0,
  failures: 0,
  breaks: 0,
  vanished: 0,
  expired: 0,
  toPoll: 0,
  toPush: 0,
  polls: 0,
  posts: 0,
  lostAnswers: 0,
}

describe.each([
  ['inline', {}],
  ['pipelined', { pipelined: true }],
  [
    'with little room and a low rate',
    { logRoom: 6, limits: { ratePerSecond: 20, burst: 12, inboxLimit: 8, pendingLimit: 6 } },
  ],
] as const)('two paths to one machine, %s', (_name, options) => {
  it('lose nothing acknowledged, end every exchange once, and tell each application once', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const world = new DualWorld(options)
        for (const step of script) act(world, step)
        world.settle()
        for (const name of Object.keys(seen) as (keyof typeof seen)[])
          seen[name] += { ...world.counts, ...world.moves }[name]
        expect(world.judge()).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

describe('the test itself', () => {
  it('met moves both ways, posts, polls, lost answers, vanished frames, failures and crashes', () => {
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20)
  })

  it('sees a poll that acknowledges what nobody took', () => {
    const world = new DualWorld({ acknowledgesTooMuch: true })
    world.move(1)
    world.ask(0, 1, 2000)
    world.toServer(0)
    world.commit(10)
    world.poll(1, true)
    expect(world.machine.agents.inboxOf(1).floor).toBe(1)
    world.settle()
    // Its question is gone, and only the deadline ends it.
    expect(world.results.get(0)).toEqual(['expired'])
    const honest = new DualWorld()
    honest.move(1)
    honest.ask(0, 1, 2000)
    honest.toServer(0)
    honest.commit(10)
    honest.poll(1, true)
    honest.poll(1, false)
    honest.answer(0, 0)
    honest.settle()
    expect(honest.results.get(0)).toEqual(['accept'])
    expect(honest.judge()).toEqual([])
  })
})
