/**
 * WebSocket by hand (RFC 6455 §5) on a socket of one's own: any bytes, cut anywhere, and exactly what came back.
 */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createSecretKey } from 'node:crypto'
import { throwAwayCertificate } from '../../e2e/polling-certificate.ts'
import { macOf } from '../../../src/engines/elicitation/frame-codec.ts'
import { enrolmentKey, until } from './engine-harness.ts'
import type { Issued } from './raw-agent.ts'

export const opcodes = { more: 0x80, text: 0x81, binary: 0x82, close: 0x88, ping: 0x89, pong: 0x8a } as const

/** How a length is written; `least` is the shortest that holds it. A short one holds 125 at most, and says so if that is too little. */
export type LengthForm = 'short' | 'medium' | 'long' | 'least'

export function rawFrame(
  first: number,
  payload: Uint8Array | string,
  mask: Uint8Array | null,
  form: LengthForm = 'least',
): Buffer {
  const body = Buffer.from(payload)
  const { length } = body
  const bit = mask === null ? 0 : 0x80
  const least = length < 126 ? 'short' : length < 65_536 ? 'medium' : 'long'
  let head: readonly number[]
  switch (form === 'least' ? least : form) {
    case 'short':
      head = [first, bit | Math.min(length, 125)]
      break
    case 'medium':
      head = [first, bit | 126, (length >> 8) & 0xff, length & 0xff]
      break
    case 'long':
      head = [first, bit | 127, 0, 0, 0, 0, 0, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff]
  }
  if (mask !== null) for (let at = 0; at < length; at++) body[at] = (body[at] ?? 0) ^ (mask[at % 4] ?? 0)
  return Buffer.concat([Buffer.from(head), mask ?? Buffer.alloc(0), body])
}

const someMask = Uint8Array.of(0x5a, 0, 0xff, 0x81)

/** A frame as a client should write it. */
export function masked(first: number, payload: Uint8Array | string, form: LengthForm = 'least'): Buffer {
  return rawFrame(first, payload, someMask, form)
}

/** The certificate names no address. */
const trust = { ca: throwAwayCertificate, checkServerIdentity: () => undefined }

/** Enrols without `fetch`, which does not trust the certificate of a test. */
export async function issueOver(url: string, name: string): Promise<Issued> {
  const headers = { 'x-lighthouse-enrolment-key': enrolmentKey, 'content-type': 'application/json' }
  const settings = { method: 'POST', headers, agent: false as const, ...trust }
  const target = new URL('/v1/enrol', url)
  const text = await new Promise<string>((resolve, reject) => {
    const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, settings, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (body += part))
      response.on('end', () => resolve(body))
    })
    request.on('error', reject)
    request.end(JSON.stringify({ agents: [name] }))
  })
  const { epoch, agents } = JSON.parse(text) as {
    epoch: number
    agents: { session: string; token: string; key: string }[]
  }
  const issued = agents[0]
  if (issued === undefined) throw new Error('nothing was issued')
  return { epoch, ...issued, key: createSecretKey(Buffer.from(issued.key, 'base64url')) }
}

/** What the server said, in the order in which it said it: texts, `PONG …`, `PING …` and `CLOSE <code>`. */
export class RawWebSocket {
  readonly said: string[] = []
  readonly issued: Issued
  readonly socket: Socket
  nonce = 0
  /** How the connection ended: `end` in order, or the code of an error. */
  ended: string | null = null
  private unread = Buffer.alloc(0)
  private greeted = false

  private constructor(issued: Issued, socket: Socket) {
    this.issued = issued
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.read(bytes))
    socket.on('end', () => (this.ended ??= 'end'))
    socket.on('error', (error: NodeJS.ErrnoException) => (this.ended ??= error.code ?? 'error'))
    socket.on('close', () => (this.ended ??= 'close'))
  }

  /**
   * `head` leaves in one write with the request; with `body`, which is the request's, after it and apart, so that the server writes
   * and reads through a stream of its own around the socket.
   */
  static async connect(
    url: string,
    name: string,
    head: (by: RawWebSocket) => Buffer = () => Buffer.alloc(0),
    body = '',
  ): Promise<RawWebSocket> {
    const target = new URL('/v1/connect', url)
    const issued = await issueOver(url, name)
    const place = { host: target.hostname, port: Number(target.port) }
    const isPlain = target.protocol === 'http:'
    const socket = isPlain ? connectTcp(place) : connectTls({ ...place, ...trust })
    const agent = new RawWebSocket(issued, socket)
    await once(socket, isPlain ? 'connect' : 'secureConnect')
    const lines = [
      'GET /v1/connect HTTP/1.1',
      'host: x',
      'upgrade: websocket',
      'connection: upgrade',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
      `authorization: Bearer ${issued.token}`,
      ...(body === '' ? [] : [`content-length: ${body.length}`]),
    ]
    const asked = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
    if (body !== '') {
      socket.write(asked)
      await until(() => agent.said.length > 0, 'hello before the body')
    }
    socket.write(Buffer.concat([body === '' ? asked : Buffer.from(body), head(agent)]))
    await until(() => agent.said.length > 0, 'hello')
    return agent
  }

  private read(bytes: Buffer): void {
    this.unread = Buffer.concat([this.unread, bytes])
    if (!this.greeted) {
      const end = this.unread.indexOf('\r\n\r\n')
      if (end < 0) return
      this.greeted = true
      this.unread = this.unread.subarray(end + 4)
    }
    let at = 0
    for (;;) {
      const [first = 0, second = 0] = this.unread.subarray(at, at + 2)
      const head = second === 126 ? 4 : second === 127 ? 10 : 2
      if (this.unread.length < at + head) break
      const length =
        second === 126 ? this.unread.readUInt16BE(at + 2) : second === 127 ? this.unread.readUInt32BE(at + 6) : second
      if (this.unread.length < at + head + length) break
      this.take(first, this.unread.subarray(at + head, at + head + length))
      at += head + length
    }
    this.unread = this.unread.subarray(at)
  }

  private take(first: number, payload: Buffer): void {
    if (first === opcodes.text) this.said.push(payload.toString('utf8'))
    else if (first === opcodes.pong) this.said.push(`PONG ${payload.toString('latin1')}`)
    else if (first === opcodes.ping) this.said.push(`PING ${payload.toString('latin1')}`)
    else if (first === opcodes.close) this.said.push(`CLOSE ${payload.length < 2 ? 1005 : payload.readUInt16BE(0)}`)
    else this.said.push(`UNKNOWN ${first}`)
  }

  /** Signed text of the agent's next frame. */
  sign(verb: string, tail = '', body?: string): string {
    const { epoch, session, key } = this.issued
    const envelope = `${verb} ${epoch} ${session} ${++this.nonce} 0${tail === '' ? '' : ' '}${tail}`
    const signed = body === undefined ? envelope : `${envelope}\n${body}`
    return `${macOf(key, signed)}\n${signed}`
  }

  text(verb: string, tail = '', body?: string): Buffer {
    return masked(opcodes.text, this.sign(verb, tail, body))
  }

  /** What was said since the hello. */
  get heard(): readonly string[] {
    return this.said.slice(1)
  }

  async expect(start: string): Promise<string> {
    const find = (): string | undefined => this.said.find((each) => each.startsWith(start))
    await until(() => find() !== undefined, `'${start}', got ${this.said.join(' | ').slice(0, 500)}`)
    return find() ?? ''
  }
}
