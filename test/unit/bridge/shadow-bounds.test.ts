/** What a shadow keeps, and what it gives up: bounds and counts, with a new path that is only played. */
import { expect, it } from 'vitest'
import { Shadow } from '../../../src/engines/bridge/shadow.ts'
import type { ShadowEvents, ShadowLink } from '../../../src/engines/bridge/shadow-link.ts'
import { acceptance, question } from '../elicitation/engine-harness.ts'
import { seededRandom } from '../../../src/platform/random.ts'

class Played {
  nowMs = 0
  events: ShadowEvents | null = null
  readonly asked: number[] = []
  opened = 0
  closed = 0
  readonly pushed = new Set<string>()
  private ticket = 0
  readonly shadow: Shadow

  constructor(share = 1) {
    this.shadow = new Shadow({
      share,
      slaMs: 300,
      clock: { nowNs: () => this.nowMs * 1e6 + 1, wallMs: () => this.nowMs },
      random: seededRandom('shadow'),
      isPushed: (agent) => this.pushed.has(agent),
      open: (events) => {
        this.opened++
        this.events = events
        const link: ShadowLink = {
          ask: (copy) => void this.asked.push(copy),
          answer: (copy, action, body) => events.result(copy, action, body),
          cancel: (copy) => events.result(copy, 'withdrawn', ''),
          close: () => Promise.resolve(void this.closed++),
        }
        return Promise.resolve(link)
      },
    })
  }

  post(verb: 'ask' | 'answer' | 'cancel', sender: string, to: string, id: string, body = question): void {
    const ticket = --this.ticket
    this.shadow.posted(ticket, sender, { verb, request: { id, to, body, ttlMs: 1000 } })
    this.shadow.settled(ticket)
  }

  read(agent: string, exchange: string, data: Record<string, unknown>): void {
    const event = { sequence: 1, agent, source: '', kind: 0, exchange, body: JSON.stringify(data), producedAtMs: 0 }
    this.shadow.handed(event)
  }

  /** One whole exchange in which both paths do alike. */
  exchange(id: string, copy: number): void {
    this.post('ask', 'a', 'b', id)
    this.read('b', id, { timeout_seconds: 1, body: question })
    this.events?.question(copy, question)
    this.post('answer', 'b', 'a', id, acceptance)
    this.read('a', id, { response_type: 'accept', body: acceptance })
  }
}

/** One whose new path is open. */
async function opened(share = 1): Promise<Played> {
  const played = new Played(share)
  await new Promise(setImmediate)
  expect(played.shadow.report().state).toBe('on')
  return played
}

it('keeps at most a thousand pairs, and says how many exchanges had no copy', async () => {
  const played = await opened()
  for (let index = 0; index < 1010; index++) played.post('ask', 'a', 'b', `x:a:${index}`)
  expect(played.shadow.report()).toMatchObject({ open: 1000, copies: 1000, dropped: { full: 10 } })
  expect(played.asked.length).toBe(1000)
  // The same ask, sent again, is no other exchange.
  played.post('ask', 'a', 'b', 'x:a:0')
  expect(played.shadow.report()).toMatchObject({ copies: 1000, dropped: { full: 10 } })
  played.nowMs = 10_000
  played.shadow.tick()
  expect(played.shadow.report()).toMatchObject({ open: 0, compared: 1000, delivered: { neither: 1000 } })
  await played.shadow.close()
})

it('has no copy before it is open, nor of what was refused, one writes to oneself, or is on push', async () => {
  const played = new Played()
  played.post('ask', 'a', 'b', 'x:a:1')
  await new Promise(setImmediate)
  played.shadow.posted(-99, 'a', { verb: 'ask', request: { id: 'x:a:2', to: 'b', body: question, ttlMs: 1000 } })
  played.shadow.refused(-99)
  played.shadow.settled(-99)
  played.post('ask', 'a', 'a', 'x:a:3')
  played.pushed.add('c')
  played.post('ask', 'a', 'c', 'x:a:4')
  played.post('ask', 'c', 'a', 'x:c:5')
  expect(played.shadow.report()).toMatchObject({ copies: 0, open: 0, dropped: { notReady: 1 } })
  await played.shadow.close()
})

it('gives up what an agent takes to the other path', async () => {
  const played = await opened()
  played.post('ask', 'a', 'b', 'x:a:1')
  played.post('ask', 'a', 'd', 'x:a:2')
  played.pushed.add('b')
  played.nowMs = 5000
  played.shadow.tick()
  expect(played.shadow.report()).toMatchObject({ open: 0, compared: 1, dropped: { moved: 1 } })
  await played.shadow.close()
})

it('compares by what a requester reads when the recipient has answered by push', async () => {
  const played = await opened()
  played.post('ask', 'a', 'b', 'x:a:1')
  played.read('b', 'x:a:1', { timeout_seconds: 1, body: question })
  played.events?.question(0, question)
  played.read('a', 'x:a:1', { response_type: 'accept', body: acceptance })
  expect(played.shadow.report()).toMatchObject({ compared: 1, examples: [], oldPath: { n: 1 }, newPath: { n: 1 } })
  await played.shadow.close()
})

it('measures each leg from taken to handed over, the first time', async () => {
  const played = await opened()
  played.post('ask', 'a', 'b', 'x:a:1')
  played.nowMs = 2
  played.events?.question(0, question)
  played.nowMs = 400
  played.read('b', 'x:a:1', { timeout_seconds: 1, body: question })
  played.nowMs = 700
  played.read('b', 'x:a:1', { timeout_seconds: 1, body: question })
  played.post('answer', 'b', 'a', 'x:a:1', acceptance)
  played.nowMs = 750
  played.read('a', 'x:a:1', { response_type: 'accept', body: acceptance })
  const { oldPath, newPath, sla } = played.shadow.report()
  expect([oldPath.n, Math.round(oldPath.p50Ms ?? 0), Math.round(oldPath.p99Ms ?? 0)]).toEqual([2, 50, 400])
  expect([newPath.n, Math.round(newPath.p99Ms ?? 0)]).toEqual([2, 2])
  expect(sla).toMatchObject({ onlyBaseline: 1, onlyCandidate: 0, both: 0, neither: 0 })
  await played.shadow.close()
})

it('takes its share of exchanges', async () => {
  const played = await opened(0.3)
  for (let index = 0; index < 1000; index++) played.exchange(`x:a:${index}`, played.asked.at(-1) ?? 0)
  const { copies } = played.shadow.report()
  expect(copies).toBeGreaterThan(230)
  expect(copies).toBeLessThan(370)
  await played.shadow.close()
})

it('opens the new path anew after 65,536 copies, and gives up what is under way', async () => {
  const played = await opened()
  for (let copy = 0; copy < 65_536; copy++) played.exchange(`x:a:${copy}`, copy)
  played.post('ask', 'a', 'b', 'x:a:last')
  expect(played.shadow.report()).toMatchObject({ compared: 65_536, open: 1, examples: [] })
  const before = played.events
  played.nowMs = 1000
  played.shadow.tick()
  played.post('ask', 'a', 'b', 'x:a:between')
  await new Promise(setImmediate)
  expect([played.opened, played.closed]).toEqual([2, 1])
  expect(played.shadow.report()).toMatchObject({ open: 0, dropped: { renewed: 1, notReady: 1 } })
  played.post('ask', 'a', 'b', 'x:a:after')
  expect(played.asked.at(-1)).toBe(0)
  // What the earlier one still says is of none of the present copies.
  before?.question(0, 'of another')
  before?.result(0, 'accept', 'of another')
  played.nowMs = 9000
  played.shadow.tick()
  expect(played.shadow.report()).toMatchObject({ compared: 65_537, delivered: { neither: 1 } })
  await played.shadow.close()
  expect(played.closed).toBe(2)
})
