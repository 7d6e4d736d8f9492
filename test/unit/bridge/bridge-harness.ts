/**
 * A bridge, clients that know both paths, and requests by hand.
 */
import { bridgeEngine } from '../../../src/engines/bridge/definition.ts'
import { startBridgeServer } from '../../../src/engines/bridge/bridge-server.ts'
import type { OpenShadowLink } from '../../../src/engines/bridge/shadow-link.ts'
import type { Durability, EngineClient, EngineServer } from '../../../src/engines/engine.ts'
import { signBytes, createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import { enrolmentKey, type Recorder } from '../elicitation/engine-harness.ts'

export const adminKey = 'an admin key for tests only'

export interface BridgeSettings {
  readonly options?: Readonly<Record<string, string>>
  readonly durability?: Durability
  readonly storeFile?: string
  readonly port?: number
  /** Where copies of a shadow go instead. */
  readonly openShadow?: OpenShadowLink
}

/** Polls look every 20 ms, so that tests need not wait for seconds. */
export function startBridge(settings: BridgeSettings = {}): Promise<EngineServer> {
  const config = {
    options: { interval: '20ms', ...settings.options },
    durability: settings.durability ?? 'memory',
    storeFile: settings.storeFile ?? null,
    listen: '127.0.0.1',
    port: settings.port ?? 0,
    tls: null,
    enrolmentKey,
    adminKey,
  }
  return settings.openShadow === undefined
    ? bridgeEngine.startServer(config)
    : startBridgeServer(config, settings.openShadow)
}

export function createBridgeClient(
  url: string,
  recorder: Recorder,
  transport: 'websocket' | 'sse' = 'websocket',
): EngineClient {
  return bridgeEngine.createClient({
    url,
    options: {},
    transport,
    durability: 'memory',
    enrolmentKey,
    handlers: recorder.handlers,
    seed: 'test',
  })
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

async function answered(response: Response): Promise<Answered> {
  const text = await response.text()
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  return { status: response.status, headers: response.headers, body }
}

export async function admin(url: string, path: string, headers: Record<string, string> = {}): Promise<Answered> {
  return answered(await fetch(new URL(path, url), { headers: { 'x-lighthouse-admin-key': adminKey, ...headers } }))
}

export async function postFlags(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Answered> {
  return answered(
    await fetch(new URL('/admin/flags', url), {
      method,
      headers: { 'x-lighthouse-admin-key': adminKey, 'content-type': 'application/json', ...headers },
      ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    }),
  )
}

/** Changes flags, on whatever revision is the last. */
export async function setFlags(url: string, change: Record<string, unknown>): Promise<void> {
  const { revision } = (await admin(url, '/admin/flags')).body
  const done = await postFlags(url, { actor: 'test', reason: 'a test', revision, change })
  if (done.status !== 200) throw new Error(`flags were not changed: ${JSON.stringify(done.body)}`)
}

/** An agent that knows only the old path. */
export class LegacyAgent {
  readonly name: string
  readonly url: string
  token = ''
  cursor = 0

  constructor(url: string, name: string) {
    this.url = url
    this.name = name
  }

  static async enrol(url: string, name: string, key = enrolmentKey): Promise<LegacyAgent> {
    const agent = new LegacyAgent(url, name)
    const { status, body } = await agent.post('/session/create', { agent_id: name }, `Bearer ${key}`)
    if (status !== 200) throw new Error(`${name} was not enrolled: ${JSON.stringify(body)}`)
    agent.token = String(body['session_token'])
    return agent
  }

  async post(path: string, body: unknown, authorization = `Bearer ${this.token}`, headers = {}): Promise<Answered> {
    return answered(
      await fetch(new URL(path, this.url), {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    )
  }

  event(type: string, to: string, data: Record<string, unknown>): Record<string, unknown> {
    return { event_type: type, agent_id: this.name, aggregate_id: to, data }
  }

  ask(id: string, to: string, body: string, seconds = 5): Promise<Answered> {
    return this.post(
      '/event/store',
      this.event('elicitation_request', to, { elicitation_id: id, timeout_seconds: seconds, body }),
    )
  }

  answer(id: string, to: string, action: string, body: string): Promise<Answered> {
    return this.post(
      '/event/store',
      this.event('elicitation_response', to, { elicitation_id: id, response_type: action, body }),
    )
  }

  /** The events after the last that were read; `seconds` 0 answers at once. */
  async wait(seconds = 2, since = this.cursor): Promise<{ answer: Answered; events: WireEvent[] }> {
    const query = `agent_id=${this.name}&since_sequence=${since}&timeout_seconds=${seconds}`
    const answer = await answered(
      await fetch(new URL(`/event/wait?${query}`, this.url), { headers: { authorization: `Bearer ${this.token}` } }),
    )
    const events = (answer.body['events'] ?? []) as WireEvent[]
    this.cursor = events.at(-1)?.sequence ?? this.cursor
    return { answer, events }
  }
}

export interface WireEvent {
  readonly sequence: number
  readonly event_type: string
  readonly source_agent: string
  readonly data: Record<string, unknown>
}

export interface Keyed {
  readonly agent: string
  readonly epoch: number
  readonly session: string
  readonly token: string
  readonly path: string
  /** The signature of a POST on either path. */
  sign(text: string): string
}

export async function enrolKeyed(url: string, name: string): Promise<Keyed> {
  const response = await fetch(new URL('/v1/enrol', url), {
    method: 'POST',
    headers: { 'x-lighthouse-enrolment-key': enrolmentKey },
    body: JSON.stringify({ agents: [name] }),
  })
  const { epoch, agents } = (await response.json()) as { epoch: number; agents: (Keyed & { key: string })[] }
  const issued = agents[0]
  if (issued === undefined) throw new Error('nothing was issued')
  const mac = createFrameMac(Buffer.from(issued.key, 'base64url'))
  return { ...issued, epoch, sign: (text) => signBytes(mac, Buffer.from(text)) }
}
