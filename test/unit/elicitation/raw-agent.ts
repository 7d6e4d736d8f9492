/**
 * An agent without manners: enrols like any other, then sends whatever bytes a test wants.
 */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { WebSocket, type RawData } from 'ws'
import { macOf } from '../../../src/engines/elicitation/frame-codec.ts'
import { enrolmentKey, until } from './engine-harness.ts'

export interface Issued {
  readonly epoch: number
  readonly session: string
  readonly token: string
  readonly key: KeyObject
}

export async function enrolRaw(url: string, names: readonly string[], key = enrolmentKey): Promise<Response> {
  return fetch(new URL('/v1/enrol', url), {
    method: 'POST',
    headers: { 'x-lighthouse-enrolment-key': key },
    body: JSON.stringify({ agents: names }),
  })
}

export async function issue(url: string, name: string): Promise<Issued> {
  const answer: unknown = await (await enrolRaw(url, [name])).json()
  const { epoch, agents } = answer as { epoch: number; agents: { session: string; token: string; key: string }[] }
  const issued = agents[0]
  if (issued === undefined) throw new Error('nothing was issued')
  return { epoch, ...issued, key: createSecretKey(Buffer.from(issued.key, 'base64url')) }
}

/** The status a refused upgrade is answered with, or 101. */
export function upgradeStatus(url: string, headers: Record<string, string>, path = '/v1/connect'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL(path, url.replace('http', 'ws')), { headers, perMessageDeflate: false })
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', reject)
  })
}

export class RawAgent {
  readonly name: string
  readonly issued: Issued
  readonly socket: WebSocket
  readonly frames: string[] = []
  closedWith: number | null = null
  nonce = 0

  private constructor(name: string, issued: Issued, socket: WebSocket) {
    this.name = name
    this.issued = issued
    this.socket = socket
    socket.on('message', (data: RawData) => {
      if (Buffer.isBuffer(data)) this.frames.push(data.toString('utf8'))
    })
    socket.on('close', (code) => {
      this.closedWith = code
    })
    socket.on('error', () => undefined)
  }

  static async connect(url: string, name: string, given?: Issued, cursor?: number): Promise<RawAgent> {
    const issued = given ?? (await issue(url, name))
    const target = new URL(
      cursor === undefined ? '/v1/connect' : `/v1/connect?cursor=${cursor}`,
      url.replace('http', 'ws'),
    )
    const socket = new WebSocket(target, {
      headers: { authorization: `Bearer ${issued.token}` },
      perMessageDeflate: false,
    })
    const agent = new RawAgent(name, issued, socket)
    await until(() => agent.frames.length > 0, 'hello')
    return agent
  }

  /** Signed text of a frame, `tail` being what follows the cursor. */
  sign(verb: string, tail: string, body?: string, nonce = ++this.nonce, cursor = 0): string {
    const { epoch, session, key } = this.issued
    const signed = `${verb} ${epoch} ${session} ${nonce} ${cursor}${tail === '' ? '' : ' '}${tail}${body === undefined ? '' : `\n${body}`}`
    return `${macOf(key, signed)}\n${signed}`
  }

  send(verb: string, tail: string, body?: string): string {
    const frame = this.sign(verb, tail, body)
    this.socket.send(frame)
    return frame
  }

  /** First frame that starts with `start`, awaited. */
  async expect(start: string): Promise<string> {
    await until(
      () => this.frames.some((frame) => frame.startsWith(start)),
      `'${start}', got ${this.frames.join(' | ')}`,
    )
    return this.frames.find((frame) => frame.startsWith(start)) ?? ''
  }

  /** The connection is ended with this code and nothing more. */
  async expectBye(code: string): Promise<void> {
    await this.expect(`refused 0 - ${code} 0`)
    await this.expect(`bye ${code}`)
    await until(() => this.closedWith !== null, 'the connection to close')
  }

  question(): string | undefined {
    return this.frames.find((frame) => frame.startsWith('question'))
  }

  close(): void {
    this.socket.terminate()
  }
}
