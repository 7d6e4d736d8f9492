/** What the client makes of the events of an inbox: news, redeliveries, strays, and never the same news twice. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { ClientHandlers } from '../../../src/engines/engine.ts'
import { agentIndex, decimal, ExchangeTable, type InboxEvent } from '../../../src/engines/polling/exchange-table.ts'

let log: string[] = []
let table: ExchangeTable

const handlers: ClientHandlers = {
  onAcknowledged: () => {},
  onRefused: () => {},
  onLost: () => {},
  onRestored: () => {},
  onQuestion: (exchange, requester, recipient, body) =>
    log.push(`question ${exchange} ${requester}>${recipient} ${body}`),
  onResult: (exchange, requester, outcome, body) => log.push(`result ${exchange} ${requester} ${outcome} ${body}`),
  onWireDuplicate: (exchange, leg) => log.push(`duplicate ${exchange} ${leg}`),
  onStray: (agent, origin, wireId) => log.push(`stray ${agent} ${origin} ${wireId}`),
}

function question(wireId: string, source: number, body = 'q'): InboxEvent {
  return { type: 'elicitation_request', source, wireId, action: '', body }
}
function answer(wireId: string, source: number, action = 'accept', body = 'r'): InboxEvent {
  return { type: 'elicitation_response', source, wireId, action, body }
}

beforeEach(() => {
  log = []
  table = new ExchangeTable(handlers)
  table.beginRound('r1')
  table.asked(0, 1, 2)
  table.asked(1, 3, 4)
})

test('an exchange goes through once; redeliveries stay on the wire', () => {
  expect(table.wireId(0)).toBe('r1:a1:0')
  for (let copy = 0; copy < 3; copy++) table.receive(2, question('r1:a1:0', 1))
  for (let copy = 0; copy < 3; copy++) table.receive(1, answer('r1:a1:0', 2))
  expect(log).toEqual([
    'question 0 1>2 q',
    'duplicate 0 ask',
    'duplicate 0 ask',
    'result 0 1 accept r',
    'duplicate 0 answer',
    'duplicate 0 answer',
  ])
})

test('a question that comes to another agent as well is shown, not taken for a redelivery', () => {
  table.receive(2, question('r1:a1:0', 1))
  table.receive(7, question('r1:a1:0', 1))
  expect(log).toEqual(['question 0 1>2 q', 'question 0 1>7 q'])
})

test('the requester shown is who the engine says it was', () => {
  table.receive(2, question('r1:a1:0', 9))
  expect(log).toEqual(['question 0 9>2 q'])
})

test('contradicting answers both reach the application', () => {
  table.receive(1, answer('r1:a1:0', 2, 'accept'))
  table.receive(1, answer('r1:a1:0', 2, 'decline'))
  expect(log).toEqual(['result 0 1 accept r', 'result 0 1 decline r'])
})

test('an answer counts only from the agent that was asked, and only with an action', () => {
  table.receive(1, answer('r1:a1:0', 3))
  table.receive(1, answer('r1:a1:0', 2, 'explode'))
  expect(log).toEqual(['stray 1 foreign r1:a1:0', 'stray 1 foreign r1:a1:0'])
})

test('a withdrawn exchange is over once, and an answer after it is not told', () => {
  expect(table.withdraw(0)).toBe(true)
  expect(table.withdraw(0)).toBe(false)
  table.receive(1, answer('r1:a1:0', 2))
  table.receive(3, answer('r1:a3:1', 4, 'cancel'))
  expect(table.withdraw(1)).toBe(false)
  expect(log).toEqual(['result 1 3 cancel r'])
})

test('rounds do not mix: earlier ids are earlier, and the numbers start anew', () => {
  table.receive(2, question('r1:a1:0', 1))
  table.beginRound('r2')
  table.receive(2, question('r1:a1:0', 1))
  table.receive(2, question('r2:a1:0', 1))
  table.asked(0, 1, 2)
  table.receive(2, question('r2:a1:0', 1))
  expect(log).toEqual(['question 0 1>2 q', 'stray 2 earlier r1:a1:0', 'stray 2 foreign r2:a1:0', 'question 0 1>2 q'])
})

describe('ids that are not of this round', () => {
  test.each([
    '',
    'r1',
    'r1:a1',
    'r1:a1:',
    'r1:a1:2',
    'r1:a1:00',
    'r1:a1:-1',
    'r1:a1:0x0',
    'r1:a2:0',
    'r1:a:0',
    'x:a1:0',
    'r1:a1:4294967296',
    'r1:a1:0 ',
  ])('%j is foreign', (wireId) => {
    table.receive(2, question(wireId, 1))
    expect(log).toEqual([`stray 2 foreign ${wireId}`])
  })
})

test('tables grow with the exchanges', () => {
  table.asked(100_000, 5, 6)
  table.receive(6, question(table.wireId(100_000), 5))
  expect(log).toEqual(['question 100000 5>6 q'])
})

test('names and numbers have one spelling', () => {
  expect(['a0', 'a17', 'a', 'a01', 'b1', 'A1', 'a1 ', 3, 'a99999999999'].map(agentIndex)).toEqual([
    0, 17, -1, -1, -1, -1, -1, -1, -1,
  ])
  expect(decimal('x12y', 1, 3)).toBe(12)
})
