/**
 * Frames as text (docs/wire-protocol.md §1): reads and checks the envelope of a client, builds both directions.
 *
 * An envelope is tokens separated by single spaces; the body is a second line that routing never reads. Parsing
 * fills one reused object, so that a frame costs its substrings and nothing else. Nothing here trusts its
 * input, and nothing here decides: a frame that breaks the grammar is `false`.
 */
import { createHmac, type KeyObject } from 'node:crypto'

export const maxIdLength = 96
export const maxFrameBytes = 32_768
/** base64url characters of an HMAC-SHA256. */
export const macLength = 43
export const maxTtlMs = 2 ** 31 - 1

export const clientVerbs = ['ask', 'answer', 'cancel', 'cursor', 'ping', 'pong'] as const
export type ClientVerb = (typeof clientVerbs)[number]

/** One reused instance per reader; valid until the next frame is decoded. */
export interface ClientFrame {
  verb: ClientVerb
  epoch: number
  session: string
  nonce: number
  cursor: number
  /** '' where the verb has none. */
  id: string
  to: string
  ttlMs: number
  body: string
}

export function emptyClientFrame(): ClientFrame {
  return { verb: 'ping', epoch: 0, session: '', nonce: 0, cursor: 0, id: '', to: '', ttlMs: 0, body: '' }
}

const agentName = /^[A-Za-z0-9._-]{1,64}$/
const sessionName = /^[A-Za-z0-9_-]{1,32}$/
const exchangeId = /^[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._-]{1,64}:[0-9]{1,16}$/

/** Names that would reach a prototype if a careless consumer used them as a property. */
export function isHostileName(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype'
}

export function isAgentName(name: string): boolean {
  return agentName.test(name) && !isHostileName(name)
}

export function isExchangeId(id: string): boolean {
  return id.length <= maxIdLength && exchangeId.test(id)
}

/** Whether the middle part of `id`, a valid exchange id, is `name`. */
export function isProducedBy(id: string, name: string): boolean {
  const start = id.indexOf(':') + 1
  return id.charCodeAt(start + name.length) === 58 && id.startsWith(name, start)
}

/** A decimal without sign or leading zeros, at most 2⁵³−1; −1 for anything else. */
export function parseCount(token: string | undefined): number {
  if (token === undefined || token.length === 0 || token.length > 16) return -1
  let value = 0
  for (let index = 0; index < token.length; index++) {
    const digit = token.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  if (value > Number.MAX_SAFE_INTEGER || (token.length > 1 && token.charCodeAt(0) === 48)) return -1
  return value
}

function clientVerb(token: string): ClientVerb | null {
  for (const verb of clientVerbs) if (verb === token) return verb
  return null
}

const lineFeed = 10

/**
 * Reads `<envelope> [LF <body>]`, bytes that are known to be UTF-8. False when any rule of the grammar is broken; `frame`
 * then holds rubbish. Envelope and body become strings of their own, so that keeping an id does not keep the body alive.
 * A control character in the body is left to the JSON parser, except for line ends, which would end an SSE line.
 */
export function decodeClientFrame(signed: Buffer, frame: ClientFrame): boolean {
  const lineEnd = signed.indexOf(lineFeed)
  // No byte beyond ASCII is part of any token, so reading one as Latin-1 cannot make a bad envelope good.
  const tokens = signed.toString('latin1', 0, lineEnd < 0 ? signed.length : lineEnd).split(' ', 9)
  const verb = clientVerb(tokens[0] ?? '')
  if (verb === null) return false
  const withBody = verb === 'ask' || verb === 'answer'
  if (withBody !== lineEnd >= 0) return false
  frame.verb = verb
  frame.epoch = parseCount(tokens[1])
  frame.session = tokens[2] ?? ''
  frame.nonce = parseCount(tokens[3])
  frame.cursor = parseCount(tokens[4])
  frame.body = withBody ? signed.toString('utf8', lineEnd + 1) : ''
  frame.id = tokens[5] ?? ''
  frame.to = tokens[6] ?? ''
  frame.ttlMs = tokens[7] === undefined ? 0 : parseCount(tokens[7])
  if (frame.epoch < 0 || frame.nonce < 1 || frame.cursor < 0 || !sessionName.test(frame.session)) return false
  if (withBody && (frame.body.indexOf('\n') >= 0 || frame.body.indexOf('\r') >= 0)) return false
  switch (verb) {
    case 'ask':
      if (tokens.length !== 8 || !isExchangeId(frame.id) || !isAgentName(frame.to) || !isTtl(frame.ttlMs)) return false
      frame.id = ownId(signed, tokens, frame.id)
      return true
    case 'answer':
    case 'cancel':
      return tokens.length === 6 && isExchangeId(frame.id)
    default:
      return tokens.length === 5
  }
}

/** The id as a string of its own: a token is a slice that keeps its whole envelope alive, and the id of an ask is kept for long. */
function ownId(signed: Buffer, tokens: readonly string[], id: string): string {
  let at = 0
  for (let index = 0; index < 5; index++) at += (tokens[index]?.length ?? 0) + 1
  return signed.toString('latin1', at, at + id.length)
}

/** Beyond 2³¹−1 ms a timer would fire at once instead of late. */
function isTtl(ttlMs: number): boolean {
  return ttlMs >= 1 && ttlMs <= maxTtlMs
}

/** Signature line of a frame: base64url HMAC-SHA256 of everything after it. */
export function macOf(key: KeyObject, signed: string | Uint8Array): string {
  return createHmac('sha256', key).update(signed).digest('base64url')
}

/** The whole WebSocket message of a client. */
export function signedFrame(key: KeyObject, signed: string): string {
  return `${macOf(key, signed)}\n${signed}`
}
