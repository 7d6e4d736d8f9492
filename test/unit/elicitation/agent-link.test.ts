/**
 * An agent's end of the wire, frame by frame: what it repeats, what it reports, and what it keeps to itself.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { AgentLink, maxOpenLegs, type LinkOwner } from '../../../src/engines/elicitation/agent-link.ts'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'

let nowMs = 0
let wire: string[] = []
let told: string[] = []
let link: AgentLink

const owner: LinkOwner = {
  nowMs: () => nowMs,
  transmit: (_link, frame) => void wire.push(frame.slice(44)),
  established: () => void told.push('established'),
  broken: (_link, code) => void told.push(`broken ${code}`),
  acknowledged: (exchange, leg) => void told.push(`acknowledged ${leg} ${exchange}`),
  refused: (exchange, leg, code) => void told.push(`refused ${leg} ${exchange} ${code}`),
  question: (_link, id, from, body) => void told.push(`question ${id} ${from} ${body}`),
  result: (_link, id, outcome, body) => void told.push(`result ${id} ${outcome} ${body}`),
  wireDuplicate: (id, leg) => void told.push(`duplicate ${leg} ${id}`),
  repeated: () => void told.push('repeated'),
  delayed: () => void told.push('delayed'),
  advised: (_link, { path, withinMs, fallback }) => void told.push(`advised ${path} ${withinMs} ${fallback}`),
}

function credentials(epoch: number, log = 'log') {
  return { agent: 'a0', session: 's', token: 't', key: createFrameMac(Buffer.alloc(32, 1)), epoch, log }
}
const hello = (nonceFloor = 0, floor = 0, head = 0): void =>
  link.receive(`hello 99 1 log ${nonceFloor} ${floor} ${head} 32768 200 400`)
const ask = (exchange: number, ttlMs = 1000): boolean =>
  link.start('ask', 0, exchange, `r:a0:${exchange}`, 'a1', '{}', ttlMs)

beforeEach(() => {
  nowMs = 1000
  wire = []
  told = []
  link = new AgentLink(0, owner)
  link.useCredentials(credentials(1))
})

describe('legs', () => {
  it('wait for the connection and leave in order', () => {
    ask(1)
    ask(2)
    expect(wire).toEqual([])
    hello(7)
    expect(wire).toEqual(['ask 1 s 8 0 r:a0:1 a1 1000\n{}', 'ask 1 s 9 0 r:a0:2 a1 1000\n{}'])
  })

  it('are acknowledged by a nonce, but not by that of a hello', () => {
    hello()
    ask(1)
    ask(2)
    ask(3)
    link.receive('ack 2')
    expect(told).toEqual(['established', 'acknowledged ask 1', 'acknowledged ask 2'])
    link.down()
    told = []
    hello(3)
    expect(told).toEqual(['repeated', 'established'])
    expect(wire.at(-1)).toBe('ask 1 s 4 0 r:a0:3 a1 1000\n{}')
  })

  it('are repeated with the time that is left, and not after their deadline', () => {
    hello()
    ask(1, 500)
    ask(2, 100)
    link.down()
    nowMs += 200
    hello(2)
    expect(wire.slice(2)).toEqual(['ask 1 s 3 0 r:a0:1 a1 300\n{}'])
  })

  it('are definitively refused at the first attempt', () => {
    hello()
    ask(1)
    link.receive('refused 1 r:a0:1 RATE_LIMIT_EXCEEDED 50')
    expect(told).toEqual(['established', 'refused ask 1 RATE_LIMIT_EXCEEDED'])
  })

  it.each(['RATE_LIMIT_EXCEEDED', 'OVERLOADED'])('when repeated, are not refused by %s but repeated again', (code) => {
    hello()
    ask(1)
    link.down()
    hello(1)
    link.receive(`refused 2 r:a0:1 ${code} 50`)
    expect(told.some((entry) => entry.startsWith('refused'))).toBe(false)
    expect(link.retryDue(nowMs + 49)).toBe(true)
    nowMs += 50
    expect(link.retryDue(nowMs)).toBe(false)
    expect(wire.at(-1)).toBe('ask 1 s 3 0 r:a0:1 a1 950\n{}')
    link.receive('ack 3')
    expect(told.at(-1)).toBe('acknowledged ask 1')
  })

  it('when repeated, are refused by a code that speaks of the exchange', () => {
    hello()
    ask(1)
    link.down()
    hello(1)
    link.receive('refused 2 r:a0:1 CONFLICT 0')
    expect(told.at(-1)).toBe('refused ask 1 CONFLICT')
  })

  it('are proven by a result even before their acknowledgement', () => {
    hello()
    ask(1)
    link.receive('result 0 1 r:a0:1 accept\n{"action":"accept"}')
    expect(told.slice(1)).toEqual(['acknowledged ask 1', 'result r:a0:1 accept {"action":"accept"}'])
  })

  it('are bounded in number, and forgotten with their round', () => {
    for (let exchange = 0; exchange < maxOpenLegs; exchange++) expect(ask(exchange)).toBe(true)
    expect(ask(maxOpenLegs)).toBe(false)
    link.dropBefore(1)
    hello()
    expect(wire).toEqual([])
  })
})

describe('another kind of channel', () => {
  it('is told of by the server, with an acknowledgement like any other frame', () => {
    hello()
    ask(1)
    told = []
    link.receive('mode 1 poll 2500 1')
    link.receive('mode 1 push 0 0')
    expect(told).toEqual(['acknowledged ask 1', 'advised poll 2500 true', 'advised push 0 false'])
  })

  it.each(['mode', 'mode 0 sideways 0 1', 'mode 0 poll -1 1', 'mode 0 poll 5'])('is not taken from %j', (frame) => {
    hello()
    told = []
    link.receive(frame)
    expect(told).toEqual(['broken MALFORMED'])
  })

  it('counts nonces on where a socket would begin at the floor of the server', () => {
    const nonces = (): (string | undefined)[] => wire.map((frame) => frame.split(' ')[3])
    hello()
    ask(1)
    link.down()
    link.useChannel(false)
    hello()
    ask(2)
    expect(nonces()).toEqual(['1', '2', '3'])
    link.receive('ack 3')
    // Each frame of such a channel is answered by itself.
    expect(told.filter((each) => each.startsWith('acknowledged'))).toEqual([])
    link.taken(2)
    link.down()
    link.useChannel(true)
    hello(1)
    expect(nonces()).toEqual(['1', '2', '3', '2'])
    expect(told.filter((each) => each.startsWith('acknowledged'))).toEqual(['acknowledged ask 1'])
  })
})

describe('the inbox', () => {
  beforeEach(() => {
    hello()
    told = []
  })

  it('delivers a sequence once, and counts what comes again', () => {
    link.receive('question 0 1 r:a1:5 a1 900\n{"message":"m"}')
    link.receive('question 0 1 r:a1:5 a1 900\n{"message":"m"}')
    expect(told).toEqual(['question r:a1:5 a1 {"message":"m"}', 'duplicate ask r:a1:5'])
  })

  it('breaks off at a skipped sequence', () => {
    link.receive('question 0 2 r:a1:5 a1 900\n{}')
    expect(told).toEqual(['broken SEQUENCE_GAP'])
  })

  it('shows in a heartbeat as well, and one without a gap is answered', () => {
    link.receive('question 0 1 r:a1:1 a1 500\n{}')
    told = []
    link.receive('ping 0 1')
    expect([told, wire.at(-1)]).toEqual([[], 'pong 1 s 1 1'])
    link.receive('ping 0 2')
    expect(told).toEqual(['broken SEQUENCE_GAP'])
    expect(wire.length).toBe(1)
  })

  it('goes on from the end of a store that lost what came after it', () => {
    for (const sequence of [1, 2, 3]) link.receive(`question 0 ${sequence} r:a1:${sequence} a1 500\n{}`)
    link.down()
    told = []
    hello(0, 0, 2)
    link.receive('question 0 2 r:a1:2 a1 500\n{}')
    link.receive('question 0 3 r:a1:7 a1 500\n{}')
    expect(told).toEqual(['established', 'duplicate ask r:a1:2', 'question r:a1:7 a1 {}'])
  })

  it('passes over a void entry', () => {
    link.receive('void 0 1 r:a1:5')
    link.receive('question 0 2 r:a1:6 a1 900\n{}')
    expect(told).toEqual(['question r:a1:6 a1 {}'])
  })

  it('acknowledges by cursor on its next frame, and alone after 64 entries', () => {
    for (let sequence = 1; sequence <= 63; sequence++) link.receive(`void 0 ${sequence} r:a1:${sequence}`)
    expect(wire).toEqual([])
    link.receive('void 0 64 r:a1:64')
    expect(wire).toEqual(['cursor 1 s 1 64'])
    ask(1)
    expect(wire.at(-1)).toBe('ask 1 s 2 64 r:a0:1 a1 1000\n{}')
  })

  it('begins anew with another store, not with another epoch', () => {
    link.receive('void 0 1 r:a1:1')
    link.down()
    link.useCredentials(credentials(2))
    expect(link.seen).toBe(1)
    link.useCredentials(credentials(1, 'another'))
    expect(link.seen).toBe(0)
  })

  it.each(['', 'what 1', 'question 0 x r:a1:1 a1 5\n{}', 'result 0 1 r:a0:1 perhaps', 'refused 1 r:a0:1 SOMETHING 0'])(
    'breaks off at %j',
    (frame) => {
      link.receive(frame)
      expect(told).toEqual(['broken MALFORMED'])
    },
  )
})
