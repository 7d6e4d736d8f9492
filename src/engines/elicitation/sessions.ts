/**
 * Sessions without state: tokens are MACs, keys are derived (docs/wire-protocol.md §2).
 *
 * Both use HMAC-SHA256 under the store's secret with a first line of their own, so that a token can never serve as a key
 * or the reverse. A token of an earlier epoch, an expired one and a forged one look the same to its bearer.
 */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto'
import { isAgentName, parseCount } from './frame-codec.ts'
import { createFrameMac, type FrameMac } from './frame-mac.ts'

export interface IssuedSession {
  readonly agent: string
  readonly session: string
  readonly token: string
  /** base64url of the 32 bytes that sign this session's frames. */
  readonly key: string
}

export interface VerifiedSession {
  readonly agent: string
  readonly session: string
  readonly expiresAtMs: number
  /** Its holder has no key: it may poll, and nothing else. */
  readonly keyless: boolean
}

const maxTokenLength = 256
/** Begins the session of a keyless token. No frame can name such a session: its grammar has no colon. */
const keylessPrefix = 'keyless:'

export class SessionAuthority {
  readonly epoch: number
  private readonly secret: KeyObject

  constructor(secret: Uint8Array, epoch: number) {
    this.secret = createSecretKey(secret)
    this.epoch = epoch
  }

  /** A new session of `agent`, a valid agent name. */
  issue(agent: string, wallMs: number, lifetimeMs: number): IssuedSession {
    const session = randomBytes(12).toString('base64url')
    return {
      agent,
      session,
      token: this.tokenOf(agent, session, wallMs + lifetimeMs),
      key: this.keyBytes(agent, session, this.epoch).toString('base64url'),
    }
  }

  /** A token for an agent that knows only the old path, and gets no key. */
  issueKeyless(agent: string, wallMs: number, lifetimeMs: number): Pick<IssuedSession, 'session' | 'token'> {
    const session = `${keylessPrefix}${randomBytes(12).toString('base64url')}`
    return { session, token: this.tokenOf(agent, session, wallMs + lifetimeMs) }
  }

  private tokenOf(agent: string, session: string, expiresAtMs: number): string {
    const claims = `${agent}.${session}.${this.epoch}.${Math.floor(expiresAtMs / 1000)}`
    return `${claims}.${this.mac(`token\n${claims}`).toString('base64url')}`
  }

  /** null for anything that is not a token of this epoch and store, in force at `wallMs`. */
  verify(token: string, wallMs: number): VerifiedSession | null {
    if (token.length > maxTokenLength) return null
    const macAt = token.lastIndexOf('.')
    const expiryAt = token.lastIndexOf('.', macAt - 1)
    const epochAt = token.lastIndexOf('.', expiryAt - 1)
    const sessionAt = token.lastIndexOf('.', epochAt - 1)
    if (sessionAt < 1) return null
    const claims = token.slice(0, macAt)
    if (!sameText(this.mac(`token\n${claims}`).toString('base64url'), token.slice(macAt + 1))) return null
    const agent = token.slice(0, sessionAt)
    const expiresAtMs = parseCount(token.slice(expiryAt + 1, macAt)) * 1000
    if (parseCount(token.slice(epochAt + 1, expiryAt)) !== this.epoch || expiresAtMs <= wallMs) return null
    if (!isAgentName(agent)) return null
    const session = token.slice(sessionAt + 1, epochAt)
    return { agent, session, expiresAtMs, keyless: session.startsWith(keylessPrefix) }
  }

  sessionKey(agent: string, session: string, epoch: number): FrameMac {
    return createFrameMac(this.keyBytes(agent, session, epoch))
  }

  private keyBytes(agent: string, session: string, epoch: number): Buffer {
    return this.mac(`key\n${agent}\n${session}\n${epoch}`)
  }

  private mac(text: string): Buffer {
    return createHmac('sha256', this.secret).update(text).digest()
  }
}

/** Constant time in the content; the length of `given` may show. */
export function sameText(expected: string, given: string): boolean {
  const left = Buffer.from(expected)
  const right = Buffer.from(given)
  return left.length === right.length && timingSafeEqual(left, right)
}
