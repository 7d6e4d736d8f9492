/**
 * The HTTP side: enrolment, and the bearer check in front of every upgrade (docs/wire-protocol.md §2).
 *
 * Bodies are bounded and must arrive in time; answers are JSON with a stable code. A browser announces itself by an
 * `Origin` header and is turned away: no page of a stranger may speak to an engine on loopback.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { isAgentName, parseCount } from './frame-codec.ts'
import { parseJsonObject } from './schema.ts'

export const maxEnrolment = 1000
const maxBodyBytes = 131_072

export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

export function answerCode(response: ServerResponse, status: number, code: string, retryAfterMs = 0): void {
  if (retryAfterMs > 0) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000))
  answerJson(response, status, { code, retryAfterMs })
}

/** Compares digests, so that neither content nor length of the key shows in the time taken. */
export function isSameKey(expected: string, given: string | string[] | undefined): boolean {
  if (typeof given !== 'string') return false
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(expected), digest(given))
}

/** '' when there is none. */
export function bearerToken(request: IncomingMessage): string {
  const header = request.headers.authorization ?? ''
  return header.startsWith('Bearer ') ? header.slice(7) : ''
}

/** −1 when no cursor is given, −2 when it is not a number. */
export function cursorOf(text: string | null): number {
  if (text === null) return -1
  const cursor = parseCount(text)
  return cursor < 0 ? -2 : cursor
}

/** Resolves with the body, or null when it is too long or broke off. */
export function readBody(request: IncomingMessage, limit = maxBodyBytes): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else resolve(null)
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => resolve(null))
    request.on('close', () => resolve(null))
  })
}

/** The names to enrol, or null when the body is not what enrolment takes. */
export function readEnrolment(body: Buffer): string[] | null {
  const parsed = parseJsonObject(body.toString('utf8'))
  if (parsed === null || !Object.hasOwn(parsed, 'agents') || !Array.isArray(parsed['agents'])) return null
  const names: string[] = []
  for (const name of parsed['agents']) {
    if (typeof name !== 'string' || !isAgentName(name)) return null
    names.push(name)
  }
  return names.length >= 1 && names.length <= maxEnrolment ? names : null
}

/** Answers a request to upgrade as any other, and closes. */
export function refuseUpgrade(socket: Duplex, status: number, code: string): void {
  const body = JSON.stringify({ code, retryAfterMs: 0 })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n`
  socket.end(`${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)
}
