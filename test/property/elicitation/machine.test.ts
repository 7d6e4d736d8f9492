/**
 * Any order of asking, answering, withdrawing, losing connections, failing and crashing keeps the promises of the wire protocol.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agentCount, World, type WorldOptions } from './machine-world.ts'

type Step = readonly [kind: number, first: number, second: number]
const kinds = 17

function act(world: World, [kind, first, second]: Step): void {
  const agent = first % agentCount
  switch (kind) {
    case 0:
    case 1:
    case 2:
      return world.ask(agent, second % agentCount, 1 + ((first * 37 + second) % 4000))
    case 3:
    case 4:
      return world.answer(first, second)
    case 5:
      return world.cancel(first)
    case 6:
    case 7:
    case 8:
      for (let step = 0; step <= second % 6; step++) world.toServer(agent, first)
      return
    case 9:
    case 10:
      for (let step = 0; step <= second % 6; step++) world.toClient(agent)
      return
    case 11:
      return world.commit(1 + (first % 8))
    case 12:
      return second % 2 === 0 ? world.fail(1 + (first % 8)) : world.commit(1 + (first % 8))
    case 13:
      return second % 6 === 0 ? world.crash() : world.reconnect(agent)
    case 14:
      if (second % 4 === 0) return world.break(agent)
      if (second % 4 === 2) return world.loseAnswer(agent)
      return second % 4 === 1 ? world.replay(first, (first + second) % agentCount) : world.reconnect(agent)
    case 15:
      return second % 3 === 0 ? world.loseFrame(agent, first) : world.reconnect(agent)
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
  replays: 0,
  breaks: 0,
  duplicates: 0,
  expired: 0,
  vanished: 0,
  gaps: 0,
  results: 0,
}

function run(script: readonly Step[], options: WorldOptions): string[] {
  const world = new World(options)
  for (const step of script) act(world, step)
  world.settle()
  for (const name of Object.keys(world.counts) as (keyof typeof world.counts)[]) seen[name] += world.counts[name]
  seen.results += world.results.size
  return world.judge()
}

describe.each([
  ['inline', {}],
  ['pipelined', { pipelined: true }],
  ['over POSTs', { posted: true }],
  ['over POSTs, pipelined, with little room', { posted: true, pipelined: true, logRoom: 6 }],
  [
    'with little room and a low rate',
    { logRoom: 6, limits: { ratePerSecond: 20, burst: 12, inboxLimit: 8, pendingLimit: 6 } },
  ],
  // Without answers in the ring a retry can only be judged by digests.
  ['with answers so long that few are kept', { padding: 30_000, limits: { retentionCount: 256 } }],
] as const)('the machine, %s', (_name, options) => {
  it('loses nothing acknowledged, ends every exchange once, says nothing before its commit', () => {
    fc.assert(
      fc.property(steps, (script) => {
        expect(run(script, options)).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

describe('a frame that vanishes on a connection that lives on', () => {
  it('is not acknowledged by the next one, and is repeated', () => {
    const world = new World()
    world.ask(0, 1, 4000)
    world.ask(0, 2, 4000)
    world.loseFrame(0, 0)
    world.toServer(0)
    expect(world.machine.agents.connected[0]).toBe(0)
    expect(world.log).toEqual([])
    world.commit(10)
    world.pass(200)
    while (world.waiting(0) > 0) world.toClient(0)
    expect(world.acknowledgements).toEqual(new Set())
    expect(world.counts.gaps).toBe(1)
    world.settle()
    expect(world.log.filter(({ kind }) => kind === 1).map(({ exchange }) => exchange)).toEqual(['w:a0:0', 'w:a0:1'])
    expect(world.judge()).toEqual([])
  })

  it('is missed with the heartbeat when nothing follows it', () => {
    const world = new World()
    world.ask(0, 1, 8000)
    world.loseFrame(0, 0)
    for (let waited = 0; waited < 5000 && world.counts.gaps === 0; waited += 100) {
      world.pass(100)
      world.toClient(0)
      world.toServer(0)
    }
    expect(world.counts.gaps).toBe(1)
    world.settle()
    expect(world.judge()).toEqual([])
  })
})

describe('the test itself', () => {
  it('met crashes, failed commits, broken connections, vanished frames, replays, duplicates, expiries and results', () => {
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20)
  })

  it('sees a server that forgets its log', () => {
    const world = new World({ defect: 'forget-on-restart' })
    world.ask(0, 1, 2000)
    world.toServer(0)
    world.commit(10)
    world.pass(200)
    world.toClient(0)
    expect(world.acknowledgements).toEqual(new Set(['ask 0']))
    world.crash()
    world.settle()
    expect(world.judge().join()).toMatch(/ask 0 was acknowledged and lost/)
  })

  it('sees a stored answer that is never acknowledged', () => {
    const world = new World({ defect: 'acknowledges-nothing' })
    world.ask(0, 1, 2000)
    world.toServer(0)
    world.commit(10)
    world.toClient(1)
    world.answer(0, 0)
    world.settle()
    expect(world.judge()).toEqual(['answer 0 was stored, its sender was never told'])
  })

  it('sees acknowledgements and questions that rest on no commit', () => {
    const world = new World({ defect: 'commit-is-a-lie' })
    world.ask(0, 1, 2000)
    world.toServer(0)
    world.commit(10)
    world.pass(200)
    world.toClient(0)
    expect(world.violations).toEqual([
      'question w:a0:0 left before its commit',
      'ask 0 was acknowledged without a committed row',
    ])
  })
})
