/**
 * The new path of a shadow: an elicitation server of its own, in memory, on a free port of the loopback, and stand-ins that are connected to it by WebSocket.
 *
 * Nothing of it is shared with the bridge: neither store nor table, authority nor enrolment key, so no agent can see a copy, and no copy can be answered by an
 * agent. Stand-ins ask and answer what they are told to.
 */
import { freshSeed } from '../../platform/random.ts'
import type { AnswerAction, Outcome, RefusalCode } from '../engine.ts'
import { createElicitationClient } from '../elicitation/elicitation-client.ts'
import { oneTransport } from '../elicitation/path-choice.ts'
import { startElicitationServer } from '../elicitation/server.ts'
import { webSocketTransport } from '../elicitation/websocket-client.ts'

/** What becomes of copies; `copy` is the number that it was asked with. */
export interface ShadowEvents {
  question(copy: number, body: string): void
  result(copy: number, outcome: Outcome, body: string): void
  refused(copy: number, code: RefusalCode): void
}

export interface ShadowLink {
  ask(copy: number, body: string, ttlMs: number): void
  answer(copy: number, action: AnswerAction, body: string): void
  cancel(copy: number): void
  close(): Promise<void>
}

export type OpenShadowLink = (events: ShadowEvents) => Promise<ShadowLink>

/** Pairs of one who asks and one who answers; more would only cost sockets. */
const standIns = 16
/** Stand-ins speak for all agents together, whose own limits were met before. */
const unlimited = { rateLimit: '1000000', rateBurst: '1000000' }

export async function openShadowLink(events: ShadowEvents): Promise<ShadowLink> {
  const enrolmentKey = `${freshSeed()}${freshSeed()}${freshSeed()}${freshSeed()}`
  const shared = { options: unlimited, durability: 'memory' as const, enrolmentKey }
  const place = { storeFile: null, listen: '127.0.0.1', port: 0, tls: null }
  const server = await startElicitationServer({ ...shared, ...place })
  const client = createElicitationClient(
    {
      ...shared,
      url: server.url,
      transport: 'websocket',
      seed: freshSeed(),
      handlers: {
        onAcknowledged: () => undefined,
        onQuestion: (copy, _requester, _recipient, body) => events.question(copy, body),
        onResult: (copy, _requester, outcome, body) => events.result(copy, outcome, body),
        onRefused: (copy, _leg, code) => events.refused(copy, code),
        onWireDuplicate: () => undefined,
        onStray: () => undefined,
        onLost: () => undefined,
        onRestored: () => undefined,
      },
    },
    oneTransport(webSocketTransport(server.url, undefined)),
  )
  const close = async (): Promise<void> => {
    await client.close()
    await server.close()
  }
  try {
    await client.prepare(2 * standIns)
    for (let agent = 0; agent < 2 * standIns; agent++) await client.connect(agent)
  } catch (error) {
    await close()
    throw error
  }
  client.beginRound('shadow', '')
  return {
    ask: (copy, body, ttlMs) => client.ask(copy, copy % standIns, standIns + (copy % standIns), body, ttlMs),
    answer: (copy, action, body) => client.answer(copy, standIns + (copy % standIns), action, body),
    cancel: (copy) => client.cancel(copy),
    close,
  }
}
