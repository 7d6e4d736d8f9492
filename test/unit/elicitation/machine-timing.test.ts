/**
 * What the machine does by itself as time passes, and where its room ends, on virtual time.
 */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { signedFrame } from '../../../src/engines/elicitation/frame-codec.ts'
import { ElicitationMachine } from '../../../src/engines/elicitation/machine.ts'
import { defaultLimits, tickMs, type MachineLimits } from '../../../src/engines/elicitation/machine-ports.ts'
import { NonceWindow } from '../../../src/engines/elicitation/nonce-window.ts'
import { SessionAuthority } from '../../../src/engines/elicitation/sessions.ts'
import { Stages } from '../../../src/engines/elicitation/stages.ts'
import { acceptance, question } from './engine-harness.ts'

const stages = new Stages(1)
let nowMs = 0
let sent: string[] = []
let disconnected: string[] = []
let tickets = 0
let committed = 0
let room = true
let machine: ElicitationMachine
let heap: { isShort: () => boolean } | undefined
let keys: { session: string; key: KeyObject; nonce: number }[] = []

function start(limits: Partial<MachineLimits> = {}): void {
  nowMs = 1000
  sent = []
  disconnected = []
  tickets = committed = 0
  room = true
  const authority = new SessionAuthority(Buffer.alloc(32, 1), 1)
  machine = new ElicitationMachine({
    authority,
    nonces: new NonceWindow(8),
    clock: { nowNs: () => nowMs * 1e6, wallMs: () => 1e12 + nowMs },
    stages,
    limits: {
      ...defaultLimits,
      ackDelayAskMs: 100,
      ackDelayAnswerMs: 1000,
      maxAgents: 8,
      maxPendingRows: 64,
      ...limits,
    },
    log: 'log',
    soon: null,
    ...(heap === undefined ? {} : { heap }),
    sink: {
      append: () => ++tickets,
      send: (agent, frame) => {
        sent.push(`${agent} ${frame.split('\n', 1)[0] ?? ''}`)
        return room
      },
      hasRoom: () => room,
      refuse: (agent, nonce, id, code, retryAfterMs) =>
        void sent.push(`${agent} refused ${nonce} ${id} ${code} ${retryAfterMs}`),
      settled: () => undefined,
      disconnect: (agent, code) => void disconnected.push(`${agent} ${code}`),
    },
  })
  keys = ['a', 'b'].map((name) => {
    const issued = authority.issue(name, 1e12, 3_600_000)
    const key = createSecretKey(Buffer.from(issued.key, 'base64url'))
    machine.attach(
      machine.agents.intern(name),
      issued.session,
      createFrameMac(Buffer.from(issued.key, 'base64url')),
      1e12 + 3_600_000,
      -1,
    )
    return { session: issued.session, key, nonce: 0 }
  })
  sent = []
}

function say(agent: number, verb: string, tail = '', cursor = 0): void {
  const sender = keys[agent]
  if (sender === undefined) throw new Error(`no agent ${agent}`)
  const signed = `${verb} 1 ${sender.session} ${++sender.nonce} ${cursor}${tail === '' ? '' : ' '}${tail}`
  machine.receive(agent, Buffer.from(signedFrame(sender.key, signed)))
}
const ask = (number: number, ttlMs = 60_000, cursor = 0): void =>
  say(0, 'ask', `x:a:${number} b ${ttlMs}\n${question}`, cursor)

function commit(): void {
  if (tickets > committed) machine.committed(committed + 1, tickets)
  committed = tickets
}

function pass(ms: number): void {
  for (const end = nowMs + ms; nowMs < end;) {
    nowMs += tickMs
    machine.tick()
  }
}

beforeEach(() => {
  heap = undefined
  start()
})

describe('acknowledgements', () => {
  it('nothing leaves before the commit, then the question at once and the acknowledgement after its delay', () => {
    ask(1)
    pass(500)
    expect(sent).toEqual([])
    commit()
    expect(sent).toEqual(['1 question 0 1 x:a:1 a 59500'])
    pass(75)
    expect(sent.length).toBe(1)
    pass(50)
    expect(sent.slice(1)).toEqual(['0 ack 1'])
  })

  it('several asks share one acknowledgement, and a result carries it', () => {
    for (let number = 1; number <= 3; number++) ask(number)
    commit()
    pass(150)
    expect(sent.filter((frame) => frame.includes(' ack '))).toEqual(['0 ack 3'])
    ask(4)
    commit()
    say(1, 'answer', `x:a:4\n${acceptance}`)
    commit()
    expect(sent.at(-1)).toBe('0 result 4 1 x:a:4 accept')
    sent = []
    pass(900)
    expect(sent).toEqual([])
    pass(200)
    expect(sent).toEqual(['1 ack 1'])
  })

  it('a failed batch acknowledges nothing, refuses each frame with a time to wait, and gives the room back', () => {
    start({ pendingLimit: 2 })
    ask(1)
    ask(2)
    machine.failed(1, 2)
    committed = tickets
    expect(sent).toEqual(['0 refused 1 x:a:1 OVERLOADED 100', '0 refused 2 x:a:2 OVERLOADED 100'])
    pass(300)
    expect(sent.length).toBe(2)
    ask(3)
    ask(4)
    commit()
    expect(sent.slice(2)).toEqual(['1 question 0 1 x:a:3 a 60000', '1 question 0 2 x:a:4 a 60000'])
    expect(machine.refusals()).toEqual({ OVERLOADED: 2 })
  })
})

describe('a repeat of a frame whose row is not committed', () => {
  it('shares its commit', () => {
    ask(1)
    ask(1)
    pass(300)
    expect(sent).toEqual([])
    expect(tickets).toBe(1)
    commit()
    pass(150)
    expect(sent.filter((frame) => frame.includes(' ack '))).toEqual(['0 ack 2'])
  })

  it('shares its failure: both are refused, and neither is acknowledged', () => {
    ask(1)
    ask(1)
    machine.failed(1, 1)
    committed = tickets
    expect(sent).toEqual(['0 refused 1 x:a:1 OVERLOADED 100', '0 refused 2 x:a:1 OVERLOADED 100'])
  })
})

describe('deadlines', () => {
  it.each([1, 24, 25, 26, 1000, 102_400, 150_000])(
    'an exchange of %d ms ends within 100 ms of its deadline',
    (ttlMs) => {
      start({ pingAfterMs: 1e9, deadAfterMs: 1e9 })
      ask(1, ttlMs)
      commit()
      const askedAtMs = nowMs
      while (tickets === 1 && nowMs < askedAtMs + ttlMs + 1000) pass(tickMs)
      expect(nowMs).toBeGreaterThanOrEqual(askedAtMs + ttlMs)
      expect(nowMs).toBeLessThan(askedAtMs + ttlMs + 100)
      commit()
      expect(sent.filter((frame) => frame.includes('result'))).toEqual([expect.stringContaining(' 1 x:a:1 expired')])
    },
  )

  it('an answer taken before the deadline wins although its commit comes after', () => {
    ask(1, 100)
    commit()
    nowMs += 90
    say(1, 'answer', `x:a:1\n${acceptance}`)
    pass(500)
    expect(tickets).toBe(2)
    commit()
    expect(sent.at(-1)).toContain('1 x:a:1 accept')
  })

  it('if that commit fails, the answer is refused and the exchange expires', () => {
    ask(1, 100)
    commit()
    nowMs += 90
    say(1, 'answer', `x:a:1\n${acceptance}`)
    pass(100)
    machine.failed(2, 2)
    committed = 2
    expect(sent.at(-1)).toBe('1 refused 1 x:a:1 OVERLOADED 100')
    pass(50)
    commit()
    expect(sent.at(-1)).toContain('1 x:a:1 expired')
  })
})

describe('heartbeats', () => {
  it('pings only who was silent for four seconds, and drops who stays silent within ten', () => {
    pass(3900)
    expect(sent).toEqual([])
    say(1, 'cursor')
    pass(1200)
    expect(sent).toContain('0 ping 0 0')
    expect(disconnected).toEqual([])
    pass(4900)
    expect(disconnected).toEqual(['0 UNRESPONSIVE'])
    for (let second = 0; second < 20; second++) {
      say(1, 'pong')
      pass(1000)
    }
    expect(disconnected).toEqual(['0 UNRESPONSIVE'])
  })

  it('say what the connection was handed, so that entries lost on the way show without another one', () => {
    ask(1)
    ask(2)
    commit()
    sent = []
    pass(4100)
    expect(sent).toContain('1 ping 0 2')
  })

  it('ends a session at its expiry', () => {
    for (let minute = 0; minute < 61; minute++) {
      nowMs += 59_000
      for (const agent of [0, 1]) if (machine.agents.connected[agent] === 1) say(agent, 'pong')
      pass(1000)
    }
    expect(disconnected.toSorted()).toEqual(['0 INVALID_SESSION', '1 INVALID_SESSION'])
  })
})

describe('room', () => {
  it('in the heap: while it is short asks are refused with a time to wait, answers are taken, and what is known is repeated', () => {
    let short = false
    heap = { isShort: () => short }
    start()
    ask(1)
    commit()
    short = true
    sent = []
    ask(2)
    expect(sent).toEqual(['0 refused 2 x:a:2 OVERLOADED 100'])
    ask(1)
    say(1, 'answer', `x:a:1\n${acceptance}`)
    commit()
    expect(sent.at(-1)).toContain('0 result')
    short = false
    ask(2)
    commit()
    expect(sent.at(-1)).toContain('1 question')
  })

  it('a connection without room keeps its entries in the inbox, in order', () => {
    room = false
    for (let number = 1; number <= 5; number++) ask(number)
    commit()
    pass(100)
    expect(sent.filter((frame) => frame.includes('question')).length).toBe(1)
    room = true
    pass(25)
    expect(sent.filter((frame) => frame.includes('question')).map((frame) => frame.split(' ')[4])).toEqual(
      [1, 2, 3, 4, 5].map((number) => `x:a:${number}`),
    )
  })

  it('a recipient that acknowledges nothing stops those who ask it, not the server', () => {
    start({ inboxLimit: 3 })
    for (let number = 1; number <= 4; number++) ask(number)
    commit()
    expect(sent.filter((frame) => frame.includes('refused'))).toEqual(['0 refused 4 x:a:4 OVERLOADED 100'])
    say(1, 'cursor', '', 2)
    ask(5)
    commit()
    expect(sent.at(-1)).toContain('question 1 4 x:a:5')
  })

  it('a requester that acknowledges no results may not ask without end', () => {
    start({ pendingLimit: 2 })
    ask(1)
    ask(2)
    commit()
    say(1, 'answer', `x:a:1\n${acceptance}`, 2)
    commit()
    ask(3)
    expect(sent.at(-1)).toBe('0 refused 3 x:a:3 OVERLOADED 100')
    ask(4, 60_000, 1)
    commit()
    expect(sent.at(-1)).toContain('x:a:4')
  })

  it('a question that ended before it was delivered arrives as void', () => {
    machine.detach(1)
    ask(1, 50)
    commit()
    pass(100)
    commit()
    const session = keys[1]
    if (session === undefined) throw new Error('no session')
    machine.attach(1, session.session, createFrameMac(session.key.export()), 1e15, -1)
    expect(sent.at(-1)).toBe('1 void 0 1 x:a:1')
  })
})
