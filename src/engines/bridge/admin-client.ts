/**
 * The client of the admin endpoint: reads what it says as strictly as a server reads a request, and checks the chain of the log for itself.
 */
import { Client } from 'undici'
import type { BridgeGroup, BridgeObservation, BridgeObservations } from '../../measurement/bridge-observation.ts'
import type { BridgeStatus, FlagHistory, Flags } from '../../measurement/flags-document.ts'
import type { ShadowReport } from '../../measurement/shadow-document.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { isJsonObject, parseJsonObject } from '../elicitation/schema.ts'
import { readRecords } from './flag-log.ts'
import { readFlags } from './flags.ts'
import { readShadowReport } from './shadow-report.ts'

export interface AdminTarget {
  readonly url: string
  readonly adminKey: string
  /** PEM text of extra certificate authorities. */
  readonly ca?: string
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

const answerWithinMs = 10_000
const largestAnswer = 64 * 2 ** 20
const mostPages = 100_000

/** Each call throws LighthouseError: ENGINE_UNREACHABLE, USAGE for what the bridge refuses. */
export class AdminClient {
  private readonly target: AdminTarget
  private readonly client: Client

  constructor(target: AdminTarget) {
    this.target = target
    this.client = new Client(target.url, {
      connect: target.ca === undefined ? {} : { ca: target.ca },
      allowH2: false,
      headersTimeout: answerWithinMs,
      bodyTimeout: answerWithinMs,
      maxResponseSize: largestAnswer,
    })
  }

  async status(): Promise<BridgeStatus> {
    const value = await this.get('/admin/status')
    const { revision, atWallMs, actor, reason, hash, agents, buckets } = value
    const flags = readFlags(value['flags'])
    const isNumber = (given: unknown): given is number => typeof given === 'number'
    const isText = (given: unknown): given is string => typeof given === 'string'
    if (flags === null || !isNumber(revision) || !isNumber(atWallMs)) throw this.strange()
    if (!isText(actor) || !isText(reason) || !isText(hash) || !isJsonObject(agents)) throw this.strange()
    const { known, assignedPush, connectedPush, polling } = agents
    if (!isNumber(known) || !isNumber(assignedPush) || !isNumber(connectedPush) || !isNumber(polling))
      throw this.strange()
    const counts = { known, assignedPush, connectedPush, polling }
    const { draining, oldPath } = value
    if (typeof draining !== 'boolean' || !isJsonObject(oldPath)) throw this.strange()
    const { open, held, room } = oldPath
    if (typeof open !== 'boolean' || !isNumber(held) || !isNumber(room)) throw this.strange()
    const record = { revision, atWallMs, actor, reason, hash, flags }
    return { ...record, agents: counts, draining, oldPath: { open, held, room }, buckets: this.readBuckets(buckets) }
  }

  /** Closed intervals from a sequence on. */
  async observations(from: number): Promise<BridgeObservations> {
    const { epoch, intervalMs, openMs, observations } = await this.get(`/admin/observations?from=${from}`)
    if (!isCount(epoch) || !isCount(intervalMs) || !isCount(openMs)) throw this.strange()
    if (!Array.isArray(observations)) throw this.strange()
    return {
      epoch,
      intervalMs,
      openMs,
      observations: (observations as unknown[]).map((each) => this.readObservation(each)),
    }
  }

  async shadow(): Promise<ShadowReport> {
    const report = readShadowReport(await this.get('/admin/shadow'))
    if (report === null) throw this.strange()
    return report
  }

  private readObservation(value: unknown): BridgeObservation {
    if (!isJsonObject(value)) throw this.strange()
    const { sequence, fromWallMs, durationMs, securityViolations } = value
    if (!isCount(sequence) || !isCount(fromWallMs) || !isCount(durationMs) || !isCount(securityViolations))
      throw this.strange()
    const [push, poll] = [this.readGroup(value['push']), this.readGroup(value['poll'])]
    return { sequence, fromWallMs, durationMs, push, poll, securityViolations }
  }

  private readGroup(value: unknown): BridgeGroup {
    if (!isJsonObject(value)) throw this.strange()
    const { agents, due, failed, unmeasured, histogram } = value
    if (!isCount(agents) || !isCount(due) || !isCount(failed) || !isCount(unmeasured)) throw this.strange()
    if (typeof histogram !== 'string') throw this.strange()
    return { agents, due, failed, unmeasured, histogram }
  }

  private readBuckets(value: unknown): BridgeStatus['buckets'] {
    if (value === null) return null
    if (!isJsonObject(value)) throw this.strange()
    const { statistic, degrees, p } = value
    if (typeof statistic !== 'number' || typeof degrees !== 'number' || typeof p !== 'number') throw this.strange()
    return { statistic, degrees, p }
  }

  /** On the newest revision that this call read: if another change comes in between, nothing is changed. */
  async change(change: Partial<Flags>, actor: string, reason: string): Promise<void> {
    const { revision } = await this.get('/admin/flags')
    await this.request('POST', '/admin/flags', JSON.stringify({ actor, reason, revision, change }))
  }

  /** The whole log, its chain checked. Throws LighthouseError('STORE') where it is broken. */
  async history(): Promise<FlagHistory> {
    const read: unknown[] = []
    let salt = ''
    for (let page = 0; page < mostPages; page++) {
      const value = await this.get(`/admin/audit?from=${read.length}`)
      const { records } = value
      if (typeof value['salt'] !== 'string' || !Array.isArray(records)) throw this.strange()
      salt = value['salt']
      if (records.length === 0) break
      read.push(...(records as unknown[]))
    }
    return { salt, records: readRecords(read, salt, `of the bridge at ${this.target.url}`) }
  }

  close(): Promise<void> {
    return this.client.destroy()
  }

  private async get(path: string): Promise<Readonly<Record<string, unknown>>> {
    return this.request('GET', path, null)
  }

  private async request(
    method: 'GET' | 'POST',
    path: string,
    body: string | null,
  ): Promise<Readonly<Record<string, unknown>>> {
    let status: number
    let text: string
    try {
      const answer = await this.client.request({
        method,
        path,
        headers: { 'x-lighthouse-admin-key': this.target.adminKey, 'content-type': 'application/json' },
        ...(body === null ? {} : { body }),
      })
      status = answer.statusCode
      text = await answer.body.text()
    } catch (cause) {
      throw this.unreachable(cause instanceof Error ? cause.message : String(cause), cause)
    }
    const value = parseJsonObject(text)
    if (status === 200 && value !== null) return value
    if (status === 401) throw this.unreachable('it does not take the admin key')
    if (status === 404) throw this.unreachable('nothing there has flags')
    const error = value?.['error']
    const message =
      isJsonObject(error) && typeof error['message'] === 'string' ? error['message'] : `it answered ${status}`
    if (status === 409)
      throw new LighthouseError('USAGE', `somebody else changed flags in between: ${message}`, {
        suggestions: ['Look at "lighthouse flags log", and repeat the change if it is still wanted.'],
      })
    if (status === 400) throw new LighthouseError('USAGE', `the bridge refuses the change: ${message}`)
    throw this.unreachable(message)
  }

  private strange(): LighthouseError {
    return this.unreachable('what answers is no bridge of this version')
  }

  private unreachable(reason: string, cause?: unknown): LighthouseError {
    return new LighthouseError('ENGINE_UNREACHABLE', `The bridge at ${this.target.url} cannot be used: ${reason}.`, {
      cause,
      suggestions: ['Check that "lighthouse serve bridge" runs there, and that address and admin key are its own.'],
    })
  }
}
