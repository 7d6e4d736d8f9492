/**
 * Sessions of the polling engine: bearer tokens that the server can check without remembering them.
 *
 * A token is `epoch.session.agent.MAC` with MAC = HMAC-SHA256 over the first three, under a key derived from the
 * store's secret (one label per use, so no two uses share a key). It is bound to one boot of the server: as in
 * the system being replaced no session survives a restart, and a client enrols again. Comparison is in constant
 * time; identity comes from the token and from nothing else.
 */
import { createHash, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

export interface Sessions {
  /** A token for `agent`, whose name was checked with `isAgentName`. */
  issue(agent: string): { readonly sessionId: string; readonly token: string }
  /** The agent a token belongs to, or null when it is not a token of this boot. */
  agentOf(token: string): string | null
  /** Whether the caller holds the enrolment key. */
  mayEnrol(key: string): boolean
}

const agentName = /^[A-Za-z0-9_-]{1,64}$/
const macLength = 43
const maxTokenLength = 160

export function isAgentName(value: unknown): value is string {
  return typeof value === 'string' && agentName.test(value)
}

export function createSessions(storeSecret: Uint8Array, bootEpoch: number, enrolmentKey: string): Sessions {
  const key = createSecretKey(createHmac('sha256', storeSecret).update('lighthouse polling session 1').digest())
  const enrolmentDigest = createHash('sha256').update(enrolmentKey).digest()
  const prefix = `${bootEpoch}.`
  let issued = 0
  const macOf = (text: string): string => createHmac('sha256', key).update(text).digest('base64url')
  return {
    issue(agent) {
      const sessionId = (++issued).toString(36)
      const text = `${prefix}${sessionId}.${agent}`
      return { sessionId, token: `${text}.${macOf(text)}` }
    },
    agentOf(token) {
      if (token.length > maxTokenLength || !token.startsWith(prefix)) return null
      const cut = token.length - macLength - 1
      if (cut <= prefix.length || token[cut] !== '.') return null
      const text = token.slice(0, cut)
      // As UTF-8: 'latin1' keeps a character's low byte alone, and many characters share one.
      const given = Buffer.from(token.slice(cut + 1), 'utf8')
      const expected = Buffer.from(macOf(text), 'utf8')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
      const agent = text.slice(text.lastIndexOf('.') + 1)
      return isAgentName(agent) ? agent : null
    },
    mayEnrol(candidate) {
      return timingSafeEqual(createHash('sha256').update(candidate).digest(), enrolmentDigest)
    },
  }
}
