/**
 * The sessions of a client's agents: enrolled in bulk, a thousand a call, and enrolled again, once for
 * everybody, when the server says that it no longer knows them.
 */
import { Client } from 'undici'
import { LighthouseError } from '../../platform/errors.ts'
import { maxEnrolments } from './wire.ts'

interface Enrolled {
  readonly sessions: readonly { readonly session_token: string }[]
  readonly sequence: number
}

const answerWithinMs = 10_000

export class Enrolment {
  readonly #client: Client
  readonly #url: string
  readonly #key: string
  readonly #authorizations: string[] = []
  #agents = 0
  #underWay: Promise<void> | null = null
  /** Where inboxes stood when the agents were first enrolled. */
  startSequence = 0

  constructor(url: string, key: string, connect: { readonly ca?: string }) {
    this.#url = url
    this.#key = key
    this.#client = new Client(url, {
      connect,
      allowH2: false,
      headersTimeout: answerWithinMs,
      bodyTimeout: answerWithinMs,
    })
  }

  readonly authorization = (agent: number): string => this.#authorizations[agent] ?? ''

  /** Throws LighthouseError('ENGINE_UNREACHABLE'). */
  async enrol(agents: number): Promise<void> {
    this.#agents = agents
    this.startSequence = await this.#enrolAll()
  }

  /**
   * Called by an agent whose authorization `refused` is no longer taken. However many ask, at the same time or with
   * an answer that was still on its way, the agents are enrolled once.
   */
  readonly again = (agent: number, refused: string): Promise<void> => {
    if (this.#underWay === null && this.#authorizations[agent] !== refused) return Promise.resolve()
    this.#underWay ??= this.#enrolAll().then(
      () => {
        this.#underWay = null
      },
      (error: unknown) => {
        this.#underWay = null
        throw error
      },
    )
    return this.#underWay
  }

  destroy(): Promise<void> {
    return this.#client.destroy()
  }

  async #enrolAll(): Promise<number> {
    let sequence = 0
    for (let first = 0; first < this.#agents; first += maxEnrolments) {
      const count = Math.min(maxEnrolments, this.#agents - first)
      const enrolled = await this.#enrolSome(first, count)
      for (const [index, session] of enrolled.sessions.entries()) {
        this.#authorizations[first + index] = `Bearer ${session.session_token}`
      }
      if (first === 0) sequence = enrolled.sequence
    }
    return sequence
  }

  async #enrolSome(first: number, count: number): Promise<Enrolled> {
    const names = Array.from({ length: count }, (_, index) => `a${first + index}`)
    let status: number
    let text: string
    try {
      const response = await this.#client.request({
        method: 'POST',
        path: '/session/create',
        headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ agent_ids: names }),
      })
      status = response.statusCode
      text = await response.body.text()
    } catch (error) {
      throw this.#unreachable(error instanceof Error ? error.message : String(error), error)
    }
    if (status === 401) throw this.#unreachable('the enrolment key was refused')
    if (status !== 200) throw this.#unreachable(`it answered ${status} to an enrolment`)
    const enrolled = parsed(text)
    if (enrolled?.sessions.length !== count)
      throw this.#unreachable('its answer to an enrolment is not that of a polling engine')
    return enrolled
  }

  #unreachable(reason: string, cause?: unknown): LighthouseError {
    return new LighthouseError('ENGINE_UNREACHABLE', `The polling engine at ${this.#url} cannot be used: ${reason}.`, {
      cause,
      suggestions: ['Check that the engine runs, and that address and enrolment key are its own.'],
    })
  }
}

function parsed(text: string): Enrolled | null {
  try {
    const value = JSON.parse(text) as Partial<Enrolled> | null
    if (!Array.isArray(value?.sessions) || typeof value.sequence !== 'number') return null
    return { sessions: value.sessions, sequence: value.sequence }
  } catch {
    return null
  }
}
