/**
 * Tokens and keys that need no table, and options that never switch a check off.
 */
import { describe, expect, it } from 'vitest'
import { decodeClientFrame, emptyClientFrame } from '../../../src/engines/elicitation/frame-codec.ts'
import { createFrameMac, signText } from '../../../src/engines/elicitation/frame-mac.ts'
import { elicitationEngine } from '../../../src/engines/elicitation/definition.ts'
import { limitsOf, optionHelp, parseOptions } from '../../../src/engines/elicitation/options.ts'
import { SessionAuthority } from '../../../src/engines/elicitation/sessions.ts'

const secret = Buffer.alloc(32, 5)
const authority = new SessionAuthority(secret, 3)
const issued = authority.issue('agent.with.dots', 1_000_000, 60_000)

describe('tokens', () => {
  it('are verified without a table, in force until their expiry', () => {
    const verified = { agent: 'agent.with.dots', session: issued.session, expiresAtMs: 1_060_000, keyless: false }
    expect(authority.verify(issued.token, 1_000_000)).toEqual(verified)
    expect(authority.verify(issued.token, 1_059_999)).toEqual(verified)
    expect(authority.verify(issued.token, 1_060_000)).toBeNull()
  })

  it('of an agent without a key say so, and no frame can name its session', () => {
    const { session, token } = authority.issueKeyless('a1', 1_000_000, 60_000)
    expect(authority.verify(token, 1_000_000)).toEqual({ agent: 'a1', session, expiresAtMs: 1_060_000, keyless: true })
    expect(authority.verify(token.replace('keyless:', ''), 1_000_000)).toBeNull()
    expect(decodeClientFrame(Buffer.from(`cursor 3 ${session} 1 0`), emptyClientFrame())).toBe(false)
    expect(decodeClientFrame(Buffer.from(`cursor 3 ${issued.session} 1 0`), emptyClientFrame())).toBe(true)
  })

  it('are worth nothing in another epoch or with another secret', () => {
    expect(new SessionAuthority(secret, 4).verify(issued.token, 1_000_000)).toBeNull()
    expect(new SessionAuthority(Buffer.alloc(32, 6), 3).verify(issued.token, 1_000_000)).toBeNull()
  })

  it('break with any character', () => {
    for (let index = 0; index < issued.token.length; index++) {
      const other = issued.token[index] === 'A' ? 'B' : 'A'
      const altered = issued.token.slice(0, index) + other + issued.token.slice(index + 1)
      expect(authority.verify(altered, 1_000_000), altered).toBeNull()
    }
  })

  it('are new every time, and so are keys', () => {
    const again = authority.issue('agent.with.dots', 1_000_000, 60_000)
    expect(again.token).not.toBe(issued.token)
    expect(again.key).not.toBe(issued.key)
  })

  it('differ from the key of the same session, which can be derived again', () => {
    const derived = (epoch: number): string =>
      signText(authority.sessionKey('agent.with.dots', issued.session, epoch), 'frame')
    expect(derived(3)).toBe(signText(createFrameMac(Buffer.from(issued.key, 'base64url')), 'frame'))
    expect(issued.token).not.toContain(issued.key)
    expect(derived(2)).not.toBe(derived(3))
  })
})

describe('options', () => {
  it('have defaults and help for each', () => {
    expect(Object.keys(parseOptions({}))).toEqual([
      'batching',
      'validation',
      'nonceStore',
      'schemaCache',
      'ackDelayAskMs',
      'ackDelayAnswerMs',
      'rateLimit',
      'rateBurst',
      'connections',
      'stageSampling',
    ])
    expect(Object.keys(optionHelp).length).toBe(Object.keys(parseOptions({})).length)
  })

  it('become limits', () => {
    const limits = limitsOf(
      parseOptions({ ackDelayAsk: '20ms', ackDelayAnswer: '2s', rateLimit: '50', rateBurst: '60', schemaCache: 'off' }),
    )
    expect(limits).toMatchObject({
      ackDelayAskMs: 20,
      ackDelayAnswerMs: 2000,
      ratePerSecond: 50,
      burst: 60,
      schemaCacheSize: 0,
    })
  })

  it.each([
    ['batching', 'always'],
    ['validation', 'off'],
    ['nonceStore', 'none'],
    ['schemaCache', 'yes'],
    ['ackDelayAsk', '0'],
    ['ackDelayAsk', '11s'],
    ['rateLimit', '0'],
    ['rateLimit', '1e9'],
    ['connections', '-1'],
    ['signatures', 'off'],
  ])('%s=%s is refused by name', (name, value) => {
    const act = (): void => elicitationEngine.validateOptions({ [name]: value })
    expect(act).toThrow(expect.objectContaining({ code: 'USAGE' }))
    expect(act).toThrow(`${name}=${value}`)
  })
})
