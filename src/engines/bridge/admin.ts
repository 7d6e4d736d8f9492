/**
 * The admin endpoint: flags read and changed by whoever holds the admin key, and by no page in a browser.
 *
 * A browser cannot send the key's header, nor JSON, to another origin without a preflight, and no preflight is answered; what carries an
 * `Origin` was turned away before it came here. Without a key the endpoint does not exist.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BridgeObservations } from '../../measurement/bridge-observation.ts'
import type { ShadowReport } from '../../measurement/shadow-document.ts'
import type { FlagRecord } from '../../measurement/flags-document.ts'
import { isSameKey, readBody } from '../elicitation/http-requests.ts'
import { parseJsonObject } from '../elicitation/schema.ts'
import type { FlagBoard, FlagChange } from './flag-board.ts'
import { isFlagText, longestActor, longestReason } from './flag-log.ts'

const largestChange = 1_048_576
const recordsPerAnswer = 500
const bytesPerAnswer = 4 * 2 ** 20

export interface AdminParts {
  readonly key: string
  readonly board: FlagBoard
  readonly wallMs: () => number
  /** What `/admin/status` tells besides the flags. */
  readonly status: () => Readonly<Record<string, unknown>>
  /** Closed intervals from a sequence on. */
  readonly observations: (since: number) => BridgeObservations
  readonly shadow: () => ShadowReport
  /** A request without the key. */
  readonly denied: () => void
}

export class Admin {
  private readonly parts: AdminParts

  constructor(parts: AdminParts) {
    this.parts = parts
  }

  take(request: IncomingMessage, response: ServerResponse, path: string, query: string): void {
    if (!isSameKey(this.parts.key, request.headers['x-lighthouse-admin-key'])) {
      this.parts.denied()
      request.resume()
      return problem(response, 401, 'the admin key is missing or wrong')
    }
    const site = request.headers['sec-fetch-site']
    if (site !== undefined && site !== 'none') return problem(response, 403, 'this endpoint is not for pages')
    if (path === '/admin/flags' && request.method === 'POST') return void this.change(request, response)
    if (request.method !== 'GET') return problem(response, 405, `${path} does not take ${request.method ?? 'this'}`)
    const { board } = this.parts
    if (path === '/admin/flags') return json(response, 200, stateOf(board))
    if (path === '/admin/status') return json(response, 200, { ...stateOf(board), ...this.parts.status() })
    if (path === '/admin/audit') return this.audit(response, query)
    if (path === '/admin/shadow') return json(response, 200, this.parts.shadow())
    if (path === '/admin/observations') return this.observations(response, query)
    problem(response, 404, 'there is no such path')
  }

  private audit(response: ServerResponse, query: string): void {
    const from = new URLSearchParams(query).get('from') ?? '0'
    if (!/^\d{1,9}$/.test(from)) return problem(response, 400, 'from is the revision of the first record wanted')
    const { records, salt } = this.parts.board.log
    json(response, 200, { salt, records: page(records.slice(Number(from), Number(from) + recordsPerAnswer)) })
  }

  private observations(response: ServerResponse, query: string): void {
    const from = new URLSearchParams(query).get('from') ?? '0'
    if (!/^\d{1,12}$/.test(from)) return problem(response, 400, 'from is the sequence of the first interval wanted')
    json(response, 200, this.parts.observations(Number(from)))
  }

  private async change(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
    if (type !== 'application/json') {
      request.resume()
      return problem(response, 415, 'a change of flags is sent as application/json')
    }
    const body = await readBody(request, largestChange)
    if (body === null) {
      response.setHeader('connection', 'close')
      return problem(response, 413, `a change has at most ${largestChange} bytes`)
    }
    const asked = readChange(body)
    if (typeof asked === 'string') return problem(response, 400, asked)
    const done = this.parts.board.change(asked, this.parts.wallMs())
    if ('status' in done) return problem(response, done.status, done.message)
    json(response, 200, stateOf(this.parts.board))
  }
}

/** As many of the first as fit into an answer, and one at least. */
function page(records: readonly FlagRecord[]): FlagRecord[] {
  let bytes = 0
  return records.filter((record, index) => {
    bytes += JSON.stringify(record).length
    return index === 0 || bytes <= bytesPerAnswer
  })
}

function stateOf(board: FlagBoard): Record<string, unknown> {
  const { revision, atWallMs, actor, reason, flags, hash } = board.log.last
  return { revision, atWallMs, actor, reason, hash, flags }
}

/** The change, or what is wrong with its form. */
function readChange(body: Buffer): FlagChange | string {
  const value = parseJsonObject(body.toString('utf8'))
  if (value === null) return 'the body is not an object in JSON'
  const { actor, reason, revision, change } = value
  if (!isFlagText(actor, longestActor))
    return `actor says who changes it, in at most ${longestActor} printable characters`
  if (!isFlagText(reason, longestReason)) return `reason says why, in at most ${longestReason} printable characters`
  if (!Number.isSafeInteger(revision)) return 'revision is that of the flags which the change is based on'
  return { actor, reason, revision: Number(revision), change }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  response.end(text)
}

function problem(response: ServerResponse, status: number, message: string): void {
  json(response, status, { error: { message } })
}
