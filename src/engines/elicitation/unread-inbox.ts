/**
 * A WebSocket of an agent that reads nothing after the handshake, and another agent that asks it one question after the other: what a
 * client does to the server that hangs while its kernel goes on acknowledging.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { systemClock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { ClientConfig, UnreadInbox } from '../engine.ts'
import { AgentLink, type LinkOwner } from './agent-link.ts'
import type { ClientChannel } from './client-channel.ts'
import { enrol } from './enrolment-client.ts'
import { webSocketTransport } from './websocket-client.ts'

const reader = 'unread'
const feederNumber = 0
const feeder = 'feeder'
const questionTtlMs = 60_000
const readyWithinMs = 10_000

/** Throws ENGINE_UNREACHABLE where either cannot open its session. Plain connections only. */
export async function openUnreadInbox(config: Pick<ClientConfig, 'url' | 'enrolmentKey'>): Promise<UnreadInbox> {
  const { url, enrolmentKey } = config
  const [own, other] = await enrol({ url, enrolmentKey, ca: undefined }, [reader, feeder])
  if (own === undefined || other === undefined) throw unreachable(url, 'it issued too few sessions')
  const socket = await subscribe(url, own.token)
  const feeding = new Feeder()
  try {
    await feeding.open(url, other)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return {
    port: socket.localPort ?? 0,
    feed: (body) => feeding.ask(body),
    counts: () => ({ taken: feeding.taken, refused: feeding.refusedCount }),
    close() {
      feeding.close()
      socket.destroy()
    },
  }
}

/** Reads the answer to the upgrade and nothing after it. */
async function subscribe(url: string, token: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const signal = AbortSignal.timeout(readyWithinMs)
  try {
    await once(socket, 'connect', { signal })
    socket.write(
      `GET /v1/connect HTTP/1.1\r\nhost: ${hostname}:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
        `sec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\nauthorization: Bearer ${token}\r\n\r\n`,
    )
    const [first] = (await once(socket, 'data', { signal })) as [Buffer]
    socket.pause()
    // How it ends later is the server's own affair.
    socket.on('error', () => undefined)
    if (!first.toString('latin1').startsWith('HTTP/1.1 101 ')) throw unreachable(url, 'it did not take the upgrade')
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function unreachable(url: string, reason: string): LighthouseError {
  return new LighthouseError('ENGINE_UNREACHABLE', `Cannot open an unread inbox at ${url}: ${reason}.`)
}

class Feeder implements LinkOwner {
  taken = 0
  refusedCount = 0
  private readonly clock = systemClock()
  private readonly link = new AgentLink(feederNumber, this)
  private readonly ready = Promise.withResolvers<void>()
  private channel: ClientChannel | null = null
  private asked = 0

  async open(url: string, credentials: Parameters<AgentLink['useCredentials']>[0]): Promise<void> {
    this.link.useCredentials(credentials)
    const { link, ready } = this
    this.channel = webSocketTransport(url, undefined).open(credentials, 0, {
      opened: () => undefined,
      message: (frame) => link.receive(frame),
      taken: (nonce) => link.taken(nonce),
      refused: (nonce, code, retryAfterMs) => link.refusedFrame(nonce, code, retryAfterMs),
      unanswered: (nonce) => link.unanswered(nonce),
      closed: (reason) => {
        link.down()
        ready.reject(unreachable(url, reason))
      },
    })
    await ready.promise
  }

  ask(body: string): void {
    const exchange = this.asked++
    if (!this.link.start('ask', 0, exchange, `feed:${feeder}:${exchange}`, reader, body, questionTtlMs))
      this.refusedCount++
  }

  close(): void {
    this.channel?.terminate()
  }

  // What the link reports.

  nowMs(): number {
    return this.clock.nowNs() / 1e6
  }

  transmit(_link: AgentLink, frame: string): void {
    this.channel?.send(frame)
  }

  established(): void {
    this.ready.resolve()
  }

  broken(): void {
    this.channel?.terminate()
  }

  acknowledged(): void {
    this.taken++
  }

  refused(): void {
    this.refusedCount++
  }

  question(): void {}

  result(): void {}

  wireDuplicate(): void {}

  repeated(): void {}

  delayed(): void {}

  advised(): void {}
}
