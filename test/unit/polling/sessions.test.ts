/** Tokens: only what was issued in this boot is taken, and it names one agent. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSessions, isAgentName } from '../../../src/engines/polling/sessions.ts'

const secret = new Uint8Array(32).fill(7)

test('a token names the agent it was issued to, also after the server forgot it', () => {
  const { token } = createSessions(secret, 3, 'key').issue('a17')
  expect(createSessions(secret, 3, 'key').agentOf(token)).toBe('a17')
})

test('tokens of another boot, another store or another agent are refused', () => {
  const sessions = createSessions(secret, 3, 'key')
  const { token } = sessions.issue('a17')
  expect(createSessions(secret, 4, 'key').agentOf(token)).toBeNull()
  expect(createSessions(new Uint8Array(32).fill(8), 3, 'key').agentOf(token)).toBeNull()
  expect(sessions.agentOf(token.replace('a17', 'a18'))).toBeNull()
  expect(sessions.agentOf(token.replace(/^3/, '4'))).toBeNull()
})

test('no altered token is taken, and no text makes the check throw', () => {
  const sessions = createSessions(secret, 3, 'key')
  const { token } = sessions.issue('a17')
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 2, unit: 'grapheme' }), (at, other) => {
      const altered = token.slice(0, at) + other + token.slice(at + 1)
      expect(sessions.agentOf(altered)).toBe(altered === token ? 'a17' : null)
      expect(sessions.agentOf(other)).toBeNull()
    }),
  )
  // Characters whose low bytes are those of the token.
  for (let at = 0; at < token.length; at++) {
    const alike = String.fromCharCode(token.charCodeAt(at) + 0x15_00)
    expect(sessions.agentOf(token.slice(0, at) + alike + token.slice(at + 1))).toBeNull()
  }
  for (const text of ['', '3.', '3..', `3.1.a1.${'A'.repeat(43)}`, '3.'.repeat(40_000)])
    expect(sessions.agentOf(text)).toBeNull()
})

test('the enrolment key is compared whole', () => {
  const sessions = createSessions(secret, 1, 'the key')
  expect(['the key', 'the ke', 'the key ', '', 'THE KEY'].map((key) => sessions.mayEnrol(key))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ])
})

test('names of agents', () => {
  expect(['a1', 'Agent_x-2', '', 'a b', 'a.b', 'a\n', 'ä', 'a'.repeat(65), 7].map(isAgentName)).toEqual([
    true,
    true,
    ...Array.from({ length: 7 }, () => false),
  ])
})
