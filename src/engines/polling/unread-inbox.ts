/**
 * A connection of an agent that polls and never reads an answer, with one poll behind the other, and another agent that stores events
 * for it: what a client does to the server that hangs while its kernel goes on acknowledging.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Client } from 'undici'
import { LighthouseError } from '../../platform/errors.ts'
import type { ClientConfig, UnreadInbox } from '../engine.ts'

const reader = 'unread'
const feeder = 'feeder'
/** A poll is answered with so many events. */
const eventsPerPoll = 10
const readyWithinMs = 10_000

interface Issued {
  readonly sessions: readonly { readonly session_token: string }[]
  readonly sequence: number
}

/** Throws ENGINE_UNREACHABLE where the two cannot enrol. Plain connections only. */
export async function openUnreadInbox(config: Pick<ClientConfig, 'url' | 'enrolmentKey'>): Promise<UnreadInbox> {
  const { url, enrolmentKey } = config
  const client = new Client(url, { headersTimeout: readyWithinMs, bodyTimeout: readyWithinMs })
  const { hostname, port } = new URL(url)
  const socket: Socket = connect({ host: hostname, port: Number(port) })
  // How it ends later is the server's own affair.
  socket.on('error', () => undefined)
  try {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: '/session/create',
      headers: { authorization: `Bearer ${enrolmentKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agent_ids: [reader, feeder] }),
    })
    const { sessions, sequence } = (await body.json()) as Issued
    const [own, other] = sessions ?? []
    if (statusCode !== 200 || own === undefined || other === undefined) {
      throw new LighthouseError(
        'ENGINE_UNREACHABLE',
        `Cannot open an unread inbox at ${url}: it answered ${statusCode}.`,
      )
    }
    if (socket.connecting) await once(socket, 'connect', { signal: AbortSignal.timeout(readyWithinMs) })
    const poll = `GET /event/wait?agent_id=${reader}&since_sequence=${sequence}&timeout_seconds=30 HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${own.session_token}\r\n\r\n`
    return new PolledInbox(client, socket, poll, `Bearer ${other.session_token}`)
  } catch (error) {
    socket.destroy()
    await client.destroy()
    throw error
  }
}

class PolledInbox implements UnreadInbox {
  readonly port: number
  private readonly client: Client
  private readonly socket: Socket
  private readonly poll: string
  private readonly authorization: string
  private fed = 0
  private taken = 0
  private refused = 0

  constructor(client: Client, socket: Socket, poll: string, authorization: string) {
    this.client = client
    this.socket = socket
    this.poll = poll
    this.authorization = authorization
    this.port = socket.localPort ?? 0
  }

  /** After every ten events one more poll waits on the connection, which all of them would answer. */
  feed(body: string): void {
    const data = `"elicitation_id":"feed:${feeder}:${this.fed}","timeout_seconds":60,"body":${JSON.stringify(body)}`
    const event = `{"event_type":"elicitation_request","agent_id":"${feeder}","aggregate_id":"${reader}","aggregate_type":"agent","data":{${data}}}`
    if (++this.fed % eventsPerPoll === 0) this.socket.write(this.poll)
    void this.store(event)
  }

  counts(): { readonly taken: number; readonly refused: number } {
    return { taken: this.taken, refused: this.refused }
  }

  close(): void {
    this.socket.destroy()
    // What is still under way is of no interest any more.
    this.client.destroy().catch(() => undefined)
  }

  private async store(event: string): Promise<void> {
    const headers = { authorization: this.authorization, 'content-type': 'application/json' }
    try {
      const { statusCode, body } = await this.client.request({
        method: 'POST',
        path: '/event/store',
        headers,
        body: event,
      })
      await body.dump()
      if (statusCode === 200) this.taken++
      else this.refused++
    } catch {
      this.refused++
    }
  }
}
