/**
 * The frame decoder on random and mutated input: it never throws, and whatever it admits obeys the grammar.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  clientVerbs,
  decodeClientFrame,
  emptyClientFrame,
  isAgentName,
  isExchangeId,
  isProducedBy,
  maxTtlMs,
  parseCount,
} from '../../../src/engines/elicitation/frame-codec.ts'

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/)
const count = fc.nat()
const body = fc.jsonValue().map((value) => JSON.stringify(value))
const id = fc.tuple(name, name, count).map((parts) => parts.join(':'))
const session = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/)
const head = fc.tuple(count, session, fc.integer({ min: 1 }), count).map((parts) => parts.join(' '))
const frame = fc.oneof(
  fc
    .tuple(head, id, name, fc.integer({ min: 1, max: maxTtlMs }), body)
    .map(([h, i, n, t, b]) => `ask ${h} ${i} ${n} ${t}\n${b}`),
  fc.tuple(head, id, body).map(([h, i, b]) => `answer ${h} ${i}\n${b}`),
  fc.tuple(head, id).map(([h, i]) => `cancel ${h} ${i}`),
  fc.tuple(fc.constantFrom('cursor', 'ping', 'pong'), head).map((parts) => parts.join(' ')),
)

describe('decodeClientFrame', () => {
  it('reads back what was written', () => {
    const decoded = emptyClientFrame()
    fc.assert(
      fc.property(frame, (text) => {
        const to = text.split(' ')[6]
        if (to === undefined || isAgentName(to)) expect(decodeClientFrame(Buffer.from(text), decoded)).toBe(true)
        else return
        const { verb, epoch, nonce, cursor } = decoded
        let written = `${verb} ${epoch} ${decoded.session} ${nonce} ${cursor}`
        if (decoded.id !== '') written += ` ${decoded.id}`
        if (verb === 'ask') written += ` ${decoded.to} ${decoded.ttlMs}`
        if (verb === 'ask' || verb === 'answer') written += `\n${decoded.body}`
        expect(written).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  it('never throws, and admits nothing that breaks the grammar', () => {
    const decoded = emptyClientFrame()
    const mutated = fc.tuple(frame, fc.nat(), fc.string({ maxLength: 4 }), fc.nat(4)).map(([text, at, piece, cut]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + piece + text.slice(place + cut)
    })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: 'binary' }), fc.string()), (text) => {
        if (!decodeClientFrame(Buffer.from(text), decoded)) return
        expect(clientVerbs).toContain(decoded.verb)
        expect(text.split('\n').length).toBeLessThanOrEqual(2)
        expect(decoded.body).not.toMatch(/[\r\n]/)
        expect(decoded.nonce).toBeGreaterThan(0)
        expect(text.split('\n', 1)[0]).toMatch(/^[A-Za-z0-9._: -]+$/)
        if (decoded.verb === 'ask') {
          expect(decoded.ttlMs).toBeGreaterThan(0)
          expect(decoded.ttlMs).toBeLessThanOrEqual(maxTtlMs)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    '',
    '\n',
    'ask',
    'ask 1 s 1 0 x:a:1 b 5',
    'cursor 1 s 1 0\n',
    'cursor  1 s 1 0',
    'cursor 1 s 0 0',
    'cursor 1 s 1 0 x',
    'CURSOR 1 s 1 0',
  ])('refuses %j', (text) => expect(decodeClientFrame(Buffer.from(text), emptyClientFrame())).toBe(false))
})

describe('parts', () => {
  it('a count is what JavaScript would print', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.maxSafeNat().map(String), fc.double().map(String)), (text) => {
        const value = parseCount(text)
        if (value >= 0) expect(String(value)).toBe(text)
        else expect(/^(0|[1-9]\d{0,14})$/.test(text)).toBe(false)
      }),
    )
    expect(parseCount('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    expect(parseCount('9007199254740992')).toBe(-1)
  })

  it('the producer is the middle part, whole', () => {
    fc.assert(
      fc.property(name, name, name, count, (scope, producer, other, number) => {
        const made = `${scope}:${producer}:${number}`
        expect(isExchangeId(made)).toBe(true)
        expect(isProducedBy(made, producer)).toBe(true)
        expect(isProducedBy(made, other)).toBe(other === producer)
      }),
    )
  })
})
