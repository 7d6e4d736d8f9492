/**
 * A server and a client of the elicitation engine in one process, and a record of all that the client reported.
 */
import { elicitationEngine } from '../../../src/engines/elicitation/definition.ts'
import type { Durability, EngineClient, EngineServer, Leg, Outcome, RefusalCode } from '../../../src/engines/engine.ts'

export const enrolmentKey = 'a key for tests only'
export const question =
  '{"message":"Deploy é 🔦?","requestedSchema":{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}}'
export const acceptance = '{"action":"accept","content":{"ok":true}}'

export class Recorder {
  readonly acknowledged: { exchange: number; leg: Leg }[] = []
  readonly questions: { exchange: number; requester: number; recipient: number; body: string }[] = []
  readonly results: { exchange: number; requester: number; outcome: Outcome; body: string }[] = []
  readonly refusals: { exchange: number; leg: Leg; code: RefusalCode }[] = []
  readonly duplicates: { exchange: number; leg: Leg }[] = []
  readonly strays: { agent: number; origin: string; wireId: string }[] = []
  readonly lost: number[] = []
  readonly restored: number[] = []
  answerWith: ((exchange: number, recipient: number) => void) | null = null

  readonly handlers = {
    onAcknowledged: (exchange: number, leg: Leg): void => void this.acknowledged.push({ exchange, leg }),
    onQuestion: (exchange: number, requester: number, recipient: number, body: string): void => {
      this.questions.push({ exchange, requester, recipient, body })
      this.answerWith?.(exchange, recipient)
    },
    onResult: (exchange: number, requester: number, outcome: Outcome, body: string): void =>
      void this.results.push({ exchange, requester, outcome, body }),
    onRefused: (exchange: number, leg: Leg, code: RefusalCode): void =>
      void this.refusals.push({ exchange, leg, code }),
    onWireDuplicate: (exchange: number, leg: Leg): void => void this.duplicates.push({ exchange, leg }),
    onStray: (agent: number, origin: 'earlier' | 'foreign', wireId: string): void =>
      void this.strays.push({ agent, origin, wireId }),
    onLost: (agent: number): void => void this.lost.push(agent),
    onRestored: (agent: number): void => void this.restored.push(agent),
  }
}

export interface ServerSettings {
  readonly durability?: Durability
  readonly storeFile?: string | null
  readonly port?: number
  readonly options?: Readonly<Record<string, string>>
}

export function startServer(settings: ServerSettings = {}): Promise<EngineServer> {
  return elicitationEngine.startServer({
    options: settings.options ?? {},
    durability: settings.durability ?? 'memory',
    storeFile: settings.storeFile ?? null,
    listen: '127.0.0.1',
    port: settings.port ?? 0,
    tls: null,
    enrolmentKey,
  })
}

export function createClient(
  url: string,
  recorder: Recorder,
  durability: Durability = 'memory',
  transport: 'websocket' | 'sse' = 'websocket',
): EngineClient {
  return elicitationEngine.createClient({
    url,
    options: {},
    transport,
    durability,
    enrolmentKey,
    handlers: recorder.handlers,
    seed: 'test',
  })
}

/** Polls until `condition` holds; throws with `what` after `limitMs`. */
export async function until(condition: () => boolean, what: string, limitMs = 8000): Promise<void> {
  const deadline = process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n
  while (!condition()) {
    if (process.hrtime.bigint() > deadline) throw new Error(`gave up waiting for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
