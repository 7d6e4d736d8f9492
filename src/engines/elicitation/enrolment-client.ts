/**
 * Enrols agents in bulk over HTTP: a thousand names a request, a few requests at once, every wait bounded.
 */
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { LighthouseError } from '../../platform/errors.ts'
import { createFrameMac, type FrameMac } from './frame-mac.ts'
import { paths, type Path } from './machine-ports.ts'
import { isJsonObject, parseJsonObject } from './schema.ts'

export interface Credentials {
  /** The agent's name. */
  readonly agent: string
  readonly session: string
  readonly token: string
  readonly key: FrameMac
  readonly epoch: number
  /** Names the store behind the server. */
  readonly log: string
  /** Of a server with two paths: the one that the agent is assigned, and whether it may poll while push does not work. */
  readonly path?: Path
  readonly fallback?: boolean
}

export interface EnrolmentTarget {
  readonly url: string
  readonly enrolmentKey: string
  readonly ca: string | undefined
}

const perRequest = 1000
const timeoutMs = 10_000
const maxAnswerBytes = 1_048_576

/** Credentials of `names`, in their order. Throws LighthouseError('ENGINE_UNREACHABLE'). */
export async function enrol(target: EnrolmentTarget, names: readonly string[]): Promise<Credentials[]> {
  const credentials: Credentials[] = []
  for (let from = 0; from < names.length; from += perRequest) {
    const part = names.slice(from, from + perRequest)
    const answer = await post(target, JSON.stringify({ agents: part }))
    const issued = readAnswer(answer, part)
    if (issued === null) throw unreachable(target, 'its enrolment answer is not one of this protocol')
    credentials.push(...issued)
  }
  return credentials
}

function unreachable(target: EnrolmentTarget, reason: string, cause?: unknown): LighthouseError {
  return new LighthouseError('ENGINE_UNREACHABLE', `Cannot enrol agents at ${target.url}: ${reason}.`, {
    cause,
    suggestions: ['Check that an elicitation engine listens there and that the enrolment key is its own.'],
  })
}

function post(target: EnrolmentTarget, body: string): Promise<string> {
  const url = new URL('/v1/enrol', target.url)
  const options: RequestOptions = {
    method: 'POST',
    timeout: timeoutMs,
    agent: false,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-lighthouse-enrolment-key': target.enrolmentKey,
    },
  }
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void => reject(unreachable(target, reason, cause))
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, ...(target.ca === undefined ? {} : { ca: target.ca }) })
        : httpRequest(url, options)
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', (error) => fail(error.message, error))
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > maxAnswerBytes) request.destroy(new Error('its enrolment answer is too long'))
      })
      response.on('error', (error) => fail(error.message, error))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else fail(`it answered ${response.statusCode ?? 'nothing'} ${text.slice(0, 200)}`)
      })
    })
    request.end(body)
  })
}

function readAnswer(text: string, names: readonly string[]): Credentials[] | null {
  const parsed = parseJsonObject(text)
  if (parsed === null) return null
  const { epoch, log, agents } = parsed
  if (typeof epoch !== 'number' || typeof log !== 'string' || !Array.isArray(agents)) return null
  if (agents.length !== names.length) return null
  const credentials: Credentials[] = []
  for (const [index, agent] of names.entries()) {
    const issued: unknown = agents[index]
    if (!isJsonObject(issued) || issued['agent'] !== agent) return null
    const { session, token, key } = issued
    if (typeof session !== 'string' || typeof token !== 'string' || typeof key !== 'string') return null
    const keyBytes = Buffer.from(key, 'base64url')
    if (keyBytes.length !== 32) return null
    const path = paths.find((known) => known === issued['path'])
    const assigned = path === undefined ? {} : { path, fallback: issued['fallback'] === true }
    credentials.push({ agent, session, token, key: createFrameMac(keyBytes), epoch, log, ...assigned })
  }
  return credentials
}
