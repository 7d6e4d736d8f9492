/** An agent's channels on virtual time: silence, probes, and a probe of its own that takes the place of its channel. */
import { describe, expect, it } from 'vitest'
import { DualPath } from '../../../src/engines/bridge/dual-path.ts'
import { AgentLink, type LinkOwner } from '../../../src/engines/elicitation/agent-link.ts'
import { AgentSession } from '../../../src/engines/elicitation/agent-session.ts'
import type { ChannelEvents, Transport } from '../../../src/engines/elicitation/client-channel.ts'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { Recorder } from './engine-harness.ts'

interface Opened {
  readonly kind: 'push' | 'poll'
  readonly events: ChannelEvents
  ended: boolean
}

class Bench {
  nowMs = 1000
  readonly opened: Opened[] = []
  readonly recorder = new Recorder()
  readonly session: AgentSession
  private readonly timers: { atMs: number; run: () => void }[] = []

  constructor(path: 'push' | 'poll' = 'push') {
    const random = seededRandom('session')
    const clock = { nowNs: () => this.nowMs * 1e6, wallMs: () => this.nowMs }
    const paths = new DualPath(this.transport('push', 9000), this.transport('poll', Infinity), clock, random)
    const owner: LinkOwner = {
      nowMs: () => this.nowMs,
      transmit: () => undefined,
      established: () => this.session.established(),
      broken: (_link, code) => this.session.broken(code),
      acknowledged: () => undefined,
      refused: () => undefined,
      question: () => undefined,
      result: () => undefined,
      wireDuplicate: () => undefined,
      repeated: () => undefined,
      delayed: () => undefined,
      advised: (link, advice) => paths.advised(link.agent, advice),
    }
    this.session = new AgentSession(new AgentLink(0, owner), {
      url: 'http://bench',
      paths,
      handlers: this.recorder.handlers,
      random,
      scheduler: {
        after: (ms, run) => {
          const timer = { atMs: this.nowMs + ms, run }
          this.timers.push(timer)
          return () => void (timer.atMs = Infinity)
        },
        every: () => () => undefined,
      },
      counts: { openSockets: 0, reconnects: 0 },
      nowMs: () => this.nowMs,
      isClosed: () => false,
      issued: () => undefined,
      renew: () => Promise.resolve(),
    })
    const key = createFrameMac(Buffer.alloc(32, 1))
    this.session.useCredentials({
      agent: 'a0',
      session: 's',
      token: 't',
      key,
      epoch: 1,
      log: 'log',
      path,
      fallback: true,
    })
  }

  private transport(kind: 'push' | 'poll', deadAfterMs: number): Transport {
    return {
      cumulative: kind === 'push',
      deadAfterMs,
      close: () => undefined,
      open: (_credentials, _cursor, events) => {
        const channel: Opened = { kind, events, ended: false }
        this.opened.push(channel)
        const end = (): void => {
          if (channel.ended) return
          channel.ended = true
          events.closed('ended', 'broken')
        }
        return { send: () => undefined, close: end, terminate: end }
      },
    }
  }

  get last(): Opened {
    return this.opened.at(-1) ?? expect.fail('nothing was opened')
  }

  hello(channel = this.last): void {
    channel.events.opened()
    channel.events.message('hello 0 1 log 0 0 0 32768 200 400')
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.nowMs += 50
      for (const timer of this.timers.filter(({ atMs }) => atMs <= this.nowMs)) {
        timer.atMs = Infinity
        timer.run()
      }
      this.session.housekeep(this.nowMs)
    }
  }

  /** Push fails three times, and the agent polls. */
  fallBack(): void {
    void this.session.connect()
    for (let time = 0; time < 200 && this.last.kind === 'push'; time++) {
      if (!this.last.ended) {
        this.last.ended = true
        this.last.events.closed('refused', 'broken')
      }
      this.pass(50)
    }
    expect(this.opened.map(({ kind }) => kind)).toEqual(['push', 'push', 'push', 'poll'])
    this.hello()
  }
}

describe('a connection that is taken and then silent', () => {
  it('is given up like any other, and after three of them the agent polls', () => {
    const bench = new Bench()
    void bench.session.connect()
    for (let time = 0; time < 60_000 && bench.last.kind === 'push'; time += 1000) {
      bench.last.events.opened()
      bench.pass(1000)
    }
    expect(bench.opened.map(({ kind }) => kind)).toEqual(['push', 'push', 'push', 'poll'])
  })
})

describe('a probe', () => {
  it('is believed when a server says hello over it, not when a connection is taken', () => {
    const bench = new Bench()
    bench.fallBack()
    bench.pass(10_500)
    expect(bench.last.kind).toBe('push')
    bench.last.events.opened()
    bench.pass(9000)
    // Still on the path that works.
    expect(bench.opened.filter(({ kind, ended }) => kind === 'poll' && !ended).length).toBe(1)
    bench.pass(2000)
    expect(bench.last.ended).toBe(true)
    bench.pass(21_000)
    expect(bench.opened.length).toBe(6)
    bench.hello()
    bench.pass(1000)
    // The probe has shown that push works; another connection is the agent's own now.
    expect(bench.opened.length).toBe(7)
    expect(bench.opened.map(({ ended }) => ended)).toEqual([true, true, true, true, true, true, false])
    bench.hello()
    expect(bench.session.link.up).toBe(true)
  })

  it('that reaches the server late and takes the place of the channel is no other client', () => {
    const bench = new Bench()
    bench.fallBack()
    bench.pass(10_500)
    const poll = bench.opened[3] ?? expect.fail('it polls')
    poll.ended = true
    poll.events.closed('broken', 'broken')
    bench.pass(3000)
    bench.hello()
    expect(bench.session.link.up).toBe(true)
    bench.last.events.message('bye REPLACED')
    bench.pass(5000)
    bench.hello()
    expect(bench.session.link.up).toBe(true)
  })

  it('does not keep an agent away from another client that has taken its name', () => {
    const bench = new Bench()
    void bench.session.connect()
    bench.hello()
    bench.pass(60_000 - 52_000)
    bench.last.events.message('bye REPLACED')
    const count = bench.opened.length
    bench.pass(30_000)
    expect([bench.opened.length, bench.session.link.up]).toEqual([count, false])
  })
})
