/**
 * The same machine over an event stream and POSTs (docs/wire-protocol.md §8).
 *
 * An event is a frame, its lines as `data:` lines; an inbox entry's id is its sequence, so `Last-Event-ID` is the cursor.
 * A POST is answered when what it asked for is committed (202) or refused; until then its response waits here under its nonce.
 */
import type { ServerResponse } from 'node:http'
import type { FrameMac } from './frame-mac.ts'
import type { RefusalCode } from '../engine.ts'
import type { AcceptedSession, Channel, Connections } from './connections.ts'
import { answerCode } from './http-requests.ts'
import type { ElicitationMachine } from './machine.ts'
import type { ByeCode } from './machine-ports.ts'
import { parseCount } from './frame-codec.ts'

/** POSTs of one agent that may wait for their commit. */
export const maxWaitingPosts = 256

const statusOf: Readonly<Record<RefusalCode, number>> = {
  MALFORMED: 400,
  INVALID_SESSION: 401,
  INVALID_SIGNATURE: 401,
  UNAUTHORIZED_RESPONSE: 403,
  ELICITATION_NOT_FOUND: 404,
  UNKNOWN_RECIPIENT: 404,
  CONFLICT: 409,
  REPLAY_ATTACK: 409,
  NONCE_GAP: 409,
  RESUME_GAP: 409,
  PATH_CLOSED: 403,
  EXPIRED: 410,
  SCHEMA_VIOLATION: 422,
  RATE_LIMIT_EXCEEDED: 429,
  OVERLOADED: 503,
}

/** Opens the stream of a session whose token was verified. */
export function openEventStream(connections: Connections, response: ServerResponse, accepted: AcceptedSession): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.flushHeaders()
  const channel = new EventStreamChannel(response)
  response.on('close', () => connections.ended(accepted.agent, channel))
  response.on('error', () => response.destroy())
  connections.started(accepted, channel)
}

class EventStreamChannel implements Channel {
  private readonly response: ServerResponse

  constructor(response: ServerResponse) {
    this.response = response
  }

  isOpen(): boolean {
    return !this.response.writableEnded && !this.response.destroyed
  }

  bufferedBytes(): number {
    return this.response.writableLength
  }

  send(frame: string, sequence: number): void {
    // A frame has at most two lines and no carriage return, so nothing in it can end the event or begin another.
    const data = frame.replace('\n', '\ndata: ')
    this.response.write(`${sequence > 0 ? `id: ${sequence}\n` : ''}data: ${data}\n\n`)
  }

  part(code: ByeCode): void {
    if (this.isOpen()) this.response.end(`data: bye ${code}\n\n`)
  }

  terminate(): void {
    this.response.destroy()
  }
}

interface WaitingPost {
  readonly agent: number
  readonly nonce: number
  readonly response: ServerResponse
  answered: boolean
}

export class PostedFrames {
  private readonly waiting: (Map<number, WaitingPost> | undefined)[] = []
  /** The frame inside the machine right now, which may be settled before the call returns. */
  private current: WaitingPost | null = null
  private readonly machine: () => ElicitationMachine

  constructor(machine: () => ElicitationMachine) {
    this.machine = machine
  }

  /** One signed frame of a session whose token was verified. */
  take(agent: number, session: string, key: FrameMac, mac: string, signed: Buffer, response: ServerResponse): void {
    const ofAgent = (this.waiting[agent] ??= new Map())
    if (ofAgent.size >= maxWaitingPosts) {
      answerCode(response, 503, 'OVERLOADED', 100)
      return
    }
    // Read before it is verified, and only to find the response again; the machine reads it for itself.
    const nonce = parseCount(signed.subarray(0, 256).toString('latin1').split(' ', 4)[3])
    const post: WaitingPost = { agent, nonce, response, answered: false }
    this.current = post
    const fatal = this.machine().receivePosted(agent, session, key, Buffer.from(mac, 'latin1'), signed)
    this.current = null
    if (fatal !== null) answer(post, fatal, 0)
    else if (!post.answered) {
      ofAgent.set(nonce, post)
      response.on('close', () => {
        if (ofAgent.get(nonce) === post) ofAgent.delete(nonce)
      })
    }
  }

  settled(agent: number, nonce: number): void {
    const post = this.find(agent, nonce)
    if (post === null) return
    post.answered = true
    post.response.writeHead(202, { 'content-length': 0 })
    post.response.end()
  }

  /** False when no POST waits for this nonce. */
  refused(agent: number, nonce: number, code: RefusalCode, retryAfterMs: number): boolean {
    const post = this.find(agent, nonce)
    if (post !== null) answer(post, code, retryAfterMs)
    return post !== null
  }

  private find(agent: number, nonce: number): WaitingPost | null {
    const { current } = this
    if (current !== null && current.agent === agent && current.nonce === nonce) return current
    const ofAgent = this.waiting[agent]
    const post = ofAgent?.get(nonce)
    if (ofAgent === undefined || post === undefined) return null
    ofAgent.delete(nonce)
    return post
  }
}

function answer(post: WaitingPost, code: RefusalCode, retryAfterMs: number): void {
  post.answered = true
  answerCode(post.response, statusOf[code], code, retryAfterMs)
}
